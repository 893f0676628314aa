//! Rows 16, 18 and 19: permissions, Send and Data (RFC 8656 §9 to §11).

use std::net::SocketAddr;

use crate::client::{allocation, channel_bind, permission, relayed, send_indication};
use crate::link::Via;
use crate::peer::Peer;
use crate::target::{Setup, Target};
use crate::wire::{CREATE_PERMISSION, Draft, SEND, attribute as a};

stories! {
    row_16_permission_without_a_peer: udp tcp tls;
    row_16_permission_for_two_peers: udp tcp tls;
    row_18_ipv6_peer_of_an_ipv4_allocation: udp tcp tls;
    row_18_ipv4_peer_of_an_ipv6_allocation: udp tcp tls;
    row_19_send_needs_a_permission: udp tcp tls;
    row_19_data_needs_a_permission: udp tcp tls;
    row_19_there_and_back: udp tcp tls;
    row_19_empty_datagrams: udp tcp tls;
    row_19_incomplete_indications: udp tcp tls;
}

fn row_16_permission_without_a_peer(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    client.refused(&Draft::new(CREATE_PERMISSION), 400);
}

fn row_16_permission_for_two_peers(via: Via) {
    let server = Target::start();
    let peers = [Peer::on("127.0.0.2"), Peer::on("127.0.0.3")];
    let stranger = Peer::on("127.0.0.4");
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peers[0].address(), peers[1].address()]);
    stranger.send(relayed, b"from a stranger");
    for peer in &peers {
        peer.send(relayed, b"hello");
        assert_eq!(client.receive_data(), (peer.address(), b"hello".to_vec()));
        client.send_to(peer.address(), b"hello yourself");
        peer.expect(b"hello yourself", relayed);
    }
}

fn row_18_ipv6_peer_of_an_ipv4_allocation(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    let global: SocketAddr = "[2606:4700::1]:9".parse().unwrap();
    let ipv4 = Peer::new();
    client.refused(&permission(&[global]), 443);
    client.refused(&permission(&[ipv4.address(), global]), 443);
    client.refused(&channel_bind(0x4000, global), 443);
}

fn row_18_ipv4_peer_of_an_ipv6_allocation(via: Via) {
    let Some(server) = Setup::default().on("[::1]").start() else {
        return;
    };
    let mut client = server.client(via);
    let ipv6 = allocation().with(a::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    let relayed = relayed(&client.granted(&ipv6));
    let global: SocketAddr = "8.8.8.8:9".parse().unwrap();
    client.refused(&permission(&[global]), 443);
    client.refused(&channel_bind(0x4000, global), 443);

    let peer = Peer::on("::1");
    client.permit(&[peer.address()]);
    client.send_to(peer.address(), b"over IPv6");
    peer.expect(b"over IPv6", relayed);
    peer.send(relayed, b"and back");
    assert_eq!(
        client.receive_data(),
        (peer.address(), b"and back".to_vec())
    );
}

fn row_19_send_needs_a_permission(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let elsewhere = Peer::on("127.0.0.2");
    let (mut client, relayed) = server.allocated(via);
    client.send_to(peer.address(), b"too early");
    client.permit(&[elsewhere.address()]);
    client.send_to(peer.address(), b"still too early");
    client.permit(&[peer.address()]);
    client.send_to(peer.address(), b"now");
    peer.expect(b"now", relayed);
}

/// A permission is for an address, whatever the port (RFC 8656 §9).
fn row_19_data_needs_a_permission(via: Via) {
    let server = Target::start();
    let (peer, same_address) = (Peer::new(), Peer::new());
    let stranger = Peer::on("127.0.0.2");
    let (mut client, relayed) = server.allocated(via);
    peer.send(relayed, b"too early");
    client.expect_nothing();
    client.permit(&[peer.address()]);
    stranger.send(relayed, b"from a stranger");
    for permitted in [peer, same_address] {
        permitted.send(relayed, b"now");
        assert_eq!(
            client.receive_data(),
            (permitted.address(), b"now".to_vec())
        );
    }
}

fn row_19_there_and_back(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    for data in [&b"a"[..], b"ab", b"abc", b"abcd", &[b'x'; 1200]] {
        client.send_to(peer.address(), data);
        peer.expect(data, relayed);
        peer.send(relayed, data);
        assert_eq!(client.receive_data(), (peer.address(), data.to_vec()));
    }
    client.expect_nothing();
}

fn row_19_empty_datagrams(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    client.send_to(peer.address(), b"");
    peer.expect(b"", relayed);
    peer.send(relayed, b"");
    assert_eq!(client.receive_data(), (peer.address(), Vec::new()));
}

/// Without the peer or the data, an indication is dropped (RFC 8656 §11.2).
fn row_19_incomplete_indications(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    client.send(&Draft::indication(SEND).peer(peer.address()).bytes());
    client.send(&Draft::indication(SEND).with(a::DATA, b"to whom?").bytes());
    client.send(&send_indication(peer.address(), b"complete").bytes());
    peer.expect(b"complete", relayed);
    client.expect_nothing();
}
