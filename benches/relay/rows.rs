//! The rows of the table: what is measured, and what callbox is to reach. Pure.

use crate::packets::Encoding;
use crate::servers::{Kind, Transport};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    UdpChannels,
    UdpMost,
    UdpIndications,
    TcpChannels,
    TlsChannels,
    RelayToRelay,
    RelayMost,
    IdleMemory,
    SetUp,
}

/// What a row does to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    /// Sends at a fixed rate; the figure is CPU microseconds per packet.
    Paced,
    /// Looks for the highest rate; the figure is thousands of packets per second.
    Most,
    /// The figure is resident bytes per allocation.
    Memory,
    /// The figure is milliseconds.
    SetUp,
}

/// Where the packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Client, relay, echoing peer, relay, client: two relayed packets.
    Echo,
    /// Client, its relayed address, the other client's relayed address, the other client: one delivery.
    Pairs,
}

impl Path {
    /// What one packet that arrives counts for.
    pub(crate) fn packets(self) -> f64 {
        match self {
            Self::Echo => 2.0,
            Self::Pairs => 1.0,
        }
    }
}

/// A figure of callbox compared with another, or with nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub than: Than,
    pub bound: f64,
    pub more_is_better: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Than {
    BetterForwarder,
    Coturn,
    OwnChannels,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Within,
    Missed,
}

impl Row {
    pub(crate) const ALL: [Self; 9] = [
        Self::UdpChannels,
        Self::UdpMost,
        Self::UdpIndications,
        Self::TcpChannels,
        Self::TlsChannels,
        Self::RelayToRelay,
        Self::RelayMost,
        Self::IdleMemory,
        Self::SetUp,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::UdpChannels => "UDP channels, 10k/s each way: CPU us per packet",
            Self::UdpMost => "UDP channels: most thousand packets/s",
            Self::UdpIndications => "UDP indications, 10k/s each way: CPU us per packet",
            Self::TcpChannels => "TCP channels, 10k/s each way: CPU us per packet",
            Self::TlsChannels => "TLS channels, 10k/s each way: CPU us per packet",
            Self::RelayToRelay => "relay to relay, 5k/s each way: CPU us per delivery",
            Self::RelayMost => "relay to relay: most thousand deliveries/s",
            Self::IdleMemory => "resident bytes per idle UDP allocation",
            Self::SetUp => "1,000 allocations set up: ms",
        }
    }

    pub(crate) fn test(self) -> Test {
        match self {
            Self::UdpMost | Self::RelayMost => Test::Most,
            Self::IdleMemory => Test::Memory,
            Self::SetUp => Test::SetUp,
            _ => Test::Paced,
        }
    }

    pub(crate) fn transport(self) -> Transport {
        match self {
            Self::TcpChannels => Transport::Tcp,
            Self::TlsChannels => Transport::Tls,
            _ => Transport::Udp,
        }
    }

    pub(crate) fn path(self) -> Path {
        match self {
            Self::RelayToRelay | Self::RelayMost => Path::Pairs,
            _ => Path::Echo,
        }
    }

    pub(crate) fn encoding(self, kind: Kind) -> Encoding {
        match self {
            _ if kind.is_forwarder() => Encoding::Raw,
            Self::UdpIndications => Encoding::Indication,
            _ => Encoding::Channel,
        }
    }

    /// Forwarders know no TURN: they are the floor of two rows.
    pub(crate) fn runs_on(self, kind: Kind) -> bool {
        let floor = matches!(self, Self::UdpChannels | Self::UdpMost);
        kind.offers(self.transport()) && (floor || !kind.is_forwarder())
    }

    pub(crate) fn decimals(self) -> usize {
        match self.test() {
            Test::Paced => 2,
            Test::Most => 1,
            Test::Memory | Test::SetUp => 0,
        }
    }

    pub(crate) fn targets(self) -> Vec<Target> {
        use Than::{BetterForwarder, Coturn, Nothing, OwnChannels};
        match self {
            Self::UdpChannels => vec![at_most(1.08, BetterForwarder)],
            Self::UdpMost => vec![at_least(1.25, Coturn), at_least(0.95, BetterForwarder)],
            Self::UdpIndications => vec![at_most(1.10, OwnChannels)],
            Self::TcpChannels | Self::TlsChannels => vec![at_most(0.75, Coturn)],
            Self::RelayToRelay => vec![at_most(0.55, Coturn)],
            Self::RelayMost => vec![at_least(1.6, Coturn)],
            Self::IdleMemory => vec![at_most(4096.0, Nothing)],
            Self::SetUp => vec![at_most(300.0, Nothing)],
        }
    }
}

fn at_most(bound: f64, than: Than) -> Target {
    Target {
        than,
        bound,
        more_is_better: false,
    }
}

fn at_least(bound: f64, than: Than) -> Target {
    Target {
        than,
        bound,
        more_is_better: true,
    }
}

impl Target {
    pub(crate) fn verdict(self, reached: f64) -> Verdict {
        let (met, within) = if self.more_is_better {
            (reached >= self.bound, reached >= self.bound * 0.9)
        } else {
            (reached <= self.bound, reached <= self.bound * 1.1)
        };
        match (met, within) {
            (true, _) => Verdict::Met,
            (_, true) => Verdict::Within,
            _ => Verdict::Missed,
        }
    }

    pub(crate) fn describe(self) -> String {
        let sign = if self.more_is_better { ">=" } else { "<=" };
        match self.than {
            Than::BetterForwarder => format!("{sign} {:.2} x better forwarder", self.bound),
            Than::Coturn => format!("{sign} {:.2} x coturn", self.bound),
            Than::OwnChannels => format!("{sign} {:.2} x own UDP channels", self.bound),
            Than::Nothing => format!("{sign} {:.0}", self.bound),
        }
    }
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Within => "within 10 %",
            Self::Missed => "missed",
        }
    }
}
