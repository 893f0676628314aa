//! What may happen, read from the fuzzer's bytes.

use std::net::{IpAddr, SocketAddr};

use arbitrary::{Arbitrary, Unstructured};

use super::super::{Client, Transport};
use super::VISITORS;

const MAX_STEPS: usize = 200;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug)]
pub(super) struct Schedule {
    pub bytes_per_second: Option<u16>,
    pub quota: Option<u8>,
    pub ipv6: bool,
    pub elsewhere: bool,
    /// Or by time alone.
    pub stop: bool,
    /// One that makes short requests' answers too long.
    pub long_realm: bool,
    pub steps: Vec<Step>,
}

impl Schedule {
    /// As many steps as there are bytes for.
    pub(super) fn read(bytes: &[u8]) -> arbitrary::Result<Self> {
        let mut from = Unstructured::new(bytes);
        let flags: u8 = from.arbitrary()?;
        let flag = |bit: u8| flags & 1 << bit != 0;
        let mut schedule = Self {
            bytes_per_second: flag(0).then(|| from.arbitrary()).transpose()?,
            quota: flag(1).then(|| from.arbitrary()).transpose()?,
            ipv6: flag(2),
            elsewhere: flag(3),
            stop: flag(4),
            long_realm: flag(5),
            steps: Vec::new(),
        };
        while !from.is_empty() && schedule.steps.len() < MAX_STEPS {
            schedule.steps.push(from.arbitrary()?);
        }
        Ok(schedule)
    }
}

/// Bytes with their length in front.
#[derive(Debug)]
pub(super) struct Bytes(pub Vec<u8>);

impl<'a> Arbitrary<'a> for Bytes {
    fn arbitrary(from: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let length: u8 = from.arbitrary()?;
        let length = from.len().min(length.into());
        from.bytes(length).map(|bytes| Self(bytes.into()))
    }
}

