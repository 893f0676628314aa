//! Does the relay give an address out, on each way to it? Pure.

use std::net::SocketAddr;

use super::fault::Fault;
use super::ice::{IceUrl, Transport};
use super::ports;
use super::report::Row;

/// The attempt to allocate on one of its addresses.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub url: IceUrl,
    pub result: Result<SocketAddr, Fault>,
}

/// `page` is the port of the page, which the relay shares.
pub(super) fn row(attempt: &Attempt, page: u16) -> Row {
    let url = &attempt.url;
    let name = name(url, page);
    match &attempt.result {
        Ok(relayed) => Row::ok(name, format!("{} gives {relayed}", url.text())),
        Err(fault) => {
            let row = Row::failed(name, format!("{}: {fault}", url.text()), remedy(url, fault));
            if url.listed {
                row
            } else {
                row.softened("pages are not told of it")
            }
        }
    }
}

fn name(url: &IceUrl, page: u16) -> String {
    let transport = match url.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    };
    let place = if url.port == page && url.transport != Transport::Udp {
        "the HTTPS port".to_owned()
    } else {
        url.port_text()
    };
    format!("TURN over {transport} on {place}")
}

/// What to do where STUN or TURN does not answer as it should.
pub(super) fn remedy(url: &IceUrl, fault: &Fault) -> String {
    let port = url.port_text();
    match fault {
        Fault::Denied(401 | 441, _) => {
            "the credentials are refused: another TURN server answers here (coturn?), or the page's configuration is not callbox's own".to_owned()
        }
        Fault::Denied(486, _) => "too many allocations: wait, or raise `turn.limits`".to_owned(),
        Fault::Denied(508, _) => "no port is free: widen `turn.relay_ports`, and see the limit of open files".to_owned(),
        Fault::Denied(..) | Fault::Foreign | Fault::Other(_) => {
            format!("see what answers on {port} there: `ss -lntup` names the program, and a proxy in front has to pass TURN on untouched")
        }
        Fault::Closed | Fault::Tls(_) => {
            format!("a proxy in front that takes {port} for HTTPS alone has to pass the connection on as it is; TURN also has `turn.listen`")
        }
        Fault::Unresolved => "set `turn.host` to a name that resolves, or remove it".to_owned(),
        Fault::Refused if url.transport == Transport::Udp => {
            format!("see that callbox listens there (`turn.listen`), and not on other addresses only; behind a router forward {port}")
        }
        Fault::Silent if url.transport == Transport::Udp => format!(
            "open {port} in the firewall of the server (`sudo ufw allow {port}`) and of its provider; where it is this network \
             that blocks UDP, calls take TCP"
        ),
        Fault::Refused | Fault::Silent | Fault::Unreachable | Fault::Forbidden => {
            ports::remedy(url.port, fault)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::ice::Servers;
    use crate::check::report::Status;

    fn url(text: &str) -> IceUrl {
        let servers = Servers::read(&json!({"iceServers": [{"urls": text}]}));
        servers.urls.into_iter().next().unwrap()
    }

    fn judged(text: &str, listed: bool, result: Result<SocketAddr, Fault>) -> Row {
        let url = IceUrl {
            listed,
            ..url(text)
        };
        row(&Attempt { url, result }, 443)
    }

    #[test]
    fn rows_are_named_by_the_way_to_the_relay() {
        let relayed = "192.0.2.7:50000".parse().unwrap();
        for (text, name) in [
            ("turn:h:3478?transport=udp", "TURN over UDP on 3478/udp"),
            ("turn:h:443?transport=udp", "TURN over UDP on 443/udp"),
            (
                "turn:h:443?transport=tcp",
                "TURN over TCP on the HTTPS port",
            ),
            ("turns:h:5349?transport=tcp", "TURN over TLS on 5349/tcp"),
        ] {
            let row = judged(text, true, Ok(relayed));
            assert_eq!((row.status, row.name.as_str()), (Status::Ok, name));
        }
    }

    #[test]
    fn each_fault_has_its_remedy() {
        let denied = |code| Fault::Denied(code, "words".to_owned());
        for (text, fault, part) in [
            ("turn:h:3478", Fault::Silent, "sudo ufw allow 3478/udp"),
            ("turn:h:3478", Fault::Refused, "`turn.listen`"),
            (
                "turn:h:3478?transport=tcp",
                Fault::Silent,
                "sudo ufw allow 3478/tcp",
            ),
            ("turn:h:3478?transport=tcp", Fault::Refused, "start callbox"),
            ("turns:h:443", Fault::Closed, "for HTTPS alone"),
            ("turn:h:3478", denied(401), "another TURN server"),
            ("turn:h:3478", denied(486), "`turn.limits`"),
            ("turn:h:3478", denied(508), "`turn.relay_ports`"),
            ("turn:h:3478", Fault::Foreign, "ss -lntup"),
            ("turn:h:3478", Fault::Unresolved, "`turn.host`"),
        ] {
            let row = judged(text, true, Err(fault));
            assert_eq!(row.status, Status::Failed);
            assert!(
                row.remedy.as_ref().unwrap().contains(part),
                "{part}: {row:?}"
            );
        }
    }

    #[test]
    fn what_pages_are_not_told_of_is_a_warning() {
        let row = judged("turns:h:443", false, Err(Fault::Silent));
        assert_eq!(row.status, Status::Warning);
        assert!(row.found.ends_with("pages are not told of it"));
    }
}
