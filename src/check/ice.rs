//! The STUN and TURN servers that a page is told of (RFC 7064, RFC 7065). Pure.

use serde_json::Value;

use super::target::{Target, bare};
use crate::words::site::Site;

/// Addresses that are looked at; a page of callbox lists four.
const MAX_URLS: usize = 16;
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// Where a STUN or TURN server should be, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IceUrl {
    pub kind: Kind,
    /// As it stands in a URL: an IPv6 address in brackets.
    pub host: String,
    pub port: u16,
    pub transport: Transport,
    /// Is it one that pages are told of?
    pub listed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stun,
    Turn,
}

/// What a page needs to allocate.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub username: String,
    pub password: String,
}

/// Everything of `PC_CONFIG` that can be tried.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Servers {
    pub urls: Vec<IceUrl>,
    pub login: Option<Login>,
    /// What stands there and is not understood.
    pub odd: Vec<String>,
}

impl Servers {
    /// From the `iceServers` of an `RTCConfiguration`.
    pub(super) fn read(pc_config: &Value) -> Self {
        let mut servers = Self::default();
        let list = pc_config.get("iceServers").and_then(Value::as_array);
        for server in list.into_iter().flatten() {
            for url in texts(server.get("urls")) {
                if servers.urls.len() + servers.odd.len() == MAX_URLS {
                    return servers;
                }
                match IceUrl::parse(url) {
                    Some(url) if servers.urls.contains(&url) => {}
                    Some(url) => servers.urls.push(url),
                    None => servers.odd.push(url.to_owned()),
                }
            }
            let text = |key| server.get(key).and_then(Value::as_str).map(str::to_owned);
            if let (Some(username), Some(password)) = (text("username"), text("credential")) {
                servers.login = servers.login.or(Some(Login { username, password }));
            }
        }
        servers
    }

    pub(super) fn stun(&self) -> Option<&IceUrl> {
        self.urls.iter().find(|url| url.kind == Kind::Stun)
    }

    pub(super) fn turn(&self) -> impl Iterator<Item = &IceUrl> {
        self.urls.iter().filter(|url| url.kind == Kind::Turn)
    }

    /// Adds what a server has and does not tell pages of.
    pub(super) fn add_unlisted(&mut self, target: &Target, transport: Transport, port: u16) {
        let of_udp = self.turn().find(|url| url.transport == Transport::Udp);
        let host = of_udp.map_or(target.host(), |url| &url.host).to_owned();
        let same = |url: &&IceUrl| (&url.host, url.port, url.transport) == (&host, port, transport);
        if self.turn().next().is_some() && !self.turn().any(|url| same(&url)) {
            self.urls.push(IceUrl {
                kind: Kind::Turn,
                host,
                port,
                transport,
                listed: false,
            });
        }
    }
}

/// One text, or a list of them.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}

