//! What goes over the wire: JSON text frames, told apart by `type`.

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::web::PcConfig;

/// Names a peer within its room; unique on this server, and kept over a resume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub String);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// From a page.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage {
    Join(JoinMessage),
    Signal {
        to: PeerId,
        data: SignalData,
    },
    Leave,
    /// The page is about to be frozen by its browser.
    Freeze,
    Ping,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct JoinMessage {
    pub room: String,
    #[serde(default)]
    pub name: String,
    /// From `SETTINGS`.
    pub ticket: String,
    /// From the last `welcome`.
    pub resume: Option<String>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct SignalMessage {
    to: PeerId,
    data: SignalData,
}

impl ClientMessage {
    /// `None` if it is not a message of the protocol.
    pub fn parse(text: &str) -> Option<Self> {
        let Kind { kind } = serde_json::from_str(text).ok()?;
        match &*kind {
            "join" => serde_json::from_str(text).ok().map(Self::Join),
            "signal" => serde_json::from_str(text)
                .ok()
                .map(|SignalMessage { to, data }| Self::Signal { to, data }),
            "leave" => Some(Self::Leave),
            "freeze" => Some(Self::Freeze),
            "ping" => Some(Self::Ping),
            _ => None,
        }
    }
}

/// What two pages tell each other: an object with either `description` or `candidate`. It is passed on to the letter,
/// and kept as text: parsed, a few bytes of a stranger's JSON take a hundred times as much memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub struct SignalData(Box<RawValue>);

/// What has to be known of it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SignalShape {
    Description(IgnoredAny),
    Candidate(IgnoredAny),
}

impl TryFrom<Box<RawValue>> for SignalData {
    type Error = serde_json::Error;

    fn try_from(raw: Box<RawValue>) -> Result<Self, Self::Error> {
        match serde_json::from_str(raw.get())? {
            SignalShape::Description(_) | SignalShape::Candidate(_) => Ok(Self(raw)),
        }
    }
}

impl SignalData {
    /// Bytes that it takes.
    pub fn len(&self) -> usize {
        self.0.get().len()
    }
}

impl PartialEq for SignalData {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// To a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    Welcome {
        id: PeerId,
        resume: String,
        resumed: bool,
        peers: Vec<PeerInfo>,
        pc_config: PcConfig,
    },
    PeerJoined {
        peer: PeerInfo,
    },
    Signal {
        from: PeerId,
        data: SignalData,
    },
    PeerLeft {
        id: PeerId,
    },
    PcConfig {
        pc_config: PcConfig,
    },
    /// The server stops in so many seconds.
    Draining {
        seconds: u64,
    },
    Pong,
    Error {
        code: ErrorCode,
        message: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerInfo {
    pub id: PeerId,
    pub name: String,
}

/// Why something was refused. The connection stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
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
}

impl ErrorCode {
    /// As it stands in messages.
    pub fn name(self) -> &'static str {
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
        }
    }

    /// A sentence for the page's developer; pages show their own.
    pub fn message(self) -> &'static str {
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
            Self::AlreadyJoined => "This connection is in a room already.",
        }
    }
}

impl From<ErrorCode> for ServerMessage {
    fn from(code: ErrorCode) -> Self {
        Self::Error {
            code,
            message: code.message().to_owned(),
        }
    }
}

/// Why the server closes a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
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
}

impl CloseReason {
    /// WebSocket close code: RFC 6455 §7.4.1, or 4000 and up for callbox's own.
    pub fn code(self) -> u16 {
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
        }
    }

    pub fn text(self) -> &'static str {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn data(text: &str) -> SignalData {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn client_messages_have_the_documented_shapes() {
        let parse = |value: Value| ClientMessage::parse(&value.to_string());
        let join = json!({"type": "join", "room": "blue-otter", "name": "Ana", "ticket": "t"});
        assert!(matches!(parse(join).unwrap(), ClientMessage::Join(j) if j.resume.is_none()));
        let signal =
            json!({"type": "signal", "to": "p3", "data": {"description": {"type": "offer"}}});
        assert!(matches!(parse(signal).unwrap(), ClientMessage::Signal { to, .. } if to.0 == "p3"));
        assert_eq!(
            parse(json!({"type": "leave"})).unwrap(),
            ClientMessage::Leave
        );
        assert_eq!(parse(json!({"type": "ping"})).unwrap(), ClientMessage::Ping);
        for wrong in [
            json!({}),
            json!([]),
            json!({"type": "shout"}),
            json!({"type": "join", "room": "a"}),
            json!({"type": "signal", "to": "p3", "data": {"other": 1}}),
            json!({"type": "signal", "to": "p3", "data": {"candidate": 1, "description": 2}}),
            json!({"type": "signal", "to": "p3", "data": "candidate"}),
            json!({"type": "signal", "to": 3, "data": {"candidate": null}}),
        ] {
            assert!(parse(wrong.clone()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_pages_tell_each_other_is_kept_to_the_letter() {
        let odd = r#"{"candidate" : {"b":1,"a":1e999,"a":12345678901234567890123}}"#;
        let text = format!(r#"{{"type":"signal","to":"p3","data":{odd}}}"#);
        let Some(ClientMessage::Signal { data, .. }) = ClientMessage::parse(&text) else {
            panic!("not understood");
        };
        assert_eq!(data.len(), odd.len());
        let from = PeerId("p1".into());
        let passed = serde_json::to_string(&ServerMessage::Signal { from, data }).unwrap();
        assert!(passed.contains(odd), "{passed}");
    }

    #[test]
    fn server_messages_have_the_documented_shapes() {
        let value = |message: ServerMessage| serde_json::to_value(message).unwrap();
        let info = PeerInfo {
            id: PeerId("p9".into()),
            name: "Cy".into(),
        };
        assert_eq!(
            value(ServerMessage::PeerJoined { peer: info }),
            json!({"type": "peer-joined", "peer": {"id": "p9", "name": "Cy"}})
        );
        assert_eq!(
            value(ServerMessage::PeerLeft {
                id: PeerId("p3".into())
            }),
            json!({"type": "peer-left", "id": "p3"})
        );
        let data = data(r#"{"candidate": {"candidate": "c"}}"#);
        assert_eq!(
            value(ServerMessage::Signal {
                from: PeerId("p3".into()),
                data
            }),
            json!({"type": "signal", "from": "p3", "data": {"candidate": {"candidate": "c"}}})
        );
        assert_eq!(value(ServerMessage::Pong), json!({"type": "pong"}));
        assert_eq!(value(ErrorCode::RoomFull.into())["code"], "room-full");
    }
}
