//! Row 24: the DF bit (RFC 8656 §14, §15), as it is in the IP headers that arrive at the peer.

use std::io::Read;

use socket2::{Domain, Protocol, Socket, Type};

use crate::client::{Client, allocation, send_indication};
use crate::link::Via;
use crate::netns::{Lan, OUTSIDE, SERVER};
use crate::peer::Peer;
use crate::support::PATIENCE;
use crate::target::{Setup, Target, external};
use crate::wire::{attribute as a, u16_at};

stories! {
    row_24_df_is_not_set_by_default: udp tcp tls;
    row_24_dont_fragment: udp tcp tls;
}

const CHANNEL: u16 = 0x4000;

/// Hears every UDP packet that comes to this machine, with its IP header.
struct Tap(Socket);

impl Tap {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))
            .expect("this test opens a raw socket: run it as root");
        socket.set_recv_buffer_size(1 << 24).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// Is DF set in the packet that brings `data` to this port?
    fn dont_fragment(&mut self, port: u16, data: &[u8]) -> bool {
        let mut packet = [0; 2048];
        loop {
            let length = self.0.read(&mut packet).expect("a packet on the wire");
            let header = usize::from(packet[0] & 0xf) * 4;
            let udp = &packet[header..length];
            if u16_at(udp, 2) == port && &udp[8..] == data {
                return packet[6] & 0x40 != 0;
            }
        }
    }
}

/// A client with somebody it sends to, and the tap at that end of the wire.
struct Wire {
    client: Client,
    peer: Peer,
    tap: Tap,
    /// What has to stay as long as the client does.
    _machines: (Option<Lan>, Target),
}

impl Wire {
    /// Between two machines; somebody else's server is listened to on loopback.
    fn new(via: Via) -> Self {
        if external().is_some() {
            let server = Target::start();
            return Self {
                client: server.client(via),
                peer: Peer::new(),
                tap: Tap::new(),
                _machines: (None, server),
            };
        }
        let lan = Lan::new();
        let server = lan.start(&Setup::default().on(SERVER)).unwrap();
        let (peer, tap) = lan.outside(|| (Peer::on(OUTSIDE), Tap::new()));
        Self {
            client: lan.outside(|| server.client(via)),
            peer,
            tap,
            _machines: (Some(lan), server),
        }
    }

    /// Does what the client sends arrive with the DF bit?
    fn by_send(&mut self, data: &[u8]) -> bool {
        self.client.send_to(self.peer.address(), data);
        self.arrives_with_df(data)
    }

    fn by_send_with_dont_fragment(&mut self, data: &[u8]) -> bool {
        self.client.send(&self.with_dont_fragment(data));
        self.arrives_with_df(data)
    }

    fn by_channel(&mut self, data: &[u8]) -> bool {
        self.client.send_channel_data(CHANNEL, data);
        self.arrives_with_df(data)
    }

    fn arrives_with_df(&mut self, data: &[u8]) -> bool {
        self.tap.dont_fragment(self.peer.address().port(), data)
    }

    fn with_dont_fragment(&self, data: &[u8]) -> Vec<u8> {
        send_indication(self.peer.address(), data)
            .with(a::DONT_FRAGMENT, b"")
            .bytes()
    }
}

fn row_24_df_is_not_set_by_default(via: Via) {
    let mut wire = Wire::new(via);
    wire.client.allocate();
    wire.client.bind(CHANNEL, wire.peer.address());
    assert!(!wire.by_send(b"by Send"));
    assert!(!wire.by_channel(b"by ChannelData"));
}

/// The Allocate finds out whether the server knows the attribute; then each Send asks for itself.
fn row_24_dont_fragment(via: Via) {
    let mut wire = Wire::new(via);
    let asking = allocation().with(a::DONT_FRAGMENT, b"");
    let answer = wire.client.ask(&asking);
    assert!(answer.is_signed_with(&wire.client.login().key));
    if answer.is_success() {
        check_honoured(&mut wire);
    } else {
        assert_eq!(answer.error(), Some(420));
        let listed = answer.get(a::UNKNOWN_ATTRIBUTES);
        assert_eq!(listed, Some(&a::DONT_FRAGMENT.to_be_bytes()[..]));
        check_discarded(&mut wire);
    }
}

fn check_honoured(wire: &mut Wire) {
    wire.client.bind(CHANNEL, wire.peer.address());
    for _ in 0..3 {
        assert!(wire.by_send_with_dont_fragment(b"whole"));
        assert!(!wire.by_send(b"in pieces"));
        assert!(!wire.by_channel(b"in the channel"));
    }
}

fn check_discarded(wire: &mut Wire) {
    wire.client.allocate();
    wire.client.permit(&[wire.peer.address()]);
    wire.client.send(&wire.with_dont_fragment(b"whole"));
    wire.client.send_to(wire.peer.address(), b"in pieces");
    assert_eq!(wire.peer.receive().0, b"in pieces");
}
