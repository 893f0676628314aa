//! A server without sockets: the engine, a host that gives out addresses, and a clock that moves when told to. For
//! tests and fuzzing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(fuzzing, allow(dead_code))]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ring::rand::SystemRandom;

use super::directory::{ALICE, Credentials, Directory, Holder, User};
use super::*;
use crate::peer_policy::{LocalAddress, PolicySettings};
use crate::wire::Method::{Allocate, ChannelBind, CreatePermission, Refresh};
use crate::wire::drafts::{self, Draft, Kind, Seen};
use crate::wire::{self, Key};

pub(super) const MAX_PERMISSIONS: usize = 50;
pub(super) const MAX_CHANNELS: usize = 20;
pub(super) const PAYLOAD: &[u8] = b"ten bytes.";
pub(super) const REALM: &str = "callbox";

/// Where relayed addresses are: as the world knows them, and as they are bound.
pub(super) const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(5, 6, 7, 8));
pub(super) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
/// Both at once.
pub(super) const GLOBAL_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 5, 0, 0, 0, 0, 5));

/// A username and its password.
pub(super) trait Login {
    fn name(&self) -> &str;
    fn password(&self) -> &str;
}

impl Login for User {
    fn name(&self) -> &str {
        self.0
    }

    fn password(&self) -> &str {
        self.1
    }
}

impl Login for Credentials {
    fn name(&self) -> &str {
        &self.username
    }

    fn password(&self) -> &str {
        &self.password
    }
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Peer(SocketAddr, Vec<u8>),
    Client(Client, Vec<u8>),
}

#[derive(Default)]
pub(super) struct FakeHost {
    pub ended: Vec<End>,
    pub open: BTreeMap<AllocationId, Relayed>,
    pub quota: Option<usize>,
    pub ipv6: bool,
    /// Tokens of ports that are kept.
    pub reserved: BTreeSet<[u8; 8]>,
    /// A relayed address of another shard: as advertised, as bound.
    pub elsewhere: Option<(SocketAddr, SocketAddr)>,
    /// Addresses that routes lead to this machine, though no interface lists them.
    pub unlisted: BTreeSet<IpAddr>,
    next_port: u16,
}

impl Host<Holder> for FakeHost {
    fn open(&mut self, id: AllocationId, order: &Order<'_, Holder>) -> Result<Relayed, NoRelay> {
        if self.quota.is_some_and(|quota| self.open.len() >= quota) {
            return Err(NoRelay::Quota);
        }
        if order.ipv6 && !self.ipv6 {
            return Err(NoRelay::Family);
        }
        if let Wish::Reserved(token) = order.wish
            && !self.reserved.remove(&token)
        {
            return Err(NoRelay::Capacity);
        }
        self.next_port = self.next_port.wrapping_add(1) % 10_000;
        let port = 50_000 + self.next_port;
        let (address, bound) = if order.ipv6 {
            (GLOBAL_V6, GLOBAL_V6)
        } else {
            (PUBLIC, LOCAL)
        };
        let token = (order.wish == Wish::Pair).then(|| (u64::from(port) << 16).to_be_bytes());
        self.reserved.extend(token);
        let relayed = Relayed {
            address: SocketAddr::new(address, port),
            bound: SocketAddr::new(bound, port),
            token,
        };
        let before = self.open.insert(id, relayed);
        assert!(before.is_none(), "an id is used twice");
        Ok(relayed)
    }

    fn close(&mut self, id: AllocationId, ended: &Ended<'_, Holder>) {
        let opened = self.open.remove(&id).map(|relayed| relayed.address);
        assert_eq!(opened, Some(ended.relayed));
        self.ended.push(ended.end);
    }

    fn bound(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.relayed()
            .find(|(advertised, bound)| *advertised == address || *bound == address)
            .map(|(_, bound)| bound)
    }

    fn advertised(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.relayed()
            .find(|(_, bound)| *bound == address)
            .map(|(advertised, _)| advertised)
    }

    fn is_relaying_on(&self, ip: IpAddr) -> bool {
        self.relayed()
            .any(|(advertised, bound)| advertised.ip() == ip || bound.ip() == ip)
    }

    fn leads_elsewhere(&mut self, to: IpAddr, _: IpAddr) -> bool {
        !self.unlisted.contains(&to)
    }

    fn leads_not_here(&mut self, to: IpAddr, from: IpAddr) -> bool {
        self.leads_elsewhere(to, from)
    }

