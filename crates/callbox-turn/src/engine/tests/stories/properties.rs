//! Whatever clients, peers and time do in whatever order, the rules hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use world::Heard;

const CLIENTS: u8 = 4;
/// The last two are on the LAN, if that is one.
const PEERS: u8 = 5;
const PRIVATE: u8 = 3;
const QUOTA: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Allocate {
        client: u8,
        lifetime: u32,
    },
    Refresh {
        client: u8,
        lifetime: u32,
    },
    Permit {
        client: u8,
        peer: u8,
    },
    Bind {
        client: u8,
        channel: u16,
        peer: u8,
    },
    Say {
        client: u8,
        channel: u16,
    },
    Send {
        client: u8,
        peer: u8,
    },
    Arrive {
        client: u8,
        peer: u8,
    },
    Disconnect {
        client: u8,
    },
    Pass {
        seconds: u64,
    },
    Noise {
        client: u8,
        bytes: Vec<u8>,
    },
    /// The machine's addresses change: a peer's comes or goes, and the public one.
    Addresses {
        own: Option<u8>,
        at_home: bool,
    },
    /// A route begins or ends to lead a peer's address here.
    Route {
        peer: u8,
        here: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let peer = 0..PEERS;
    let channel = 0x3fff..0x4004_u16;
    let lifetime = prop_oneof![Just(0), 1..4000_u32];
    prop_oneof![
        (client.clone(), lifetime.clone())
            .prop_map(|(client, lifetime)| Step::Allocate { client, lifetime }),
        (client.clone(), lifetime)
            .prop_map(|(client, lifetime)| Step::Refresh { client, lifetime }),
        (client.clone(), peer.clone()).prop_map(|(client, peer)| Step::Permit { client, peer }),
        (client.clone(), channel.clone(), peer.clone()).prop_map(|(client, channel, peer)| {
            Step::Bind {
                client,
                channel,
                peer,
            }
        }),
        (client.clone(), channel).prop_map(|(client, channel)| Step::Say { client, channel }),
        (client.clone(), peer.clone()).prop_map(|(client, peer)| Step::Send { client, peer }),
        (client.clone(), peer.clone()).prop_map(|(client, peer)| Step::Arrive { client, peer }),
        (proptest::option::of(0..PRIVATE), any::<bool>())
            .prop_map(|(own, at_home)| Step::Addresses { own, at_home }),
        (peer, any::<bool>()).prop_map(|(peer, here)| Step::Route { peer, here }),
        client
            .clone()
            .prop_map(|client| Step::Disconnect { client }),
        (0..700_u64).prop_map(|seconds| Step::Pass { seconds }),
        (client, proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(client, bytes)| Step::Noise { client, bytes }),
    ]
}

/// Where a peer is.
fn peer(number: u8) -> SocketAddr {
    match number {
        PRIVATE.. => SocketAddr::from(([10, 0, 0, 50 + number], 9000)),
        _ => world::peer(number),
    }
}

/// What the rules say should be there: until when, by the answers that were given.
#[derive(Default)]
struct Model {
    allocations: BTreeMap<u8, Instant>,
    permissions: BTreeMap<(u8, u8), Instant>,
    channels: BTreeMap<(u8, u16), (u8, Instant)>,
    /// The peer whose address is the machine's.
    own: Option<u8>,
    at_home: bool,
    /// Peers whose addresses lead here.
    unlisted: BTreeSet<u8>,
}

impl Model {
    fn forget(&mut self, client: u8) {
        self.allocations.remove(&client);
        self.permissions.retain(|(of, _), _| *of != client);
        self.channels.retain(|(of, _), _| *of != client);
    }

    fn expire(&mut self, now: Instant) {
        let over: Vec<_> = self
            .allocations
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(client, _)| *client)
            .collect();
        for client in over {
            self.forget(client);
        }
        self.permissions.retain(|_, until| *until > now);
        self.channels.retain(|_, (_, until)| *until > now);
    }

    /// Is the peer refused to the client, whatever it asks for?
    fn refuses(&self, client: u8, peer: u8) -> bool {
        let neighbour = self.at_home && client >= 2;
        self.own == Some(peer) || self.unlisted.contains(&peer) || peer >= PRIVATE && !neighbour
    }

    fn judge_anew(&mut self) {
        let mut permissions = std::mem::take(&mut self.permissions);
        permissions.retain(|(client, peer), _| !self.refuses(*client, *peer));
        self.permissions = permissions;
        let mut channels = std::mem::take(&mut self.channels);
        channels.retain(|(client, _), (peer, _)| !self.refuses(*client, *peer));
        self.channels = channels;
    }

    fn permits(&self, client: u8, peer: u8) -> bool {
        self.permissions.contains_key(&(client, peer))
    }
}

struct Run {
    world: World,
    model: Model,
}

