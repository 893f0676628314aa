//! Rows 20 and 21: channels (RFC 8656 §12).

use crate::client::channel_bind;
use crate::link::Via;
use crate::peer::Peer;
use crate::target::Target;
use crate::wire::{self, CHANNEL_BIND, Draft};

stories! {
    row_20_channel_numbers: udp tcp tls;
    row_20_incomplete_bind: udp tcp tls;
    row_20_number_or_peer_taken: udp tcp tls;
    row_20_bind_again: udp tcp tls;
    row_21_channel_data: udp tcp tls front_tcp front_tls;
    row_21_empty_channel_data: udp tcp tls;
    row_21_padding: udp tcp tls front_tcp front_tls;
    row_21_unbound_channel: udp tcp tls;
    row_21_send_beside_a_channel: udp tcp tls;
}

fn row_20_channel_numbers(via: Via) {
    let server = Target::start();
    let peers = [Peer::new(), Peer::new()];
    let (mut client, _) = server.allocated(via);
    for number in [0, 1, 0x3fff, 0x5000, 0x7fff, 0x8000, 0xffff] {
        client.refused(&channel_bind(number, peers[0].address()), 400);
    }
    client.bind(0x4000, peers[0].address());
    client.bind(0x4fff, peers[1].address());
}

fn row_20_incomplete_bind(via: Via) {
    let server = Target::start();
    let peer = Peer::new().address();
    let (mut client, _) = server.allocated(via);
    client.refused(&Draft::new(CHANNEL_BIND).peer(peer), 400);
    client.refused(&Draft::new(CHANNEL_BIND).channel(0x4000), 400);
    client.bind(0x4000, peer);
}

/// A peer is an address and a port.
fn row_20_number_or_peer_taken(via: Via) {
    let server = Target::start();
    let (peer, other) = (Peer::new(), Peer::new());
    let (mut client, relayed) = server.allocated(via);
    client.bind(0x4000, peer.address());
    client.refused(&channel_bind(0x4000, other.address()), 400);
    client.refused(&channel_bind(0x4001, peer.address()), 400);
    client.bind(0x4001, other.address());
    for (number, peer) in [(0x4000, &peer), (0x4001, &other)] {
        client.send_channel_data(number, b"hello");
        peer.expect(b"hello", relayed);
    }
}

fn row_20_bind_again(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    for _ in 0..3 {
        client.bind(0x4000, peer.address());
        client.send_channel_data(0x4000, b"hello");
        peer.expect(b"hello", relayed);
    }
}

/// The bind alone is also the permission.
fn row_21_channel_data(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.bind(0x4abc, peer.address());
    peer.send(relayed, b"from the peer");
    let received = client.receive_channel_data();
    assert_eq!(received, (0x4abc, b"from the peer".to_vec()));
    client.send_channel_data(0x4abc, b"from the client");
    peer.expect(b"from the client", relayed);

    // Another port of that address has the permission, but no channel.
    let neighbour = Peer::new();
    neighbour.send(relayed, b"no channel");
    let received = client.receive_data();
    assert_eq!(received, (neighbour.address(), b"no channel".to_vec()));
}

fn row_21_empty_channel_data(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.bind(0x4000, peer.address());
    client.send_channel_data(0x4000, b"");
    peer.expect(b"", relayed);
    peer.send(relayed, b"");
    assert_eq!(client.receive_channel_data(), (0x4000, Vec::new()));
}

/// Over streams the server has to pad, or the second message would not be found; over UDP a client may (§12.5).
fn row_21_padding(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.bind(0x4000, peer.address());
    for length in 1..=9 {
        let data = &b"abcdefghi"[..length];
        client.send(&wire::channel_data(0x4000, data));
        peer.expect(data, relayed);
        peer.send(relayed, data);
        assert_eq!(client.receive_channel_data(), (0x4000, data.to_vec()));
    }
    client.expect_nothing();
}

fn row_21_unbound_channel(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[peer.address()]);
    client.bind(0x4000, peer.address());
    client.send_channel_data(0x4001, b"nobody's");
    client.send_channel_data(0x4000, b"the peer's");
    peer.expect(b"the peer's", relayed);
    server
        .client(via)
        .send_channel_data(0x4000, b"without an allocation");
    client.send_channel_data(0x4000, b"the peer's again");
    peer.expect(b"the peer's again", relayed);
}

fn row_21_send_beside_a_channel(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, relayed) = server.allocated(via);
    client.bind(0x4000, peer.address());
    client.send_to(peer.address(), b"as an indication");
    peer.expect(b"as an indication", relayed);
}
