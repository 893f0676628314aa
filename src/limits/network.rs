//! Who counts as one.

use std::net::{IpAddr, Ipv6Addr};

/// Who counts as one client: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AddressKey(IpAddr);

/// A network in which clients are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    first: IpAddr,
    width: Width,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Width {
    /// An IPv4 address, or a /64.
    Client,
    /// A /56: what many providers give a household.
    Household,
    /// A /48: what they give a company.
    Company,
}

/// How many networks an address may be in.
pub(super) const LEVELS: usize = 3;

impl From<IpAddr> for AddressKey {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => Self(masked(v6, 64)),
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
        }
    }
}

impl AddressKey {
    /// The networks that it is counted in, from the narrowest on: one for IPv4, three for IPv6.
    pub(crate) fn networks(self) -> impl DoubleEndedIterator<Item = Network> {
        let wider = match self.0 {
            IpAddr::V4(_) => [None, None],
            IpAddr::V6(v6) => [
                Some((masked(v6, 56), Width::Household)),
                Some((masked(v6, 48), Width::Company)),
            ],
        };
        std::iter::once((self.0, Width::Client))
            .chain(wider.into_iter().flatten())
            .map(|(first, width)| Network { first, width })
    }

    /// Is it in this network?
    pub(crate) fn is_in(self, network: Network) -> bool {
        self.networks().any(|own| own == network)
    }
}

impl Network {
    /// 0 for the narrowest.
    pub(crate) fn level(self) -> usize {
        self.width as usize
    }
}

fn masked(address: Ipv6Addr, length: u32) -> IpAddr {
    let mask = u128::MAX << (128 - length);
    IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> AddressKey {
        AddressKey::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_a_64() {
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::2"));
        assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
    }

    #[test]
    fn wider_networks_hold_several_clients() {
        let common = |left: &str, right: &str| {
            let right = key(right);
            key(left).networks().filter(|own| right.is_in(*own)).count()
        };
        assert_eq!(common("2001:db8:0:1::1", "2001:db8:0:1::2"), 3);
        assert_eq!(common("2001:db8:0:1::1", "2001:db8:0:ff::1"), 2);
        assert_eq!(common("2001:db8:0:1::1", "2001:db8:0:100::1"), 1);
        assert_eq!(common("2001:db8:0:1::1", "2001:db8:1::1"), 0);
        assert_eq!(common("192.0.2.1", "192.0.2.2"), 0);
        assert_eq!(key("192.0.2.1").networks().count(), 1);
    }

    /// A /64 whose first address is that of its /48, too, is not the same as it.
    #[test]
    fn networks_of_different_widths_are_different() {
        let all: Vec<_> = key("2001:db8::1").networks().collect();
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    }
}
