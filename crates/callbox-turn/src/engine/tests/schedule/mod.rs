//! A random schedule of clients, peers and time, for fuzzing: after each step the engine is held against a model of
//! what RFC 8656 and callbox's own rules let happen. The model learns from the answers, and what it must not believe
//! of them it checks.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod answers;
mod asking;
mod data;
mod model;
mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

use super::directory::{ALICE, BOB, Holder};
use super::world::{self, LOCAL, PUBLIC, REALM, World};
use super::*;
use crate::framing::{self, Frame};
use crate::wire;
use crate::wire::drafts::{self, Draft, Kind};
use answers::may_have;
use model::{Held, Known, Moved, is_own};
use steps::{Asked, FAVOURITES, Login, Nonce, Schedule, Step, channel_number, client, visitor};

const MAX_PERMISSIONS: usize = 5;
const MAX_CHANNELS: usize = 4;
const VISITORS: u8 = 3;
const LONG_REALM: &str =
    "a-realm-that-is-as-long-as-nobody-would-ever-type-it-by-hand-and-then-longer-still";
/// Of another shard: as advertised, and as bound.
const ELSEWHERE: [SocketAddr; 2] = [
    SocketAddr::new(PUBLIC, 61_000),
    SocketAddr::new(LOCAL, 61_000),
];

struct Run {
    world: World,
    realm: &'static str,
    limited_rate: bool,
    held: BTreeMap<Client, Held>,
    known: HashMap<String, Known>,
    /// The last usernames and passwords that were minted.
    minted: BTreeMap<String, (String, String)>,
    /// For whom, and when.
    nonces: HashMap<(Vec<u8>, SocketAddr), Instant>,
    last_nonce: BTreeMap<SocketAddr, Vec<u8>>,
    /// Nothing that is over is left in the engine's tables.
    tidy: bool,
    moved: Moved,
}

/// Lets the engine live through what `bytes` say.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(schedule) = Schedule::read(bytes) else {
        return;
    };
    let mut run = Run::new(&schedule);
    for step in &schedule.steps {
        run.take(step);
        run.world.assert_consistent();
        assert_eq!(run.world.engine.allocations(), run.held.len());
    }
    if schedule.stop {
        let World {
            engine, host, now, ..
        } = &mut run.world;
        engine.stop(host, now.instant);
    } else {
        run.world.pass(3600);
    }
    run.world.assert_empty();
}

impl Run {
    fn new(schedule: &Schedule) -> Self {
        let realm = if schedule.long_realm {
            LONG_REALM
        } else {
            REALM
        };
        let mut world = World::build(realm, schedule.bytes_per_second.map(u64::from));
        world.engine.rules.max_permissions = MAX_PERMISSIONS;
        world.engine.rules.max_channels = MAX_CHANNELS;
        world.host.quota = schedule.quota.map(usize::from);
        world.host.ipv6 = schedule.ipv6;
        world.host.elsewhere = schedule.elsewhere.then_some(ELSEWHERE.into());
        let named = [ALICE, BOB].map(|(name, password)| {
            let known = Known {
                key: wire::key(name, realm, password),
                expires: None,
            };
            ((*name).to_owned(), known)
        });
        Self {
            world,
            realm,
            limited_rate: schedule.bytes_per_second.is_some(),
            held: BTreeMap::new(),
            known: named.into(),
            minted: BTreeMap::new(),
            nonces: HashMap::new(),
            last_nonce: BTreeMap::new(),
            tidy: true,
            moved: Moved::new(),
        }
    }

    fn now(&self) -> Instant {
        self.world.now.instant
    }

    fn client(&self, number: u8) -> Client {
        let favourite = usize::from(number) % self.held.len().max(1);
        let favourite = self.held.keys().nth(favourite);
        match favourite {
            Some(favourite) if number >= FAVOURITES => *favourite,
            _ => client(number),
        }
    }