impl Run {
    fn take(&mut self, step: &Step) {
        let now = self.world.now.instant;
        let after = |seconds| now + Duration::from_secs(seconds);
        let code = |run: &mut Self, client: u8, draft| {
            let client = five_tuple(client);
            run.world.renew_nonce(client);
            run.world.ask(client, ALICE, draft).error()
        };
        match step {
            Step::Allocate { client, lifetime } => {
                let there = self.model.allocations.contains_key(client);
                let room = self.model.allocations.len() < QUOTA;
                let transaction = [self.world.host.ended.len().to_le_bytes()[0]; 12];
                let draft = Draft::new(&Kind::Request(Allocate), transaction);
                let draft = draft.transport(17).lifetime(*lifetime);
                match code(self, *client, draft) {
                    None if there => {}
                    None => {
                        assert!(room, "the quota holds");
                        let until = after(u64::from(*lifetime).clamp(600, 3600));
                        self.model.allocations.insert(*client, until);
                    }
                    Some(437) => assert!(there),
                    Some(code) => assert_eq!((code, there || room), (486, false)),
                }
            }
            Step::Refresh { client, lifetime } => {
                let there = self.model.allocations.contains_key(client);
                let code = code(self, *client, request(Refresh).lifetime(*lifetime));
                assert_eq!(code.is_none(), there);
                match (there, lifetime) {
                    (true, 0) => self.model.forget(*client),
                    (true, _) => {
                        let until = after(u64::from(*lifetime).clamp(600, 3600));
                        self.model.allocations.insert(*client, until);
                    }
                    _ => {}
                }
            }
            Step::Permit { client, peer: to } => {
                let there = self.model.allocations.contains_key(client);
                let code = code(self, *client, request(CreatePermission).peer(peer(*to)));
                let refused = self.model.refuses(*client, *to);
                let expected = match (there, refused) {
                    (false, _) => Some(437),
                    (true, true) => Some(403),
                    (true, false) => None,
                };
                assert_eq!(code, expected);
                if code.is_none() {
                    self.model.permissions.insert((*client, *to), after(300));
                }
            }
            Step::Bind {
                client,
                channel,
                peer: to,
            } => {
                let draft = request(ChannelBind).channel(*channel).peer(peer(*to));
                if code(self, *client, draft).is_none() {
                    assert!(self.model.allocations.contains_key(client) && *channel >= 0x4000);
                    assert!(!self.model.refuses(*client, *to));
                    let key = (*client, *channel);
                    let bound = self.model.channels.insert(key, (*to, after(600)));
                    assert!(bound.is_none_or(|(before, _)| before == *to));
                    self.model.permissions.insert((*client, *to), after(300));
                }
            }
            Step::Say { client, channel } => {
                let bound = self.model.channels.get(&(*client, *channel)).copied();
                let expected = bound.filter(|(to, _)| self.model.permits(*client, *to));
                let from = five_tuple(*client);
                let heard = self.world.say(from, *channel, b"data");
                match expected {
                    Some((to, _)) => assert_eq!(heard, Heard::Peer(peer(to), b"data".to_vec())),
                    None => assert_eq!(heard, Heard::Nothing),
                }
            }
            Step::Send { client, peer: to } => {
                let from = five_tuple(*client);
                let permitted = self.model.permits(*client, *to);
                assert_eq!(self.world.sends(from, peer(*to)), permitted);
            }
            Step::Arrive { client, peer: from } => {
                let to = five_tuple(*client);
                let permitted = self.model.permits(*client, *from);
                assert_eq!(self.world.hears(to, peer(*from)), permitted);
            }
            Step::Disconnect { client } => {
                let gone = five_tuple(*client);
                let World { engine, host, .. } = &mut self.world;
                engine.disconnected(host, gone, now);
                self.model.forget(*client);
            }
            Step::Pass { seconds } => {
                self.world.pass(*seconds);
                self.model.expire(self.world.now.instant);
            }
            Step::Addresses { own, at_home } => {
                let public: &[_] = if *at_home { &[] } else { &[world::PUBLIC] };
                let more: Vec<_> = own.map(|own| peer(own).ip()).into_iter().collect();
                let before = (self.model.permissions.len(), self.model.channels.len());
                (self.model.own, self.model.at_home) = (*own, *at_home);
                self.model.judge_anew();
                let withdrawn = self.world.set_policy(world::policy(public, &more));
                let left = (self.model.permissions.len(), self.model.channels.len());
                assert_eq!(withdrawn.permissions, before.0 - left.0);
                assert_eq!(withdrawn.channels, before.1 - left.1);
            }
            // What is permitted stays so until somebody looks again.
            Step::Route { peer: to, here } => {
                let ip = peer(*to).ip();
                if *here {
                    self.model.unlisted.insert(*to);
                    self.world.host.unlisted.insert(ip);
                } else {
                    self.model.unlisted.remove(to);
                    self.world.host.unlisted.remove(&ip);
                }
            }
            Step::Noise { client, bytes } => {
                let from = five_tuple(*client);
                let (verdict, _) = self.world.packet(from, bytes);
                let is_data = bytes
                    .first()
                    .is_some_and(|first| (0x40..=0x4f).contains(first));
                assert!(is_data || !matches!(verdict, Verdict::ToPeer { .. }));
            }
        }
        assert_eq!(
            self.world.engine.allocations(),
            self.model.allocations.len()
        );
    }
}

proptest! {
    #[test]
    fn no_order_of_events_breaks_a_rule(steps in proptest::collection::vec(step(), 1..120)) {
        let mut run = Run { world: World::new(), model: Model::default() };
        run.world.host.quota = Some(QUOTA);
        for step in &steps {
            run.take(step);
        }
        run.world.pass(3600);
        run.world.assert_empty();
    }
}
