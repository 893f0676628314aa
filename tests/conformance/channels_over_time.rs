//! Row 22, and the refreshing of row 20: what lasts for 300 and for 600 seconds (RFC 8656 §9, §12).
//!
//! In real time, so only where `CALLBOX_LONG` is set; with simulated time it is told inside the engine.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Client, allocation, relayed};
use crate::link::Via;
use crate::peer::Peer;
use crate::target::Target;

stories! {
    row_22_permissions_and_channels_expire: udp;
}

const CHANNEL: u16 = 0x4000;
const REBOUND: u16 = 0x4001;
const CONTROL: u16 = 0x4002;

struct Cast {
    client: Client,
    relayed: SocketAddr,
}

impl Cast {
    fn relays(&mut self, number: u16, peer: &Peer) {
        self.client.send_channel_data(number, b"there");
        peer.expect(b"there", self.relayed);
        peer.send(self.relayed, b"back");
        let back = self.client.receive_channel_data();
        assert_eq!(back, (number, b"back".to_vec()));
    }

    /// Neither way; what the control sends afterwards arrives.
    fn drops(&mut self, number: u16, peer: &Peer, control: &Peer) {
        self.client.bind(CONTROL, control.address());
        self.client.send_channel_data(number, b"lost");
        peer.send(self.relayed, b"lost too");
        self.relays(CONTROL, control);
        peer.expect_nothing();
        self.client.expect_nothing();
    }
}

fn row_22_permissions_and_channels_expire(via: Via) {
    if std::env::var_os("CALLBOX_LONG").is_none() {
        println!("takes ten minutes: set CALLBOX_LONG=1 to run it");
        return;
    }
    let server = Target::start();
    let mut client = server.client(via);
    let relayed = relayed(&client.granted(&allocation().lifetime(1800)));
    // Of addresses of their own, as permissions are for addresses.
    let [peer, rebound, control] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(Peer::on);
    let start = Instant::now();
    let until = |second| sleep(Duration::from_secs(second).saturating_sub(start.elapsed()));
    let mut cast = Cast { client, relayed };

    cast.client.bind(CHANNEL, peer.address());
    cast.client.bind(REBOUND, rebound.address());
    until(200);
    cast.client.bind(REBOUND, rebound.address());
    until(290);
    cast.relays(CHANNEL, &peer);

    until(310);
    cast.drops(CHANNEL, &peer, &control);
    cast.relays(REBOUND, &rebound);
    cast.client.permit(&[peer.address()]);
    cast.relays(CHANNEL, &peer);

    until(580);
    cast.client.permit(&[peer.address()]);
    until(610);
    cast.client.bind(CONTROL, control.address());
    cast.client.send_channel_data(CHANNEL, b"lost");
    cast.relays(CONTROL, &control);
    peer.expect_nothing();
    peer.send(relayed, b"permitted, without a channel");
    let received = cast.client.receive_data();
    assert_eq!(
        received,
        (peer.address(), b"permitted, without a channel".to_vec())
    );
}
