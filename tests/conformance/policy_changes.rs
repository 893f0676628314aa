//! Row 17: an address that comes to the server's machine while it runs is the server's own from then on, also for
//! those who have reached it before.

use std::time::{Duration, Instant};

use crate::client::{Client, permission};
use crate::link::Via;
use crate::netns::{Lan, OUTSIDE};
use crate::peer::Peer;
use crate::policy::{at, check_forbidden, on_the_internet};
use crate::support::PATIENCE;
use crate::target::external;

stories! {
    row_17_an_address_that_comes: udp tcp tls;
    row_17_a_route_that_comes: udp tcp;
    a_way_that_is_gone_for_a_moment: udp tcp;
}

/// Of somebody in the Internet at first, and then the server's.
const MOVING: &str = "9.9.9.9";

fn row_17_an_address_that_comes(via: Via) {
    check_moved(via, &format!("address add {MOVING}/32 dev wire"));
}

fn row_17_a_route_that_comes(via: Via) {
    check_moved(via, "route add local 9.9.9.0/24 dev lo");
}

/// Two ways to the moving peer, by channel and by indication, end soon after it has come to the server's machine; those
/// to another peer go on.
fn check_moved(via: Via, change: &str) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    lan.change_outside(&format!("address add {MOVING}/32 dev wire"));
    let server = lan.start(&on_the_internet()).unwrap();
    let (before, other) = lan.outside(|| (Peer::on(MOVING), Peer::on(OUTSIDE)));
    let moving = before.address();
    let after = lan.inside(|| Peer::on("0.0.0.0"));
    let service = at(MOVING, after.address().port());
    let mut client = lan.outside(|| server.client(via));
    client.allocate();
    client.bind(0x4001, moving);
    client.bind(0x4002, service);
    client.bind(0x4003, other.address());
    client.send_channel_data(0x4001, b"there");
    assert_eq!(before.receive().0, b"there");

    lan.change_server(change);
    // By the kernel's routes it goes to the server's machine at once, and by the relay's policy nowhere soon after.
    wait_for_silence(&mut client, &after, service);
    client.send_to(service, b"must not pass");
    client.expect_nothing();
    after.expect_nothing();
    for peer in [moving, service] {
        check_forbidden(&mut client, peer, &[403]);
    }
    client.send_channel_data(0x4003, b"goes on");
    let (data, relay) = other.receive();
    assert_eq!(data, b"goes on");
    other.send(relay, b"and back");
    assert_eq!(
        client.receive_channel_data(),
        (0x4003, b"and back".to_vec())
    );
    // The other way: the relay's socket is reached from the server's machine.
    let home = at("10.77.0.1", relay.port());
    after.send(home, b"must not pass");
    client.expect_nothing();
}

/// While an interface has no address, or a router is not there, packets go nowhere. When they go somewhere again, so do calls.
fn a_way_that_is_gone_for_a_moment(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    lan.change_outside(&format!("address add {MOVING}/32 dev wire"));
    let server = lan.start(&on_the_internet().turn("shards = 1")).unwrap();
    let peer = lan.outside(|| Peer::on(MOVING));
    let mut client = lan.outside(|| server.client(via));
    client.allocate();
    client.bind(0x4001, peer.address());
    client.send_channel_data(0x4001, b"before");
    let (_, relay) = peer.receive();

    lan.change_server(&format!("route add unreachable {MOVING}/32"));
    // The relay has heard of it once whoever comes is refused.
    let start = Instant::now();
    let refused = || {
        let mut comes = lan.outside(|| server.client(via));
        comes.allocate();
        let code = comes.ask(&permission(&[peer.address()])).error();
        comes.free();
        code == Some(403)
    };
    while !refused() {
        assert!(start.elapsed() < PATIENCE, "nobody heard of it");
    }
    client.permit(&[peer.address()]);
    lan.change_server(&format!("route del unreachable {MOVING}/32"));
    client.send_channel_data(0x4001, b"after");
    assert_eq!(peer.receive().0, b"after");
    peer.send(relay, b"and back");
    assert_eq!(
        client.receive_channel_data(),
        (0x4001, b"and back".to_vec())
    );
}

/// Sends to the service until nothing of that arrives.
fn wait_for_silence(client: &mut Client, service: &Peer, to: std::net::SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    service.socket.set_nonblocking(true).unwrap();
    loop {
        client.send_channel_data(0x4002, b"by channel");
        client.send_to(to, b"by indication");
        client.expect_nothing();
        let mut heard = 0;
        while service.socket.recv_from(&mut [0; 64]).is_ok() {
            heard += 1;
        }
        if heard == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "the ways to {to} do not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    service.socket.set_nonblocking(false).unwrap();
}
