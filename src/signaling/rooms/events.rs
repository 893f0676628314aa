//! What happens to rooms, and what is to be done about it.

use std::time::Duration;

use crate::limits::AddressKey;
use crate::signaling::codes::{CloseReason, ErrorCode};
use crate::signaling::message::{PeerId, PeerInfo, ServerMessage};
use crate::words::names::RoomName;

/// Names one WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnId(pub u64);

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub max_peers: usize,
    pub max_rooms: usize,
    pub max_rooms_per_address: usize,
    /// How long a seat outlives its connection.
    pub resume: Duration,
}

/// Somebody wants in; ticket and names are checked already.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub conn: ConnId,
    pub address: AddressKey,
    pub visitor: String,
    pub room: RoomName,
    /// For a seat of their own, as the others will know them.
    pub info: PeerInfo,
    /// The seat that they had.
    pub resume: Option<Claim>,
    /// Whoever had a seat before the server was started says that the room was locked.
    pub locked: bool,
}

/// A resume ticket's claim to a seat in the same room by the same visitor.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub id: PeerId,
    /// The ticket is from before this server was started: its rooms are gone, but nobody was told that anyone left.
    pub before_start: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Joined {
    pub id: PeerId,
    pub resumed: bool,
    /// Others in the room whose signals are not complete: begins anew with them.
    pub anew: Vec<PeerId>,
    /// The others in the room.
    pub peers: Vec<PeerInfo>,
    pub locked: bool,
    /// Those who wait to be let in.
    pub knocks: Vec<PeerInfo>,
    /// To be done after the newcomer was welcomed.
    pub effects: Vec<Effect>,
}

/// What becomes of somebody who wants in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    In(Joined),
    /// The room is locked; to be done after they were told so.
    Knocking(Vec<Effect>),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Send {
        to: ConnId,
        message: ServerMessage,
    },
    /// Somebody who knocked is in.
    Admitted {
        conn: ConnId,
        joined: Joined,
    },
    /// Somebody who knocked may not come in.
    Refuse {
        conn: ConnId,
        code: ErrorCode,
    },
    Close {
        conn: ConnId,
        reason: CloseReason,
    },
    /// A room had to go for another.
    MadeWay,
    Opened(RoomName),
    Closed(RoomName),
}
