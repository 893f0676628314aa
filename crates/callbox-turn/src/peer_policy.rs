//! Which peers may be relayed to. Pure: addresses in, a verdict out.
//!
//! A relay that forwards to any address opens the server's own services, its network and its cloud's metadata service
//! to strangers (RFC 8656 §21.4). Public addresses are permitted; private ones only where the operator's set-up says
//! so; the machine's own addresses only where they are relayed addresses.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::address::{embedded_ipv4, is_global, is_link_local, is_private};

/// An address of one of the machine's interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address itself.
    pub ip: IpAddr,
    /// Length of the subnet's prefix, in bits.
    pub prefix: u8,
    /// Of the interface: addresses of the same one are on the same link.
    pub interface: String,
    /// Worth telling people: neither loopback, link-local, temporary (RFC 8981) nor of a bridge.
    pub stable: bool,
}

impl LocalAddress {
    /// The network that is on its link.
    pub fn subnet(&self) -> Option<IpNet> {
        IpNet::new(self.ip, self.prefix).ok().map(|net| net.trunc())
    }
}

/// What a policy is made from.
#[derive(Debug, Clone, Copy, Default)]
pub struct PolicySettings<'a> {
    /// Of all interfaces.
    pub addresses: &'a [LocalAddress],
    /// Default gateways: a client that comes from one may be anywhere.
    pub gateways: &'a [IpAddr],
    /// Addresses under which the world reaches this machine.
    pub public: &'a [IpAddr],
    /// Private networks that may be relayed to, by everybody. `None`: where no public address is known, the LANs that the machine
    /// is on, by those who are on them.
    pub peers: Option<&'a [IpNet]>,
    /// Every listener is on loopback, so that its clients may relay to it.
    pub loopback: bool,
    /// Ports that the server itself listens on, which are nobody's peers.
    pub listeners: &'a [u16],
    /// Proxies that pass clients on.
    pub proxies: &'a [IpNet],
}

/// Which peers may be relayed to.
#[derive(Debug, Clone)]
pub struct PeerPolicy {
    own: Vec<IpAddr>,
    gateways: Vec<IpAddr>,
    proxies: Vec<IpNet>,
    private: Private,
    loopback: bool,
    listeners: Vec<u16>,
}

/// Private networks that may be relayed to.
#[derive(Debug, Clone)]
enum Private {
    /// As the operator says, for everybody.
    Listed(Vec<IpNet>),
    /// Of each LAN that the machine is on, for those who are on it themselves.
    OfLinks(Vec<Link>),
}

/// What the addresses of one interface tell of its link.
#[derive(Debug, Clone, Default)]
struct Link {
    interface: String,
    /// Who has an address in one of them is on the link: answers to it never leave it.
    prefixes: Vec<IpNet>,
    private: Vec<IpNet>,
}

/// Where a client is, seen from this machine. It holds for the policy that told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Anywhere, or nobody knows.
    Away,
    /// On a LAN that the machine is on.
    OnLink(usize),
    /// On this machine, by loopback.
    OnMachine,
}

impl PeerPolicy {
    /// The policy of a server on this machine.
    pub fn new(machine: &PolicySettings<'_>) -> Self {
        let own = machine.addresses.iter().map(|address| address.ip);
        let private = match machine.peers {
            Some(networks) => Private::Listed(networks.to_vec()),
            None if machine.public.is_empty() && !machine.loopback => {
                Private::OfLinks(lans(machine.addresses))
            }
            None => Private::OfLinks(Vec::new()),
        };
        Self {
            own: own.chain(machine.public.iter().copied()).collect(),
            gateways: machine.gateways.to_vec(),
            proxies: machine.proxies.to_vec(),
            private,
            loopback: machine.loopback,
            listeners: machine.listeners.to_vec(),
        }
    }

    /// Is this an address of this machine, seen from inside or outside?
    pub fn is_own(&self, ip: IpAddr) -> bool {
        self.own.contains(&ip)
    }

    /// Is it another machine that `ip` should lead to? Whether it does, only the kernel knows.
    pub fn is_foreign(&self, ip: IpAddr) -> bool {
        let ip = plain(ip);
        !ip.is_loopback() && !self.is_own(ip)
    }

    /// Where the client at `ip` is. `proxied`: a proxy has passed its connection on.
    pub fn standing(&self, ip: IpAddr, proxied: bool) -> Standing {
        // Whoever stands behind a proxy or a router that translates addresses may be anywhere.
        let stands_in = self.gateways.contains(&ip) || self.is_proxy(ip);
        if stands_in {
            return Standing::Away;
        }
        if ip.is_loopback() {
            return if proxied {
                Standing::Away
            } else {
                Standing::OnMachine
            };
        }
        let Private::OfLinks(links) = &self.private else {
            return Standing::Away;
        };
        links
            .iter()
            .position(|link| holds(&link.prefixes, ip))
            .map_or(Standing::Away, Standing::OnLink)
    }

    fn is_proxy(&self, ip: IpAddr) -> bool {
        holds(&self.proxies, ip)
    }

    /// May a permission for this address be installed? `is_relaying` says whether a relayed address lives on it; which
    /// port, each packet shows.
    pub fn may_permit(&self, client: Standing, ip: IpAddr, is_relaying: bool) -> bool {
        // Of no listener, so that the address alone decides.
        const ANY_PORT: u16 = 1;
        self.permits(client, SocketAddr::new(ip, ANY_PORT), is_relaying)
    }

    /// May packets of a client go to and come from `peer`? `is_relayed` says whether it is a relayed address of this
    /// server.
    pub fn permits(&self, client: Standing, peer: SocketAddr, is_relayed: bool) -> bool {
        let ip = plain(peer.ip());
        if peer.port() == 0 {
            return false;
        }
        if ip.is_loopback() {
            let a_service = client == Standing::OnMachine && !self.listeners.contains(&peer.port());
            return self.loopback && (is_relayed || a_service);
        }
        if self.is_own(ip) {
            return is_relayed;
        }
        if is_private(ip) {
            return self.permits_private(client, ip) && !self.gateways.contains(&ip);
        }
        is_global(ip)
    }

    fn permits_private(&self, client: Standing, ip: IpAddr) -> bool {
        match (&self.private, client) {
            (Private::Listed(networks), _) => holds(networks, ip),
            (Private::OfLinks(_), Standing::Away) => false,
            (Private::OfLinks(links), Standing::OnLink(place)) => links
                .get(place)
                .is_some_and(|link| holds(&link.private, ip)),
            (Private::OfLinks(links), Standing::OnMachine) => {
                links.iter().any(|link| holds(&link.private, ip))
            }
        }
    }
}

fn holds(networks: &[IpNet], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&ip))
}

/// The links of interfaces that have a private address.
fn lans(addresses: &[LocalAddress]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for address in addresses {
        let Some(subnet) = address.subnet() else {
            continue;
        };
        let known = |link: &Link| link.interface == address.interface;
        let place = links.iter().position(known).unwrap_or_else(|| {
            links.push(Link {
                interface: address.interface.clone(),
                ..Link::default()
            });
            links.len() - 1
        });
        let Some(link) = links.get_mut(place) else {
            continue;
        };
        let private = is_private(address.ip);
        if address.stable && private {
            link.private.push(subnet);
        }
        // A link-local address does not say on which link it is.
        if private || address.ip.is_ipv6() && !is_link_local(address.ip) {
            link.prefixes.push(subnet);
        }
    }
    links.retain(|link| !link.private.is_empty());
    links
}

/// The address that packets really go to.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => embedded_ipv4(v6).map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests;
