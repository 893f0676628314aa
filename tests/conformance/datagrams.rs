//! Row 23: large datagrams are relayed whole or dropped, never cut.

use crate::client::Client;
use crate::link::{Frame, Via};
use crate::netns::{Lan, OUTSIDE, SERVER};
use crate::peer::Peer;
use crate::target::{Setup, Target, external};
use crate::wire::attribute as a;

stories! {
    row_23_large_datagrams_to_the_peer: udp tcp tls;
    row_23_large_datagrams_to_the_client: udp tcp tls;
    row_23_fragments_cross_a_link: udp tcp tls;
}

const LARGE: [usize; 5] = [1472, 1501, 3000, 9000, 60_000];

/// A datagram of this length whose bytes tell it from others.
fn datagram(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

fn row_23_large_datagrams_to_the_peer(via: Via) {
    let server = Target::start();
    let peer = Peer::new();
    let (mut client, _) = server.allocated(via);
    client.bind(0x4000, peer.address());
    for length in LARGE {
        client.send_to(peer.address(), &datagram(length));
        client.send_channel_data(0x4000, &datagram(length));
    }
    client.send_to(peer.address(), b"the end");
    loop {
        let (received, _) = peer.receive();
        if received == b"the end" {
            break;
        }
        check_whole(&received);
    }
}

fn check_whole(received: &[u8]) {
    assert!(LARGE.contains(&received.len()), "cut to {}", received.len());
    assert!(received == datagram(received.len()), "other bytes");
}

fn row_23_large_datagrams_to_the_client(via: Via) {
    let server = Target::start();
    let (permitted, bound) = (Peer::new(), Peer::new());
    let (mut client, relayed) = server.allocated(via);
    client.permit(&[permitted.address()]);
    client.bind(0x4000, bound.address());
    for peer in [permitted, bound] {
        for length in LARGE {
            peer.send(relayed, &datagram(length));
        }
        peer.send(relayed, b"the end");
        while let Some(received) = next_before_the_end(&mut client) {
            check_whole(&received);
        }
    }
}

fn next_before_the_end(client: &mut Client) -> Option<Vec<u8>> {
    let data = match client.receive() {
        Frame::ChannelData { data, .. } => data,
        Frame::Message(message) => message.get(a::DATA).expect("DATA").to_vec(),
    };
    (data != b"the end").then_some(data)
}

/// 3000 bytes of data are three fragments on this link.
fn row_23_fragments_cross_a_link(via: Via) {
    if external().is_some() {
        println!("needs callbox");
        return;
    }
    let lan = Lan::new();
    let server = lan.start(&Setup::default().on(SERVER)).unwrap();
    let peer = lan.outside(|| Peer::on(OUTSIDE));
    let mut client = lan.outside(|| server.client(via));
    let relayed = client.allocate();
    let data = datagram(3000);
    client.permit(&[peer.address()]);
    client.send_to(peer.address(), &data);
    assert!(peer.receive() == (data.clone(), relayed), "by Send");
    peer.send(relayed, &data);
    let received = client.receive_data();
    assert!(received == (peer.address(), data.clone()), "by Data");

    client.bind(0x4000, peer.address());
    client.send_channel_data(0x4000, &data);
    assert!(peer.receive() == (data.clone(), relayed), "by ChannelData");
    peer.send(relayed, &data);
    assert!(client.receive_channel_data() == (0x4000, data), "back");
}
