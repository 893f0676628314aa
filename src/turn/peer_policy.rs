//! Which peers may be relayed to. Pure: addresses in, a verdict out.
//!
//! A relay that forwards to any address opens the server's own services, its network and its cloud's metadata service
//! to strangers (RFC 8656 §21.4). Public addresses are permitted; private ones only where the operator's set-up says
//! so; the machine's own addresses only where they are relayed addresses.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::net::{self, Machine};

#[derive(Debug, Clone)]
pub struct PeerPolicy {
    own: Vec<IpAddr>,
    gateways: Vec<IpAddr>,
    private: Vec<IpNet>,
    loopback: bool,
    listeners: Vec<u16>,
}

impl PeerPolicy {
    /// - `public`: addresses under which the world reaches this machine
    /// - `peers`: `[turn] peers`, private networks; `None` for auto
    /// - `loopback`: every listener is on loopback
    /// - `listeners`: ports that callbox itself listens on
    pub fn new(
        machine: &Machine,
        public: &[IpAddr],
        peers: Option<&[IpNet]>,
        loopback: bool,
        listeners: Vec<u16>,
    ) -> Self {
        let own = machine
            .addresses
            .iter()
            .map(|a| a.ip)
            .chain(public.iter().copied())
            .collect();
        let private = match peers {
            Some(networks) => networks.to_vec(),
            None if public.is_empty() && !loopback => machine
                .addresses
                .iter()
                .filter(|address| address.stable && net::is_private(address.ip))
                .filter_map(net::LocalAddress::subnet)
                .collect(),
            None => Vec::new(),
        };
        Self {
            own,
            gateways: machine.gateways.clone(),
            private,
            loopback,
            listeners,
        }
    }

    /// Is this an address of this machine, seen from inside or outside?
    pub fn is_own(&self, ip: IpAddr) -> bool {
        self.own.contains(&ip)
    }

    /// May a permission for this address be installed? `is_relaying` says whether a relayed address lives on it; which
    /// port, each packet shows.
    pub fn may_permit(&self, ip: IpAddr, is_relaying: bool) -> bool {
        // Of no listener, so that the address alone decides.
        const ANY_PORT: u16 = 1;
        self.permits(SocketAddr::new(ip, ANY_PORT), is_relaying)
    }

    /// May packets go to and come from `peer`? `is_relayed` says whether it is a relayed address of this server.
    pub fn permits(&self, peer: SocketAddr, is_relayed: bool) -> bool {
        let ip = plain(peer.ip());
        if peer.port() == 0 {
            return false;
        }
        if ip.is_loopback() {
            return self.loopback && (is_relayed || !self.listeners.contains(&peer.port()));
        }
        if self.is_own(ip) {
            return is_relayed;
        }
        if net::is_private(ip) {
            return self.private.iter().any(|network| network.contains(&ip))
                && !self.gateways.contains(&ip);
        }
        net::is_global(ip)
    }
}

/// The address that packets really go to.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => net::embedded_ipv4(v6).map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::LocalAddress;

    fn machine() -> Machine {
        let address = |text: &str, prefix, stable| LocalAddress {
            ip: text.parse().unwrap(),
            prefix,
            stable,
        };
        Machine {
            addresses: vec![
                address("127.0.0.1", 8, false),
                address("192.168.1.5", 24, true),
                address("fd00::5", 64, true),
                address("172.17.0.1", 16, false),
            ],
            gateways: vec!["192.168.1.1".parse().unwrap()],
            host_name: None,
        }
    }

    fn policy(public: &[&str], peers: Option<&[&str]>, loopback: bool) -> PeerPolicy {
        let public: Vec<IpAddr> = public.iter().map(|text| text.parse().unwrap()).collect();
        let peers: Option<Vec<IpNet>> =
            peers.map(|list| list.iter().map(|text| text.parse().unwrap()).collect());
        PeerPolicy::new(
            &machine(),
            &public,
            peers.as_deref(),
            loopback,
            vec![8443, 3478],
        )
    }

    fn permits(policy: &PeerPolicy, peer: &str) -> bool {
        policy.permits(peer.parse().unwrap(), false)
    }

    const NEVER: [&str; 19] = [
        "0.0.0.0:9",
        "127.0.0.1:9",
        "[::]:9",
        "[::1]:9",
        "[::ffff:127.0.0.1]:9",
        "[64:ff9b::7f00:1]:9",
        "[2002:7f00:1::]:9",
        "169.254.169.254:80",
        "[fe80::1]:9",
        "224.0.0.1:9",
        "[ff02::1]:9",
        "255.255.255.255:9",
        "192.168.1.1:80",
        "192.168.1.5:22",
        "172.17.0.1:9",
        "172.17.0.2:9",
        "[fd00::5]:9",
        "240.0.0.1:9",
        "8.8.8.8:0",
    ];

    #[test]
    fn on_a_lan_the_own_subnet_is_permitted() {
        let policy = policy(&[], None, false);
        for peer in [
            "192.168.1.77:9",
            "[fd00::77]:9",
            "8.8.8.8:9",
            "[2606:4700::1]:9",
            "[::ffff:192.168.1.77]:9",
        ] {
            assert!(permits(&policy, peer), "{peer}");
        }
        for peer in
            NEVER
                .iter()
                .chain(&["192.168.2.1:9", "10.0.0.1:9", "[fd01::1]:9", "100.64.0.1:9"])
        {
            assert!(!permits(&policy, peer), "{peer}");
        }
    }

    #[test]
    fn with_a_public_address_no_private_network_is() {
        let policy = policy(&["5.6.7.8"], None, false);
        assert!(permits(&policy, "8.8.8.8:9"));
        for peer in NEVER
            .iter()
            .chain(&["192.168.1.77:9", "[fd00::77]:9", "5.6.7.8:22"])
        {
            assert!(!permits(&policy, peer), "{peer}");
        }
    }

    #[test]
    fn a_list_names_the_private_networks() {
        let policy = policy(
            &["5.6.7.8"],
            Some(&["10.1.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]),
            false,
        );
        assert!(permits(&policy, "10.1.2.3:9"));
        for peer in NEVER.iter().chain(&["10.2.0.1:9", "192.168.1.77:9"]) {
            assert!(!permits(&policy, peer), "{peer}");
        }
    }

    #[test]
    fn loopback_only_where_everything_listens_there() {
        let policy = policy(&[], None, true);
        assert!(permits(&policy, "127.0.0.1:9"));
        assert!(permits(&policy, "[::1]:9"));
        assert!(!permits(&policy, "127.0.0.1:3478"), "a listener");
        assert!(!permits(&policy, "192.168.1.77:9"));
    }

    #[test]
    fn own_addresses_only_where_they_are_relayed_addresses() {
        let policy = policy(&["5.6.7.8"], None, false);
        for own in ["192.168.1.5:50000", "5.6.7.8:50000"] {
            assert!(policy.permits(own.parse().unwrap(), true), "{own}");
            assert!(!policy.permits(own.parse().unwrap(), false), "{own}");
        }
    }
}
