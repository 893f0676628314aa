//! Does the STUN server answer, and what does it see? Pure.

use std::net::{IpAddr, SocketAddr};

use super::fault::Fault;
use super::ice::IceUrl;
use super::relay;
use super::report::Row;

const NAME: &str = "STUN";

pub(super) fn row(url: &IceUrl, seen: &Result<SocketAddr, Fault>) -> Row {
    match seen {
        Ok(seen) => Row::ok(NAME, format!("{} sees this machine as {seen}", url.text())),
        Err(fault) => Row::failed(
            NAME,
            format!("{}: {fault}", url.text()),
            relay::remedy(url, fault),
        ),
    }
}

/// The same at the server's address of the other family, which the page answers at as well.
pub(super) fn other_row(url: &IceUrl, address: IpAddr, seen: &Result<SocketAddr, Fault>) -> Row {
    let (family, record) = if address.is_ipv4() {
        ("IPv4", "A")
    } else {
        ("IPv6", "AAAA")
    };
    let name = format!("{NAME} over {family}");
    match seen {
        Ok(seen) => Row::ok(name, format!("{address} sees this machine as {seen}")),
        Err(fault) => Row::failed(
            name,
            format!("{address}, {}: {fault}", url.port_text()),
            format!(
                "open {} for {family}, too, in the firewall of the server and of its provider; or remove the {record} record",
                url.port_text()
            ),
        ),
    }
}

/// Where no page is told of any.
pub(super) fn missing() -> Row {
    Row::skipped(NAME, "no STUN server is listed")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::ice::Servers;
    use crate::check::report::Status;

    #[test]
    fn the_seen_address_is_told_and_silence_has_a_remedy() {
        let servers = Servers::read(&json!({"iceServers": [{"urls": "stun:h:3478"}]}));
        let url = servers.stun().unwrap();
        let good = row(url, &Ok("192.0.2.7:5000".parse().unwrap()));
        assert_eq!(
            good.found,
            "stun:h:3478 sees this machine as 192.0.2.7:5000"
        );
        let silent = row(url, &Err(Fault::Silent));
        assert_eq!(silent.status, Status::Failed);
        assert!(silent.remedy.unwrap().contains("sudo ufw allow 3478/udp"));
    }

    #[test]
    fn the_other_family_is_told_by_its_name() {
        let servers = Servers::read(&json!({"iceServers": [{"urls": "stun:h:3478"}]}));
        let url = servers.stun().unwrap();
        let six = "2001:db8::7".parse().unwrap();
        let silent = other_row(url, six, &Err(Fault::Silent));
        assert_eq!(
            (silent.status, silent.name.as_str()),
            (Status::Failed, "STUN over IPv6")
        );
        let remedy = silent.remedy.unwrap();
        assert!(
            remedy.starts_with("open 3478/udp for IPv6, too") && remedy.ends_with("AAAA record")
        );
        let good = other_row(
            url,
            "192.0.2.7".parse().unwrap(),
            &Ok("192.0.2.9:1".parse().unwrap()),
        );
        assert_eq!(
            (good.status, good.name.as_str()),
            (Status::Ok, "STUN over IPv4")
        );
    }
}
