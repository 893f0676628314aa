//! Is the state directory as callbox needs it? Pure.

use std::path::PathBuf;

use super::report::Row;

const NAME: &str = "state directory";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observed {
    pub path: PathBuf,
    pub found: Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Missing,
    /// Something else has its name.
    NoDirectory,
    /// This user may not look into it.
    Hidden,
    There {
        /// Files in it that others than their owner can read.
        exposed: Vec<String>,
        /// Can the user who runs the check write to it?
        writable: bool,
        /// Is that user its owner?
        own: bool,
    },
}

/// `running`: does a server run on this machine?
pub(super) fn row(observed: &Observed, running: bool) -> Row {
    let path = observed.path.display();
    match &observed.found {
        Found::Missing if running => Row::warning(
            NAME,
            format!("{path} is not there, so the server that runs has another one"),
            "run the check in the folder and with the configuration of the server (`--config`)",
        ),
        Found::Missing => Row::ok(NAME, format!("{path} will be made at the first start")),
        Found::NoDirectory => Row::failed(
            NAME,
            format!("{path} is not a directory"),
            "set `state` to a directory, or remove what stands there",
        ),
        Found::Hidden => Row::skipped(
            NAME,
            format!("{path} is for another user to see: run the check as root"),
        ),
        Found::There { exposed, .. } if !exposed.is_empty() => Row::failed(
            NAME,
            format!(
                "others can read the secrets {} in {path}",
                exposed.join(", ")
            ),
            format!(
                "`chmod go= {path} {path}/*`, and delete them to have new ones made if others have been on this machine"
            ),
        ),
        Found::There {
            writable: false,
            own: true,
            ..
        } => Row::failed(
            NAME,
            format!("{path} cannot be written to"),
            "make it writable (`chmod u+rwx`), or set `state` to a directory on a disk that is not read-only",
        ),
        Found::There { .. } => Row::ok(NAME, path.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn judged(found: Found, running: bool) -> Row {
        row(
            &Observed {
                path: "/var/lib/callbox".into(),
                found,
            },
            running,
        )
    }

    fn there(exposed: &[&str], writable: bool, own: bool) -> Found {
        let exposed = exposed.iter().map(|name| (*name).to_owned()).collect();
        Found::There {
            exposed,
            writable,
            own,
        }
    }

    #[test]
    fn secrets_are_for_their_owner_who_can_write() {
        assert_eq!(judged(there(&[], true, true), true).status, Status::Ok);
        assert_eq!(
            judged(there(&[], false, false), true).status,
            Status::Ok,
            "of the server's user"
        );
        let exposed = judged(there(&["turn-secret"], true, true), true);
        assert_eq!(exposed.status, Status::Failed);
        assert!(
            exposed
                .remedy
                .unwrap()
                .contains("chmod go= /var/lib/callbox")
        );
        assert!(
            judged(there(&[], false, true), true)
                .remedy
                .unwrap()
                .contains("chmod u+rwx")
        );
    }

    #[test]
    fn what_is_not_there_is_told_apart() {
        assert_eq!(judged(Found::Missing, false).status, Status::Ok);
        let elsewhere = judged(Found::Missing, true);
        assert_eq!(elsewhere.status, Status::Warning);
        assert!(elsewhere.remedy.unwrap().contains("`--config`"));
        assert_eq!(judged(Found::Hidden, true).status, Status::Skipped);
        assert_eq!(judged(Found::NoDirectory, true).status, Status::Failed);
    }
}