    fn spend(&self, _: AllocationId, _: usize, _: Instant) -> bool {
        true
    }
}

impl FakeHost {
    /// The relayed addresses of all shards, as advertised and as bound.
    fn relayed(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        let here = self.open.values();
        here.map(|relayed| (relayed.address, relayed.bound))
            .chain(self.elsewhere)
    }
}

pub(super) struct World {
    pub engine: Engine<Directory>,
    pub host: FakeHost,
    pub now: Now,
    nonces: HashMap<Client, Vec<u8>>,
    realm: String,
}

/// Of a machine with these addresses beside its usual ones. Without a public one it is on a LAN, the only people on
/// which are the clients 2 and 3.
pub(super) fn policy(public: &[IpAddr], more: &[IpAddr]) -> Arc<PeerPolicy> {
    let lan = public
        .is_empty()
        .then_some((five_tuple(2).address.ip(), 31));
    let more = more
        .iter()
        .map(|ip| (*ip, if ip.is_ipv4() { 32 } else { 128 }));
    let addresses = [(LOCAL, 24), (GLOBAL_V6, 64)]
        .into_iter()
        .chain(lan)
        .chain(more);
    let addresses: Vec<_> = addresses
        .map(|(ip, prefix)| LocalAddress {
            ip,
            prefix,
            interface: "eth0".to_owned(),
            stable: true,
        })
        .collect();
    Arc::new(PeerPolicy::new(&PolicySettings {
        addresses: &addresses,
        public,
        listeners: &[3478],
        ..PolicySettings::default()
    }))
}

pub(super) fn request(method: Method) -> Draft {
    Draft::new(&Kind::Request(method), [7; 12])
}

pub(super) fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([8, 8, 4, last], 9000))
}

