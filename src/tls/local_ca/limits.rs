//! What an authority may certify: its name constraints (RFC 5280 §4.2.1.10). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::tls::Wanted;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(first: u16, last: u16, prefix: u8) -> IpNet {
    let address = Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last);
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

/// Addresses that are nobody's on the Internet: those of RFC 1918, shared (RFC 6598), unique local (RFC 4193), link-local
/// and loopback. Whatever network the machine moves to, its address is among them.
const NETWORKS: [IpNet; 9] = [
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(100, 64, 0, 0, 10),
    v4(169, 254, 0, 0, 16),
    v4(127, 0, 0, 0, 8),
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
    v6(0, 1, 128),
];

/// Names, with all below them, and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    names: Vec<String>,
    networks: Vec<IpNet>,
}

impl Limits {
    /// No more than a machine with these names needs.
    pub fn around(wanted: &Wanted) -> Self {
        let mut limits = Self {
            names: Vec::new(),
            networks: NETWORKS.to_vec(),
        };
        for name in wanted.all() {
            if limits.permit(name) {
                continue;
            }
            match name.parse::<IpAddr>() {
                Ok(ip) => limits.networks.push(ip.into()),
                Err(_) => limits.names.push(name.clone()),
            }
        }
        limits
    }

    /// Those of an authority's certificate.
    ///
    /// # Errors
    /// When it is no certificate, or has none.
    pub fn of(authority: &CertificateDer<'_>) -> anyhow::Result<Self> {
        let (_, parsed) =
            X509Certificate::from_der(authority).context("it is not an X.509 certificate")?;
        let mut extensions = parsed.extensions().iter();
        let constraints = extensions.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::NameConstraints(constraints) => Some(constraints),
            _ => None,
        });
        let permitted = constraints
            .and_then(|constraints| constraints.permitted_subtrees.as_ref())
            .context("it has no name constraints")?;
        let mut limits = Self::default();
        for subtree in permitted {
            match &subtree.base {
                GeneralName::DNSName(name) => limits.names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => limits.networks.extend(network(bytes)),
                _ => {}
            }
        }
        Ok(limits)
    }

    pub fn permit(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(ip) => self.networks.iter().any(|network| network.contains(&ip)),
            Err(_) => self.names.iter().any(|allowed| {
                name.strip_suffix(allowed.as_str())
                    .is_some_and(|below| below.is_empty() || below.ends_with('.'))
            }),
        }
    }

    pub fn constraints(&self) -> NameConstraints {
        let names = self.names.iter().cloned().map(GeneralSubtree::DnsName);
        let networks = self.networks.iter().map(|network| {
            let subnet = CidrSubnet::from_addr_prefix(network.addr(), network.prefix_len());
            GeneralSubtree::IpAddress(subnet)
        });
        NameConstraints {
            permitted_subtrees: names.chain(networks).collect(),
            excluded_subtrees: Vec::new(),
        }
    }
}

/// Address and mask, as they stand in a certificate.
fn network(bytes: &[u8]) -> Option<IpNet> {
    let (address, mask) = bytes.split_at(bytes.len() / 2);
    let ip = |bytes: &[u8]| {
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
            .ok()
    };
    IpNet::with_netmask(ip(address)?, ip(mask)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(configured: &[&str], found: &[&str]) -> Wanted {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Wanted {
            configured: own(configured),
            found: own(found),
        }
    }

    #[test]
    fn private_networks_and_own_names_are_permitted_and_nothing_else() {
        let limits = Limits::around(&wanted(
            &["call.home.arpa", "203.0.113.7"],
            &["localhost", "box", "box.local", "192.168.1.5"],
        ));
        for inside in [
            "call.home.arpa",
            "box",
            "box.local",
            "localhost",
            "10.255.0.1",
            "172.31.0.1",
            "192.168.200.1",
            "100.100.1.1",
            "169.254.1.1",
            "127.0.0.53",
            "203.0.113.7",
            "::1",
            "fd00::7",
            "fe80::1",
        ] {
            assert!(limits.permit(inside), "{inside}");
        }
        for outside in [
            "home.arpa",
            "xbox",
            "bank.example",
            "example.local",
            "172.32.0.1",
            "192.169.0.1",
            "203.0.113.8",
            "8.8.8.8",
            "::2",
            "2001:4860::8888",
        ] {
            assert!(!limits.permit(outside), "{outside}");
        }
    }

    #[test]
    fn networks_are_read_as_they_are_written() {
        assert_eq!(network(&[10, 0, 0, 0, 255, 0, 0, 0]), Some(NETWORKS[0]));
        assert_eq!(network(&[10, 0, 0, 0, 255, 0, 255, 0]), None);
        assert_eq!(network(&[10, 0, 0]), None);
        assert_eq!(network(&[]), None);
    }
}
