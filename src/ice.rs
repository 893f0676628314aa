//! `PC_CONFIG`: the `RTCPeerConnection` configuration, made for each request from the host under which the page was
//! opened, so that a LAN address, a domain and a bare IP address all work untouched.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::tls::Trust;
use crate::turn::credentials::{self, Issuer};
use crate::words::site::is_host_name;
use crate::words::visitor::Visitor;

/// `RTCConfiguration` as browsers take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PcConfig {
    pub ice_servers: Vec<IceServer>,
    pub ice_transport_policy: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct IceServer {
    pub urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Knows the STUN and TURN servers that pages are told to use.
#[derive(Debug, Clone)]
pub(crate) struct IceServers {
    /// `None` where the relay is switched off.
    pub turn: Option<TurnService>,
}

#[derive(Debug, Clone)]
pub(crate) struct TurnService {
    /// Instead of the host under which the page was reached.
    pub host: Option<String>,
    pub port: u16,
    /// Of TURN over TLS alone; `None` where that has none.
    pub tls_port: Option<u16>,
    pub issuer: Issuer,
    pub ttl: Duration,
    /// Bits per second that a check may relay each way.
    pub check_bitrate: u64,
    pub trust: Trust,
}

impl IceServers {
    /// The configuration for one visitor, with credentials of its own for `name`.
    pub(crate) fn for_visitor(&self, visitor: &Visitor, name: &str, now: SystemTime) -> PcConfig {
        let ttl = self.turn.as_ref().map_or(Duration::ZERO, |turn| turn.ttl);
        self.until(visitor, name, now + ttl)
    }

    /// The configuration for a page that tries the relay without a call.
    pub(crate) fn for_check(&self, visitor: &Visitor, name: &str, now: SystemTime) -> PcConfig {
        self.until(visitor, name, now + credentials::CHECK_TTL)
    }

    fn until(&self, visitor: &Visitor, name: &str, expiry: SystemTime) -> PcConfig {
        let turn = self.turn.as_ref();
        PcConfig {
            ice_servers: turn.map_or_else(Vec::new, |turn| turn.servers(visitor, name, expiry)),
            ice_transport_policy: "all",
        }
    }

    /// How long after they were minted credentials should be replaced; `None` where there are none.
    pub(crate) fn renewal_interval(&self) -> Option<Duration> {
        self.turn.as_ref().map(|turn| turn.ttl.mul_f32(0.6))
    }
}

impl TurnService {
    fn servers(&self, visitor: &Visitor, name: &str, expiry: SystemTime) -> Vec<IceServer> {
        let site = &visitor.site;
        let host = self.host.as_ref().unwrap_or(&site.host);
        let port = self.port;
        let minted = self.issuer.for_page(name, expiry);
        // TURN is on the page's own port too, which may be the only one that a network lets out.
        let page_port = visitor.direct.then_some(site.port);
        let shared_port = page_port.filter(|port| is_turn_port(*port));
        let mut urls = vec![format!("turn:{host}:{port}?transport=udp")];
        let stream_port = shared_port.unwrap_or(port);
        urls.push(format!("turn:{host}:{stream_port}?transport=tcp"));
        // Browsers check the certificate, and Firefox refuses it for an address.
        let tls_port = if visitor.direct {
            shared_port
        } else {
            self.tls_port
        };
        if let Some(tls_port) = tls_port.filter(|_| self.trust.get() && is_host_name(host)) {
            urls.push(format!("turns:{host}:{tls_port}?transport=tcp"));
        }
        vec![
            IceServer {
                urls: vec![format!("stun:{host}:{port}")],
                username: None,
                credential: None,
            },
            IceServer {
                urls,
                username: Some(minted.username),
                credential: Some(minted.password),
            },
        ]
    }
}

/// Chromium uses TURN on these ports only.
fn is_turn_port(port: u16) -> bool {
    matches!(port, 53 | 80 | 443 | 1024..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::Secret;
    use crate::words::site::Site;

    fn service(host: Option<&str>) -> IceServers {
        IceServers {
            turn: Some(TurnService {
                host: host.map(str::to_owned),
                port: 3478,
                tls_port: Some(5349),
                issuer: Issuer::new(Secret::new("0123456789abcdef"), "own"),
                ttl: Duration::from_secs(3600),
                check_bitrate: 1_000_000,
                trust: Trust::default(),
            }),
        }
    }

    fn at(site: &str) -> Visitor {
        Visitor {
            ip: [192, 0, 2, 1].into(),
            site: Site::parse(site).unwrap(),
            direct: true,
        }
    }

    fn urls(ice: &IceServers, host: &str) -> Vec<String> {
        let config = ice.for_visitor(&at(host), "v-1", SystemTime::UNIX_EPOCH);
        config
            .ice_servers
            .into_iter()
            .flat_map(|server| server.urls)
            .collect()
    }

    #[test]
    fn urls_name_the_host_that_was_reached_or_the_configured_one() {
        let expected = [
            "stun:192.168.1.5:3478",
            "turn:192.168.1.5:3478?transport=udp",
            "turn:192.168.1.5:8443?transport=tcp",
        ];
        assert_eq!(urls(&service(None), "192.168.1.5:8443"), expected);
        let expected = [
            "stun:[fd00::5]:3478",
            "turn:[fd00::5]:3478?transport=udp",
            "turn:[fd00::5]:8443?transport=tcp",
        ];
        assert_eq!(urls(&service(None), "[fd00::5]:8443"), expected);
        let expected = [
            "stun:turn.example.com:3478",
            "turn:turn.example.com:3478?transport=udp",
            "turn:turn.example.com:443?transport=tcp",
        ];
        assert_eq!(
            urls(&service(Some("turn.example.com")), "call.example.com"),
            expected
        );
        assert!(urls(&IceServers { turn: None }, "call.example.com").is_empty());
    }

    #[test]
    fn tls_is_offered_where_browsers_accept_it() {
        let trusted = |host: &str| {
            let ice = service(None);
            ice.turn.as_ref().unwrap().trust.set(true);
            urls(&ice, host).split_off(2)
        };
        assert_eq!(
            trusted("call.example.com"),
            [
                "turn:call.example.com:443?transport=tcp",
                "turns:call.example.com:443?transport=tcp"
            ]
        );
        let address = ["turn:192.168.1.5:443?transport=tcp"];
        assert_eq!(trusted("192.168.1.5"), address);
        let blocked = ["turn:call.example.com:3478?transport=tcp"];
        assert_eq!(
            trusted("call.example.com:81"),
            blocked,
            "a port that Chromium blocks"
        );
    }

    #[test]
    fn a_proxy_for_http_passes_no_turn_on() {
        let ice = service(None);
        ice.turn.as_ref().unwrap().trust.set(true);
        let visitor = Visitor {
            direct: false,
            ..at("call.example.com")
        };
        let config = ice.for_visitor(&visitor, "v-1", SystemTime::UNIX_EPOCH);
        assert_eq!(
            config.ice_servers[1].urls[1..],
            [
                "turn:call.example.com:3478?transport=tcp",
                "turns:call.example.com:5349?transport=tcp"
            ]
        );
    }

    #[test]
    fn credentials_end_after_their_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let visitor = at("localhost");
        let config = service(None).for_visitor(&visitor, "v-1", now);
        let begins = |config: &PcConfig, with: &str| {
            let username = config.ice_servers[1].username.as_deref();
            assert!(username.unwrap().starts_with(with), "{username:?}");
        };
        begins(&config, "4600:v-1.");
        let check = service(None).for_check(&visitor, "c-1", now);
        begins(&check, "1120:c-1.");
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(json["iceTransportPolicy"], "all");
        assert!(json["iceServers"][0].get("username").is_none());
    }
}
