//! Row 26: what one user may have, and the end of the relay's ports.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Client, allocation, refresh, relayed};
use crate::link::Via;
use crate::peer::{Peer, free_ports};
use crate::target::{Setup, Target};
use crate::wire::attribute::EVEN_PORT;

stories! {
    row_26_quota_of_a_user: udp tcp tls;
    row_26_quota_of_a_user_with_two_shards: udp tcp tls;
    row_26_quota_of_an_address: udp tcp tls;
    row_26_what_is_idle_makes_way: tls;
    row_26_what_is_idle_makes_way_with_two_shards: udp;
    row_26_new_allocations_of_a_user: udp tcp tls;
    row_26_no_relay_port_left: udp tcp tls;
    row_26_no_relay_port_left_with_two_shards: udp tcp tls;
    row_26_no_even_port_left: udp;
}

const QUOTA: usize = 3;
const CHANNEL: u16 = 0x4000;

fn row_26_quota_of_a_user(via: Via) {
    check_quota(via, Setup::default());
}

fn row_26_quota_of_a_user_with_two_shards(via: Via) {
    check_quota(via, Setup::default().turn("shards = 2"));
}

fn check_quota(via: Via, setup: Setup) {
    let limit = format!("allocations_per_visitor = {QUOTA}");
    let Some(server) = setup.limit(&limit).start() else {
        return;
    };
    let mut holders: Vec<_> = (0..QUOTA).map(|_| server.allocated(via).0).collect();
    // More than enough to come by every shard.
    for _ in 0..8 {
        server.client(via).refused(&allocation(), 486);
    }
    server.client_of(&server.bob, via).allocate();
    holders.pop().unwrap().free();
    let (_another, _) = server.allocated(via);
    server.client(via).refused(&allocation(), 486);
}

fn row_26_quota_of_an_address(via: Via) {
    let Some(server) = Setup::default().limit("allocations_per_ip = 2").start() else {
        return;
    };
    let (_first, _) = server.allocated(via);
    let mut second = server.client_of(&server.bob, via);
    second.allocate();
    server
        .client_of(&server.bob, via)
        .refused(&allocation(), 486);
    second.free();
    server.client_of(&server.bob, via).allocate();
}

fn row_26_what_is_idle_makes_way(via: Via) {
    check_idle(via, Setup::default());
}

fn row_26_what_is_idle_makes_way_with_two_shards(via: Via) {
    check_idle(via, Setup::default().turn("shards = 2"));
}

/// Where an address has all it may have, the allocation goes through which nothing has passed for a minute.
fn check_idle(via: Via, setup: Setup) {
    let Some(server) = setup.limit("allocations_per_ip = 2").start() else {
        return;
    };
    let (mut idle, _) = server.allocated(via);
    let (mut used, relayed) = server.allocated(via);
    let peer = Peer::new();
    used.bind(CHANNEL, peer.address());
    let mut comes = server.client_of(&server.bob, via);
    let start = Instant::now();
    loop {
        used.send_channel_data(CHANNEL, b"there");
        peer.expect(b"there", relayed);
        let answer = comes.ask(&allocation());
        if answer.is_success() {
            break;
        }
        assert_eq!(answer.error(), Some(486));
        assert!(start.elapsed() < Duration::from_secs(120), "nothing goes");
        sleep(Duration::from_secs(1));
    }
    assert!(start.elapsed() > Duration::from_secs(50));
    peer.send(relayed, b"back");
    assert_eq!(used.receive_channel_data(), (CHANNEL, b"back".to_vec()));
    match via {
        Via::Udp => drop(idle.refused(&refresh(), 437)),
        _ => idle.expect_close(),
    }
    // Neither of the two is idle.
    server.client(via).refused(&allocation(), 486);
}

/// Giving each back at once does not buy more.
fn row_26_new_allocations_of_a_user(via: Via) {
    let setup = Setup::default().limit("allocations_per_minute = 2");
    let Some(server) = setup.start() else {
        return;
    };
    for _ in 0..2 {
        let (mut client, _) = server.allocated(via);
        client.free();
    }
    server.client(via).refused(&allocation(), 486);
    server.client_of(&server.bob, via).allocate();
}

fn row_26_no_relay_port_left(via: Via) {
    check_ports(via, Setup::default());
}

fn row_26_no_relay_port_left_with_two_shards(via: Via) {
    check_ports(via, Setup::default().turn("shards = 2"));
}

/// Two ports for however many clients. Shards may divide them, so it takes several clients to come by the last one.
fn check_ports(via: Via, setup: Setup) {
    let Some((_ports, server)) = with_relay_ports(setup, 2) else {
        return;
    };
    let mut holders: Vec<Client> = Vec::new();
    for _ in 0..64 {
        let mut client = server.client(via);
        let answer = client.ask(&allocation());
        assert!(answer.is_signed_with(&client.login().key));
        match answer.error() {
            None => holders.push(client),
            Some(code) => assert_eq!(code, 508),
        }
    }
    assert_eq!(holders.len(), 2, "clients for two ports");
    holders.pop().unwrap().free();
    let another = (0..64).any(|_| server.client(via).ask(&allocation()).is_success());
    assert!(another, "the port is free again");
}

/// Only an even port will do, and the one that is left is odd.
fn row_26_no_even_port_left(via: Via) {
    let Some((ports, server)) = with_relay_ports(Setup::default(), 2) else {
        return;
    };
    let even = allocation().with(EVEN_PORT, &[0]);
    let mut first = server.client(via);
    let relayed = relayed(&first.granted(&even));
    assert_eq!(relayed.port(), ports);
    server.client(via).refused(&even, 508);
    server.client(via).allocate();
}

/// Starts a server with so many relay ports that nobody else uses; also gives the first, which is even.
fn with_relay_ports(setup: Setup, count: u16) -> Option<(u16, Target)> {
    let first = free_ports(count);
    let range = format!("relay_ports = \"{first}-{}\"", first + count - 1);
    Some((first, setup.turn(&range).start()?))
}