#[derive(Debug, Arbitrary)]
pub(super) enum Step {
    /// A client that does all as it should: an allocation, and a way to a peer.
    Call {
        client: u8,
        visitor: Option<u8>,
        ipv6: bool,
        peer: Peer,
        channel: Option<u8>,
    },
    /// By the one who has the allocation, with a good nonce.
    Continue {
        client: u8,
        request: Asked,
    },
    /// A request that may be right.
    Ask {
        client: u8,
        login: Login,
        nonce: Nonce,
        request: Asked,
        oddity: Option<Oddity>,
    },
    Say {
        client: u8,
        channel: u8,
        data: Data,
    },
    Send {
        client: u8,
        peer: Peer,
        data: Data,
        dont_fragment: bool,
    },
    Arrive {
        client: u8,
        peer: Peer,
        data: Data,
    },
    /// A datagram for a relayed address that may be gone.
    Stray {
        id: u8,
        peer: Peer,
        data: Data,
    },
    Noise {
        client: u8,
        bytes: Bytes,
    },
    Mint {
        visitor: u8,
        seconds: u16,
    },
    Enter {
        visitor: u8,
    },
    /// Out of the room; the grace may last.
    Leave {
        visitor: u8,
        revoke: bool,
    },
    Disconnect {
        client: u8,
    },
    Pass {
        seconds: u16,
        /// Does the engine hear of it?
        timeout: bool,
    },
    /// A peer's address comes to the machine, or leaves it.
    Move {
        peer: u8,
        own: bool,
    },
    /// A route begins or ends to lead a peer's address here.
    Route {
        peer: u8,
        here: bool,
        /// Does the engine hear of it?
        told: bool,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Login {
    Alice,
    Bob,
    WrongPassword,
    Unknown,
    Visitor(u8),
    WrongRealm,
    Nobody,
}

#[derive(Debug, Arbitrary)]
pub(super) enum Nonce {
    Fresh,
    Last,
    /// What another client was given.
    Stolen(u8),
    Made([u8; 24]),
}

#[derive(Debug, Arbitrary)]
pub(super) enum Asked {
    Binding,
    Allocate {
        transaction: u8,
        lifetime: Option<u32>,
        ipv6: bool,
        even: Option<bool>,
        token: bool,
        transport: Option<u8>,
    },
    Refresh {
        lifetime: Option<u32>,
        ipv6: Option<bool>,
    },
    CreatePermission(Vec<Peer>),
    ChannelBind {
        channel: u8,
        peer: Peer,
    },
}

/// What is odd about a request.
#[derive(Debug, Arbitrary)]
pub(super) enum Oddity {
    Fingerprint,
    Extra { kind: u16, value: Bytes },
    Unsigned { kind: u16, value: Bytes },
    Flip { at: u16, with: u8 },
    Cut(u8),
    Longer(Bytes),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Peer {
    V4(u8),
    V6(u8),
    /// Of those that have had a permission or a channel.
    Known(u8),
    Relayed(u8),
    Bound(u8),
    /// The relayed address of another shard, in one of its two forms.
    Elsewhere(bool),
    OwnPort {
        which: u8,
        port: u16,
    },
    OwnInDisguise {
        which: u8,
        port: u16,
    },
    Special(u8),
    AnyV4([u8; 4], u16),
    AnyV6([u8; 16], u16),
}

#[derive(Debug, Arbitrary)]
pub(super) enum Data {
    Short(Bytes),
    Long(u16),
}

impl Data {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Short(bytes) => bytes.0.clone(),
            // Few are longer than what passes an Ethernet.
            Self::Long(length @ 60_000..) => vec![7; (*length).into()],
            Self::Long(length) => vec![7; usize::from(*length % 1500)],
        }
    }
}

/// Those who have allocations are worth more visits than others.
pub(super) const FAVOURITES: u8 = 64;

/// Two on the same address, one of them over IPv6, and streams.
pub(super) fn client(number: u8) -> Client {
    let v4 = |last, port| SocketAddr::from(([192, 0, 2, last], port));
    let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 5000));
    let (transport, via, address) = match number % 6 {
        0 => (Transport::Udp, 0, v4(1, 5000)),
        1 => (Transport::Udp, 0, v4(1, 5001)),
        2 => (Transport::Udp, 1, v6),
        3 => (Transport::Tcp, 0, v4(2, 5000)),
        4 => (Transport::Tls, 1, v4(2, 5000)),
        _ => (Transport::Udp, 0, v4(2, 5000)),
    };
    Client {
        transport,
        via,
        address,
        proxied: false,
    }
}

/// What another program calls somebody, who is in no room: as callbox calls its visitors.
pub(super) const FOREIGN: &str = "v-0.foreign";

/// The last is another program's.
pub(super) fn visitor(number: u8) -> String {
    match number % (VISITORS + 1) {
        VISITORS => FOREIGN.to_owned(),
        number => format!("v-{number}"),
    }
}

/// How much time passes: mostly as much as makes a difference.
pub(super) fn seconds(number: u16) -> u64 {
    const EDGES: [u64; 8] = [1, 59, 60, 299, 300, 599, 600, 3599];
    match usize::from(number) {
        edge @ 0x8000.. => EDGES[edge % EDGES.len()],
        other => other as u64 % 4000,
    }
}

/// A few that may be bound, and their neighbours that may not.
pub(super) fn channel_number(channel: u8) -> u16 {
    match channel % 8 {
        6 => 0x3fff,
        7 => 0x5000,
        few => 0x4000 + u16::from(few),
    }
}

/// One of the peers' addresses.
pub(super) fn moving(peer: u8) -> IpAddr {
    let last = peer % 8;
    match peer / 8 % 2 {
        0 => IpAddr::from([8, 8, 4, last]),
        _ => IpAddr::from([0x2606, 0x4700, 0, 0, 0, 0, 0, last.into()]),
    }
}
