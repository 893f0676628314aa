//! The machine's addresses, gateways and name, as the operating system has them.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use crate::words::site::is_host_name;
use callbox_turn::{LocalAddress, is_global, is_link_local};

/// What callbox knows of the machine that it runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub addresses: Vec<LocalAddress>,
    /// Default gateways.
    pub gateways: Vec<IpAddr>,
    /// The machine's own name, where it is a valid one.
    pub host_name: Option<String>,
}

impl Machine {
    /// Asks the operating system.
    ///
    /// # Errors
    /// When the interfaces cannot be listed.
    pub(crate) fn inspect() -> io::Result<Self> {
        let if_inet6 = std::fs::read_to_string("/proc/self/net/if_inet6").unwrap_or_default();
        let addresses = if_addrs::get_if_addrs()?
            .into_iter()
            .map(|interface| {
                let ip = interface.ip();
                let prefix = match &interface.addr {
                    if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                    if_addrs::IfAddr::V6(v6) => v6.prefixlen,
                };
                let stable = !ip.is_loopback()
                    && !is_link_local(ip)
                    && !is_bridge(&interface.name)
                    && !is_temporary(ip, &if_inet6);
                LocalAddress {
                    ip,
                    prefix,
                    interface: device(&interface.name).to_owned(),
                    stable,
                }
            })
            .collect();
        Ok(Self {
            addresses,
            gateways: gateways(),
            host_name: host_name(),
        })
    }

    pub(crate) fn stable(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses
            .iter()
            .filter(|address| address.stable)
            .map(|address| address.ip)
    }

    /// The stable addresses that the whole world could reach, one of each family.
    pub(crate) fn global(&self) -> Vec<IpAddr> {
        one_of_each_family(self.stable().filter(|ip| is_global(*ip)))
    }
}

/// The first address of each family.
pub(super) fn one_of_each_family(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut kept: Vec<IpAddr> = Vec::new();
    for ip in addresses {
        if !kept.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            kept.push(ip);
        }
    }
    kept
}

/// An IPv4 alias is listed as "eth0:1".
fn device(interface: &str) -> &str {
    interface.split(':').next().unwrap_or(interface)
}

fn is_bridge(interface: &str) -> bool {
    Path::new("/sys/class/net")
        .join(device(interface))
        .join("bridge")
        .exists()
}

/// `/proc/net/if_inet6`: address, index, prefix, scope, flags, name; flag 0x01 is `IFA_F_TEMPORARY`, 0x20 deprecated.
fn is_temporary(ip: IpAddr, if_inet6: &str) -> bool {
    let IpAddr::V6(v6) = ip else { return false };
    let hex = format!("{:032x}", u128::from(v6));
    if_inet6.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(hex.as_str())
            && fields
                .nth(3)
                .and_then(|flags| u32::from_str_radix(flags, 16).ok())
                .is_some_and(|flags| flags & 0x21 != 0)
    })
}

fn gateways() -> Vec<IpAddr> {
    let v4 = std::fs::read_to_string("/proc/self/net/route").unwrap_or_default();
    let v6 = std::fs::read_to_string("/proc/self/net/ipv6_route").unwrap_or_default();
    gateways_v4(&v4).chain(gateways_v6(&v6)).collect()
}

/// `/proc/net/route`: interface, destination, gateway, ...; addresses are hexadecimal in the machine's byte order.
fn gateways_v4(table: &str) -> impl Iterator<Item = IpAddr> {
    table.lines().skip(1).filter_map(|line| {
        let gateway = line.split_whitespace().nth(2)?;
        let bits = u32::from_str_radix(gateway, 16)
            .ok()
            .filter(|bits| *bits != 0)?;
        Some(IpAddr::from(bits.to_ne_bytes()))
    })
}

/// `/proc/net/ipv6_route`: destination, prefix, source, prefix, next hop, ...
fn gateways_v6(table: &str) -> impl Iterator<Item = IpAddr> {
    table.lines().filter_map(|line| {
        let next_hop = line.split_whitespace().nth(4)?;
        let bits = u128::from_str_radix(next_hop, 16)
            .ok()
            .filter(|bits| *bits != 0)?;
        Some(IpAddr::from(Ipv6Addr::from(bits)))
    })
}

fn host_name() -> Option<String> {
    let name = rustix::system::uname()
        .nodename()
        .to_str()
        .ok()?
        .to_ascii_lowercase();
    is_host_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn temporary_addresses_are_known_by_their_flags() {
        let table = "fd000000000000000000000000000002 04 40 00 80 eth0\n\
                     20010db8000000001111222233334444 04 40 00 01 eth0\n";
        assert!(!is_temporary(ip("fd00::2"), table));
        assert!(is_temporary(ip("2001:db8::1111:2222:3333:4444"), table));
        assert!(!is_temporary(ip("2001:db8::1"), table));
        assert!(!is_temporary(ip("192.0.2.1"), table));
    }

    #[test]
    fn gateways_are_read_from_the_routing_tables() {
        let v4 = "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t010200C0\t0003\neth0\t000200C0\t00000000\t0001\n";
        if cfg!(target_endian = "little") {
            assert_eq!(gateways_v4(v4).collect::<Vec<_>>(), [ip("192.0.2.1")]);
        }
        let zero = "0".repeat(32);
        let v6 = format!(
            "{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 0 0 3 eth0\n{zero} 40 {zero} 00 {zero} 0 0 0 1 lo\n"
        );
        assert_eq!(gateways_v6(&v6).collect::<Vec<_>>(), [ip("fd00::1")]);
    }
}
