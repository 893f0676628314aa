//! Who may reach whom, on a machine with two LANs, a bridge and a line to the world.

use super::*;

fn address(interface: &str, text: &str, prefix: u8) -> LocalAddress {
    let ip: IpAddr = text.parse().unwrap();
    LocalAddress {
        ip,
        prefix,
        interface: interface.to_owned(),
        stable: !ip.is_loopback() && interface != "docker0",
    }
}

fn addresses() -> Vec<LocalAddress> {
    vec![
        address("lo", "127.0.0.1", 8),
        address("eth0", "192.168.1.5", 24),
        address("eth0", "fd00::5", 64),
        address("eth0", "2606:4700:77::5", 64),
        address("eth0", "fe80::5", 64),
        address("docker0", "172.17.0.1", 16),
        address("wg0", "10.8.0.1", 24),
        address("ppp0", "2606:4700:88::5", 64),
    ]
}

fn policy(public: &[&str], peers: Option<&[&str]>, loopback: bool) -> PeerPolicy {
    let public: Vec<IpAddr> = public.iter().map(|text| text.parse().unwrap()).collect();
    let peers: Option<Vec<IpNet>> =
        peers.map(|list| list.iter().map(|text| text.parse().unwrap()).collect());
    PeerPolicy::new(&PolicySettings {
        addresses: &addresses(),
        gateways: &["192.168.1.1".parse().unwrap()],
        public: &public,
        peers: peers.as_deref(),
        loopback,
        listeners: &[8443, 3478],
        proxies: &["192.168.1.9/32".parse().unwrap()],
    })
}

/// Where somebody is whose address no proxy has told.
fn standing(policy: &PeerPolicy, client: &str) -> Standing {
    policy.standing(client.parse().unwrap(), false)
}

/// To somebody on the LAN.
fn permits(policy: &PeerPolicy, peer: &str) -> bool {
    permits_to(policy, "192.168.1.50", peer)
}

