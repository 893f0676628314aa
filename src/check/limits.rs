//! Does the machine allow what the configuration promises: open files, and bytes that wait in a socket? Pure.

use super::report::Row;
use crate::config::Config;
use crate::turn::LISTENER_BUFFER;

const FILES: &str = "limit of open files";
const BUFFER: &str = "receive buffer";
/// Listeners, threads' polls, the log, files that are read.
const OWN_FILES: u64 = 128;

/// Files that are open when everything is in use that the configuration allows: each connection is one, and so is each
/// relayed address.
pub(super) fn wanted_files(config: &Config) -> u64 {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let relayed = config.turn.as_ref().map_or(0, |turn| {
        count(turn.limits.allocations).min(turn.relay_ports.size().into())
    });
    count(config.server.max_connections)
        .saturating_add(relayed)
        .saturating_add(OWN_FILES)
}

/// The hard limit in `/proc/PID/limits`, to which callbox raises its own.
pub(super) fn hard_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

pub(super) fn files_row(allowed: u64, wanted: u64, whose: &str) -> Row {
    if allowed >= wanted {
        return Row::ok(
            FILES,
            format!("{allowed} of {whose}; {wanted} are used at the most"),
        );
    }
    Row::warning(
        FILES,
        format!("{allowed} of {whose}, and the configuration allows {wanted} at once"),
        format!(
            "set `LimitNOFILE={}` in the unit (`systemctl edit callbox`), or lower `server.max_connections` and `turn.limits.allocations`",
            wanted.checked_next_power_of_two().unwrap_or(wanted)
        ),
    )
}

/// `granted` of [`LISTENER_BUFFER`] bytes.
pub(super) fn buffer_row(granted: usize) -> Row {
    if granted >= LISTENER_BUFFER {
        return Row::ok(BUFFER, format!("{granted} bytes are granted"));
    }
    Row::warning(
        BUFFER,
        format!("the kernel grants {granted} of {LISTENER_BUFFER} bytes, so bursts may be lost"),
        format!(
            "`sysctl -w net.core.rmem_max={LISTENER_BUFFER}`, or install deploy/60-callbox.conf in /etc/sysctl.d; then restart callbox"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;
    use crate::config::Sources;

    #[test]
    fn connections_and_relayed_addresses_are_counted() {
        let mut config = Config::load(&Sources::default()).unwrap();
        assert_eq!(wanted_files(&config), 4096 + 8192 + OWN_FILES);
        if let Some(turn) = &mut config.turn {
            turn.relay_ports.low = turn.relay_ports.high - 99;
        }
        assert_eq!(
            wanted_files(&config),
            4096 + 100 + OWN_FILES,
            "fewer ports than allocations"
        );
        config.turn = None;
        assert_eq!(wanted_files(&config), 4096 + OWN_FILES);
    }

    #[test]
    fn the_hard_limit_is_read() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax processes 1 2 processes\nMax open files            1024                 524288               files     \n";
        assert_eq!(hard_limit(limits), Some(524_288));
        assert_eq!(
            hard_limit("Max open files 1024 unlimited files"),
            Some(u64::MAX)
        );
        assert_eq!(hard_limit("Max open files"), None);
    }

    #[test]
    fn too_little_is_a_warning_with_the_number_to_set() {
        assert_eq!(files_row(12_416, 12_416, "the server").status, Status::Ok);
        let row = files_row(4096, 12_416, "the server");
        assert_eq!(row.status, Status::Warning);
        assert!(row.remedy.unwrap().contains("LimitNOFILE=16384"));
        assert_eq!(buffer_row(LISTENER_BUFFER).status, Status::Ok);
        let row = buffer_row(212_992);
        assert_eq!(row.status, Status::Warning);
        assert!(
            row.remedy
                .unwrap()
                .contains("sysctl -w net.core.rmem_max=4194304")
        );
    }
}
