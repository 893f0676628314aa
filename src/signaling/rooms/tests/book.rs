//! Any order of events: two books are kept and compared.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    Join {
        conn: u64,
        room: usize,
    },
    Resume {
        conn: u64,
        old: usize,
    },
    Signal {
        from: u64,
        to: usize,
    },
    Lock {
        conn: u64,
        locked: bool,
    },
    Answer {
        conn: u64,
        knock: usize,
        admit: bool,
    },
    Leave(u64),
    Lost(u64),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..8u64, 0..3usize).prop_map(|(conn, room)| Step::Join { conn, room }),
        (8..16u64, 0..20usize).prop_map(|(conn, old)| Step::Resume { conn, old }),
        (0..16u64, 0..20usize).prop_map(|(from, to)| Step::Signal { from, to }),
        (0..16u64, any::<bool>()).prop_map(|(conn, locked)| Step::Lock { conn, locked }),
        (0..16u64, 0..3usize, any::<bool>()).prop_map(|(conn, knock, admit)| Step::Answer {
            conn,
            knock,
            admit
        }),
        (0..16u64).prop_map(Step::Leave),
        (0..16u64).prop_map(Step::Lost),
        (0..40u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..120)
}

/// A second book of who is where and of what each page knows, kept from the effects alone.
#[derive(Default)]
struct Book {
    room_by_conn: HashMap<ConnId, usize>,
    room_by_knock: HashMap<ConnId, usize>,
    seats: Vec<(PeerId, usize)>,
    views: HashMap<ConnId, View>,
}

/// What a page knows of its room.
#[derive(Debug, Default, PartialEq)]
struct View {
    peers: BTreeSet<PeerId>,
    knocks: BTreeSet<PeerId>,
    locked: bool,
}

const ROOMS: [&str; 3] = ["a", "b", "c"];

fn ids(infos: &[PeerInfo]) -> BTreeSet<PeerId> {
    infos.iter().map(|info| info.id.clone()).collect()
}

impl Book {
    /// Nobody gets a message who is not in the room where it comes from.
    fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.receive(*to, message),
                Effect::Admitted { conn, joined } => {
                    let room = self.room_by_knock.remove(conn).unwrap();
                    self.enter(*conn, room, joined);
                }
                Effect::Refuse { conn, .. } => {
                    self.room_by_knock.remove(conn).unwrap();
                }
                Effect::Close { conn, .. } => {
                    self.room_by_conn.remove(conn);
                    self.views.remove(conn);
                }
                Effect::MadeWay | Effect::Opened(_) | Effect::Closed(_) => {}
            }
        }
    }

    fn receive(&mut self, to: ConnId, message: &ServerMessage) {
        let room = self.room_by_conn[&to];
        let view = self.views.get_mut(&to).unwrap();
        match message {
            ServerMessage::PeerJoined { peer } => drop(view.peers.insert(peer.id.clone())),
            ServerMessage::PeerLeft { id } => {
                assert!(self.seats.contains(&(id.clone(), room)));
                view.peers.remove(id);
            }
            ServerMessage::Signal { from, .. } => {
                assert!(self.seats.contains(&(from.clone(), room)));
            }
            ServerMessage::Locked { locked, by } => {
                assert!(self.seats.contains(&(by.clone(), room)));
                view.locked = *locked;
            }
            ServerMessage::Knock { peer } => {
                assert!(view.locked);
                view.knocks.insert(peer.id.clone());
            }
            ServerMessage::KnockEnded { id } => assert!(view.knocks.remove(id)),
            other => panic!("{other:?}"),
        }
    }

    fn enter(&mut self, conn: ConnId, room: usize, joined: &Joined) {
        self.room_by_conn.insert(conn, room);
        let view = View {
            peers: ids(&joined.peers),
            knocks: ids(&joined.knocks),
            locked: joined.locked,
        };
        self.views.insert(conn, view);
        self.seats.push((joined.id.clone(), room));
        self.apply(&joined.effects);
    }

    fn receive_entry(&mut self, conn: ConnId, room: usize, entry: &Entry) {
        match entry {
            Entry::In(joined) => self.enter(conn, room, joined),
            Entry::Knocking(effects) => {
                self.room_by_knock.insert(conn, room);
                self.apply(effects);
            }
        }
    }

    fn gone(&mut self, conn: ConnId) {
        self.views.remove(&conn);
        self.room_by_conn.remove(&conn);
        self.room_by_knock.remove(&conn);
    }

    fn seat(&self, index: usize) -> Option<(PeerId, usize)> {
        self.seats.get(index % self.seats.len().max(1)).cloned()
    }

    /// Every page knows exactly who has a seat in its room, and who waits before it.
    fn check_views(&self, rooms: &Rooms) {
        for (conn, (name, id)) in &rooms.seat_by_conn {
            let room = &rooms.by_name[name];
            let seen = View {
                peers: room.others(id).map(|seat| seat.info.id.clone()).collect(),
                knocks: ids(&room.door.knocking()),
                locked: room.door.locked,
            };
            assert_eq!(self.views[conn], seen);
        }
        let waiting = |conn: &ConnId| ROOMS[self.room_by_knock[conn]];
        for (conn, name) in &rooms.room_by_knock {
            assert_eq!(waiting(conn), name.as_str());
        }
        assert_eq!(self.room_by_knock.len(), rooms.room_by_knock.len());
    }
}

