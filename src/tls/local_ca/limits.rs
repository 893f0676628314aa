//! What an authority may certify: its name constraints (RFC 5280 §4.2.1.10). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::{self, Never, Reach};
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

/// What an authority may certify: what lies in one of the permitted subtrees and in none of the excluded ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Limits {
    names: Vec<String>,
    excluded: Vec<String>,
    networks: Vec<IpNet>,
}

/// A configured name that no authority of this machine's own may be good for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncertifiable {
    #[error(
        "{0} is a single label, and this machine's own authority is not good for such ones, which may be top-level domains; write \
         the whole name of this machine, such as \"{0}.local\" or \"{0}.home.arpa\", or set tls.local_ca = false"
    )]
    OneLabel(String),
    #[error(
        "{0} is a public suffix, and this machine's own authority is not good for what others have names below; write the name of \
         this machine, or set tls.local_ca = false"
    )]
    PublicSuffix(String),
    #[error(
        "{below} is below {above}, and an authority for both would be good for all names there; leave {above} out, or set \
         tls.local_ca = false"
    )]
    Above { above: String, below: String },
}

impl Uncertifiable {
    fn new(never: Never, name: &str) -> Self {
        match never {
            Never::OneLabel => Self::OneLabel(name.to_owned()),
            Never::PublicSuffix => Self::PublicSuffix(name.to_owned()),
        }
    }
}

impl Limits {
    /// No more than a machine with these names needs. What was found and may not be promised is left out.
    ///
    /// # Errors
    /// Where a configured name may not be.
    pub(super) fn around(wanted: &Wanted) -> Result<Self, Uncertifiable> {
        let mut limits = Self {
            names: vec!["localhost".to_owned()],
            excluded: Vec::new(),
            networks: NETWORKS.to_vec(),
        };
        let (mut own, mut exact) = (Vec::new(), Vec::new());
        for name in wanted.all() {
            let configured = wanted.configured.contains(name);
            if let Ok(ip) = name.parse::<IpAddr>() {
                if !limits.permit(name) {
                    limits.networks.push(ip.into());
                }
                continue;
            }
            match names::reach(name) {
                Ok(Reach::Subtree) => own.push(name),
                Ok(Reach::Exactly) => exact.push((name, configured)),
                Err(never) if configured => return Err(Uncertifiable::new(never, name)),
                Err(_) => {}
            }
        }
        for name in own {
            if !limits.permit(name) {
                limits.names.push(name.clone());
            }
        }
        limits.add_exactly(&exact)?;
        Ok(limits)
    }

