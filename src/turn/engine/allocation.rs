//! One allocation: its permissions, its channels, and until when each of them holds.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Client, Usage};
use crate::turn::counters::Drop;
use crate::turn::credentials::Named;
use crate::turn::peer_policy::Standing;
use crate::turn::rate::Rate;
use crate::turn::wire::{Key, TransactionId};

/// RFC 8656 §9.
pub const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// RFC 8656 §12.
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

pub struct Allocation {
    pub client: Client,
    /// By the policy that holds now.
    pub standing: Standing,
    pub username: Box<str>,
    /// What the username says.
    pub named: Named,
    pub key: Key,
    /// Of the request that made it: its repetition gets the same answer.
    pub transaction: TransactionId,
    /// As granted to that request.
    pub lifetime: Duration,
    pub token: Option<[u8; 8]>,
    pub relayed: SocketAddr,
    pub bound: SocketAddr,
    pub created: Instant,
    pub expires: Instant,
    pub usage: Usage,
    /// Each way.
    bytes_per_second: Option<u64>,
    to_peers: Rate,
    to_client: Rate,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, Channel>,
    numbers: BTreeMap<SocketAddr, u16>,
}

/// A number bound to a peer.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    pub peer: SocketAddr,
    /// Is the peer on this machine? Then each packet needs another look at where it goes.
    pub own: bool,
    pub expires: Instant,
}

/// What makes an allocation.
pub struct Birth<'a> {
    pub client: Client,
    pub standing: Standing,
    pub username: &'a str,
    pub named: Named,
    pub key: Key,
    pub transaction: TransactionId,
    pub lifetime: Duration,
    pub token: Option<[u8; 8]>,
    pub relayed: SocketAddr,
    pub bound: SocketAddr,
    pub bytes_per_second: Option<u64>,
    pub now: Instant,
}

impl Allocation {
    pub fn new(birth: Birth<'_>) -> Self {
        Self {
            client: birth.client,
            standing: birth.standing,
            username: birth.username.into(),
            named: birth.named,
            key: birth.key,
            transaction: birth.transaction,
            lifetime: birth.lifetime,
            token: birth.token,
            relayed: birth.relayed,
            bound: birth.bound,
            created: birth.now,
            expires: birth.now + birth.lifetime,
            usage: Usage::default(),
            bytes_per_second: birth.bytes_per_second,
            to_peers: Rate::new(birth.now),
            to_client: Rate::new(birth.now),
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    pub fn permits(&self, ip: IpAddr, now: Instant) -> bool {
        self.permissions.get(&ip).is_some_and(|until| *until > now)
    }

    pub fn channel(&self, number: u16, now: Instant) -> Option<&Channel> {
        self.channels
            .get(&number)
            .filter(|channel| channel.expires > now)
    }

    pub fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let number = *self.numbers.get(&peer)?;
        self.channel(number, now).map(|_| number)
    }

    /// May `number` and `peer` be bound to each other? Not where either is bound otherwise (RFC 8656 §12.2).
    pub fn may_bind(&self, number: u16, peer: SocketAddr) -> bool {
        let bound = self.channels.get(&number).map(|channel| channel.peer);
        let number_of = self.numbers.get(&peer).copied();
        bound.is_none_or(|other| other == peer) && number_of.is_none_or(|other| other == number)
    }

    pub fn has_permission(&self, ip: IpAddr) -> bool {
        self.permissions.contains_key(&ip)
    }

    pub fn has_channel(&self, number: u16) -> bool {
        self.channels.contains_key(&number)
    }

    pub fn permissions(&self) -> impl ExactSizeIterator<Item = (IpAddr, Instant)> {
        self.permissions.iter().map(|(ip, until)| (*ip, *until))
    }

    pub fn channels(&self) -> impl ExactSizeIterator<Item = (u16, &Channel)> {
        self.channels
            .iter()
            .map(|(number, channel)| (*number, channel))
    }

    pub fn channels_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.channels.values_mut()
    }

    /// Installs or refreshes a permission; gives until when it held before.
    pub fn permit(&mut self, ip: IpAddr, until: Instant) -> Option<Instant> {
        self.permissions.insert(ip, until)
    }

    /// Binds or refreshes a channel; gives until when it held before.
    pub fn bind(&mut self, number: u16, channel: Channel) -> Option<Instant> {
        self.numbers.insert(channel.peer, number);
        self.channels
            .insert(number, channel)
            .map(|before| before.expires)
    }

    pub fn forget_permission(&mut self, ip: IpAddr) {
        self.permissions.remove(&ip);
    }

    pub fn forget_channel(&mut self, number: u16) {
        if let Some(channel) = self.channels.remove(&number) {
            self.numbers.remove(&channel.peer);
        }
    }

    pub fn spend_to_peers(&mut self, bytes: usize, now: Instant) -> Result<(), Drop> {
        spend(&mut self.to_peers, bytes, self.bytes_per_second, now)
    }

    pub fn spend_to_client(&mut self, bytes: usize, now: Instant) -> Result<(), Drop> {
        spend(&mut self.to_client, bytes, self.bytes_per_second, now)
    }
}

fn spend(rate: &mut Rate, bytes: usize, limit: Option<u64>, now: Instant) -> Result<(), Drop> {
    match limit {
        Some(per_second) if !rate.allows(bytes as u64, per_second, now) => Err(Drop::Bitrate),
        _ => Ok(()),
    }
}
