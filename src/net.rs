//! The machine's addresses, and what kind of address an address is.

pub mod changes;
pub mod route;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// An address of one of the machine's interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    pub ip: IpAddr,
    /// Length of the subnet's prefix, in bits.
    pub prefix: u8,
    /// Of the interface: addresses of the same one are on the same link.
    pub interface: String,
    /// Worth telling people: neither loopback, link-local, temporary (RFC 8981) nor of a bridge.
    pub stable: bool,
}

impl LocalAddress {
    pub fn subnet(&self) -> Option<IpNet> {
        IpNet::new(self.ip, self.prefix).ok().map(|net| net.trunc())
    }
}

/// What callbox knows of the machine that it runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
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
    pub fn inspect() -> io::Result<Self> {
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

    pub fn stable(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses
            .iter()
            .filter(|address| address.stable)
            .map(|address| address.ip)
    }

    /// The stable addresses that the whole world could reach, one of each family.
    pub fn global(&self) -> Vec<IpAddr> {
        one_of_each_family(self.stable().filter(|ip| is_global(*ip)))
    }
}

/// Under which addresses the world reaches this machine: configured, of an interface, or of the domains.
pub async fn public_addresses(
    configured: Option<&[IpAddr]>,
    loopback_only: bool,
    domains: &[String],
    machine: &Machine,
) -> Vec<IpAddr> {
    if let Some(configured) = configured {
        return configured.to_vec();
    }
    if loopback_only {
        return Vec::new();
    }
    let mut found = machine.global();
    // Behind 1:1 NAT an interface may have a public IPv6 address and a private IPv4 one.
    for ip in resolve_domains(domains).await {
        if found.iter().all(|other| other.is_ipv4() != ip.is_ipv4()) {
            found.push(ip);
        }
    }
    found
}

/// The addresses of `domains`, one of each family; what does not resolve in time is left out.
async fn resolve_domains(domains: &[String]) -> Vec<IpAddr> {
    let mut lookups = tokio::task::JoinSet::new();
    for domain in domains.iter().cloned() {
        lookups.spawn(async move {
            let lookup = tokio::net::lookup_host((domain, 0));
            tokio::time::timeout(RESOLVE_TIMEOUT, lookup).await
        });
    }
    let answers = lookups.join_all().await;
    let found: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| answer.ok()?.ok())
        .flatten()
        .map(|address| address.ip())
        .collect();
    one_of_each_family(found.into_iter().filter(|ip| is_global(*ip)))
}

fn one_of_each_family(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut kept: Vec<IpAddr> = Vec::new();
    for ip in addresses {
        if !kept.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            kept.push(ip);
        }
    }
    kept
}

/// Is this a host name after RFC 1123: dot-separated labels of letters, digits and hyphens?
pub fn is_host_name(name: &str) -> bool {
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

/// Strips an IPv4-mapped IPv6 address, as dual-stack sockets show IPv4 clients.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An address for a person or a URL: IPv6 in brackets.
pub fn url_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// The IPv4 address that an IPv6 address stands for: IPv4-mapped, NAT64 (RFC 6052) or 6to4 (RFC 3056).
pub fn embedded_ipv4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(join(high, low))
        }
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

pub fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Private (RFC 1918), shared (RFC 6598) or unique local (RFC 4193), and the documentation networks that isolated test
/// set-ups use in their place: somebody's own network, where an operator may allow it.
pub fn is_private(ip: IpAddr) -> bool {
    const SHARED: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
    const DOCUMENTATION: Ipv6Net =
        Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32);
    match ip {
        IpAddr::V4(v4) => v4.is_private() || SHARED.contains(&v4) || v4.is_documentation(),
        IpAddr::V6(v6) => v6.is_unique_local() || DOCUMENTATION.contains(&v6),
    }
}

/// Could the whole Internet reach this address? After IANA's special-purpose registries (RFC 6890).
pub fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => match embedded_ipv4(v6) {
            Some(v4) => is_global_v4(v4),
            None => is_global_v6(v6),
        },
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let relay_anycast = a == 192 && b == 88 && c == 99;
    let benchmarking = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 240
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || is_private(IpAddr::V4(ip))
        || protocol_assignments
        || relay_anycast
        || benchmarking)
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let unicast = s[0] & 0xe000 == 0x2000;
    let protocol_assignments = s[0] == 0x2001 && s[1] < 0x0200;
    let documentation = s[0] == 0x3fff && s[1] < 0x1000;
    unicast && !protocol_assignments && !documentation && !is_private(IpAddr::V6(ip))
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
    fn addresses_the_world_can_reach() {
        for global in [
            "8.8.8.8",
            "1.1.1.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_global(ip(global)), "{global}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.2",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::2",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::",
        ] {
            assert!(!is_global(ip(special)), "{special}");
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
