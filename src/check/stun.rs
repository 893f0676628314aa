//! Does the STUN server answer, and what does it see? Pure.

use std::net::SocketAddr;

use super::fault::Fault;
use super::ice::IceUrl;
use super::relay;
use super::report::Row;

const NAME: &str = "STUN";

pub fn row(url: &IceUrl, seen: &Result<SocketAddr, Fault>) -> Row {
    match seen {
        Ok(seen) => Row::ok(NAME, format!("{} sees this machine as {seen}", url.text())),
        Err(fault) => Row::failed(
            NAME,
            format!("{}: {fault}", url.text()),
            relay::remedy(url, fault),
        ),
    }
}

/// Where no page is told of any.
pub fn missing() -> Row {
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
}
