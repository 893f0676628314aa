//! Relayed addresses: the ports of the configured range on each address that relays, who has which, and what is live.
//!
//! Shards share this without a lock: a port is one bit, claimed before its socket is bound, and live while an
//! allocation has it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Ports held by other programs that are tried for one allocation before it is refused.
const MAX_FOREIGN: u32 = 256;
const WORDS: usize = 65_536 / 64;

/// Ports from `low` to `high`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub low: u16,
    /// The last.
    pub high: u16,
}

impl PortRange {
    /// How many ports there are.
    pub fn size(self) -> u32 {
        u32::from(self.high - self.low) + 1
    }
}

/// An address that relay sockets bind to, and what it is advertised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    pub bound: IpAddr,
    pub advertised: IpAddr,
}

/// Where clients that came by one address are given relayed addresses, by family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    v4: Option<usize>,
    v6: Option<usize>,
}

impl Families {
    /// The number of the address of that family, if there is one.
    pub fn of(self, ipv6: bool) -> Option<usize> {
        if ipv6 { self.v6 } else { self.v4 }
    }
}

/// The relayed addresses of this server.
#[derive(Debug)]
pub struct RelayedAddresses {
    range: PortRange,
    public: Vec<IpAddr>,
    /// The machine's addresses that may be used.
    local: Vec<IpAddr>,
    homes: Vec<(Home, Ports)>,
}

#[derive(Debug)]
struct Ports {
    claimed: Bits,
    live: Bits,
    count: AtomicUsize,
}

#[derive(Debug)]
struct Bits(Box<[AtomicU64]>);

