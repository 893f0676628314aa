//! Does signaling answer on `/ws`? Pure.

use super::fault::Fault;
use super::report::Row;

const NAME: &str = "WebSocket";

/// `through` names the proxy that the connection went through.
pub(super) fn row(answer: &Result<(), Fault>, through: Option<&str>) -> Row {
    let way = through.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    match answer {
        Ok(()) => Row::ok(NAME, format!("/ws answers a ping{way}")),
        Err(fault) => Row::failed(
            NAME,
            format!("/ws{way}: {fault}"),
            remedy(fault, through.is_some()),
        ),
    }
}

fn remedy(fault: &Fault, proxied: bool) -> &'static str {
    match fault {
        Fault::Denied(429, _) => {
            "wait, or raise `signaling.max_connections_per_ip`; all behind a proxy count as one address"
        }
        Fault::Denied(503, _) => "the server is stopping: try again when it is back",
        Fault::Denied(403, _) => {
            "a proxy in front must pass the Host header on as it came (nginx: `proxy_set_header Host $http_host`)"
        }
        Fault::Denied(..) => {
            "a proxy in front must pass upgrades on (nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
             proxy_set_header Connection upgrade`)"
        }
        _ if proxied => {
            "the proxy of this network does not let WebSockets through: ask who runs it, or set NO_PROXY"
        }
        _ => {
            "see callbox's log: `journalctl -u callbox`; a proxy in front must pass WebSockets on and keep them open"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    #[test]
    fn a_pong_is_all_that_is_wanted() {
        assert_eq!(row(&Ok(()), None).status, Status::Ok);
        assert_eq!(
            row(&Ok(()), Some("proxy.lan:3128")).found,
            "/ws answers a ping through the proxy proxy.lan:3128"
        );
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        for (fault, part) in [
            (Fault::Denied(403, String::new()), "proxy_set_header Host"),
            (
                Fault::Denied(404, String::new()),
                "proxy_set_header Upgrade",
            ),
            (
                Fault::Denied(200, String::new()),
                "proxy_set_header Upgrade",
            ),
            (Fault::Denied(429, String::new()), "max_connections_per_ip"),
            (Fault::Denied(503, String::new()), "when it is back"),
            (Fault::Silent, "journalctl -u callbox"),
        ] {
            let row = row(&Err(fault), None);
            assert_eq!(row.status, Status::Failed);
            assert!(row.remedy.unwrap().contains(part), "{part}");
        }
        assert!(
            row(&Err(Fault::Closed), Some("p:1"))
                .remedy
                .unwrap()
                .contains("NO_PROXY")
        );
    }
}
