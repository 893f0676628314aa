//! How fast an allocation may relay, and all together: one that takes too much takes it from nobody.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
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

/// Much more than all may relay comes all the time for one of two, who may have an eighth of it.
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
    let sent = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                flooder.send(at, &[0; BYTES]);
                let turn = sent.fetch_add(BYTES, Ordering::Relaxed) / BYTES;
                // What the relay's socket does not hold would never be counted.
                if turn.is_multiple_of(50) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
        });
        let _over = Done(&done);
        while sent.load(Ordering::Relaxed) < 3_000_000 {
            thread::sleep(Duration::from_millis(1));
        }
        for turn in 0..20 {
            other.send_channel_data(CHANNEL, &[turn; BYTES]);
            peer.expect(&[turn; BYTES], home);
            peer.send(home, &[turn; BYTES]);
            let (_, back) = other.receive_channel_data();
            assert_eq!(back, [turn; BYTES]);
        }
    });
}

/// Ends the flood, also where something has failed meanwhile.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
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
    let packets = TOTAL * 9 / 10 / BYTES / clients.len();
    for turn in 0..packets {
        for (index, (client, _)) in clients.iter_mut().enumerate() {
            let number = CHANNEL + u16::try_from(index).unwrap();
            first.send_channel_data(number, &[0; BYTES]);
            let (_, data) = client.receive_channel_data();
            assert_eq!(data.len(), BYTES, "in turn {turn}");
        }
    }
}