    /// One that has been bound, or not.
    fn channel(&self, of: Client, channel: u8) -> u16 {
        let bound: Vec<_> = self
            .held
            .get(&of)
            .map(|held| held.channels.keys().copied().collect())
            .unwrap_or_default();
        match bound.get(usize::from(channel) % bound.len().max(1)) {
            Some(bound) if channel >= FAVOURITES => *bound,
            _ => channel_number(channel),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Call {
                client: from,
                visitor,
                ipv6,
                peer,
                channel,
            } => {
                let from = self.client(*from);
                let login = visitor.map_or(Login::Alice, Login::Visitor);
                let allocate = Asked::Allocate {
                    transaction: 0,
                    lifetime: Some(3600),
                    ipv6: *ipv6,
                    even: None,
                    token: false,
                    transport: None,
                };
                let way = match *channel {
                    Some(channel) => Asked::ChannelBind {
                        channel,
                        peer: *peer,
                    },
                    None => Asked::CreatePermission(vec![*peer]),
                };
                self.ask(from, login, &Nonce::Fresh, &allocate, None);
                self.go_on(from, &way);
            }
            Step::Continue {
                client: from,
                request,
            } => self.go_on(self.client(*from), request),
            Step::Ask {
                client: from,
                login,
                nonce,
                request,
                oddity,
            } => self.ask(self.client(*from), *login, nonce, request, oddity.as_ref()),
            Step::Say {
                client: from,
                channel,
                data,
            } => {
                let from = self.client(*from);
                let number = self.channel(from, *channel);
                self.deliver(from, drafts::channel_data(number, &data.bytes()));
            }
            Step::Send {
                client: from,
                peer,
                data,
                dont_fragment,
            } => {
                let draft = Draft::new(&Kind::Send, [3; 12]).peer(self.peer(*peer));
                // What is longer does not fit into a message.
                let data = data.bytes();
                let mut draft = draft.data(&data[..data.len().min(65_000)]);
                if *dont_fragment {
                    draft = draft.raw(0x001a, b"");
                }
                self.deliver(self.client(*from), draft.bytes());
            }
            Step::Arrive {
                client: to,
                peer,
                data,
            } => {
                if let Some(held) = self.held.get(&self.client(*to)) {
                    self.arrive(held.id, self.peer(*peer), &data.bytes());
                }
            }
            Step::Stray { id, peer, data } => {
                let id = AllocationId(u32::from(*id % 8));
                self.arrive(id, self.peer(*peer), &data.bytes());
            }
            Step::Noise {
                client: from,
                bytes,
            } => self.deliver(self.client(*from), bytes.0.clone()),
            Step::Mint {
                visitor: who,
                seconds,
            } => self.mint(&visitor(*who), *seconds),
            Step::Enter { visitor: who } => {
                self.world
                    .with_present(|present| present.insert(visitor(*who)));
            }
            Step::Leave {
                visitor: who,
                revoke,
            } => self.leave(&visitor(*who), *revoke),
            Step::Disconnect { client: gone } => self.disconnect(self.client(*gone)),
            Step::Pass { seconds, timeout } => self.pass(steps::seconds(*seconds), *timeout),
            Step::Move { peer, own } => {
                let ip = steps::moving(*peer);
                if *own {
                    self.moved.insert(ip);
                } else {
                    self.moved.remove(&ip);
                }
                self.judge_anew();
            }
            Step::Route { peer, here, told } => {
                let ip = steps::moving(*peer);
                if *here {
                    self.world.host.unlisted.insert(ip);
                } else {
                    self.world.host.unlisted.remove(&ip);
                }
                if *told {
                    self.judge_anew();
                }
            }
        }
    }

    /// Of what is permitted, what is refused now ends, and nothing else.
    fn judge_anew(&mut self) {
        let more: Vec<_> = self.moved.iter().copied().collect();
        self.world.set_policy(world::policy(&[PUBLIC], &more));
        let (host, moved) = (&self.world.host, &self.moved);
        for held in self.held.values_mut() {
            held.permissions.retain(|ip, _| may_have(*ip, host, moved));
            held.channels.retain(|_, (peer, _)| {
                let way = !is_own(peer.ip(), moved) || host.bound(*peer).is_some();
                way && may_have(peer.ip(), host, moved)
            });
        }
    }

    /// What a client sends; over a stream only whole messages arrive.
    fn deliver(&mut self, from: Client, mut bytes: Vec<u8>) {
        if from.transport == Transport::Udp {
            return self.packet(from, &bytes);
        }
        bytes.resize(channel_data::padded(bytes.len()), 0);
        match framing::next(&bytes) {
            Frame::Whole { length, .. } => self.packet(from, &bytes[..length]),
            Frame::Partial => {}
            Frame::Broken => self.disconnect(from),
        }
    }

    fn disconnect(&mut self, gone: Client) {
        let World {
            engine, host, now, ..
        } = &mut self.world;
        engine.disconnected(host, gone, now.instant);
        self.held.remove(&gone);
        assert!(!self.world.engine.serves(gone));
    }

    fn leave(&mut self, name: &str, revoke: bool) {
        self.world.with_present(|present| present.remove(name));
        let World {
            engine, host, now, ..
        } = &mut self.world;
        if revoke {
            let gone = Holder::own(name);
            engine.revoke(host, &gone, now.instant);
            self.held
                .retain(|_, held| World::holder(&held.username) != gone);
        }
    }

    fn pass(&mut self, seconds: u64, timeout: bool) {
        if !timeout {
            let time = Duration::from_secs(seconds);
            self.world.now.instant += time;
            self.world.now.wall += time;
            self.tidy = false;
            return;
        }
        self.world.pass(seconds);
        self.tidy = true;
        let now = self.now();
        self.held.retain(|_, held| held.until > now);
        let next = self.world.engine.poll_timeout();
        assert!(next.is_none_or(|next| next > now));
        assert_eq!(next.is_some(), !self.held.is_empty());
    }
}
