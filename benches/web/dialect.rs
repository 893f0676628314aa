//! What a person says to each of the servers, and how it is read: docs/signaling.md, and Socket.IO 5 over Engine.IO 4. Pure.

use crate::kind::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Callbox,
    SocketIo,
}

/// The length of a message with all that is around its text.
const LENGTH: usize = 1024;
/// Before the time at which a message was sent.
const MARK: &str = "sent@";
const DIGITS: usize = 20;

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// Somebody's own id: they are in.
    Welcome(&'a str),
    /// A message of somebody else, and when it was sent, by the sender's clock.
    Message(u64),
    /// Something that has to be answered.
    Answer(&'static str),
    Else,
}

impl From<Kind> for Dialect {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::SocketIo => Self::SocketIo,
            Kind::Callbox | Kind::Before | Kind::Nginx => Self::Callbox,
        }
    }
}

impl Dialect {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Callbox => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    pub(crate) fn is_over_tls(self) -> bool {
        self == Self::Callbox
    }

    pub(crate) fn join(self, room: &str, ticket: &str) -> String {
        match self {
            Self::Callbox => {
                format!(r#"{{"type":"join","room":"{room}","name":"{room}","ticket":"{ticket}"}}"#)
            }
            Self::SocketIo => format!(r#"42["join",{{"room":"{room}"}}]"#),
        }
    }

    /// A message of one kilobyte.
    pub(crate) fn message(self, to: &str, now: u64) -> String {
        let (begin, end) = match self {
            Self::Callbox => (
                format!(r#"{{"type":"signal","to":"{to}","data":{{"candidate":{{"candidate":""#),
                r#""}}}"#,
            ),
            Self::SocketIo => (
                format!(r#"42["signal",{{"to":"{to}","data":{{"candidate":{{"candidate":""#),
                r#""}}}]"#,
            ),
        };
        let text = format!("{begin}{MARK}{now:0DIGITS$}");
        let rest = LENGTH.saturating_sub(text.len() + end.len());
        format!("{text}{}{end}", "x".repeat(rest))
    }

    pub(crate) fn hear(self, text: &str) -> Heard<'_> {
        if let Some((_, rest)) = text.split_once(MARK) {
            let sent = rest.get(..DIGITS).and_then(|digits| digits.parse().ok());
            return sent.map_or(Heard::Else, Heard::Message);
        }
        match self {
            Self::Callbox if text.starts_with(r#"{"type":"welcome""#) => welcome(text),
            Self::SocketIo if text.starts_with(r#"42["welcome""#) => welcome(text),
            // The transport is open: ask for the default namespace. Later, the server's pings.
            Self::SocketIo if text.starts_with('0') => Heard::Answer("40"),
            Self::SocketIo if text == "2" => Heard::Answer("3"),
            Self::Callbox | Self::SocketIo => Heard::Else,
        }
    }

    /// May somebody join after this?
    pub(crate) fn is_open(self, text: &str) -> bool {
        self == Self::SocketIo && text.starts_with("40")
    }
}

fn welcome(text: &str) -> Heard<'_> {
    let id = text.split_once(r#""id":""#);
    let id = id.and_then(|(_, rest)| rest.split('"').next());
    id.map_or(Heard::Else, Heard::Welcome)
}