    /// `names`: each with whether it was configured.
    fn add_exactly(&mut self, names: &[(&String, bool)]) -> Result<(), Uncertifiable> {
        for (name, configured) in names {
            let mut others = names.iter().map(|(other, _)| *other);
            let below = others.find(|other| other != name && names::is_within(other, name));
            match below {
                None if self.permit(name) => {}
                None => {
                    self.names.push((*name).clone());
                    self.excluded.push(format!(".{name}"));
                }
                Some(below) if *configured => {
                    let (above, below) = ((*name).clone(), below.clone());
                    return Err(Uncertifiable::Above { above, below });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Those of an authority's certificate.
    ///
    /// # Errors
    /// When it is no certificate, or has none.
    pub(super) fn of(authority: &CertificateDer<'_>) -> anyhow::Result<Self> {
        let (_, parsed) =
            X509Certificate::from_der(authority).context("it is not an X.509 certificate")?;
        let mut extensions = parsed.extensions().iter();
        let constraints = extensions.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::NameConstraints(constraints) => Some(constraints),
            _ => None,
        });
        let constraints = constraints.context("it has no name constraints")?;
        let permitted = constraints.permitted_subtrees.as_ref();
        let mut limits = Self::default();
        for subtree in permitted.context("it has no name constraints")? {
            match &subtree.base {
                GeneralName::DNSName(name) => limits.names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => limits.networks.extend(network(bytes)),
                _ => {}
            }
        }
        for subtree in constraints.excluded_subtrees.iter().flatten() {
            if let GeneralName::DNSName(name) = &subtree.base {
                limits.excluded.push(name.to_ascii_lowercase());
            }
        }
        // A kind of name that is not mentioned is not limited (RFC 5280 §4.2.1.10).
        if limits.names.is_empty() {
            limits.names.push(String::new());
        }
        Ok(limits)
    }

    pub(super) fn permit(&self, name: &str) -> bool {
        if let Ok(ip) = name.parse::<IpAddr>() {
            return self.networks.iter().any(|network| network.contains(&ip));
        }
        let within = |subtree: &String| names::is_within(name, subtree);
        self.names.iter().any(within) && !self.excluded.iter().any(within)
    }

    /// The subtrees that reach into what is somebody else's: `.box` for all that ends so.
    pub(super) fn excess(&self) -> Vec<String> {
        let is_too_wide = |name: &&String| match names::reach(name) {
            Ok(Reach::Subtree) => false,
            Ok(Reach::Exactly) => !self.excluded.contains(&format!(".{name}")),
            Err(_) => true,
        };
        let names = self.names.iter().filter(is_too_wide);
        names.map(|name| format!(".{name}")).collect()
    }

    pub(super) fn constraints(&self) -> NameConstraints {
        let subtrees = |names: &[String]| -> Vec<_> {
            names.iter().cloned().map(GeneralSubtree::DnsName).collect()
        };
        let networks = self.networks.iter().map(|network| {
            let subnet = CidrSubnet::from_addr_prefix(network.addr(), network.prefix_len());
            GeneralSubtree::IpAddress(subnet)
        });
        NameConstraints {
            permitted_subtrees: subtrees(&self.names).into_iter().chain(networks).collect(),
            excluded_subtrees: subtrees(&self.excluded),
        }
    }
}

#[cfg(test)]
impl Limits {
    /// As earlier versions made them: each name with all below it.
    pub(super) fn with_all_below(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            excluded: Vec::new(),
            networks: NETWORKS.to_vec(),
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
            &[
                "localhost",
                "box",
                "box.local",
                "box.example",
                "192.168.1.5",
            ],
        ))
        .unwrap();
        for inside in [
            "call.home.arpa",
            "mail.call.home.arpa",
            "box.local",
            "box.example",
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
            "box",
            "bank.box",
            "xbox.local",
            "example",
            "mail.box.example",
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
    fn what_is_made_promises_nothing_of_others_whatever_the_machine_is_called() {
        for host in ["cloud", "dev", "box", "co.uk", "example.com", "box.lan"] {
            let local = format!("{host}.local");
            let limits = Limits::around(&wanted(&[], &[host, &local])).unwrap();
            assert!(limits.excess().is_empty(), "{limits:?}");
            for other in [
                "bank.cloud",
                "a.dev",
                "x.box",
                "x.co.uk",
                "mail.example.com",
            ] {
                assert!(!limits.permit(other), "{host}: {other}");
            }
            assert_eq!(limits.permit(host), host.contains('.') && host != "co.uk");
        }
        assert!(
            Limits::around(&Wanted::default())
                .unwrap()
                .permit("localhost")
        );
    }

    #[test]
    fn a_configured_name_that_may_not_be_promised_is_refused_and_a_found_one_left_out() {
        let refused = |names: &[&str]| Limits::around(&wanted(names, &["localhost"])).unwrap_err();
        assert!(
            refused(&["cloud"])
                .to_string()
                .contains("\"cloud.home.arpa\"")
        );
        assert!(
            matches!(refused(&["co.uk"]), Uncertifiable::PublicSuffix(name) if name == "co.uk")
        );
        let error = refused(&["call.example.com", "example.com"]).to_string();
        assert!(error.contains("leave example.com out"), "{error}");
        let limits = Limits::around(&wanted(&["call.example.com"], &["example.com"])).unwrap();
        assert!(limits.permit("call.example.com") && !limits.permit("example.com"));
        let both = wanted(&["box.local", "call.box.local"], &[]);
        assert!(Limits::around(&both).is_ok());
    }

    #[test]
    fn what_earlier_versions_have_promised_is_seen() {
        let names = ["localhost", "box", "box.local", "call.example.com", ""];
        let limits = Limits::with_all_below(&names);
        assert_eq!(limits.excess(), [".box", ".call.example.com", "."]);
        assert!(limits.permit("whatever.example"));
    }

    #[test]
    fn networks_are_read_as_they_are_written() {
        assert_eq!(network(&[10, 0, 0, 0, 255, 0, 0, 0]), Some(NETWORKS[0]));
        assert_eq!(network(&[10, 0, 0, 0, 255, 0, 255, 0]), None);
        assert_eq!(network(&[10, 0, 0]), None);
        assert_eq!(network(&[]), None);
    }
}
