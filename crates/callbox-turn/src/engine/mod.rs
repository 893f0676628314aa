//! The TURN server as a state machine (RFC 8489, RFC 8656). Pure: messages and time in, verdicts out. What it needs
//! from the world it asks its [`Host`].
//!
//! A message lies in a buffer with [`HEADROOM`] bytes in front of it, so that headers are written where they are:
//!
//! ```text
//! from a client   |  headroom   | 40 00 00 05 | h e l l o |       verdict: ToPeer, the data
//! from a peer     |       headroom            | h e l l o |
//!                               | 40 00 00 05 | h e l l o |       verdict: ToClient, with the header
//! ```

mod allocation;
mod answer_limit;
mod auth;
mod contact;
mod deadlines;
mod host;
mod policy_change;
mod relaying;
mod reply;
mod requests;
#[cfg(any(test, fuzzing))]
pub(crate) mod tests;
mod users;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use ring::rand::SystemRandom;
use slab::Slab;

use super::channel_data;
use super::counts::{DropReason, FailedLogins, Refusals};
use super::indication;
use super::peer_policy::PeerPolicy;
use super::wire::{Method, NotARequest, Request};
use allocation::Allocation;
use answer_limit::AnswerLimit;
pub use auth::Nonces;
use deadlines::{Deadline, Deadlines};
pub use host::{End, Ended, Host, NoRelay, Order, Relayed, Tally, Usage, Wish};
pub use policy_change::Withdrawn;
pub use users::{Account, NoAccount, Target, Users};

/// Room in front of a received message.
pub const HEADROOM: usize = indication::MAX_HEADER;
/// Room behind it, for padding.
pub const TAILROOM: usize = 3;

/// How a client reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream over TLS.
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// A client's five-tuple: how it came, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client {
    /// How it came.
    pub transport: Transport,
    /// Which listening socket, or which stream.
    pub via: u32,
    /// From where: an IPv4 client of a dual-stack socket as IPv4.
    pub address: SocketAddr,
    /// Has a proxy passed its stream on? Then `address` is what the proxy says.
    pub proxied: bool,
}

impl Client {
    /// A client that sends datagrams to the one listening socket.
    pub fn over_udp(address: SocketAddr) -> Self {
        Self {
            transport: Transport::Udp,
            via: 0,
            address,
            proxied: false,
        }
    }
}

/// Names an allocation as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AllocationId(pub u32);

/// The moment in which something happens, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The clock that only goes forwards: of all deadlines.
    pub instant: Instant,
    /// Credentials expire by this one.
    pub wall: SystemTime,
}

/// What to do with a message; ranges are of the buffer that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Back to the client.
    Answer(Vec<u8>),
    /// Out through the socket of an allocation.
    ToPeer {
        /// Through whose socket.
        from: AllocationId,
        /// The peer; a relayed address of another engine as it is bound.
        to: SocketAddr,
        /// The payload, in the buffer.
        data: Range<usize>,
        /// Has the client asked that it be sent unfragmented (RFC 8656 §14.6)? Only by a Send indication.
        dont_fragment: bool,
    },
    /// To the client of an allocation.
    ToClient {
        /// Which one.
        client: Client,
        /// The message, in the buffer; on a stream it is padded to four bytes.
        message: Range<usize>,
    },
    /// Nowhere.
    Drop(DropReason),
}

/// Is this message of a client data, rather than a request?
pub fn is_data(message: &[u8]) -> bool {
    let channel_data = |first: &u8| channel_data::is_channel_data(*first);
    message.first().is_some_and(channel_data) || indication::is_send(message)
}

/// What an engine holds to.
pub struct Rules<U> {
    /// Who the users are.
    pub users: Arc<U>,
    /// Which peers may be relayed to.
    pub policy: Arc<PeerPolicy>,
    /// Makes and checks nonces.
    pub nonces: Nonces,
    /// Of one allocation.
    pub max_permissions: usize,
    /// Of one allocation.
    pub max_channels: usize,
    /// Answers to requests without valid credentials, per source and second.
    pub unauthenticated_per_second: u32,
}

impl<U> fmt::Debug for Rules<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").finish_non_exhaustive()
    }
}

impl<U> Rules<U> {
    /// The rules of a server that gives each allocation 256 permissions and channels, and strangers at one address 200 answers a
    /// second.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(users: U, policy: PeerPolicy, now: Instant) -> io::Result<Self> {
        let nonces = Nonces::new(&SystemRandom::new(), now);
        Ok(Self {
            users: Arc::new(users),
            policy: Arc::new(policy),
            nonces: nonces.map_err(|_| io::Error::other("no randomness"))?,
            max_permissions: 256,
            max_channels: 256,
            unauthenticated_per_second: 200,
        })
    }
}

impl<U> Clone for Rules<U> {
    fn clone(&self) -> Self {
        Self {
            users: Arc::clone(&self.users),
            policy: Arc::clone(&self.policy),
            nonces: self.nonces.clone(),
            ..*self
        }
    }
}