impl IceUrl {
    /// `None` for what is not a URL of STUN or TURN.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let secure = matches!(scheme, "turns" | "stuns");
        let transport = match (secure, query) {
            (true, None | Some("transport=tcp")) => Transport::Tls,
            (false, Some("transport=tcp")) => Transport::Tcp,
            (false, None | Some("transport=udp")) => Transport::Udp,
            _ => return None,
        };
        let kind = match scheme {
            "stun" | "stuns" => Kind::Stun,
            "turn" | "turns" => Kind::Turn,
            _ => return None,
        };
        let Site { host, port } = Site::parse(authority)?;
        let has_port = !authority.ends_with(']') && bare(authority).contains(':');
        let default = if secure { TLS_PORT } else { PORT };
        Some(Self {
            kind,
            host,
            port: if has_port { port } else { default },
            transport,
            listed: true,
        })
    }

    /// As a resolver has it: without brackets.
    pub(super) fn name(&self) -> &str {
        bare(&self.host)
    }

    /// As a firewall names it.
    pub(super) fn port_text(&self) -> String {
        let protocol = if self.transport == Transport::Udp {
            "udp"
        } else {
            "tcp"
        };
        format!("{}/{protocol}", self.port)
    }

    pub(super) fn text(&self) -> String {
        let Self { host, port, .. } = self;
        match (self.kind, self.transport) {
            (Kind::Stun, Transport::Tls) => format!("stuns:{host}:{port}"),
            (Kind::Stun, _) => format!("stun:{host}:{port}"),
            (Kind::Turn, Transport::Udp) => format!("turn:{host}:{port}?transport=udp"),
            (Kind::Turn, Transport::Tcp) => format!("turn:{host}:{port}?transport=tcp"),
            (Kind::Turn, Transport::Tls) => format!("turns:{host}:{port}?transport=tcp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_are_read_as_browsers_do() {
        for (text, expected, transport) in [
            (
                "stun:call.example.com",
                "stun:call.example.com:3478",
                Transport::Udp,
            ),
            (
                "turn:[fd00::5]",
                "turn:[fd00::5]:3478?transport=udp",
                Transport::Udp,
            ),
            (
                "turn:[fd00::5]:5000?transport=tcp",
                "turn:[fd00::5]:5000?transport=tcp",
                Transport::Tcp,
            ),
            (
                "turns:call.example.com",
                "turns:call.example.com:5349?transport=tcp",
                Transport::Tls,
            ),
            (
                "turns:192.0.2.7:443?transport=tcp",
                "turns:192.0.2.7:443?transport=tcp",
                Transport::Tls,
            ),
        ] {
            let url = IceUrl::parse(text).unwrap();
            assert_eq!((url.text().as_str(), url.transport), (expected, transport));
        }
        for odd in [
            "",
            "turn",
            "turn:",
            "http://x",
            "turn:a b",
            "turn:x:0x1",
            "turn:x?transport=sctp",
            "turns:x?transport=udp",
            "turn:x:99999",
        ] {
            assert_eq!(IceUrl::parse(odd), None, "{odd}");
        }
    }

    fn servers() -> Servers {
        Servers::read(&json!({"iceServers": [
            {"urls": "stun:h:3478"},
            {"urls": ["turn:h:3478?transport=udp", "turn:h:443?transport=tcp", "turn:h:3478", 7, "gopher:h"],
             "username": "u", "credential": "p"},
        ]}))
    }

    #[test]
    fn servers_are_taken_from_a_configuration_once_each() {
        let servers = servers();
        let urls: Vec<_> = servers.urls.iter().map(IceUrl::text).collect();
        assert_eq!(
            urls,
            [
                "stun:h:3478",
                "turn:h:3478?transport=udp",
                "turn:h:443?transport=tcp"
            ]
        );
        assert_eq!(servers.odd, ["gopher:h"]);
        assert_eq!(servers.login.unwrap().password, "p");
    }

    #[test]
    fn what_is_there_and_not_listed_is_added_once() {
        let mut servers = servers();
        let target: Target = "https://other".parse().unwrap();
        servers.add_unlisted(&target, Transport::Tcp, 443);
        assert_eq!(servers.turn().count(), 2, "listed already");
        servers.add_unlisted(&target, Transport::Tls, 443);
        let added = servers.turn().last().unwrap();
        assert_eq!(
            (added.text().as_str(), added.listed),
            ("turns:h:443?transport=tcp", false)
        );
        let mut none = Servers::default();
        none.add_unlisted(&target, Transport::Tls, 443);
        assert_eq!(none.turn().count(), 0, "a relay that is switched off");
    }

    #[test]
    fn nonsense_leaves_nothing_and_too_much_is_cut() {
        for odd in [
            json!(null),
            json!([]),
            json!({"iceServers": 7}),
            json!({"iceServers": [1, {"urls": {}}]}),
        ] {
            assert!(Servers::read(&odd).urls.is_empty());
        }
        let many: Vec<_> = (1..1000).map(|port| format!("turn:h:{port}")).collect();
        let servers = Servers::read(&json!({"iceServers": [{"urls": many}]}));
        assert_eq!(servers.urls.len(), MAX_URLS);
    }
}
