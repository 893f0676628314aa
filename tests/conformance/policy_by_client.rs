//! Row 17: peers that some clients may reach and others may not. Private ones are for those who are on the LAN
//! themselves, loopback ones for those on the machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::{Client, channel_bind, permission};
use crate::link::Via;
use crate::netns::{GATEWAY, Lan, OUTSIDE, OUTSIDE_V6};
use crate::peer::Peer;
use crate::policy::{at, check_forbidden};
use crate::support::PATIENCE;
use crate::target::{Setup, Target, external};

stories! {
    row_17_private_peers_of_neighbours: udp tcp tls;
    row_17_private_peers_of_neighbours_over_ipv6: tcp tls;
    row_17_private_peers_behind_a_trusted_proxy: udp tcp tls;
    row_17_private_peers_as_a_proxy_says: tcp front_tcp;
    row_17_loopback_peers_of_the_machine: udp tcp tls;
    row_17_loopback_peers_behind_a_trusted_proxy: udp tcp tls;
    row_17_loopback_peers_as_a_proxy_says: tcp front_tcp;
}

/// On the LAN beside the server: somebody, and what a private network may hold.
const NEIGHBOUR: &str = "10.77.0.9";
const RESOLVER: &str = "10.77.0.53";
/// On loopback: a service, and a proxy.
const SERVICE: &str = "127.0.0.1";
const PROXY: &str = "127.0.0.9";

/// A server that knows no public address of its own, as behind 1:1 NAT.
fn at_home() -> Setup {
    Setup::default().on("0.0.0.0")
}

fn lan() -> Lan {
    let lan = Lan::new();
    for ip in [NEIGHBOUR, RESOLVER] {
        lan.change_outside(&format!("address add {ip}/24 dev wire"));
    }
    lan
}

/// It reaches the peer by permission and by channel, and hears it.
fn check_permitted(client: &mut Client, relayed: SocketAddr, peer: &Peer) {
    let address = peer.address();
    client.permit(&[address]);
    client.send_to(address, b"there");
    peer.expect(b"there", relayed);
    client.bind(0x4001, address);
    client.send_channel_data(0x4001, b"there too");
    peer.expect(b"there too", relayed);
    peer.send(relayed, b"back");
    assert_eq!(client.receive_channel_data(), (0x4001, b"back".to_vec()));
}

/// Neither by permission nor by channel; what is sent all the same goes nowhere, both ways.
fn check_refused(client: &mut Client, relayed: SocketAddr, peer: &Peer) {
    let address = peer.address();
    check_forbidden(client, address, &[403]);
    check_silent(client, relayed, peer);
}

fn check_silent(client: &mut Client, relayed: SocketAddr, peer: &Peer) {
    client.send_to(peer.address(), b"must not pass");
    client.send_channel_data(0x4000, b"must not pass");
    client.expect_nothing();
    peer.expect_nothing();
    peer.send(relayed, b"must not pass");
    client.expect_nothing();
}

fn row_17_private_peers_of_neighbours(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = lan();
    let server = lan.start(&at_home()).unwrap();
    let (resolver, somebody) = lan.outside(|| (Peer::on(RESOLVER), Peer::on(OUTSIDE)));
    let allocated = |source| lan.outside(|| server.allocated_from(via, source));
    let (mut neighbour, relayed) = allocated(NEIGHBOUR);
    check_permitted(&mut neighbour, relayed, &resolver);
    // Everybody at once, and who passes on for others.
    for ip in ["10.77.0.255", GATEWAY] {
        check_forbidden(&mut neighbour, at(ip, 53), &[403]);
    }
    // Somebody in the Internet, and whoever is behind the router's translation of addresses. What the neighbour may,
    // they may not, nor does it end for the neighbour.
    for source in [OUTSIDE, GATEWAY] {
        println!("from {source}");
        let (mut stranger, own) = allocated(source);
        check_refused(&mut stranger, own, &resolver);
        check_permitted(&mut stranger, own, &somebody);
        neighbour.send_channel_data(0x4001, b"goes on");
        resolver.expect(b"goes on", relayed);
    }
}

