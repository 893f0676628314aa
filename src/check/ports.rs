//! Do the TCP ports take connections? Pure.

use std::net::SocketAddr;

use super::fault::Fault;
use super::report::Row;

/// One attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialed {
    pub address: SocketAddr,
    pub result: Result<(), Fault>,
}

pub(super) fn page_name(port: u16) -> String {
    format!("HTTPS port {port}/tcp")
}

/// One port under all addresses of its host.
pub(super) fn row(name: String, port: u16, dialed: &[Dialed]) -> Row {
    let bad: Vec<_> = dialed
        .iter()
        .filter_map(|dial| Some((dial.address, dial.result.as_ref().err()?)))
        .collect();
    let good = dialed.len() - bad.len();
    let Some((_, first)) = bad.first() else {
        return Row::ok(
            name,
            format!(
                "open: {}",
                addresses(dialed.iter().map(|dial| dial.address))
            ),
        );
    };
    if good == 0 {
        let texts: Vec<_> = bad
            .iter()
            .map(|(address, fault)| format!("{address}: {fault}"))
            .collect();
        return Row::failed(name, texts.join(", "), remedy(port, first));
    }
    let open = dialed
        .iter()
        .filter(|dial| dial.result.is_ok())
        .map(|dial| dial.address);
    let open = format!("open: {}", addresses(open));
    // That this machine has no IPv6 tells nothing of the server.
    let real: Vec<_> = bad
        .iter()
        .filter(|(_, fault)| **fault != Fault::Unreachable)
        .collect();
    let Some((address, fault)) = real.first() else {
        return Row::ok(
            name,
            format!(
                "{open}; not tried, for want of a route: {}",
                addresses(bad.iter().map(|bad| bad.0))
            ),
        );
    };
    Row::warning(
        name,
        format!("{open}; not {address}: {fault}"),
        format!(
            "{}; or take {} out of the DNS",
            remedy(port, fault),
            address.ip()
        ),
    )
}

fn addresses(list: impl Iterator<Item = SocketAddr>) -> String {
    list.map(|address| address.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// What to do where a TCP port does not take connections.
pub(super) fn remedy(port: u16, fault: &Fault) -> String {
    match fault {
        Fault::Refused => format!(
            "start callbox there and see that it listens on port {port}, not on loopback only; behind a router forward {port}/tcp"
        ),
        Fault::Silent => format!(
            "open {port}/tcp in the firewall of the machine (`sudo ufw allow {port}/tcp`) and of its provider; behind a router forward it"
        ),
        Fault::Forbidden => {
            "let this machine's own firewall pass what goes out (`sudo nft list ruleset`, `sudo ufw status`)".to_owned()
        }
        Fault::Unreachable => "this machine has no way to that address: see its network".to_owned(),
        _ => format!("see what answers on {port}/tcp there: `ss -lntp`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report::Status;

    fn judged(results: &[(&str, Result<(), Fault>)]) -> Row {
        let dialed: Vec<_> = results
            .iter()
            .map(|(address, result)| Dialed {
                address: address.parse().unwrap(),
                result: result.clone(),
            })
            .collect();
        row(page_name(443), 443, &dialed)
    }

    #[test]
    fn an_open_port_is_named_with_its_addresses() {
        let row = judged(&[("192.0.2.7:443", Ok(())), ("[2001:db8::7]:443", Ok(()))]);
        assert_eq!(
            (row.status, row.name.as_str()),
            (Status::Ok, "HTTPS port 443/tcp")
        );
        assert_eq!(row.found, "open: 192.0.2.7:443, [2001:db8::7]:443");
    }

    #[test]
    fn a_closed_port_has_the_remedy_of_its_kind() {
        for (fault, part) in [
            (Fault::Refused, "start callbox"),
            (Fault::Silent, "sudo ufw allow 443/tcp"),
            (Fault::Unreachable, "no way to that address"),
            (Fault::Forbidden, "this machine's own firewall"),
            (Fault::Other("odd".to_owned()), "ss -lntp"),
        ] {
            let row = judged(&[("192.0.2.7:443", Err(fault))]);
            assert_eq!(row.status, Status::Failed);
            assert!(row.remedy.unwrap().contains(part), "{part}");
        }
    }

    #[test]
    fn one_address_of_two_is_a_warning_unless_it_is_this_machine_that_has_no_way() {
        let row = judged(&[
            ("192.0.2.7:443", Ok(())),
            ("[2001:db8::7]:443", Err(Fault::Silent)),
        ]);
        assert_eq!(row.status, Status::Warning);
        assert!(
            row.remedy
                .unwrap()
                .ends_with("or take 2001:db8::7 out of the DNS")
        );
        let row = judged(&[
            ("192.0.2.7:443", Ok(())),
            ("[2001:db8::7]:443", Err(Fault::Unreachable)),
        ]);
        assert_eq!(row.status, Status::Ok);
    }
}
