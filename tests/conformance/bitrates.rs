//! How fast an allocation may relay, and all together: one that takes too much takes it from nobody.

use std::thread::sleep;
use std::time::Duration;

use crate::client::allocation;
use crate::client::relayed;
use crate::link::Via;
use crate::peer::Peer;
use crate::target::Setup;

stories! {
    what_one_allocation_may_not_have_is_nobody_elses_loss: udp tcp;
    between_threads_a_packet_counts_once: udp;
}

const CHANNEL: u16 = 0x4000;
const BYTES: usize = 1000;

/// Three seconds' worth of what all may relay comes for one of two, who may have an eighth of it.
fn what_one_allocation_may_not_have_is_nobody_elses_loss(via: Via) {
    let setup = Setup::default()
        .limit("bitrate = \"1 Mbit/s\"")
        .limit("total_bitrate = \"8 Mbit/s\"");
    let Some(server) = setup.start() else {
        return;
    };
    let (flooder, peer) = (Peer::new(), Peer::new());
    let (mut flooded, at) = server.allocated(via);
    flooded.bind(CHANNEL, flooder.address());
    let mut other = server.client_of(&server.bob, via);
    let home = relayed(&other.granted(&allocation()));
    other.bind(CHANNEL, peer.address());
    for turn in 0..3000 {
        flooder.send(at, &[0; BYTES]);
        // What the relay's socket does not hold would never be counted.
        if turn % 50 == 0 {
            sleep(Duration::from_millis(2));
        }
    }
    for _ in 0..5 {
        other.send_channel_data(CHANNEL, b"passes");
        peer.expect(b"passes", home);
        peer.send(home, b"back");
        assert_eq!(other.receive_channel_data(), (CHANNEL, b"back".to_vec()));
    }
}

/// A second's worth of what all may relay, but for a little: counted twice, it would not pass.
fn between_threads_a_packet_counts_once(via: Via) {
    const TOTAL: usize = 250_000;
    let setup = Setup::default()
        .turn("shards = 2")
        .limit("bitrate = \"off\"")
        .limit("total_bitrate = \"2 Mbit/s\"");
    let Some(server) = setup.start() else {
        return;
    };
    // Some of them are served by different threads.
    let mut clients: Vec<_> = (0..6).map(|_| server.allocated(via)).collect();
    let (mut first, home) = clients.remove(0);
    for (index, (client, relayed)) in clients.iter_mut().enumerate() {
        let number = CHANNEL + u16::try_from(index).unwrap();
        first.bind(number, *relayed);
        client.bind(CHANNEL, home);
    }
    // Each thread takes some in advance, which may be left with the other.
    let packets = TOTAL * 6 / 10 / BYTES / clients.len();
    for turn in 0..packets {
        for (index, (client, _)) in clients.iter_mut().enumerate() {
            let number = CHANNEL + u16::try_from(index).unwrap();
            first.send_channel_data(number, &[0; BYTES]);
            let (_, data) = client.receive_channel_data();
            assert_eq!(data.len(), BYTES, "in turn {turn}");
        }
    }
}