/// The network has a prefix of the Internet, which it got while the server ran.
fn row_17_private_peers_of_neighbours_over_ipv6(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = lan();
    let mut server = lan.start(&Setup::default().on("[::]")).unwrap();
    lan.change_server("address add 2606:4700:77::1/64 dev wire nodad");
    lan.change_outside("address add 2606:4700:77::9/64 dev wire nodad");
    for address in [&mut server.turn, &mut server.tls] {
        address.set_ip("2606:4700:77::1".parse().unwrap());
    }
    let resolver = lan.outside(|| Peer::on(RESOLVER));
    let allocated = |source| lan.outside(|| server.allocated_from(via, source));
    let (mut stranger, own) = allocated(OUTSIDE_V6);
    check_refused(&mut stranger, own, &resolver);
    let (mut neighbour, relayed) = allocated("2606:4700:77::9");
    // The server hears of its new prefix in a moment.
    let deadline = Instant::now() + PATIENCE;
    while neighbour.ask(&permission(&[resolver.address()])).error() == Some(403) {
        assert!(
            Instant::now() < deadline,
            "the neighbour is taken for a stranger"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    check_permitted(&mut neighbour, relayed, &resolver);
    check_refused(&mut stranger, own, &resolver);
}

fn row_17_private_peers_behind_a_trusted_proxy(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = lan();
    let setup = at_home().top(&format!("[http]\ntrusted_proxies = [\"{NEIGHBOUR}\"]"));
    let server = lan.start(&setup).unwrap();
    let resolver = lan.outside(|| Peer::on(RESOLVER));
    let (mut client, relayed) = lan.outside(|| server.allocated_from(via, NEIGHBOUR));
    check_refused(&mut client, relayed, &resolver);
}

/// What a client says that a proxy passes on, for `source`.
fn as_told(server: &Target, via: Via, proxy: &str, source: &str) -> (Client, SocketAddr) {
    println!("for {source}");
    let mut client = server.stranger_from(via, proxy);
    client.send(format!("PROXY TCP4 {source} {proxy} 1000 3478\r\n").as_bytes());
    client.log_in(&server.alice);
    let relayed = client.allocate();
    (client, relayed)
}

fn row_17_private_peers_as_a_proxy_says(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = lan();
    let setup = at_home().top(&format!("[http]\ntrusted_proxies = [\"{NEIGHBOUR}\"]"));
    let server = lan.start(&setup).unwrap();
    let resolver = lan.outside(|| Peer::on(RESOLVER));
    let told = |source| lan.outside(|| as_told(&server, via, NEIGHBOUR, source));
    for source in [OUTSIDE, "127.0.0.1", NEIGHBOUR, GATEWAY] {
        let (mut client, relayed) = told(source);
        check_refused(&mut client, relayed, &resolver);
    }
    let (mut client, relayed) = told("10.77.0.77");
    check_permitted(&mut client, relayed, &resolver);
}

/// Everything on loopback, where a proxy stands in front.
fn behind_a_proxy() -> Option<Target> {
    Setup::default()
        .top(&format!("[http]\ntrusted_proxies = [\"{PROXY}\"]"))
        .start()
}

fn row_17_loopback_peers_of_the_machine(via: Via) {
    let Some(server) = behind_a_proxy() else {
        return;
    };
    let service = Peer::on(SERVICE);
    let (mut client, relayed) = server.allocated_from(via, "127.0.0.1");
    check_permitted(&mut client, relayed, &service);
}

/// A relayed address lives where the service does, so the permission is given and the port decides.
fn check_loopback_refused(server: &Target, client: &mut Client, relayed: SocketAddr) {
    let (service, other) = (Peer::on(SERVICE), Peer::on("127.0.0.2"));
    check_refused(client, relayed, &other);
    client.permit(&[service.address()]);
    client.refused(&channel_bind(0x4000, service.address()), 403);
    check_silent(client, relayed, &service);
    // Relayed addresses are peers for everybody.
    let (mut bo, bo_relayed) = server.allocated_from(Via::Udp, "127.0.0.1");
    client.bind(0x4002, bo_relayed);
    bo.permit(&[relayed]);
    client.send_channel_data(0x4002, b"there");
    assert_eq!(bo.receive_data(), (relayed, b"there".to_vec()));
    bo.send_to(relayed, b"back");
    assert_eq!(client.receive_channel_data(), (0x4002, b"back".to_vec()));
}

fn row_17_loopback_peers_behind_a_trusted_proxy(via: Via) {
    let Some(server) = behind_a_proxy() else {
        return;
    };
    let (mut client, relayed) = server.allocated_from(via, PROXY);
    check_loopback_refused(&server, &mut client, relayed);
}

fn row_17_loopback_peers_as_a_proxy_says(via: Via) {
    let Some(server) = behind_a_proxy() else {
        return;
    };
    for source in ["203.0.113.9", "127.0.0.1"] {
        let (mut client, relayed) = as_told(&server, via, PROXY, source);
        check_loopback_refused(&server, &mut client, relayed);
    }
}
