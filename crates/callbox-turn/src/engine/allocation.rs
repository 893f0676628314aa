//! One allocation: its permissions, its channels, and until when each of them holds.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::contact::Contact;
use super::{Account, Client, Target, Usage, Users};
use crate::counts::DropReason;
use crate::peer_policy::Standing;
use crate::rate::Rate;
use crate::wire::TransactionId;

/// RFC 8656 §9.
pub(super) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// RFC 8656 §12.
pub(super) const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// Peers a second for which the kernel is asked where they are; that of a call has a few dozen in all.
const QUESTIONS: u64 = 256;

/// Relayed addresses of this server that an allocation on trial may be sending to; that of a call has a handful.
const MAX_INSIDE: usize = 256;

pub(super) struct Allocation<U> {
    pub client: Client,
    /// By the policy that holds now.
    pub standing: Standing,
    pub username: Box<str>,
    /// What the username stood for when it began.
    pub account: Account<U>,
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
    to_peers: Rate,
    to_client: Rate,
    questions: Rate,
    permissions: BTreeMap<IpAddr, Permission>,
    /// Relayed addresses of this server to which it has sent while on trial.
    inside: BTreeMap<SocketAddr, Contact>,
    channels: BTreeMap<u16, Channel>,
    numbers: BTreeMap<SocketAddr, u16>,
}

#[derive(Debug, Clone, Copy)]
struct Permission {
    until: Instant,
    contact: Contact,
}

/// A number bound to a peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    pub peer: SocketAddr,
    /// Is the peer on this machine? Then each packet needs another look at where it goes.
    pub own: bool,
    pub expires: Instant,
}

/// What makes an allocation.
pub(super) struct Birth<'a, U> {
    pub client: Client,
    pub standing: Standing,
    pub username: &'a str,
    pub account: Account<U>,
    pub transaction: TransactionId,
    pub lifetime: Duration,
    pub token: Option<[u8; 8]>,
    pub relayed: SocketAddr,
    pub bound: SocketAddr,
    pub now: Instant,
}

