//! Why something on the network did not answer as it should. Pure.

use std::fmt;
use std::io::{self, ErrorKind};

use super::report::quote;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The name has no address here.
    Unresolved,
    /// The machine says that nothing listens there.
    Refused,
    /// No way to that address from here, as with IPv6 where there is none.
    Unreachable,
    /// This machine's own firewall, or who it runs as, lets nothing out to it.
    Forbidden,
    /// Nothing came within the time that was given.
    Silent,
    /// The other side ended the connection.
    Closed,
    /// Something answers that speaks another protocol.
    Foreign,
    /// TLS could not be agreed upon.
    Tls(String),
    /// The server understood and said no: a code of STUN or HTTP, and its words.
    Denied(u16, String),
    Other(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::Unsupported => Self::Unreachable,
            ErrorKind::PermissionDenied => Self::Forbidden,
            ErrorKind::TimedOut => Self::Silent,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self::Closed,
            _ => match error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            {
                Some(inner) => Self::Tls(quote(&inner.to_string())),
                None => Self::Other(quote(&error.to_string())),
            },
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("the name does not resolve"),
            Self::Refused => f.write_str("nothing listens there"),
            Self::Unreachable => f.write_str("there is no route to it from here"),
            Self::Forbidden => f.write_str("this machine lets nothing out to it"),
            Self::Silent => f.write_str("no answer in time"),
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::Foreign => f.write_str("something else answers there"),
            Self::Tls(why) => write!(f, "no TLS: {why}"),
            Self::Denied(code, words) if words.is_empty() => write!(f, "refused with {code}"),
            Self::Denied(code, words) => write!(f, "refused with {code} ({words})"),
            Self::Other(why) => f.write_str(why),
        }
    }
}