proptest! {
    #[test]
    fn everybody_gets_the_messages_of_their_room_and_nobody_others(steps in steps()) {
        let mut world = World::new();
        let mut book = Book::default();
        for step in steps {
            match step {
                Step::Join { conn, room } => {
                    let join = world.request(conn, ROOMS[room], None);
                    if let Ok(entry) = world.admit(join) {
                        book.receive_entry(ConnId(conn), room, &entry);
                    }
                }
                Step::Resume { conn, old } => {
                    let Some((id, room)) = book.seat(old) else { continue };
                    let claim = Claim { id: id.clone(), before_start: old % 2 == 0 };
                    let mut join = world.request(conn, ROOMS[room], Some(claim));
                    join.locked = old % 3 == 0;
                    if let Ok(entry) = world.admit(join) {
                        if let Entry::In(joined) = &entry {
                            prop_assert_eq!(joined.id == id, joined.resumed);
                        }
                        book.receive_entry(ConnId(conn), room, &entry);
                    }
                }
                Step::Signal { from, to } => {
                    let Some((id, to_room)) = book.seat(to) else { continue };
                    let result = world.rooms.signal(ConnId(from), &id, candidate(&json!(0)));
                    let room = book.room_by_conn.get(&ConnId(from)).copied();
                    prop_assert_eq!(result.is_ok(), room.is_some());
                    if let Ok(Some((to, message))) = result {
                        prop_assert_eq!(room, Some(to_room));
                        book.apply(&[Effect::Send { to, message }]);
                    }
                }
                Step::Lock { conn, locked } => {
                    let result = world.rooms.lock(ConnId(conn), locked, world.now());
                    prop_assert_eq!(result.is_ok(), book.room_by_conn.contains_key(&ConnId(conn)));
                    book.apply(&result.unwrap_or_default());
                }
                Step::Answer { conn, knock, admit } => {
                    let knocks = book.views.get(&ConnId(conn)).map(|view| &view.knocks);
                    let Some(id) = knocks.and_then(|knocks| knocks.iter().nth(knock)).cloned()
                    else { continue };
                    let conn = ConnId(conn);
                    let result = if admit {
                        world.rooms.admit(conn, &id, world.now())
                    } else {
                        world.rooms.refuse(conn, &id)
                    };
                    book.apply(&result.unwrap_or_default());
                }
                Step::Leave(conn) => {
                    let effects = world.leave(conn);
                    book.gone(ConnId(conn));
                    book.apply(&effects);
                }
                Step::Lost(conn) => {
                    let effects = world.rooms.lost(ConnId(conn), Backlog::default(), world.now());
                    book.gone(ConnId(conn));
                    book.apply(&effects);
                }
                Step::Pass(seconds) => {
                    let effects = world.pass(seconds);
                    book.apply(&effects);
                }
            }
            check_invariants(&world.rooms);
            book.check_views(&world.rooms);
        }
        for conn in 0..16 {
            world.rooms.lost(ConnId(conn), Backlog::default(), world.now());
        }
        world.pass(30);
        prop_assert!(world.rooms.by_name.is_empty());
        prop_assert!(world.rooms.seat_by_conn.is_empty());
        prop_assert!(world.rooms.openers.total() == 0);
        prop_assert!(world.rooms.deadlines.is_empty());
        prop_assert!(world.rooms.room_by_knock.is_empty());
    }
}

fn check_invariants(rooms: &Rooms) {
    assert!(rooms.by_name.len() <= limits().max_rooms);
    assert_eq!(rooms.openers.total(), rooms.by_name.len());
    let mut ids = HashSet::new();
    let knocks = rooms.by_name.values().map(|room| room.door.knocks.len());
    assert_eq!(knocks.sum::<usize>(), rooms.room_by_knock.len());
    let mut absent = 0;
    for (name, room) in &rooms.by_name {
        assert!((1..=limits().max_peers).contains(&room.seats.len()));
        assert!(room.door.locked || room.door.knocks.is_empty());
        assert!(room.door.knocks.len() <= door::MAX_KNOCKS_PER_ADDRESS);
        for seat in &room.seats {
            assert!(ids.insert(&seat.info.id), "an id twice");
            match &seat.occupancy {
                Occupancy::Present(conn) => {
                    assert_eq!(
                        rooms.seat_by_conn[conn],
                        (name.clone(), seat.info.id.clone())
                    );
                }
                Occupancy::Absent { until, .. } => {
                    absent += 1;
                    let deadline = (*until, name.clone(), seat.info.id.clone());
                    assert!(rooms.deadlines.contains(&deadline));
                }
            }
        }
    }
    assert_eq!(absent, rooms.deadlines.len());
    assert_eq!(ids.len(), absent + rooms.seat_by_conn.len());
}