pub(super) fn five_tuple(number: u8) -> Client {
    Client {
        transport: Transport::Udp,
        via: 0,
        address: SocketAddr::from(([192, 0, 2, number], 5000)),
        proxied: false,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::build(REALM, None)
    }

    pub(super) fn with_bitrate(bytes_per_second: u64) -> Self {
        Self::build(REALM, Some(bytes_per_second))
    }

    pub(super) fn with_realm(realm: &str) -> Self {
        Self::build(realm, None)
    }

    pub(super) fn build(realm: &str, bytes_per_second: Option<u64>) -> Self {
        let now = Now {
            instant: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        };
        let rules = Rules {
            users: Arc::new(Directory::new(realm, bytes_per_second, now.instant)),
            policy: policy(&[PUBLIC], &[]),
            nonces: Nonces::new(&SystemRandom::new(), now.instant).unwrap(),
            max_permissions: MAX_PERMISSIONS,
            max_channels: MAX_CHANNELS,
            unauthenticated_per_second: 200,
        };
        Self {
            engine: Engine::new(rules),
            host: FakeHost::default(),
            now,
            nonces: HashMap::new(),
            realm: realm.to_owned(),
        }
    }

    /// What another policy ends.
    pub(super) fn set_policy(&mut self, policy: Arc<PeerPolicy>) -> Withdrawn {
        self.engine.set_policy(policy);
        let mut withdrawn = Withdrawn::default();
        while self.engine.has_to_judge() {
            withdrawn += self.engine.judge(&mut self.host, 1);
        }
        self.assert_consistent();
        withdrawn
    }

    /// Credentials of a visitor or a check, minted now.
    pub(super) fn page(&self, name: &str, seconds: u64) -> Credentials {
        let expiry = self.now.wall + Duration::from_secs(seconds);
        Directory::mint(name, expiry, true)
    }

    /// Credentials that another program has made now.
    pub(super) fn foreign(&self, name: &str, seconds: u64) -> Credentials {
        let expiry = self.now.wall + Duration::from_secs(seconds);
        Directory::mint(name, expiry, false)
    }

    /// Whom a username names.
    pub(super) fn holder(username: &str) -> Holder {
        Directory::read(username).0
    }

    /// Whom may relay as long as they are in here.
    pub(super) fn with_present<T>(&self, f: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        self.engine.rules.users.with_present(f)
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        let time = Duration::from_secs(seconds);
        self.now.instant += time;
        self.now.wall += time;
        self.engine.handle_timeout(&mut self.host, self.now.instant);
    }

    pub(super) fn packet(&mut self, client: Client, bytes: &[u8]) -> (Verdict, Vec<u8>) {
        let mut buffer = vec![0; HEADROOM + bytes.len() + TAILROOM];
        buffer[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
        let (host, now) = (&mut self.host, self.now);
        let verdict = self
            .engine
            .handle_client_packet(host, client, &mut buffer, bytes.len(), now);
        (verdict, buffer)
    }

    pub(super) fn try_answer(&mut self, client: Client, draft: Draft) -> Option<Seen> {
        match self.packet(client, &draft.bytes()).0 {
            Verdict::Answer(answer) => Some(Seen::read(&answer)),
            Verdict::Drop(_) => None,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn answer(&mut self, client: Client, draft: Draft) -> Seen {
        self.try_answer(client, draft).expect("an answer")
    }

    /// Signs and sends a request; the answer's signature is checked, unless it asks for another one.
    pub(super) fn ask(&mut self, client: Client, login: &impl Login, draft: Draft) -> Seen {
        let nonce = self.nonce(client);
        let key = self.key(login);
        let signed = draft.sign(login.name(), &self.realm, &nonce, &key);
        let mut seen = self.answer(client, signed);
        let challenged = matches!(seen.error(), Some(401 | 438));
        assert_eq!(seen.signed_with(&key), !challenged);
        seen
    }

    /// The same, where there may be no answer.
    pub(super) fn try_ask(
        &mut self,
        client: Client,
        login: &impl Login,
        draft: Draft,
    ) -> Option<Seen> {
        let nonce = self.nonce(client);
        let key = self.key(login);
        self.try_answer(client, draft.sign(login.name(), &self.realm, &nonce, &key))
    }

    fn key(&self, login: &impl Login) -> Key {
        wire::key(login.name(), &self.realm, login.password())
    }

    fn nonce(&mut self, client: Client) -> Vec<u8> {
        if !self.nonces.contains_key(&client) {
            let seen = self.answer(client, request(Refresh));
            self.take_nonce(client, &seen);
        }
        self.nonces[&client].clone()
    }

    /// As long runs need, in which an hour may have passed.
    pub(super) fn renew_nonce(&mut self, client: Client) {
        let nonce = self
            .engine
            .rules
            .nonces
            .issue(client.address, self.now.instant);
        self.nonces.insert(client, nonce.into_bytes());
    }

    pub(super) fn take_nonce(&mut self, client: Client, seen: &Seen) {
        self.nonces.insert(client, seen.get(0x0015).unwrap());
    }

    /// A client with an allocation.
    pub(super) fn allocated(&mut self, number: u8) -> Client {
        let client = five_tuple(number);
        let draft = request(Allocate).transport(17).lifetime(3600);
        assert_eq!(self.ask(client, ALICE, draft).error(), None);
        client
    }

    pub(super) fn relayed(&self, client: Client) -> SocketAddr {
        let id = self.engine.by_client[&client];
        self.host.open[&id].address
    }

    pub(super) fn permit(&mut self, client: Client, to: SocketAddr) {
        self.permit_as(client, ALICE, to);
    }

    pub(super) fn permit_as(&mut self, client: Client, login: &impl Login, to: SocketAddr) {
        let draft = request(CreatePermission).peer(to);
        assert_eq!(self.ask(client, login, draft).error(), None);
    }

    pub(super) fn bind(&mut self, client: Client, number: u16, to: SocketAddr) {
        let draft = request(ChannelBind).channel(number).peer(to);
        assert_eq!(self.ask(client, ALICE, draft).error(), None);
    }

    pub(super) fn refresh(&mut self, client: Client) {
        assert_eq!(self.answer_to_refresh(client, ALICE), None);
    }

    /// With a new nonce where the old one has expired.
    pub(super) fn answer_to_refresh(&mut self, client: Client, login: &impl Login) -> Option<u16> {
        self.nonces.remove(&client);
        let draft = request(Refresh).lifetime(3600);
        self.ask(client, login, draft).error()
    }

    fn heard(&mut self, client: Client, bytes: &[u8]) -> Heard {
        let (verdict, buffer) = self.packet(client, bytes);
        Self::outcome(verdict, &buffer)
    }

    fn outcome(verdict: Verdict, buffer: &[u8]) -> Heard {
        match verdict {
            Verdict::ToPeer { to, data, .. } => Heard::Peer(to, buffer[data].to_vec()),
            Verdict::ToClient { client, message } => {
                Heard::Client(client, buffer[message].to_vec())
            }
            Verdict::Drop(_) => Heard::Nothing,
            Verdict::Answer(_) => panic!("data is not answered"),
        }
    }

    fn send(&mut self, client: Client, to: SocketAddr) -> Heard {
        let draft = Draft::new(&Kind::Send, [3; 12]).peer(to).data(PAYLOAD);
        self.heard(client, &draft.bytes())
    }

    pub(super) fn sends(&mut self, client: Client, to: SocketAddr) -> bool {
        self.sent_to(client, to).is_some()
    }

    /// Where a Send indication to `to` goes.
    pub(super) fn sent_to(&mut self, client: Client, to: SocketAddr) -> Option<SocketAddr> {
        match self.send(client, to) {
            Heard::Peer(at, data) => {
                assert_eq!(data, PAYLOAD);
                Some(at)
            }
            _ => None,
        }
    }

    /// Which client hears a Send indication to `to`, and from whom.
    pub(super) fn inside(
        &mut self,
        client: Client,
        to: SocketAddr,
    ) -> Option<(Client, SocketAddr)> {
        match self.send(client, to) {
            Heard::Client(other, message) => Some((other, source(&message))),
            _ => None,
        }
    }

    pub(super) fn say(&mut self, client: Client, number: u16, data: &[u8]) -> Heard {
        self.heard(client, &drafts::channel_data(number, data))
    }

    pub(super) fn speaks(&mut self, client: Client, number: u16) -> bool {
        matches!(self.say(client, number, PAYLOAD), Heard::Peer(_, data) if data == PAYLOAD)
    }

    fn arrives(&mut self, client: Client, from: SocketAddr) -> Option<Vec<u8>> {
        let id = *self.engine.by_client.get(&client)?;
        let mut buffer = vec![0; HEADROOM + PAYLOAD.len() + TAILROOM];
        buffer[HEADROOM..HEADROOM + PAYLOAD.len()].copy_from_slice(PAYLOAD);
        let (host, now) = (&self.host, self.now.instant);
        let verdict =
            self.engine
                .handle_peer_packet(host, id, from, &mut buffer, PAYLOAD.len(), now);
        match Self::outcome(verdict, &buffer) {
            Heard::Client(to, message) => {
                assert_eq!(to, client);
                Some(message)
            }
            _ => None,
        }
    }

    pub(super) fn hears(&mut self, client: Client, from: SocketAddr) -> bool {
        self.arrives(client, from).is_some()
    }

    pub(super) fn heard_from(&mut self, client: Client, from: SocketAddr) -> Option<SocketAddr> {
        self.arrives(client, from).map(|message| source(&message))
    }

    /// The channel on which a peer is heard.
    pub(super) fn channel_heard(&mut self, client: Client, from: SocketAddr) -> Option<u16> {
        let message = self.arrives(client, from)?;
        let (number, data) = channel_data::parse(&message)?;
        (message[0] >= 0x40).then(|| {
            assert_eq!(&message[data], PAYLOAD);
            number
        })
    }

    /// The tables tell of the same allocations.
    pub(super) fn assert_consistent(&self) {
        let engine = &self.engine;
        let allocations = || engine.allocations.iter().map(|(_, allocation)| allocation);
        let count = allocations().count();
        assert_eq!(
            (engine.by_client.len(), engine.by_user.len()),
            (count, count)
        );
        assert_eq!(self.host.open.len(), count);
        let addresses = allocations().map(|a| if a.relayed == a.bound { 1 } else { 2 });
        assert_eq!(engine.by_relayed.len(), addresses.sum::<usize>());
        let deadlines = allocations().map(|a| 1 + a.permissions().len() + a.channels().len());
        assert_eq!(engine.deadlines.len(), deadlines.sum::<usize>());
    }

    /// Nothing is left of anybody.
    pub(super) fn assert_empty(&self) {
        assert_eq!(self.engine.allocations(), 0);
        assert!(self.engine.by_client.is_empty() && self.engine.by_relayed.is_empty());
        assert!(self.engine.by_user.is_empty());
        assert_eq!(self.engine.deadlines.len(), 0);
        assert!(self.host.open.is_empty());
    }
}

/// The peer that a Data indication names.
fn source(message: &[u8]) -> SocketAddr {
    let seen = Seen::read(message);
    assert_eq!(seen.get(0x0013).as_deref(), Some(PAYLOAD));
    seen.address(0x0012).unwrap()
}