impl<U> Allocation<U> {
    pub(super) fn new(birth: Birth<'_, U>) -> Self {
        Self {
            client: birth.client,
            standing: birth.standing,
            username: birth.username.into(),
            account: birth.account,
            transaction: birth.transaction,
            lifetime: birth.lifetime,
            token: birth.token,
            relayed: birth.relayed,
            bound: birth.bound,
            created: birth.now,
            expires: birth.now + birth.lifetime,
            usage: Usage::default(),
            to_peers: Rate::new(birth.now),
            to_client: Rate::new(birth.now),
            questions: Rate::new(birth.now),
            permissions: BTreeMap::new(),
            inside: BTreeMap::new(),
            channels: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    pub(super) fn permits(&self, ip: IpAddr, now: Instant) -> bool {
        let permission = self.permissions.get(&ip);
        permission.is_some_and(|permission| permission.until > now)
    }

    /// Counts a packet to a peer on another machine, if it may go there.
    pub(super) fn send_outside(
        &mut self,
        peer: IpAddr,
        users: &impl Users<User = U>,
        now: Instant,
    ) -> Result<(), DropReason> {
        let permission = self.permissions.get_mut(&peer);
        let permission = permission.filter(|permission| permission.until > now);
        let contact = &mut permission.ok_or(DropReason::NoPermission)?.contact;
        let Account { user, on_trial, .. } = &self.account;
        if !on_trial {
            return Ok(());
        }
        let (client, target) = (self.client.address.ip(), Target::Outside(peer));
        contact.send(|| users.may_try(user, client, target, now), now)
    }

    /// Counts a packet to a relayed address of this server, if it may go there.
    pub(super) fn send_inside(
        &mut self,
        peer: SocketAddr,
        users: &impl Users<User = U>,
        now: Instant,
    ) -> Result<(), DropReason> {
        let Account { user, on_trial, .. } = &self.account;
        if !on_trial {
            return Ok(());
        }
        if self.inside.len() >= MAX_INSIDE && !self.inside.contains_key(&peer) {
            self.inside.retain(|_, contact| contact.has_answered(now));
            if self.inside.len() >= MAX_INSIDE {
                return Err(DropReason::Unanswered);
            }
        }
        let contact = self.inside.entry(peer).or_default();
        let (client, target) = (self.client.address.ip(), Target::Inside(peer));
        contact.send(|| users.may_try(user, client, target, now), now)
    }

    #[cfg(test)]
    pub(super) fn known_inside(&self) -> usize {
        self.inside.len()
    }

    /// A packet has come from a peer; `inside` if that is a relayed address of this server.
    pub(super) fn hear(
        &mut self,
        from: SocketAddr,
        inside: bool,
        now: Instant,
    ) -> Result<(), DropReason> {
        let permission = self.permissions.get_mut(&from.ip());
        let permission = permission.filter(|permission| permission.until > now);
        let permission = permission.ok_or(DropReason::NoPermission)?;
        if !inside {
            permission.contact.hear(now);
        } else if let Some(contact) = self.inside.get_mut(&from) {
            // Others send from as many as they like: only those are remembered to which this one has sent.
            contact.hear(now);
        }
        Ok(())
    }

    pub(super) fn channel(&self, number: u16, now: Instant) -> Option<&Channel> {
        self.channels
            .get(&number)
            .filter(|channel| channel.expires > now)
    }

    pub(super) fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let number = *self.numbers.get(&peer)?;
        self.channel(number, now).map(|_| number)
    }

    /// May `number` and `peer` be bound to each other? Not where either is bound otherwise (RFC 8656 §12.2).
    pub(super) fn may_bind(&self, number: u16, peer: SocketAddr) -> bool {
        let bound = self.channels.get(&number).map(|channel| channel.peer);
        let number_of = self.numbers.get(&peer).copied();
        bound.is_none_or(|other| other == peer) && number_of.is_none_or(|other| other == number)
    }

    pub(super) fn has_permission(&self, ip: IpAddr) -> bool {
        self.permissions.contains_key(&ip)
    }

    pub(super) fn has_channel(&self, number: u16) -> bool {
        self.channels.contains_key(&number)
    }

    pub(super) fn permissions(&self) -> impl ExactSizeIterator<Item = (IpAddr, Instant)> {
        self.permissions
            .iter()
            .map(|(ip, permission)| (*ip, permission.until))
    }

    pub(super) fn channels(&self) -> impl ExactSizeIterator<Item = (u16, &Channel)> {
        self.channels
            .iter()
            .map(|(number, channel)| (*number, channel))
    }

    pub(super) fn channels_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.channels.values_mut()
    }

    /// Installs or refreshes a permission; gives until when it held before.
    pub(super) fn permit(&mut self, ip: IpAddr, until: Instant) -> Option<Instant> {
        let permission = self.permissions.get(&ip);
        let contact = permission.map_or_else(Contact::default, |permission| permission.contact);
        self.permissions
            .insert(ip, Permission { until, contact })
            .map(|before| before.until)
    }

    /// Binds or refreshes a channel; gives until when it held before.
    pub(super) fn bind(&mut self, number: u16, channel: Channel) -> Option<Instant> {
        self.numbers.insert(channel.peer, number);
        self.channels
            .insert(number, channel)
            .map(|before| before.expires)
    }

    pub(super) fn forget_permission(&mut self, ip: IpAddr) {
        self.permissions.remove(&ip);
    }

    pub(super) fn forget_channel(&mut self, number: u16) {
        if let Some(channel) = self.channels.remove(&number) {
            self.numbers.remove(&channel.peer);
        }
    }

    /// May the kernel be asked for so many peers?
    pub(super) fn may_ask(&mut self, peers: usize, now: Instant) -> bool {
        self.questions.allows(peers as u64, QUESTIONS, now)
    }

    pub(super) fn spend_to_peers(&mut self, bytes: usize, now: Instant) -> Result<(), DropReason> {
        spend(
            &mut self.to_peers,
            bytes,
            self.account.bytes_per_second,
            now,
        )
    }

    pub(super) fn spend_to_client(&mut self, bytes: usize, now: Instant) -> Result<(), DropReason> {
        spend(
            &mut self.to_client,
            bytes,
            self.account.bytes_per_second,
            now,
        )
    }
}

fn spend(
    rate: &mut Rate,
    bytes: usize,
    limit: Option<u64>,
    now: Instant,
) -> Result<(), DropReason> {
    match limit {
        Some(per_second) if !rate.allows(bytes as u64, per_second, now) => Err(DropReason::Bitrate),
        _ => Ok(()),
    }
}
