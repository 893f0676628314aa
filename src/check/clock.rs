//! Do the clocks agree? Credentials of the relay are good until a time. Pure.

use std::time::{Duration, SystemTime};

use super::report::Row;

const NAME: &str = "clock";
const TOLERATED: Duration = Duration::from_secs(30);

/// `server` is what `Date` said, at `here`.
pub(super) fn row(server: Option<SystemTime>, here: SystemTime) -> Row {
    let Some(server) = server else {
        return Row::skipped(NAME, "the server sends no Date");
    };
    let (apart, direction) = match server.duration_since(here) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let seconds = apart.as_secs();
    if apart <= TOLERATED {
        return Row::ok(NAME, format!("{seconds} s apart from this machine's"));
    }
    Row::warning(
        NAME,
        format!("the server's is {seconds} s {direction} this machine's"),
        "set the wrong one: `timedatectl set-ntp true` keeps a clock right; credentials of the relay and certificates depend on it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    #[test]
    fn half_a_minute_is_tolerated() {
        let here = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let apart = Duration::from_secs(31);
        assert_eq!(row(None, here).status, Status::Skipped);
        assert_eq!(row(Some(here - TOLERATED), here).status, Status::Ok);
        let ahead = row(Some(here + apart), here);
        assert_eq!(
            (ahead.status, ahead.found.as_str()),
            (
                Status::Warning,
                "the server's is 31 s ahead of this machine's"
            )
        );
        assert!(row(Some(here - apart), here).found.contains("31 s behind"));
        assert!(ahead.remedy.unwrap().contains("timedatectl set-ntp true"));
        assert_eq!(
            row(Some(SystemTime::UNIX_EPOCH), here).status,
            Status::Warning
        );
    }
}
