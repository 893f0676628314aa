//! Who is at the far end of a request: the browser itself, or a proxy that tells whom it asks for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{FromRequestParts, Request};
use axum::http::header::{FORWARDED, HOST, HeaderName};
use axum::http::request::Parts;
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, StatusCode};
use ipnet::IpNet;

use crate::front::{Peer, Plain};
use crate::words::site::Site;
use crate::words::visitor::Visitor;

const NO_HOST: &str = "The Host header names no host.\n";

/// What a proxy says of a request.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    client: Option<IpAddr>,
    https: bool,
    /// Host, and port where it is named, under which the browser reached the proxy.
    host: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or((StatusCode::BAD_REQUEST, NO_HOST))
    }
}

/// Finds out who asks and notes it as a [`Visitor`], unless the request names no host. What proxies say is believed of those in
/// `trusted` only.
pub(super) fn identify(trusted: &[IpNet], request: &mut Request) {
    let peer = request.extensions().get::<Peer>().map(|Peer(peer)| *peer);
    // Only a request that came through the front has one; of others nothing is believed.
    let peer = peer.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let named = authority(request.uri(), request.headers());
    let told = told(peer.ip(), trusted, request.headers(), named);
    if told.as_ref().is_some_and(|told| told.https) {
        request.extensions_mut().remove::<Plain>();
    }
    let site = match &told {
        Some(Told {
            host: Some(host), ..
        }) => Site::parse(host),
        _ => authority(request.uri(), request.headers()).and_then(Site::parse),
    };
    if let Some(site) = site {
        let visitor = Visitor {
            ip: told
                .as_ref()
                .and_then(|told| told.client)
                .unwrap_or(peer.ip()),
            site,
            direct: told.is_none(),
        };
        request.extensions_mut().insert(visitor);
    }
}

/// Whom the request is for: the authority of HTTP/2, or the header of HTTP/1.1.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST)?.to_str().ok(),
    }
}

/// What a trusted proxy says; `None` of a peer that is not one, or says nothing.
fn told(peer: IpAddr, trusted: &[IpNet], headers: &HeaderMap, named: Option<&str>) -> Option<Told> {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
    if !is_trusted(peer) {
        return None;
    }
    // Proxies write one of them and may pass the other on as it came; nearly all of them write this one.
    let chain = match all(headers, &X_FORWARDED_FOR) {
        list if !list.is_empty() => Chain::of_addresses(&list),
        _ => Chain::of_elements(&all(headers, &FORWARDED)),
    };
    let single = |name: &HeaderName| {
        headers
            .get(name)?
            .to_str()
            .ok()?
            .rsplit(',')
            .next()
            .map(str::trim)
    };
    let proto = single(&X_FORWARDED_PROTO)
        .map(str::to_owned)
        .or(chain.proto);
    if chain.addresses.is_empty() && proto.is_none() {
        return None;
    }
    // The last was written by the proxy that is nearest; whoever stands before one that is not trusted may be made up.
    let client = chain.addresses.iter().rev().map_while(|ip| *ip);
    let mut found = None;
    for ip in client {
        found = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    let host = single(&X_FORWARDED_HOST).map(str::to_owned).or(chain.host);
    let port = single(&X_FORWARDED_PORT).and_then(|port| port.parse().ok());
    Some(Told {
        client: found,
        https: proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
        host: with_port(host.or_else(|| named.map(str::to_owned)), port),
    })
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// All values of a header that may come several times, in order.
fn all(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|each| each.trim().to_owned())
        .collect()
}

/// The way of a request, from the browser on. An address that cannot be read (`unknown`, `_hidden`) ends what is known.
#[derive(Default)]
struct Chain {
    addresses: Vec<Option<IpAddr>>,
    proto: Option<String>,
    host: Option<String>,
}

impl Chain {
    fn of_addresses(list: &[String]) -> Self {
        Self {
            addresses: list.iter().map(|text| node(text)).collect(),
            ..Self::default()
        }
    }

    /// `Forwarded` (RFC 7239 §4); what is said of protocol and host is the last proxy's.
    fn of_elements(list: &[String]) -> Self {
        let mut chain = Self::default();
        for element in list {
            let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
            let mut address = None;
            (chain.proto, chain.host) = (None, None);
            for (name, value) in pairs {
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => address = node(value),
                    "proto" => chain.proto = Some(value.to_owned()),
                    "host" => chain.host = Some(value.to_owned()),
                    _ => {}
                }
            }
            chain.addresses.push(address);
        }
        chain
    }
}

