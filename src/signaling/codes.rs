//! Why something was refused, and why a WebSocket is closed.

use serde::Serialize;

/// Why something was refused. The connection stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ErrorCode {
    BadMessage,
    BadRoom,
    BadTicket,
    TicketExpired,
    RoomFull,
    TooManyRooms,
    NotJoined,
    AlreadyJoined,
    NotInvited,
    Draining,
    TooManyKnocks,
    TooFast,
    Refused,
    RoomClosed,
}

impl ErrorCode {
    /// As it stands in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadMessage => "bad-message",
            Self::BadRoom => "bad-room",
            Self::BadTicket => "bad-ticket",
            Self::TicketExpired => "ticket-expired",
            Self::RoomFull => "room-full",
            Self::TooManyRooms => "too-many-rooms",
            Self::NotJoined => "not-joined",
            Self::AlreadyJoined => "already-joined",
            Self::NotInvited => "not-invited",
            Self::Draining => "draining",
            Self::TooManyKnocks => "too-many-knocks",
            Self::TooFast => "too-fast",
            Self::Refused => "refused",
            Self::RoomClosed => "room-closed",
        }
    }

    /// A sentence for the page's developer; pages show their own.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::BadMessage => "This is not a message of the protocol.",
            Self::BadRoom => "A room name has 1 to 64 letters, digits, hyphens and underscores.",
            Self::BadTicket => "The ticket was not issued by this server; load /config.js again.",
            Self::TicketExpired => "The ticket has expired; load /config.js again.",
            Self::RoomFull => "The room is full.",
            Self::TooManyRooms => "No more rooms can be opened now.",
            Self::NotJoined => "Join a room first.",
            Self::NotInvited => "You are not invited to this room.",
            Self::Draining => "The server is about to stop and opens no more rooms.",
            Self::AlreadyJoined => "This connection is in a room or waits for one already.",
            Self::TooManyKnocks => "Too many wait to be let in, or knocked lately.",
            Self::TooFast => "Not done: wait a moment before you ask for more.",
            Self::Refused => "Those in the room did not let you in.",
            Self::RoomClosed => {
                "Those who could have let you in have left; join again to open the room anew."
            }
        }
    }
}

/// Has all reasons to close, and what makes way, counted from zero: what appears only with its first event has no increase.
pub(crate) fn count_from_zero() {
    for reason in CloseReason::ALL {
        reason.counter().absolute(0);
    }
    for what in [MadeWay::WebSocket, MadeWay::Room] {
        what.counter().absolute(0);
    }
}

/// What had to go, since others needed its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum MadeWay {
    /// In no room.
    WebSocket,
    /// With one person.
    Room,
}

impl MadeWay {
    pub(super) fn count(self) {
        self.counter().increment(1);
    }

    fn counter(self) -> metrics::Counter {
        let what = match self {
            Self::WebSocket => "websocket",
            Self::Room => "room",
        };
        metrics::counter!("callbox_signaling_evicted_total", "what" => what)
    }
}

/// Why the server closes a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The page said `leave`.
    Left,
    Stopping,
    Protocol,
    Binary,
    NotText,
    TooBig,
    Replaced,
    SlowReader,
    Flood,
    Silent,
    BadMessages,
    NoJoin,
    Revoked,
    Unanswered,
    MadeWay,
}

impl CloseReason {
    const ALL: [Self; 15] = [
        Self::Left,
        Self::Stopping,
        Self::Protocol,
        Self::Binary,
        Self::NotText,
        Self::TooBig,
        Self::Replaced,
        Self::SlowReader,
        Self::Flood,
        Self::Silent,
        Self::BadMessages,
        Self::NoJoin,
        Self::Revoked,
        Self::Unanswered,
        Self::MadeWay,
    ];

    /// Counts a WebSocket that is closed for it.
    pub(super) fn count(self) {
        self.counter().increment(1);
    }

    fn counter(self) -> metrics::Counter {
        metrics::counter!("callbox_websocket_closes_total", "code" => self.code().to_string())
    }

    /// WebSocket close code: RFC 6455 §7.4.1, or 4000 and up for callbox's own.
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Left => 1000,
            Self::Stopping => 1001,
            Self::Protocol => 1002,
            Self::Binary => 1003,
            Self::NotText => 1007,
            Self::TooBig => 1009,
            Self::Replaced => 4001,
            Self::SlowReader => 4002,
            Self::Flood => 4003,
            Self::Silent => 4004,
            Self::BadMessages => 4005,
            Self::NoJoin => 4006,
            Self::Revoked => 4007,
            Self::Unanswered => 4008,
            Self::MadeWay => 4009,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Stopping => "the server is stopping",
            Self::Protocol => "not a valid WebSocket frame",
            Self::Binary => "messages are text",
            Self::NotText => "not valid UTF-8",
            Self::TooBig => "message too big",
            Self::Replaced => "resumed over another connection",
            Self::SlowReader => "messages were not read in time",
            Self::Flood => "too many messages",
            Self::Silent => "nothing heard for too long",
            Self::BadMessages => "too many bad messages",
            Self::NoJoin => "no room was joined in time",
            Self::Revoked => "access was revoked",
            Self::Unanswered => "nobody answered the knock",
            Self::MadeWay => "nobody else was in the room, and its place was needed",
        }
    }
}
