#![allow(
    clippy::needless_pass_by_value,
    reason = "json!() at each call reads better than a reference to it"
)]

mod book;
mod crowded;
mod doors;
mod seats;
mod shares;

use serde_json::{Value, json};

use std::time::Duration;

use super::*;
use crate::signaling::codes::CloseReason;

const RESUME: Duration = Duration::from_secs(30);

fn limits() -> Limits {
    Limits {
        max_peers: 3,
        max_rooms: 3,
        max_rooms_per_address: 2,
        resume: RESUME,
    }
}

/// Tells a story over one set of rooms.
struct World {
    rooms: Rooms,
    start: Instant,
    elapsed: Duration,
    joins: u64,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            rooms: Rooms::new(limits(), start),
            start,
            elapsed: Duration::ZERO,
            joins: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + self.elapsed
    }

    fn pass(&mut self, seconds: u64) -> Vec<Effect> {
        self.elapsed += Duration::from_secs(seconds);
        self.rooms.expire(self.now())
    }

    fn request(&mut self, conn: u64, room: &str, resume: Option<Claim>) -> Join {
        self.joins += 1;
        Join {
            conn: ConnId(conn),
            address: address(1),
            visitor: "v".into(),
            room: RoomName::parse(room).unwrap(),
            info: PeerInfo {
                id: PeerId(format!("p{}", self.joins)),
                name: format!("n{conn}"),
                number: 1,
            },
            resume,
            locked: false,
        }
    }

    fn join(&mut self, conn: u64, room: &str) -> Joined {
        let join = self.request(conn, room, None);
        self.enter(join)
    }

    fn resume(&mut self, conn: u64, room: &str, id: &PeerId, before_start: bool) -> Joined {
        let claim = Claim {
            id: id.clone(),
            before_start,
        };
        let join = self.request(conn, room, Some(claim));
        self.enter(join)
    }

    fn enter(&mut self, join: Join) -> Joined {
        match self.admit(join).unwrap() {
            Entry::In(joined) => joined,
            Entry::Knocking(_) => panic!("has to knock"),
        }
    }

    /// Nothing waited at an old connection.
    fn admit(&mut self, join: Join) -> Result<Entry, ErrorCode> {
        self.rooms.join(join, self.now(), |_| Backlog::default())
    }

    fn lost(&mut self, conn: u64) {
        let effects = self
            .rooms
            .lost(ConnId(conn), Backlog::default(), self.now());
        assert_eq!(effects, [], "nobody is told");
    }

    fn leave(&mut self, conn: u64) -> Vec<Effect> {
        self.rooms.leave(ConnId(conn), self.now())
    }

    fn signal(&mut self, from: u64, to: &PeerId, data: Value) -> Option<Effect> {
        let passed = self.rooms.signal(ConnId(from), to, candidate(&data));
        let effect = |(to, message)| Effect::Send { to, message };
        passed.unwrap().map(effect)
    }
}

fn address(last: u8) -> AddressKey {
    AddressKey::from(std::net::IpAddr::from([192, 0, 2, last]))
}

fn sent(to: u64, message: ServerMessage) -> Effect {
    Effect::Send {
        to: ConnId(to),
        message,
    }
}

fn candidate(data: &Value) -> SignalData {
    serde_json::from_value(json!({ "candidate": data })).unwrap()
}

fn signal(from: &PeerId, data: Value) -> ServerMessage {
    ServerMessage::Signal {
        from: from.clone(),
        data: candidate(&data),
    }
}

fn joined(id: &PeerId, conn: u64) -> ServerMessage {
    ServerMessage::PeerJoined {
        peer: PeerInfo {
            id: id.clone(),
            name: format!("n{conn}"),
            number: 1,
        },
    }
}

fn left(id: &PeerId) -> ServerMessage {
    ServerMessage::PeerLeft { id: id.clone() }
}
