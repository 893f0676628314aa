//! Row 17: peers that a relay must not reach (RFC 8656 §21.4), and the server's own addresses.

use std::net::{IpAddr, SocketAddr};

use crate::client::{Client, allocation, channel_bind, permission, relayed};
use crate::link::Via;
use crate::netns::{GATEWAY, Lan, METADATA, OUTSIDE, OUTSIDE_V6, PRIVATE, SERVER};
use crate::peer::Peer;
use crate::target::{Setup, Target, external};
use crate::wire::{BINDING, Draft, attribute as a};

stories! {
    row_17_forbidden_peers: udp tcp tls;
    row_17_forbidden_peers_of_an_ipv6_allocation: udp tcp tls;
    row_17_nothing_is_sent_to_forbidden_peers: udp tcp tls;
    row_17_own_address: udp tcp tls;
    row_17_own_listeners_on_loopback: udp tcp tls;
}

const FORBIDDEN_V4: [&str; 5] = ["127.0.0.1", "0.0.0.0", METADATA, PRIVATE, "224.0.0.1"];
/// The last three lead to 127.0.0.1: mapped, through NAT64, through 6to4.
const FORBIDDEN_V6: [&str; 5] = [
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
];

/// As the world reaches the server: by an address that is not on its machine.
pub(crate) const PUBLIC: &str = "5.6.7.8";

pub(crate) fn on_the_internet() -> Setup {
    Setup::default()
        .on("0.0.0.0")
        .top("public_ip = \"5.6.7.8\"")
}

pub(crate) fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// Neither by permission nor by channel, nor together with a peer that is permitted.
pub(crate) fn check_forbidden(client: &mut Client, peer: SocketAddr, codes: &[u16]) {
    println!("{peer}");
    client.refused_with(&permission(&[peer]), codes);
    client.refused_with(&channel_bind(0x4000, peer), codes);
}

/// Somebody else's server is asked as it stands.
fn row_17_forbidden_peers(via: Via) {
    if external().is_some() {
        check_all(&mut Target::start().allocated(via).0);
        return;
    }
    let lan = Lan::new();
    let server = lan.start(&on_the_internet()).unwrap();
    let mut client = lan.outside(|| server.client(via));
    client.allocate();
    check_all(&mut client);
}

fn check_all(client: &mut Client) {
    for ip in FORBIDDEN_V4 {
        check_forbidden(client, at(ip, 9), &[403]);
    }
    for ip in FORBIDDEN_V6 {
        check_forbidden(client, at(ip, 9), &[403, 443]);
    }
    let public = at(OUTSIDE, 9);
    client.refused(&permission(&[public, at("127.0.0.1", 9)]), 403);
    client.permit(&[public]);
}

fn row_17_forbidden_peers_of_an_ipv6_allocation(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    let server = lan.start(&on_the_internet()).unwrap();
    let mut client = lan.outside(|| server.client(via));
    let family = allocation().with(a::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    assert!(relayed(&client.granted(&family)).is_ipv6());
    check_forbidden(&mut client, at("::1", 9), &[403]);
    check_forbidden(&mut client, at("::", 9), &[403]);
    for ip in FORBIDDEN_V6.iter().chain(&FORBIDDEN_V4) {
        check_forbidden(&mut client, at(ip, 9), &[403, 443]);
    }
    client.permit(&[at(OUTSIDE_V6, 9)]);
}

/// Sockets on both machines hear whatever comes to any of their addresses; what was sent last, to a permitted peer, is
/// the only thing that arrives.
fn row_17_nothing_is_sent_to_forbidden_peers(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    let server = lan.start(&on_the_internet()).unwrap();
    let inside = lan.inside(|| Peer::on("::"));
    let (outside, permitted) = lan.outside(|| (Peer::on("::"), Peer::on(OUTSIDE)));
    let mut client = lan.outside(|| server.client(via));
    client.allocate();
    client.permit(&[permitted.address()]);
    for ip in FORBIDDEN_V4
        .iter()
        .chain(&FORBIDDEN_V6)
        .chain(&[SERVER, GATEWAY])
    {
        for port in [inside.address().port(), outside.address().port()] {
            let peer = at(ip, port);
            let _ = client.ask(&permission(&[peer]));
            client.send_to(peer, b"must not pass");
        }
    }
    client.send_to(permitted.address(), b"may pass");
    assert_eq!(permitted.receive().0, b"may pass");
    inside.expect_nothing();
    outside.expect_nothing();
    // The sockets hear what is sent to them.
    client.send_to(at(OUTSIDE, outside.address().port()), b"control");
    assert_eq!(outside.receive().0, b"control");
}

/// The own address stands for other relayed addresses, so a permission for it is given; the port decides.
fn row_17_own_address(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    let server = lan.start(&on_the_internet()).unwrap();
    let inside = lan.inside(|| Peer::on("0.0.0.0"));
    let (mut ana, mut bo) = lan.outside(|| (server.client(via), server.client(via)));
    let (ana_relayed, bo_relayed) = (ana.allocate(), bo.allocate());
    assert_eq!(ana_relayed.ip(), PUBLIC.parse::<IpAddr>().unwrap());
    ana.permit(&[bo_relayed]);
    bo.permit(&[ana_relayed]);

    let ports = [
        server.turn.port(),
        server.tls.port(),
        server.front.port(),
        inside.address().port(),
    ];
    for port in ports {
        for ip in [PUBLIC, SERVER] {
            let own = at(ip, port);
            println!("{own}");
            ana.refused(&channel_bind(0x4000, own), 403);
            // A listener would answer.
            ana.send_to(own, &Draft::new(BINDING).bytes());
        }
    }
    ana.bind(0x4000, bo_relayed);
    ana.send_to(bo_relayed, b"there");
    assert_eq!(bo.receive_data(), (ana_relayed, b"there".to_vec()));
    bo.send_to(ana_relayed, b"back");
    assert_eq!(ana.receive_channel_data(), (0x4000, b"back".to_vec()));
    inside.expect_nothing();
}

/// Where loopback peers are permitted, the server's own ports still are not.
fn row_17_own_listeners_on_loopback(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    for own in [server.turn, server.tls, server.front] {
        println!("{own}");
        client.refused(&channel_bind(0x4000, own), 403);
        client.send_to(own, &Draft::new(BINDING).bytes());
    }
    client.send_to(peer.address(), b"control");
    peer.expect(b"control", relayed);
    peer.send(relayed, b"back");
    assert_eq!(client.receive_data(), (peer.address(), b"back".to_vec()));
}