impl Bits {
    fn new() -> Self {
        Self((0..WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    fn place(port: u16) -> (usize, u64) {
        (usize::from(port / 64), 1 << (port % 64))
    }

    fn get(&self, port: u16) -> bool {
        let (word, bit) = Self::place(port);
        self.0[word].load(Ordering::Acquire) & bit != 0
    }

    /// `true` if it was not set before.
    fn set(&self, port: u16) -> bool {
        let (word, bit) = Self::place(port);
        self.0[word].fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// `true` if it was set before.
    fn clear(&self, port: u16) -> bool {
        let (word, bit) = Self::place(port);
        self.0[word].fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }
}

impl RelayedAddresses {
    /// - `public`: the addresses under which the world reaches this machine, one of each family at the most
    /// - `local`: the machine's addresses that relay sockets may bind to
    pub fn new(range: PortRange, public: &[IpAddr], local: &[IpAddr]) -> Self {
        let homes = local
            .iter()
            .map(|bound| {
                let same_family = |ip: &&IpAddr| ip.is_ipv4() == bound.is_ipv4();
                let home = Home {
                    bound: *bound,
                    advertised: *public.iter().find(same_family).unwrap_or(bound),
                };
                let ports = Ports {
                    claimed: Bits::new(),
                    live: Bits::new(),
                    count: AtomicUsize::new(0),
                };
                (home, ports)
            })
            .collect();
        Self {
            range,
            public: public.to_vec(),
            local: local.to_vec(),
            homes,
        }
    }

    /// Where clients that reached `reached` are served: on the public address where the machine has it, else on the
    /// one that was reached, else on the first.
    pub fn families(&self, reached: IpAddr) -> Families {
        let family = |v4: bool| {
            let local = |ip: &IpAddr| self.local.iter().position(|own| own == ip);
            let public = self.public.iter().find(|ip| ip.is_ipv4() == v4);
            let same = Some(&reached).filter(|ip| ip.is_ipv4() == v4);
            let first = || self.local.iter().position(|ip| ip.is_ipv4() == v4);
            public
                .and_then(local)
                .or_else(|| same.and_then(local))
                .or_else(first)
        };
        Families {
            v4: family(true),
            v6: family(false),
        }
    }

    /// Claims a free port that `suits`, searching from a `random` place, and binds it with `open`.
    ///
    /// # Errors
    /// Where no port is left, or one cannot be bound for another reason than being taken.
    pub fn claim<T>(
        self: &Arc<Self>,
        home: usize,
        random: u32,
        suits: impl Fn(u16) -> bool,
        mut open: impl FnMut(SocketAddr) -> io::Result<T>,
    ) -> io::Result<(Claim, T)> {
        let size = self.range.size();
        let mut foreign = 0;
        for step in 0..size {
            let offset = (random % size + step) % size;
            let port = self.range.low + u16::try_from(offset).unwrap_or_default();
            let Some(claim) = suits(port).then(|| self.claim_port(home, port)).flatten() else {
                continue;
            };
            match open(claim.bound()) {
                Ok(opened) => return Ok((claim, opened)),
                Err(error) if error.kind() == ErrorKind::AddrInUse && foreign < MAX_FOREIGN => {
                    foreign += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// Claims one port, unless somebody has it.
    pub fn claim_port(self: &Arc<Self>, home: usize, port: u16) -> Option<Claim> {
        let in_range = (self.range.low..=self.range.high).contains(&port);
        (in_range && self.claimed(home).set(port)).then(|| Claim {
            addresses: Arc::clone(self),
            home,
            port,
        })
    }

    /// How many ports an address has.
    pub fn ports(&self) -> u32 {
        self.range.size()
    }

    /// Could this port be claimed?
    pub fn is_free(&self, home: usize, port: u16) -> bool {
        (self.range.low..=self.range.high).contains(&port) && !self.claimed(home).get(port)
    }

    /// Homes with one advertised address share its ports.
    fn claimed(&self, home: usize) -> &Bits {
        let advertised = self.homes[home].0.advertised;
        let first = self
            .homes
            .iter()
            .find(|(home, _)| home.advertised == advertised);
        &first.unwrap_or(&self.homes[home]).1.claimed
    }

    /// Where a live relayed address is bound, as advertised or as bound.
    pub fn bound(&self, address: SocketAddr) -> Option<SocketAddr> {
        let ip = address.ip();
        self.live(address.port(), |home| {
            home.advertised == ip || home.bound == ip
        })
        .map(|home| SocketAddr::new(home.bound, address.port()))
    }

    /// How the live relayed address that is bound to `address` is known.
    pub fn advertised(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.live(address.port(), |home| home.bound == address.ip())
            .map(|home| SocketAddr::new(home.advertised, address.port()))
    }

    fn live(&self, port: u16, matches: impl Fn(&Home) -> bool) -> Option<&Home> {
        self.homes
            .iter()
            .find(|(home, ports)| matches(home) && ports.live.get(port))
            .map(|(home, _)| home)
    }

    /// Does any relayed address live on this address, as advertised or as bound?
    pub fn is_relaying_on(&self, ip: IpAddr) -> bool {
        self.homes.iter().any(|(home, ports)| {
            (home.advertised == ip || home.bound == ip) && ports.count.load(Ordering::Relaxed) > 0
        })
    }
}

/// A port that nobody else gets, until this is dropped.
#[derive(Debug)]
pub struct Claim {
    addresses: Arc<RelayedAddresses>,
    home: usize,
    port: u16,
}

impl Claim {
    #[cfg(test)]
    fn port(&self) -> u16 {
        self.port
    }

    /// As a socket binds it.
    pub fn bound(&self) -> SocketAddr {
        SocketAddr::new(self.addresses.homes[self.home].0.bound, self.port)
    }

    /// As clients and peers know it.
    pub fn advertised(&self) -> SocketAddr {
        SocketAddr::new(self.addresses.homes[self.home].0.advertised, self.port)
    }

    /// An allocation has it.
    pub fn go_live(&self) {
        let ports = &self.addresses.homes[self.home].1;
        if ports.live.set(self.port) {
            ports.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let ports = &self.addresses.homes[self.home].1;
        if ports.live.clear(self.port) {
            ports.count.fetch_sub(1, Ordering::Relaxed);
        }
        self.addresses.claimed(self.home).clear(self.port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn addresses(range: (u16, u16), public: &[&str], local: &[&str]) -> Arc<RelayedAddresses> {
        let range = PortRange {
            low: range.0,
            high: range.1,
        };
        Arc::new(RelayedAddresses::new(range, &ips(public), &ips(local)))
    }

    /// What clients of both families get.
    fn homes(reached: &str, public: &[&str], local: &[&str]) -> Vec<String> {
        let addresses = addresses((50000, 50001), public, local);
        let families = addresses.families(reached.parse().unwrap());
        [false, true]
            .into_iter()
            .filter_map(|ipv6| families.of(ipv6))
            .map(|home| {
                let home = addresses.homes[home].0;
                format!("{} as {}", home.bound, home.advertised)
            })
            .collect()
    }

    #[test]
    fn relay_sockets_bind_where_the_client_reached_and_name_the_public_address() {
        let lan = ["192.168.1.5", "10.0.0.5", "fd00::5"];
        let v6 = "fd00::5 as fd00::5";
        assert_eq!(homes("10.0.0.5", &[], &lan), ["10.0.0.5 as 10.0.0.5", v6]);
        let nat = homes("192.168.1.5", &["5.6.7.8"], &lan);
        assert_eq!(nat, ["192.168.1.5 as 5.6.7.8", v6]);
        let vps = homes("10.0.0.5", &["5.6.7.8"], &["10.0.0.5", "5.6.7.8"]);
        assert_eq!(vps, ["5.6.7.8 as 5.6.7.8"]);
        let loopback_client = homes("127.0.0.1", &[], &lan);
        assert_eq!(loopback_client, ["192.168.1.5 as 192.168.1.5", v6]);
        assert!(homes("127.0.0.1", &[], &[]).is_empty());
    }

    fn claim(addresses: &Arc<RelayedAddresses>, home: usize, random: u32) -> io::Result<Claim> {
        addresses
            .claim(home, random, |_| true, |_| Ok(()))
            .map(|(claim, ())| claim)
    }

    #[test]
    fn a_port_has_one_owner_and_comes_back() {
        let addresses = addresses((50000, 50001), &[], &["10.0.0.5"]);
        let first = claim(&addresses, 0, 7).unwrap();
        let second = claim(&addresses, 0, 7).unwrap();
        assert_eq!((first.port(), second.port()), (50001, 50000));
        assert!(claim(&addresses, 0, 0).is_err());
        drop(first);
        assert_eq!(claim(&addresses, 0, 0).unwrap().port(), 50001);
        assert!(addresses.claim_port(0, 50002).is_none(), "out of range");
    }

    #[test]
    fn ports_of_others_are_passed_over() {
        let addresses = addresses((50000, 50009), &[], &["10.0.0.5"]);
        let taken = |address: SocketAddr| match address.port() {
            50003 => Ok(()),
            _ => Err(ErrorKind::AddrInUse.into()),
        };
        let (claim, ()) = addresses.claim(0, 0, |_| true, taken).unwrap();
        assert_eq!(claim.port(), 50003);
        let denied = |_| Err::<(), _>(ErrorKind::PermissionDenied.into());
        let error = addresses.claim(0, 0, |_| true, denied).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let (even, ()) = addresses
            .claim(0, 1, |port| port % 2 == 0, |_| Ok(()))
            .unwrap();
        assert_eq!(even.port(), 50002);
    }

    #[test]
    fn live_addresses_are_known_by_both_names() {
        let addresses = addresses((50000, 50009), &["5.6.7.8"], &["10.0.0.5"]);
        let claim = claim(&addresses, 0, 0).unwrap();
        let (outside, inside) = (claim.advertised(), claim.bound());
        assert_eq!(outside, "5.6.7.8:50000".parse().unwrap());
        assert_eq!(inside, "10.0.0.5:50000".parse().unwrap());
        assert_eq!(addresses.bound(outside), None);
        claim.go_live();
        assert_eq!(addresses.bound(outside), Some(inside));
        assert_eq!(addresses.bound(inside), Some(inside));
        assert_eq!(addresses.advertised(inside), Some(outside));
        assert_eq!(addresses.advertised(outside), None);
        assert!(addresses.is_relaying_on(outside.ip()));
        drop(claim);
        assert_eq!(addresses.bound(outside), None);
        assert!(!addresses.is_relaying_on(outside.ip()));
    }

    #[test]
    fn addresses_behind_one_public_one_share_its_ports() {
        let addresses = addresses((50000, 50000), &["5.6.7.8"], &["10.0.0.5", "10.0.0.6"]);
        let first = claim(&addresses, 1, 0).unwrap();
        assert!(claim(&addresses, 0, 0).is_err());
        drop(first);
        assert!(claim(&addresses, 0, 0).is_ok());
    }
}