/// An address, which may have a port (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let ip = bare
        .parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

/// A host that names no port gets the one that the proxy names.
fn with_port(host: Option<String>, port: Option<u16>) -> Option<String> {
    let host = host?;
    let authority: Authority = host.parse().ok()?;
    match port {
        Some(port) if authority.port().is_none() && port != 443 => Some(format!("{host}:{port}")),
        _ => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn ask(peer: &str, list: &[(&'static str, &str)]) -> Option<Told> {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8"].map(|text| text.parse().unwrap());
        let headers = headers(list);
        let named = headers.get(HOST).map(|host| host.to_str().unwrap());
        told(peer.parse().unwrap(), &trusted, &headers, named)
    }

    fn client(list: &[(&'static str, &str)]) -> Option<String> {
        ask("127.0.0.1", list)?.client.map(|ip| ip.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let list = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(ask("192.0.2.1", &list), None);
        assert_eq!(ask("127.0.0.1", &[]), None);
        let told = ask("127.0.0.1", &list).unwrap();
        assert_eq!(told.client, "203.0.113.9".parse().ok());
        assert!(told.https);
    }

    #[test]
    fn what_a_browser_wrote_itself_is_not_believed() {
        let made_up = "198.51.100.1, 203.0.113.9, 10.0.0.7";
        assert_eq!(
            client(&[("x-forwarded-for", made_up)]).unwrap(),
            "203.0.113.9"
        );
        let twice = [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        assert_eq!(client(&twice).unwrap(), "203.0.113.9");
        let both = [
            ("forwarded", "for=198.51.100.1"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        assert_eq!(client(&both).unwrap(), "203.0.113.9");
        // Behind what cannot be read anything may stand.
        assert_eq!(
            client(&[("x-forwarded-for", "198.51.100.1, unknown")]),
            None
        );
        assert_eq!(
            client(&[("x-forwarded-for", "198.51.100.1, unknown, 10.0.0.7")]).unwrap(),
            "10.0.0.7"
        );
    }

    #[test]
    fn the_standard_header_says_the_same() {
        let list = [(
            "forwarded",
            "for=198.51.100.1, for=\"[2001:db8::9]:1000\";proto=https;host=\"call.example.com:8443\"",
        )];
        let told = ask("127.0.0.1", &list).unwrap();
        assert_eq!(told.client, "2001:db8::9".parse().ok());
        assert!(told.https);
        assert_eq!(told.host.as_deref(), Some("call.example.com:8443"));
        assert_eq!(
            client(&[("forwarded", "for=203.0.113.9:1000")]).unwrap(),
            "203.0.113.9"
        );
        assert_eq!(client(&[("forwarded", "for=_hidden")]), None);
    }

    #[test]
    fn the_host_is_what_the_browser_reached() {
        let host = |list: &[(&'static str, &str)]| {
            let list = [
                list,
                &[("x-forwarded-proto", "https"), ("host", "upstream:8443")],
            ]
            .concat();
            ask("10.1.1.1", &list).unwrap().host
        };
        assert_eq!(host(&[]).unwrap(), "upstream:8443");
        let forwarded = ("x-forwarded-host", "call.example.com");
        assert_eq!(host(&[forwarded]).unwrap(), "call.example.com");
        assert_eq!(
            host(&[forwarded, ("x-forwarded-port", "443")]).unwrap(),
            "call.example.com"
        );
        assert_eq!(
            host(&[forwarded, ("x-forwarded-port", "8443")]).unwrap(),
            "call.example.com:8443"
        );
        assert_eq!(host(&[("x-forwarded-host", "not a host")]), None);
    }
}
