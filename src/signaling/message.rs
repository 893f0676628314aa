//! What goes over the wire: JSON text frames, told apart by `type`.

use std::borrow::Cow;
use std::fmt;

use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::codes::ErrorCode;
use crate::ice::PcConfig;

/// Bytes of a message but for what pages tell each other, as a rule.
const USUAL: usize = 128;

/// Names a peer within its room; unique on this server, and kept over a resume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PeerId(pub String);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// From a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClientMessage {
    Join(JoinMessage),
    Signal {
        to: PeerId,
        data: SignalData,
    },
    /// Whoever comes from now on knocks; or need not any longer.
    Lock {
        locked: bool,
    },
    /// Lets somebody in who knocked.
    Admit {
        id: PeerId,
    },
    /// Sends somebody away who knocked.
    Refuse {
        id: PeerId,
    },
    Leave,
    /// The page is about to be frozen by its browser.
    Freeze,
    Ping,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct JoinMessage {
    pub room: String,
    #[serde(default)]
    pub name: String,
    /// From `SETTINGS`.
    pub ticket: String,
    /// From the last `welcome`.
    pub resume: Option<String>,
    /// Was the room locked when the page was in it last? Only the right to a seat makes it count.
    #[serde(default)]
    pub locked: bool,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct SignalMessage<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    to: PeerId,
    data: SignalData,
}

#[derive(Deserialize)]
struct LockMessage {
    locked: bool,
}

#[derive(Deserialize)]
struct AnswerMessage {
    id: PeerId,
}

impl ClientMessage {
    /// `None` if it is not a message of the protocol.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // Signals are many and long, and read once only.
        if let Ok(SignalMessage { kind, to, data }) = serde_json::from_str(text)
            && kind == "signal"
        {
            return Some(Self::Signal { to, data });
        }
        let Kind { kind } = serde_json::from_str(text).ok()?;
        match &*kind {
            "join" => serde_json::from_str(text).ok().map(Self::Join),
            "lock" => serde_json::from_str(text)
                .ok()
                .map(|LockMessage { locked }| Self::Lock { locked }),
            "admit" => serde_json::from_str(text)
                .ok()
                .map(|AnswerMessage { id }| Self::Admit { id }),
            "refuse" => serde_json::from_str(text)
                .ok()
                .map(|AnswerMessage { id }| Self::Refuse { id }),
            "leave" => Some(Self::Leave),
            "freeze" => Some(Self::Freeze),
            "ping" => Some(Self::Ping),
            _ => None,
        }
    }
}

/// What two pages tell each other: an object with either `description` or `candidate`. Their values are passed on to the
/// letter, and kept as text: parsed, a few bytes of a stranger's JSON take a hundred times as much memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SignalData {
    Description(Box<RawValue>),
    Candidate(Box<RawValue>),
}

impl SignalData {
    fn value(&self) -> &str {
        match self {
            Self::Description(value) | Self::Candidate(value) => value.get(),
        }
    }

    /// Bytes that it takes.
    pub(crate) fn len(&self) -> usize {
        self.value().len()
    }
}

impl PartialEq for SignalData {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.value() == other.value()
    }
}

/// To a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum ServerMessage {
    Welcome(Box<Welcome>),
    /// The room is locked: those inside were asked.
    Knocking,
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
    Locked {
        locked: bool,
        /// Who did it.
        by: PeerId,
    },
    /// Somebody wants to be let in.
    Knock {
        peer: PeerInfo,
    },
    /// They were answered, or went away.
    KnockEnded {
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
        message: &'static str,
    },
}

impl ServerMessage {
    /// As it goes over the wire.
    pub(crate) fn to_text(&self) -> Utf8Bytes {
        let long = match self {
            Self::Signal { data, .. } => data.len(),
            _ => 0,
        };
        let mut text = Vec::with_capacity(long + USUAL);
        let written = serde_json::to_writer(&mut text, self).ok();
        let text = written.and_then(|()| Utf8Bytes::try_from(text).ok());
        debug_assert!(text.is_some(), "all of it has a form in JSON");
        text.unwrap_or_default()
    }
}

/// Somebody is in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Welcome {
    pub id: PeerId,
    pub resume: String,
    pub resumed: bool,
    pub peers: Vec<PeerInfo>,
    pub locked: bool,
    /// Those who wait to be let in.
    pub knocks: Vec<PeerInfo>,
    pub pc_config: PcConfig,
}

impl From<ErrorCode> for ServerMessage {
    fn from(code: ErrorCode) -> Self {
        Self::Error {
            code,
            message: code.message(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PeerInfo {
    pub id: PeerId,
    pub name: String,
    /// From 2 on: how many-th of those in the room whose names look the same.
    #[serde(skip_serializing_if = "is_first")]
    pub number: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_first(number: &usize) -> bool {
    *number < 2
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
        assert_eq!(
            parse(json!({"type": "lock", "locked": true})).unwrap(),
            ClientMessage::Lock { locked: true }
        );
        let id = PeerId("p3".into());
        assert_eq!(
            parse(json!({"type": "admit", "id": "p3"})).unwrap(),
            ClientMessage::Admit { id: id.clone() }
        );
        assert_eq!(
            parse(json!({"type": "refuse", "id": "p3"})).unwrap(),
            ClientMessage::Refuse { id }
        );
        for wrong in [
            json!({"type": "lock"}),
            json!({"type": "lock", "locked": "yes"}),
            json!({"type": "admit"}),
            json!({"type": "refuse", "id": 3}),
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
        let odd = r#"{"b" : 1,"a":1e999,"a":12345678901234567890123}"#;
        let text = format!(r#"{{"type":"signal","to":"p3","data":{{"candidate": {odd}}}}}"#);
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
            number: 1,
        };
        let second = PeerInfo {
            number: 2,
            ..info.clone()
        };
        assert_eq!(
            value(ServerMessage::PeerJoined { peer: info }),
            json!({"type": "peer-joined", "peer": {"id": "p9", "name": "Cy"}})
        );
        assert_eq!(
            value(ServerMessage::Knock { peer: second }),
            json!({"type": "knock", "peer": {"id": "p9", "name": "Cy", "number": 2}})
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
        assert_eq!(value(ServerMessage::Knocking), json!({"type": "knocking"}));
        assert_eq!(
            value(ServerMessage::KnockEnded {
                id: PeerId("p3".into())
            }),
            json!({"type": "knock-ended", "id": "p3"})
        );
        assert_eq!(
            value(ServerMessage::Locked {
                locked: true,
                by: PeerId("p3".into())
            }),
            json!({"type": "locked", "locked": true, "by": "p3"})
        );
        assert_eq!(value(ServerMessage::Pong), json!({"type": "pong"}));
        assert_eq!(value(ErrorCode::RoomFull.into())["code"], "room-full");
    }
}
