//! Who is asked for: an address, `localhost`, or a name that the operator has given this machine. A page of somebody else whose
//! name leads here (DNS rebinding) is told nothing. Pure.

use std::net::Ipv6Addr;

use axum::http::uri::Authority;

use crate::words::site::is_host_name;

/// What a request says of whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ours,
    /// 421 (RFC 9110 §15.5.20).
    Misdirected,
    /// 400 (RFC 9112 §3.2).
    Broken,
}

/// `authority`: host and perhaps port, as in a Host header. `names`: those in `[admin] hosts`.
pub(super) fn judge(authority: &str, names: &[String]) -> Verdict {
    let Ok(parsed) = authority.parse::<Authority>() else {
        return Verdict::Broken;
    };
    let host = parsed.host();
    let has_port = match authority
        .strip_prefix(host)
        .map(|rest| rest.split_at_checked(1))
    {
        Some(None) => true,
        Some(Some((":", port))) => port.parse::<u16>().is_ok(),
        _ => false,
    };
    if !has_port {
        return Verdict::Broken;
    }
    if let Some(v6) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let is_address = v6.parse::<Ipv6Addr>().is_ok();
        return if is_address {
            Verdict::Ours
        } else {
            Verdict::Broken
        };
    }
    // With the dot at its end it is the same name (RFC 1034 §3.1).
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if name == "localhost" || is_ipv4(host) || names.contains(&name) {
        Verdict::Ours
    } else if is_host_name(&name) {
        Verdict::Misdirected
    } else {
        Verdict::Broken
    }
}

fn is_ipv4(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_names_of_ones_own_are_answered() {
        let names = ["status.home.arpa".to_owned()];
        for ours in [
            "127.0.0.1:9480",
            "127.0.0.1",
            "[::1]:9480",
            "[fd00::5]",
            "10.0.0.7:80",
            "localhost",
            "LOCALHOST:9480",
            "localhost.:9480",
            "Status.Home.Arpa:9480",
            "status.home.arpa.",
        ] {
            assert_eq!(judge(ours, &names), Verdict::Ours, "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:9480",
            "localhost.evil.example:9480",
            "127.0.0.1.evil.example",
            "x.status.home.arpa",
            "home.arpa",
            "callbox:9480",
        ] {
            assert_eq!(judge(other, &names), Verdict::Misdirected, "{other}");
        }
        for broken in [
            "",
            ":9480",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "user@127.0.0.1",
            "[::1",
            "[x]",
            "::1",
            "a b",
            "127.1",
            "256.0.0.1",
        ] {
            assert_eq!(judge(broken, &names), Verdict::Broken, "{broken}");
        }
    }
}
