//! Are the authorities of this machine's own good for its own names only? Pure.

use std::io;

use super::report::{Row, quote};
use crate::tls::TooWide;

pub(super) const NAME: &str = "certificate: authority";

/// `found`: those that are good for more. `None` where there is nothing to say.
pub(super) fn row(found: io::Result<Vec<TooWide>>) -> Option<Row> {
    let found = match found {
        Ok(found) if found.is_empty() => return None,
        Ok(found) => found,
        Err(error) => {
            let what = format!(
                "local-ca in `state` cannot be looked into: {error}; run the check as root"
            );
            return Some(Row::skipped(NAME, what));
        }
    };
    let promise = |wide: &TooWide| {
        let (file, names) = (wide.path.display(), quote(&wide.names.join(", ")));
        format!("{file} for all names that end in {names}")
    };
    let promises: Vec<_> = found.iter().map(promise).collect();
    Some(Row::warning(
        NAME,
        format!(
            "devices that have installed it take this machine for others: {}",
            promises.join("; ")
        ),
        "delete that file, restart callbox, which makes one for this machine's own names, install that on each device, and remove the \
         old one there: docs/operating.md, \"In a private network, and phones\"",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    #[test]
    fn what_promises_too_much_is_named_with_its_file_and_the_remedy() {
        let wide = TooWide {
            path: "state/local-ca/ca.pem".into(),
            names: vec![".cloud".to_owned(), ".box.example.com".to_owned()],
        };
        let row = row(Ok(vec![wide])).unwrap();
        assert_eq!(row.status, Status::Warning);
        let part = "state/local-ca/ca.pem for all names that end in .cloud, .box.example.com";
        assert!(row.found.contains(part), "{}", row.found);
        assert!(row.remedy.unwrap().contains("remove the old one"));
    }

    #[test]
    fn nothing_is_said_where_nothing_is_wrong_and_who_cannot_see_is_told() {
        assert_eq!(row(Ok(Vec::new())), None);
        let hidden = row(Err(io::ErrorKind::PermissionDenied.into())).unwrap();
        assert_eq!(hidden.status, Status::Skipped);
    }
}
