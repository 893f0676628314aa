//! What the engine asks of the world around it, and what it tells it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{AllocationId, Client};

/// Which relayed address a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Whatever is free.
    Any,
    /// An even port (EVEN-PORT, RFC 8656 §14.5).
    Even,
    /// An even port, and the next one kept for whoever brings the token.
    Pair,
    /// The one that was kept under this RESERVATION-TOKEN (RFC 8656 §14.9).
    Reserved([u8; 8]),
}

/// The request for a relayed address.
#[derive(Debug)]
pub struct Order<'a, U> {
    /// Who asks.
    pub client: Client,
    /// Whose it will be.
    pub user: &'a U,
    /// Of IPv6, rather than IPv4?
    pub ipv6: bool,
    /// Which port.
    pub wish: Wish,
}

/// A relayed address that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// As clients and peers know it.
    pub address: SocketAddr,
    /// As the socket is bound; another address behind 1:1 NAT.
    pub bound: SocketAddr,
    /// For the next port, where that was wished.
    pub token: Option<[u8; 8]>,
}

impl Relayed {
    /// Bound to the very address that clients and peers know, with no port kept beside it.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            bound: address,
            token: None,
        }
    }
}

/// Why there is no relayed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRelay {
    /// There is no address of that family.
    Family,
    /// The user, the address or the server has as many allocations as it may.
    Quota,
    /// No port is left, or the token is of no use.
    Capacity,
}

/// Why an allocation has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client gave it up.
    Released,
    /// Not refreshed in time.
    Expired,
    /// The client's stream ended.
    Disconnected,
    /// The user may not relay any longer.
    Revoked,
    /// It was idle, and somebody else needed its place.
    Evicted,
    /// The server stops.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Released => "released by the client",
            Self::Expired => "not refreshed",
            Self::Disconnected => "disconnected",
            Self::Revoked => "the user may not relay any longer",
            Self::Evicted => "idle, and its place was needed",
            Self::Stopped => "the server stops",
        })
    }
}

/// An allocation that has ended.
#[derive(Debug)]
pub struct Ended<'a, U> {
    /// Whose client it was.
    pub client: Client,
    /// Whose it was.
    pub user: &'a U,
    /// As advertised.
    pub relayed: SocketAddr,
    /// What passed through it.
    pub usage: Usage,
    /// From its beginning to its end.
    pub lived: Duration,
    /// Why it has ended.
    pub end: End,
}

/// What passed through an allocation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// From the client.
    pub to_peers: Tally,
    /// From peers.
    pub to_client: Tally,
}

/// A number of packets and their bytes of payload.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub packets: u64,
    /// How long all of them were.
    pub bytes: u64,
}

impl Tally {
    pub(super) fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// The world around an engine whose users are `U`.
pub trait Host<U> {
    /// Opens the relayed address of a new allocation.
    ///
    /// # Errors
    /// Why there is none.
    fn open(&mut self, id: AllocationId, order: &Order<'_, U>) -> Result<Relayed, NoRelay>;

    /// Closes it when the allocation has ended.
    fn close(&mut self, id: AllocationId, ended: &Ended<'_, U>);

    /// Where a relayed address of this server is bound, if `address` is one, as advertised or as bound.
    fn bound(&self, address: SocketAddr) -> Option<SocketAddr>;

    /// How clients know the relayed address that is bound to `address`.
    fn advertised(&self, address: SocketAddr) -> Option<SocketAddr>;

    /// Does any relayed address live on this address?
    fn is_relaying_on(&self, ip: IpAddr) -> bool;

    /// Do packets from the relay socket bound to `from` reach another machine at `to`, and not this one by an address
    /// that no interface lists? Where the kernel does not say, they do not.
    fn leads_elsewhere(&mut self, to: IpAddr, from: IpAddr) -> bool {
        let _ = (to, from);
        true
    }

    /// Is it certain that packets do not reach this machine? They may reach nobody: while an address or a route is away for a
    /// moment they do not, and what was permitted before is to be there when it comes back.
    fn leads_not_here(&mut self, to: IpAddr, from: IpAddr) -> bool {
        self.leads_elsewhere(to, from)
    }

    /// May so many bytes of this allocation pass under the bitrate of its client's network, and of the whole server?
    fn spend(&self, id: AllocationId, bytes: usize, now: Instant) -> bool {
        let _ = (id, bytes, now);
        true
    }
}
