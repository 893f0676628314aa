//! The operator's page: what goes on now and went on in the last hour. It names neither people nor rooms.

use std::time::{Duration, SystemTime};

use super::chart::{bitrate, chart};
use super::history::History;
use crate::signaling::Census;
use crate::tls::Facts;

const PAGE: &str = include_str!("status.html");
/// Rooms that are shown one by one.
const ROOMS: usize = 40;

/// What the page shows beside the history.
pub(super) struct Now<'a> {
    pub census: Census,
    /// How many are in each room.
    pub rooms: Vec<usize>,
    pub allocations: usize,
    pub certificate: &'a Facts,
    pub trusted: bool,
    pub uptime: Duration,
    pub draining: bool,
    pub at: SystemTime,
}

#[expect(clippy::cast_precision_loss, reason = "for pictures")]
pub(super) fn page(now: &Now<'_>, history: &History) -> String {
    let whole = |value: f64| format!("{value:.0}");
    let charts = [
        chart(
            "People in rooms",
            &history.levels(|sample| sample.people as f64),
            whole,
        ),
        chart(
            "Allocations of the relay",
            &history.levels(|sample| sample.allocations as f64),
            whole,
        ),
        chart(
            "Relayed",
            &history.rates(|sample| 8.0 * sample.relayed_bytes as f64),
            bitrate,
        ),
        chart(
            "Processor",
            &history.rates(|sample| sample.cpu.as_secs_f64()),
            |cores| format!("{:.0} % of a core", 100.0 * cores),
        ),
    ];
    PAGE.replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{state}", if now.draining { "stopping" } else { "running" })
        .replace("{uptime}", &uptime(now.uptime))
        .replace("{certificate}", &certificate(now))
        .replace("{numbers}", &numbers(now))
        .replace("{rooms}", &rooms(&now.rooms))
        .replace("{charts}", &charts.concat())
}

fn numbers(now: &Now<'_>) -> String {
    let Census {
        rooms,
        calls,
        people,
        websockets,
    } = now.census;
    let all = [
        (people, ["person", "people"]),
        (rooms, ["room", "rooms"]),
        (calls, ["call", "calls"]),
        (websockets, ["WebSocket", "WebSockets"]),
        (now.allocations, ["allocation", "allocations"]),
    ];
    let item = |(count, [one, many]): (usize, [&str; 2])| {
        let what = if count == 1 { one } else { many };
        format!("<li><strong>{count}</strong> {what}</li>")
    };
    all.map(item).concat()
}

/// The fullest first, a square for each person.
fn rooms(sizes: &[usize]) -> String {
    if sizes.is_empty() {
        return "<p>Nobody is in a room.</p>".to_owned();
    }
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let room = |size: &usize| {
        let squares = "<i></i>".repeat(*size);
        let people = if *size == 1 { "person" } else { "people" };
        format!(
            "<li title=\"{size} {people}\">{squares}<span class=\"unseen\">{size} {people}</span></li>"
        )
    };
    let shown: String = sizes.iter().take(ROOMS).map(room).collect();
    let more = sizes.len().saturating_sub(ROOMS);
    let rest = if more > 0 {
        format!("<p>and {more} more</p>")
    } else {
        String::new()
    };
    format!("<ul class=\"rooms\">{shown}</ul>{rest}")
}

fn certificate(now: &Now<'_>) -> String {
    let days = now.certificate.days_left(now.at);
    let trust = if now.trusted {
        "trusted by browsers"
    } else {
        "not trusted by browsers"
    };
    format!("certificate for {days} more days, {trust}")
}

fn uptime(uptime: Duration) -> String {
    let minutes = uptime.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_shown_by_their_size_and_not_without_end() {
        assert_eq!(rooms(&[]), "<p>Nobody is in a room.</p>");
        let few = rooms(&[1, 3]);
        assert!(
            few.find("3 people").unwrap() < few.find("1 person").unwrap(),
            "{few}"
        );
        let many = rooms(&[2; 50]);
        assert_eq!(many.matches("<li").count(), ROOMS);
        assert!(many.ends_with("<p>and 10 more</p>"));
    }

    #[test]
    fn uptime_is_told_in_its_two_largest_units() {
        let texts = [59, 60, 3_600, 90_061].map(|seconds| uptime(Duration::from_secs(seconds)));
        assert_eq!(texts, ["0 min", "1 min", "1 h 0 min", "1 d 1 h"]);
    }
}