/// The allocations of one shard, and all that may happen to them.
pub struct Engine<U: Users> {
    rules: Rules<U>,
    allocations: Slab<Allocation<U::User>>,
    by_client: HashMap<Client, AllocationId>,
    /// By relayed address, as advertised and as bound.
    by_relayed: HashMap<SocketAddr, AllocationId>,
    by_user: BTreeSet<(U::User, AllocationId)>,
    deadlines: Deadlines,
    /// Allocations whose peers are to be judged anew.
    unjudged: Vec<AllocationId>,
    answer_limit: AnswerLimit,
    /// Makes the transaction ids of Data indications, which nothing depends on.
    indications: u64,
    refusals: Refusals,
    failed_logins: FailedLogins,
}

impl<U: Users> fmt::Debug for Engine<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl<U: Users> Engine<U> {
    /// An engine without allocations.
    pub fn new(rules: Rules<U>) -> Self {
        let answer_limit = AnswerLimit::new(rules.unauthenticated_per_second);
        Self {
            rules,
            allocations: Slab::new(),
            by_client: HashMap::new(),
            by_relayed: HashMap::new(),
            by_user: BTreeSet::new(),
            deadlines: Deadlines::default(),
            unjudged: Vec::new(),
            answer_limit,
            indications: 0,
            refusals: Refusals::default(),
            failed_logins: FailedLogins::default(),
        }
    }

    /// How often requests were refused.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// How often, and why, credentials were not right.
    pub fn failed_logins(&self) -> &FailedLogins {
        &self.failed_logins
    }

    /// A message of a client, at [`HEADROOM`] in `buffer` and `length` bytes long.
    pub fn handle_client_packet(
        &mut self,
        host: &mut impl Host<U::User>,
        client: Client,
        buffer: &mut [u8],
        length: usize,
        now: Now,
    ) -> Verdict {
        let message = HEADROOM..HEADROOM + length;
        let Some(bytes) = buffer.get(message) else {
            return Verdict::Drop(DropReason::Malformed);
        };
        let outcome = match bytes.first() {
            Some(first) if channel_data::is_channel_data(*first) => {
                self.channel_data(host, client, buffer, length, now.instant)
            }
            _ if indication::is_send(bytes) => {
                self.send_indication(host, client, buffer, length, now.instant)
            }
            _ => return self.control(host, client, length, buffer, now),
        };
        outcome.unwrap_or_else(Verdict::Drop)
    }

    fn control(
        &mut self,
        host: &mut impl Host<U::User>,
        client: Client,
        length: usize,
        buffer: &[u8],
        now: Now,
    ) -> Verdict {
        match Request::decode(&buffer[HEADROOM..HEADROOM + length]) {
            Ok(request) if request.method == Method::Binding => {
                self.binding(client, &request, length, now.instant)
            }
            Ok(request) => self.request(host, client, request, length, now),
            Err(NotARequest::Malformed) => Verdict::Drop(DropReason::Malformed),
            Err(NotARequest::Other) => Verdict::Drop(DropReason::NotARequest),
        }
    }

    fn of_client(&self, client: Client) -> Result<AllocationId, DropReason> {
        self.by_client
            .get(&client)
            .copied()
            .ok_or(DropReason::NoAllocation)
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Ends what has expired.
    pub fn handle_timeout(&mut self, host: &mut impl Host<U::User>, now: Instant) {
        while let Some((id, deadline)) = self.deadlines.pop(now) {
            match deadline {
                Deadline::Allocation => self.end(host, id, End::Expired, now),
                Deadline::Permission(ip) => {
                    self.allocations[id.0 as usize].forget_permission(ip);
                }
                Deadline::Channel(number) => {
                    self.allocations[id.0 as usize].forget_channel(number);
                }
            }
        }
    }

    /// Is there an allocation of this five-tuple?
    pub fn serves(&self, client: Client) -> bool {
        self.by_client.contains_key(&client)
    }

    /// A client's stream has ended.
    pub fn disconnected(&mut self, host: &mut impl Host<U::User>, client: Client, now: Instant) {
        if let Some(id) = self.by_client.get(&client).copied() {
            self.end(host, id, End::Disconnected, now);
        }
    }

    /// Ends all allocations of a user.
    pub fn revoke(&mut self, host: &mut impl Host<U::User>, user: &U::User, now: Instant) {
        let from = (user.clone(), AllocationId(0));
        let to = (user.clone(), AllocationId(u32::MAX));
        let theirs: Vec<_> = self.by_user.range(from..=to).map(|(_, id)| *id).collect();
        for id in theirs {
            self.end(host, id, End::Revoked, now);
        }
    }

    /// Ends an allocation whose place another one has.
    pub fn evict(&mut self, host: &mut impl Host<U::User>, id: AllocationId, now: Instant) {
        self.end(host, id, End::Evicted, now);
    }

    /// How many packets an allocation has relayed.
    pub fn relayed(&self, id: AllocationId) -> u64 {
        let allocation = self.allocations.get(id.0 as usize);
        allocation.map_or(0, |it| {
            it.usage.to_peers.packets + it.usage.to_client.packets
        })
    }

    /// Ends everything.
    pub fn stop(&mut self, host: &mut impl Host<U::User>, now: Instant) {
        let all: Vec<_> = self.by_client.values().copied().collect();
        for id in all {
            self.end(host, id, End::Stopped, now);
        }
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }
}