fn permits_to(policy: &PeerPolicy, client: &str, peer: &str) -> bool {
    policy.permits(standing(policy, client), peer.parse().unwrap(), false)
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
    for peer in NEVER
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
fn private_peers_are_for_those_who_are_on_their_link() {
    let policy = policy(&[], None, false);
    let private = ["192.168.1.77:9", "192.168.1.53:53", "[fd00::77]:9"];
    // By the IPv6 addresses of the link as well, the global one included.
    for client in [
        "192.168.1.50",
        "fd00::50",
        "2606:4700:77::50",
        // Another program on this machine.
        "127.0.0.1",
        "::1",
        "192.168.1.5",
    ] {
        for peer in private {
            assert!(permits_to(&policy, client, peer), "{client} to {peer}");
        }
        assert!(permits_to(&policy, client, "8.8.8.8:9"));
    }
    for client in [
        "203.0.113.9",
        "8.8.4.4",
        "192.168.2.50",
        "10.0.0.1",
        "172.17.0.2",
        "fe80::50",
        "fd01::50",
        "2606:4700:78::50",
        // Of an interface that has no private address.
        "2606:4700:88::50",
        // A router that translates addresses, and a trusted proxy: who stands behind them may be anywhere.
        "192.168.1.1",
        "192.168.1.9",
    ] {
        assert_eq!(standing(&policy, client), Standing::Away, "{client}");
        for peer in private {
            assert!(!permits_to(&policy, client, peer), "{client} to {peer}");
        }
        assert!(permits_to(&policy, client, "8.8.8.8:9"));
    }
}

#[test]
fn one_link_is_not_reached_from_another() {
    let policy = policy(&[], None, false);
    assert!(permits_to(&policy, "10.8.0.7", "10.8.0.8:9"));
    assert!(!permits_to(&policy, "10.8.0.7", "192.168.1.77:9"));
    assert!(!permits_to(&policy, "192.168.1.50", "10.8.0.8:9"));
    assert!(permits_to(&policy, "127.0.0.1", "10.8.0.8:9"));
}

#[test]
fn what_a_trusted_proxy_says_is_where_a_client_is_but_never_on_this_machine() {
    let policy = policy(&[], None, false);
    let told = |client: &str| policy.standing(client.parse().unwrap(), true);
    assert_eq!(told("192.168.1.50"), standing(&policy, "192.168.1.50"));
    assert_ne!(told("192.168.1.50"), Standing::Away);
    for client in ["127.0.0.1", "::1", "203.0.113.9", "192.168.1.9"] {
        assert_eq!(told(client), Standing::Away, "{client}");
    }
}

#[test]
fn a_list_is_for_everybody() {
    let policy = policy(&[], Some(&["10.1.0.0/16"]), false);
    for client in ["203.0.113.9", "192.168.1.50", "192.168.1.9", "127.0.0.1"] {
        assert!(permits_to(&policy, client, "10.1.2.3:9"), "{client}");
        assert!(!permits_to(&policy, client, "192.168.1.77:9"), "{client}");
    }
}

#[test]
fn loopback_is_for_those_on_it_where_everything_listens_there() {
    let policy = policy(&[], None, true);
    let on_it = |peer| permits_to(&policy, "127.0.0.1", peer);
    assert!(on_it("127.0.0.1:9"));
    assert!(on_it("[::1]:9"));
    assert!(!on_it("127.0.0.1:3478"), "a listener");
    assert!(!on_it("192.168.1.77:9"));
    let proxied = policy.standing("127.0.0.1".parse().unwrap(), true);
    let others = ["203.0.113.9", "192.168.1.50"].map(|client| standing(&policy, client));
    for client in others.into_iter().chain([proxied]) {
        for peer in [
            "127.0.0.1:9",
            "127.0.0.2:9",
            "[::1]:9",
            "[::ffff:127.0.0.1]:9",
        ] {
            let peer = peer.parse().unwrap();
            assert!(!policy.permits(client, peer, false), "{client:?} to {peer}");
            assert!(!policy.may_permit(client, peer.ip(), false));
        }
        // Relayed addresses are there, too.
        let relayed = "127.0.0.1:50000".parse().unwrap();
        assert!(policy.permits(client, relayed, true));
    }
}

#[test]
fn a_proxy_on_loopback_stands_for_whoever_is_behind_it() {
    let proxies = ["127.0.0.0/8".parse().unwrap()];
    let policy = PeerPolicy::new(&PolicySettings {
        addresses: &addresses(),
        gateways: &["192.168.1.1".parse().unwrap()],
        loopback: true,
        proxies: &proxies,
        ..PolicySettings::default()
    });
    assert_eq!(standing(&policy, "127.0.0.1"), Standing::Away);
    assert!(!permits_to(&policy, "127.0.0.1", "127.0.0.1:9"));
    assert!(permits_to(&policy, "::1", "127.0.0.1:9"));
}

#[test]
fn of_addresses_of_other_machines_the_kernel_is_asked() {
    let policy = policy(&["5.6.7.8"], None, false);
    for foreign in ["8.8.8.8", "192.168.1.77", "64:ff9b::808:808", "fd00::"] {
        assert!(policy.is_foreign(foreign.parse().unwrap()), "{foreign}");
    }
    for own in [
        "5.6.7.8",
        "192.168.1.5",
        "127.0.0.1",
        "127.9.9.9",
        "64:ff9b::506:708",
    ] {
        assert!(!policy.is_foreign(own.parse().unwrap()), "{own}");
    }
}

#[test]
fn own_addresses_only_where_they_are_relayed_addresses() {
    let policy = policy(&["5.6.7.8"], None, false);
    for own in ["192.168.1.5:50000", "5.6.7.8:50000"] {
        for client in [Standing::Away, Standing::OnLink(0), Standing::OnMachine] {
            assert!(policy.permits(client, own.parse().unwrap(), true), "{own}");
            assert!(
                !policy.permits(client, own.parse().unwrap(), false),
                "{own}"
            );
        }
    }
}
