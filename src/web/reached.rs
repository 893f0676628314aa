//! Under which host and port a browser reached the server.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use super::Client;
use crate::net::{is_host_name, url_host};

const HTTPS_PORT: u16 = 443;

/// The host and port under which a browser reached the server; safe to stand in a script or a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    pub port: u16,
    /// At this port there is this server itself, and so its TURN, too.
    pub direct: bool,
}

impl Reached {
    /// From the authority of the request; `None` if there is none or it is not a plain host and port.
    pub fn from_request(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        match uri.authority() {
            Some(authority) => Self::parse(authority.as_str()),
            None => Self::parse(headers.get("host")?.to_str().ok()?),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
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
            Some(v6) => url_host(std::net::IpAddr::V6(v6.parse().ok()?)),
            None => match bare.parse::<std::net::Ipv4Addr>() {
                Ok(v4) => v4.to_string(),
                Err(_) => Some(bare.to_ascii_lowercase()).filter(|name| is_host_name(name))?,
            },
        };
        Some(Self {
            host,
            port,
            direct: true,
        })
    }

    /// The same for a client that may be behind a proxy.
    pub fn by(self, client: Client) -> Self {
        Self {
            direct: !client.behind_http,
            ..self
        }
    }

    pub fn is_same_site(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }

    /// As it stands in an `https` URL and in an `Origin` header.
    pub fn authority(&self) -> String {
        match self.port {
            HTTPS_PORT => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(text: &str) -> Option<String> {
        Reached::parse(text).map(|reached| format!("{} {}", reached.host, reached.port))
    }

    #[test]
    fn hosts_are_validated_before_they_enter_a_script() {
        assert_eq!(reached("Call.Example.com").unwrap(), "call.example.com 443");
        assert_eq!(reached("localhost:8443").unwrap(), "localhost 8443");
        assert_eq!(reached("192.168.1.5:8443").unwrap(), "192.168.1.5 8443");
        assert_eq!(reached("[fd00:0::5]:8443").unwrap(), "[fd00::5] 8443");
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
            assert_eq!(reached(bad), None, "{bad}");
        }
    }
}
