//! Do packets go through the relay: from one relayed address to another, and in from outside? Pure.

use std::net::SocketAddr;

use super::fault::Fault;
use super::report::Row;

const PAIR: &str = "a packet through two relays";
const OUTSIDE: &str = "a packet to the relay from outside";

/// A packet that was sent to a relayed address.
#[derive(Debug, Clone)]
pub(super) struct Passage {
    pub to: SocketAddr,
    pub result: Result<(), Fault>,
}

/// From one relayed address to another, as between two people who both relay.
pub(super) fn pair_row(passage: &Passage) -> Row {
    match &passage.result {
        Ok(()) => Row::ok(PAIR, format!("arrives at {}", passage.to)),
        Err(fault @ Fault::Denied(403, _)) => Row::failed(
            PAIR,
            format!("{}: {fault}", passage.to),
            "allow the network of the relayed addresses in `turn.peers`, or set `public_ip` to the address that the world sees",
        ),
        Err(fault) => Row::failed(
            PAIR,
            format!("{}: {fault}", passage.to),
            "the machine's firewall must let its own packets to `turn.relay_ports` pass; callbox's log (`journalctl -u callbox`) \
             says what the relay dropped",
        ),
    }
}

/// From here, without a relay of one's own, as from somebody whom no firewall hinders.
pub(super) fn outside_row(passage: &Passage) -> Row {
    let port = passage.to.port();
    match &passage.result {
        Ok(()) => Row::ok(OUTSIDE, format!("arrives at {}", passage.to)),
        Err(fault @ Fault::Denied(403, _)) => Row::skipped(
            OUTSIDE,
            format!(
                "{fault}: this machine's address is none that the relay sends to (`turn.peers`)"
            ),
        ),
        Err(fault) => Row::failed(
            OUTSIDE,
            format!("{}: {fault}", passage.to),
            format!(
                "open the relay ports ({port}/udp is one of `turn.relay_ports`, 49152-65535 by default) in the firewall of the \
                 server (`sudo ufw allow 49152:65535/udp`) and of its provider; behind a router forward them"
            ),
        ),
    }
}

/// Where there is nothing to send from or to.
pub(super) fn skipped(why: &str) -> [Row; 2] {
    [pair_skipped(why), outside_skipped(why)]
}

pub(super) fn pair_skipped(why: &str) -> Row {
    Row::skipped(PAIR, why)
}

pub(super) fn outside_skipped(why: &str) -> Row {
    Row::skipped(OUTSIDE, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn passage(result: Result<(), Fault>) -> Passage {
        Passage {
            to: "192.0.2.7:50000".parse().unwrap(),
            result,
        }
    }

    #[test]
    fn packets_arrive_or_there_is_a_remedy() {
        assert_eq!(pair_row(&passage(Ok(()))).status, Status::Ok);
        assert_eq!(outside_row(&passage(Ok(()))).status, Status::Ok);
        let denied = Err(Fault::Denied(403, "Forbidden".to_owned()));
        assert!(
            pair_row(&passage(denied.clone()))
                .remedy
                .unwrap()
                .contains("`turn.peers`")
        );
        assert_eq!(
            outside_row(&passage(denied)).status,
            Status::Skipped,
            "a client on the LAN of a public server"
        );
        let silent = Err(Fault::Silent);
        assert!(
            pair_row(&passage(silent.clone()))
                .remedy
                .unwrap()
                .contains("journalctl")
        );
        let row = outside_row(&passage(silent));
        assert_eq!(row.status, Status::Failed);
        assert!(
            row.remedy
                .unwrap()
                .contains("sudo ufw allow 49152:65535/udp")
        );
    }
}
