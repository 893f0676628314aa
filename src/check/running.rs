//! Does a server run on this machine? Pure.

use std::net::SocketAddr;

use super::fault::Fault;
use super::report::Row;

const NAME: &str = "server";
const PORTS: &str = "ports";

/// `installed`: is there a systemd unit?
pub(super) fn row(address: SocketAddr, fault: &Fault, installed: bool) -> Row {
    let remedy = if installed {
        "`sudo systemctl start callbox`, and `journalctl -u callbox` says why it does not run"
    } else {
        "start it: `callbox`; it says what keeps it from starting"
    };
    Row::failed(
        NAME,
        format!("callbox does not run on {address}: {fault}"),
        remedy,
    )
}

/// `listen` with port 0 leaves the port to the system.
pub(super) fn unknown_port() -> Row {
    Row::failed(
        NAME,
        "`listen` names no port, so the server cannot be found",
        "give the address of the page: `callbox check https://HOST:PORT/`",
    )
}

/// Could the ports be had? `problem` is the sentence with which the server would end.
pub(super) fn ports_row(problem: Option<&str>) -> Row {
    match problem {
        None => Row::ok(PORTS, "free for callbox to listen on"),
        Some(problem) => match problem.split_once("; ") {
            Some((found, remedy)) => Row::failed(PORTS, found, remedy),
            None => Row::failed(PORTS, problem, "choose another address"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    #[test]
    fn a_server_that_does_not_run_is_started() {
        let address = "127.0.0.1:8443".parse().unwrap();
        let remedy = |installed| row(address, &Fault::Refused, installed).remedy.unwrap();
        assert!(remedy(true).contains("systemctl start callbox"));
        assert!(remedy(false).contains("start it: `callbox`"));
        assert!(
            unknown_port()
                .remedy
                .unwrap()
                .contains("callbox check https://HOST:PORT/")
        );
    }

    #[test]
    fn ports_that_cannot_be_had_are_told_with_the_remedy() {
        assert_eq!(ports_row(None).status, Status::Ok);
        let row = ports_row(Some(
            "built-in default: listen: port 8443 is used by another program; end that one",
        ));
        assert_eq!(row.status, Status::Failed);
        assert_eq!(row.remedy.unwrap(), "end that one");
    }
}
