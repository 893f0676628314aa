//! A site: the host and port of a server, as they stand in its URLs.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::uri::Authority;

/// The port that `https` URLs leave out.
const HTTPS_PORT: u16 = 443;

/// A host and port; safe to stand in a script or a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// A name in lower case, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    pub port: u16,
}

impl Site {
    /// Reads `host`, `host:port` or `[address]:port`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
        let bare = authority.host();
        let port = match text.strip_prefix(bare)? {
            "" => HTTPS_PORT,
            rest => rest.strip_prefix(':')?.parse().ok()?,
        };
        let host = match bare
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(v6) => url_host(IpAddr::V6(v6.parse().ok()?)),
            None => match bare.parse::<Ipv4Addr>() {
                Ok(v4) => v4.to_string(),
                Err(_) => Some(bare.to_ascii_lowercase()).filter(|name| is_host_name(name))?,
            },
        };
        Some(Self { host, port })
    }

    /// As it stands in an `https` URL and in an `Origin` header: without the port that those leave out.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            HTTPS_PORT => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }
}

/// Is this a host name after RFC 1123: dot-separated labels of letters, digits and hyphens?
pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric_end = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && !numeric_end
}

/// An address for a person or a URL: IPv6 in brackets.
pub(crate) fn url_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Site::parse(text).map(|site| format!("{} {}", site.host, site.port))
    }

    #[test]
    fn hosts_are_validated_before_they_enter_a_script() {
        assert_eq!(read("Call.Example.com").unwrap(), "call.example.com 443");
        assert_eq!(read("localhost:8443").unwrap(), "localhost 8443");
        assert_eq!(read("192.168.1.5:8443").unwrap(), "192.168.1.5 8443");
        assert_eq!(read("[fd00:0::5]:8443").unwrap(), "[fd00::5] 8443");
        for bad in [
            "",
            "a b",
            "a\"b",
            "a';alert(1)//",
            "<script>",
            "user@host",
            "host:",
            "host:99999",
            "[::1",
            "[x]",
            "a/b",
            "-a.com",
            "a_b.com",
            "1.2.3",
            "256.1.1.1",
            "é.com",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn host_names() {
        for name in [
            "localhost",
            "call.example.com",
            "a-b.c1",
            "xn--bcher-kva.example",
        ] {
            assert!(is_host_name(name), "{name}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for name in [
            "", ".", "a..b", "-a.com", "a_b.com", "1.2.3.4", "a b", "a\"b", "<x>", "a.com:1", &long,
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }
}
