//! What a check found, as a table for people and as JSON for programs. Pure.

use std::fmt::Write;

use serde::Serialize;

/// Characters of what a server said that are repeated to people.
const MAX_QUOTE: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// Works, or works for some.
    Warning,
    Failed,
    /// Could not be looked at, or is not there to be looked at.
    Skipped,
}

/// One thing that can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub name: String,
    pub status: Status,
    /// In words.
    pub found: String,
    /// What to do about a warning or a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Row {
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(name.into(), Status::Ok, found.into(), None)
    }

    pub fn skipped(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(name.into(), Status::Skipped, found.into(), None)
    }

    pub fn warning(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self::new(name.into(), Status::Warning, found.into(), remedy)
    }

    pub fn failed(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self::new(name.into(), Status::Failed, found.into(), remedy)
    }

    fn new(name: String, status: Status, found: String, remedy: Option<String>) -> Self {
        Self {
            name,
            status,
            found,
            remedy,
        }
    }

    /// A failure that calls can do without.
    #[must_use]
    pub fn softened(mut self, why: &str) -> Self {
        if self.status == Status::Failed {
            self.status = Status::Warning;
            let _ = write!(self.found, "; {why}");
        }
        self
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The page that was checked.
    pub url: String,
    pub rows: Vec<Row>,
}

impl Report {
    /// Has nothing failed?
    pub fn ok(&self) -> bool {
        self.rows.iter().all(|row| row.status != Status::Failed)
    }

    /// `{"url": …, "ok": …, "rows": […]}` on one line.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which no row can cause.
    pub fn json(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Shape<'a> {
            url: &'a str,
            ok: bool,
            rows: &'a [Row],
        }
        serde_json::to_string(&Shape {
            url: &self.url,
            ok: self.ok(),
            rows: &self.rows,
        })
    }

    pub fn table(&self) -> String {
        let mut text = format!("\n  {}\n\n", self.url);
        let lengths = self.rows.iter().map(|row| row.name.chars().count());
        let width = lengths.max().unwrap_or_default();
        for row in &self.rows {
            let status = match row.status {
                Status::Ok => "ok",
                Status::Warning => "warning",
                Status::Failed => "FAILED",
                Status::Skipped => "skipped",
            };
            let _ = writeln!(text, "  {status:<8} {:<width$}  {}", row.name, row.found);
            if let Some(remedy) = &row.remedy {
                let _ = writeln!(text, "  {:<8} {:<width$}  -> {remedy}", "", "");
            }
        }
        let count = |status| self.rows.iter().filter(|row| row.status == status).count();
        let _ = writeln!(
            text,
            "\n  {} failed, {} warnings, {} ok, {} skipped",
            count(Status::Failed),
            count(Status::Warning),
            count(Status::Ok),
            count(Status::Skipped)
        );
        text
    }
}

/// What a server said, fit for a terminal: no control characters, not endless.
pub(super) fn quote(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control() && !is_invisible(*c);
    let mut plain: String = text.chars().filter(is_plain).take(MAX_QUOTE + 1).collect();
    if let Some((end, _)) = plain.char_indices().nth(MAX_QUOTE) {
        plain.truncate(end);
        plain.push('…');
    }
    plain
}

/// Characters that turn the direction of text, or take no room in it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            url: "https://call.example.com/".to_owned(),
            rows: vec![
                Row::ok("DNS", "fine"),
                Row::warning("clock", "31 s apart", "set it"),
                Row::skipped("STUN", "no server"),
            ],
        }
    }

    #[test]
    fn warnings_are_allowed_and_failures_are_not() {
        let mut report = report();
        assert!(report.ok());
        report.rows.push(Row::failed("WebSocket", "403", "pass it"));
        assert!(!report.ok());
    }

    #[test]
    fn json_is_one_object_with_a_remedy_where_there_is_one() {
        let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
        assert_eq!(json["url"], "https://call.example.com/");
        assert_eq!(json["ok"], true);
        assert_eq!(json["rows"][0]["status"], "ok");
        assert!(json["rows"][0].get("remedy").is_none());
        assert_eq!(json["rows"][1]["remedy"], "set it");
        assert_eq!(json["rows"][2]["status"], "skipped");
    }

    #[test]
    fn the_table_has_a_line_for_each_row_and_one_for_each_remedy() {
        let table = report().table();
        assert!(table.contains("  ok       DNS    fine\n"), "{table}");
        assert!(table.contains("-> set it\n"), "{table}");
        assert!(table.ends_with("0 failed, 1 warnings, 1 ok, 1 skipped\n"));
    }

    #[test]
    fn what_a_server_says_cannot_write_to_the_terminal() {
        assert_eq!(quote("\u{1b}[2Jowned\r\n\u{202e}x"), "[2Jownedx");
        let long = quote(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MAX_QUOTE + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn only_failures_are_softened() {
        let row = Row::failed("TURN", "silent", "open it").softened("pages do without");
        assert_eq!(
            (row.status, row.found.as_str()),
            (Status::Warning, "silent; pages do without")
        );
        assert_eq!(
            Row::ok("TURN", "fine").softened("never"),
            Row::ok("TURN", "fine")
        );
    }
}
