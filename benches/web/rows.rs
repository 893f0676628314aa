//! The rows of the table: what is measured, on which servers, and what callbox is to reach. Pure.

use crate::kind::Kind;

/// The files that are fetched, from a kilobyte to sixteen.
pub(crate) const FILES: [&str; 5] = [
    "main.js",
    "room.js",
    "style.css",
    "tiles.css",
    "diagnosis.js",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    /// A file over connections that are kept, thousands of requests per second.
    Kept {
        file: &'static str,
        coding: Coding,
        version: Version,
    },
    /// A file over a new connection each, thousands of requests per second.
    Fresh,
    /// CPU microseconds per handshake.
    FreshCpu,
    /// Messages between two people: CPU microseconds per message.
    Talk,
    /// The same while others are connected and silent.
    TalkAmongIdle,
    /// 99 of 100 messages are there within so many microseconds.
    Latency,
    /// Resident KiB per WebSocket of somebody who says nothing.
    IdleMemory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Brotli,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    One,
    Two,
}

/// What is to be reached: a figure of its own, or one in proportion to the other server's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    Least(Kind, f64),
    Most(Kind, f64),
    Within(f64),
}

impl Coding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }
}

impl Row {
    pub(crate) fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for version in [Version::One, Version::Two] {
            for file in FILES {
                for coding in [Coding::Identity, Coding::Brotli] {
                    rows.push(Self::Kept {
                        file,
                        coding,
                        version,
                    });
                }
            }
            rows.push(Self::Kept {
                file: "style.css",
                coding: Coding::Gzip,
                version,
            });
        }
        rows.extend([
            Self::Fresh,
            Self::FreshCpu,
            Self::Talk,
            Self::TalkAmongIdle,
            Self::Latency,
            Self::IdleMemory,
        ]);
        rows
    }

    pub(crate) fn title(self) -> String {
        match self {
            Self::Kept {
                file,
                coding,
                version,
            } => {
                let version = match version {
                    Version::One => "HTTP/1.1",
                    Version::Two => "HTTP/2",
                };
                format!("{version}, {file}, {}: thousand/s", coding.name())
            }
            Self::Fresh => "new connection each: thousand/s".to_owned(),
            Self::FreshCpu => "new connection each: CPU us".to_owned(),
            Self::Talk => "signaling, 1 KB: CPU us per message".to_owned(),
            Self::TalkAmongIdle => "signaling, 1,000 idle people: CPU us per message".to_owned(),
            Self::Latency => "signaling, 500 messages/s: p99 us".to_owned(),
            Self::IdleMemory => "resident KiB per idle WebSocket".to_owned(),
        }
    }

    /// Is the figure something else than the server's processor time?
    pub(crate) fn has_a_cost_beside(self) -> bool {
        matches!(self, Self::Kept { .. } | Self::Fresh | Self::Latency)
    }

    pub(crate) fn runs_on(self, kind: Kind) -> bool {
        match kind {
            Kind::Callbox | Kind::Before => true,
            Kind::Nginx => self.is_http(),
            Kind::SocketIo => !self.is_http(),
        }
    }

    pub(crate) fn is_http(self) -> bool {
        matches!(self, Self::Kept { .. } | Self::Fresh | Self::FreshCpu)
    }

    /// With whom callbox is compared.
    pub(crate) fn other(self) -> Kind {
        if self.is_http() {
            Kind::Nginx
        } else {
            Kind::SocketIo
        }
    }

    pub(crate) fn decimals(self) -> usize {
        match self {
            Self::Latency | Self::FreshCpu => 0,
            _ => 1,
        }
    }

    pub(crate) fn target(self) -> Target {
        match self {
            Self::Kept { .. } => Target::Least(Kind::Nginx, 0.8),
            Self::Fresh => Target::Least(Kind::Nginx, 1.0),
            Self::FreshCpu => Target::Most(Kind::Nginx, 1.0),
            Self::Talk | Self::TalkAmongIdle => Target::Within(5.0),
            Self::Latency => Target::Within(1000.0),
            Self::IdleMemory => Target::Within(12.0),
        }
    }
}

impl Target {
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Least(kind, bound) => format!(">= {bound} x {}", kind.name()),
            Self::Most(kind, bound) => format!("<= {bound} x {}", kind.name()),
            Self::Within(bound) => format!("<= {bound}"),
        }
    }

    /// `ratio`: to the other server. `None` where there is none.
    pub(crate) fn is_met(self, own: f64, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::Least(_, bound) => Some(ratio? >= bound),
            Self::Most(_, bound) => Some(ratio? <= bound),
            Self::Within(bound) => Some(own <= bound),
        }
    }
}
