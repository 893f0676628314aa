#![allow(
    clippy::needless_pass_by_value,
    reason = "json!() at each call reads better than a reference to it"
)]

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const RESUME: Duration = Duration::from_secs(30);

fn limits() -> Limits {
    Limits {
        max_peers: 3,
        max_rooms: 3,
        max_rooms_per_address: 2,
        resume: RESUME,
    }
}

/// Tells a story over one set of rooms.
struct World {
    rooms: Rooms,
    start: Instant,
    elapsed: Duration,
    joins: u64,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            rooms: Rooms::new(limits()),
            start,
            elapsed: Duration::ZERO,
            joins: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + self.elapsed
    }

    fn pass(&mut self, seconds: u64) -> Vec<Effect> {
        self.elapsed += Duration::from_secs(seconds);
        self.rooms.expire(self.now())
    }

    fn request(&mut self, conn: u64, room: &str, resume: Option<Claim>) -> Join {
        self.joins += 1;
        Join {
            conn: ConnId(conn),
            address: address(1),
            visitor: "v".into(),
            room: RoomName::parse(room).unwrap(),
            name: format!("n{conn}"),
            fresh_id: PeerId(format!("p{}", self.joins)),
            resume,
        }
    }

    fn join(&mut self, conn: u64, room: &str) -> Joined {
        let join = self.request(conn, room, None);
        self.rooms.join(join, self.now()).unwrap()
    }

    fn resume(&mut self, conn: u64, room: &str, id: &PeerId, before_start: bool) -> Joined {
        let claim = Claim {
            id: id.clone(),
            before_start,
        };
        let join = self.request(conn, room, Some(claim));
        self.rooms.join(join, self.now()).unwrap()
    }

    fn signal(&mut self, from: u64, to: &PeerId, data: Value) -> Option<Effect> {
        self.rooms
            .signal(ConnId(from), to, candidate(&data))
            .unwrap()
    }
}

fn address(last: u8) -> AddressKey {
    AddressKey::from(std::net::IpAddr::from([192, 0, 2, last]))
}

fn sent(to: u64, message: ServerMessage) -> Effect {
    Effect::Send {
        to: ConnId(to),
        message,
    }
}

fn candidate(data: &Value) -> SignalData {
    serde_json::from_value(json!({ "candidate": data })).unwrap()
}

fn signal(from: &PeerId, data: Value) -> ServerMessage {
    ServerMessage::Signal {
        from: from.clone(),
        data: candidate(&data),
    }
}

fn joined(id: &PeerId, conn: u64) -> ServerMessage {
    ServerMessage::PeerJoined {
        peer: PeerInfo {
            id: id.clone(),
            name: format!("n{conn}"),
        },
    }
}

fn left(id: &PeerId) -> ServerMessage {
    ServerMessage::PeerLeft { id: id.clone() }
}

#[test]
fn two_meet_talk_and_part() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    assert!(ana.peers.is_empty() && !ana.resumed);
    assert_eq!(ana.effects, [Effect::Opened(RoomName::parse("a").unwrap())]);
    let bo = world.join(2, "a");
    assert_eq!(
        bo.peers,
        [PeerInfo {
            id: ana.id.clone(),
            name: "n1".into()
        }]
    );
    assert_eq!(bo.effects, [sent(1, joined(&bo.id, 2))]);

    assert_eq!(
        world.signal(1, &bo.id, json!(1)),
        Some(sent(2, signal(&ana.id, json!(1))))
    );
    assert_eq!(
        world.signal(2, &ana.id, json!(2)),
        Some(sent(1, signal(&bo.id, json!(2))))
    );
    assert_eq!(world.signal(1, &ana.id, json!(3)), None, "not to oneself");

    assert_eq!(world.rooms.leave(ConnId(1)), [sent(2, left(&ana.id))]);
    let closed = Effect::Closed(RoomName::parse("a").unwrap());
    assert_eq!(world.rooms.leave(ConnId(2)), [closed]);
}

#[test]
fn signals_go_nowhere_else() {
    let mut world = World::new();
    world.join(1, "a");
    let bo = world.join(2, "b");
    assert_eq!(world.signal(1, &bo.id, json!(1)), None, "another room");
    assert_eq!(world.signal(1, &PeerId("nobody".into()), json!(1)), None);
    let data = candidate(&json!(1));
    assert_eq!(
        world.rooms.signal(ConnId(9), &bo.id, data),
        Err(ErrorCode::NotJoined)
    );
}

#[test]
fn rooms_are_bounded() {
    let mut world = World::new();
    for conn in 1..=3 {
        world.join(conn, "a");
    }
    let fourth = world.request(4, "a", None);
    assert_eq!(
        world.rooms.join(fourth, world.now()),
        Err(ErrorCode::RoomFull)
    );
    let twice = world.request(1, "b", None);
    assert_eq!(
        world.rooms.join(twice, world.now()),
        Err(ErrorCode::AlreadyJoined)
    );

    world.join(5, "b");
    let third = world.request(6, "c", None);
    assert_eq!(
        world.rooms.join(third.clone(), world.now()),
        Err(ErrorCode::TooManyRooms)
    );
    let elsewhere = Join {
        address: address(2),
        ..third
    };
    assert!(
        world.rooms.join(elsewhere, world.now()).is_ok(),
        "counted per address"
    );
    let fourth = Join {
        address: address(3),
        ..world.request(7, "d", None)
    };
    assert_eq!(
        world.rooms.join(fourth, world.now()),
        Err(ErrorCode::TooManyRooms),
        "in total"
    );

    world.rooms.leave(ConnId(5));
    world.join(8, "e");
}

#[test]
fn a_seat_is_kept_for_whoever_comes_back_in_time() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.rooms.lost(ConnId(2), true, world.now());
    assert_eq!(world.pass(29), []);
    assert_eq!(world.signal(1, &bo.id, json!("waits")), None);

    let back = world.resume(3, "a", &bo.id, false);
    assert!(back.resumed);
    assert_eq!(back.id, bo.id);
    assert_eq!(back.peers.len(), 1);
    assert_eq!(
        back.effects,
        [sent(3, signal(&ana.id, json!("waits")))],
        "nobody else notices"
    );
    assert_eq!(world.pass(1000), [], "the old deadline is gone");
}

#[test]
fn a_seat_is_free_after_its_time() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.rooms.lost(ConnId(2), true, world.now());
    assert_eq!(world.rooms.next_deadline(), Some(world.now() + RESUME));
    assert_eq!(world.pass(30), [sent(1, left(&bo.id))]);
    let back = world.resume(3, "a", &bo.id, false);
    assert!(!back.resumed, "the others have dropped it");
    assert_ne!(back.id, bo.id, "so nobody takes it for the old one");
    assert_eq!(back.effects, [sent(1, joined(&back.id, 3))]);
    assert_eq!(back.peers[0].id, ana.id);
}

#[test]
fn a_resume_displaces_the_old_connection() {
    let mut world = World::new();
    world.join(1, "a");
    let bo = world.join(2, "a");
    let back = world.resume(3, "a", &bo.id, false);
    let closed = Effect::Close {
        conn: ConnId(2),
        reason: CloseReason::Replaced,
    };
    assert_eq!((back.resumed, back.effects), (true, vec![closed]));
    assert_eq!(
        world.rooms.leave(ConnId(2)),
        [],
        "the old one has no say any more"
    );
    world.rooms.lost(ConnId(2), true, world.now());
    assert_eq!(world.pass(60), []);
    assert_eq!(world.rooms.leave(ConnId(3)), [sent(1, left(&bo.id))]);
}

#[test]
fn who_came_and_went_meanwhile_is_told_after_a_resume() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.rooms.lost(ConnId(1), true, world.now());
    world.rooms.leave(ConnId(2));
    let cy = world.join(3, "a");
    let back = world.resume(4, "a", &ana.id, false);
    assert_eq!(
        back.peers.iter().map(|peer| &peer.id).collect::<Vec<_>>(),
        [&cy.id]
    );
    assert_eq!(
        back.effects,
        [sent(4, joined(&cy.id, 3)), sent(4, left(&bo.id))]
    );
}

#[test]
fn too_much_waiting_means_to_begin_anew() {
    for (count, length, resumed) in [
        (64, 1, true),
        (65, 1, false),
        (4, 60_000, true),
        (5, 60_000, false),
    ] {
        let mut world = World::new();
        let ana = world.join(1, "a");
        let bo = world.join(2, "a");
        world.rooms.lost(ConnId(2), true, world.now());
        for _ in 0..count {
            world.signal(1, &bo.id, json!("x".repeat(length)));
        }
        let back = world.resume(3, "a", &bo.id, false);
        assert_eq!(back.resumed, resumed, "{count} of {length}");
        assert_eq!(back.id == bo.id, resumed);
        assert_eq!(back.peers[0].id, ana.id);
        if !resumed {
            assert_eq!(
                back.effects,
                [sent(1, left(&bo.id)), sent(1, joined(&back.id, 3))]
            );
            assert_eq!(world.pass(1000), [], "the old deadline is gone");
        }
    }
}

#[test]
fn what_waits_is_bounded_by_what_it_takes() {
    let mut world = World::new();
    world.join(1, "a");
    let bo = world.join(2, "a");
    world.rooms.lost(ConnId(2), true, world.now());
    // Parsed, each of these few bytes would take a hundred times as many.
    let costly = format!("[{}{{\"\":0}}]", "{\"\":0},".repeat(9_000));
    for _ in 0..10 {
        world.signal(1, &bo.id, serde_json::from_str(&costly).unwrap());
    }
    assert!(!world.resume(3, "a", &bo.id, false).resumed);
}

#[test]
fn a_connection_that_lost_messages_is_not_resumed() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    world.join(2, "a");
    world.rooms.lost(ConnId(1), false, world.now());
    let back = world.resume(3, "a", &ana.id, false);
    assert!(!back.resumed && back.id != ana.id);
}

#[test]
fn whoever_comes_back_late_is_never_taken_for_gone() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.rooms.lost(ConnId(2), true, world.now());
    world.pass(5);
    world.rooms.lost(ConnId(1), true, world.now());
    world.pass(25);
    let again = world.resume(3, "a", &bo.id, false);
    let back = world.resume(4, "a", &ana.id, false);
    assert!(back.resumed);
    assert_eq!(back.peers[0].id, again.id);
    assert_eq!(
        back.effects,
        [sent(4, joined(&again.id, 3)), sent(4, left(&bo.id))]
    );
}

#[test]
fn after_a_restart_everybody_gets_their_seat_back() {
    let mut before = World::new();
    let ana = before.join(1, "a");
    let bo = before.join(2, "a");
    let mut world = World::new();
    let first = world.resume(1, "a", &bo.id, true);
    assert_eq!(
        (first.id, first.resumed, first.peers),
        (bo.id.clone(), true, vec![])
    );
    world.pass(29);
    let second = world.resume(2, "a", &ana.id, true);
    assert_eq!((&second.id, second.resumed), (&ana.id, true));
    assert_eq!(second.effects, [sent(1, joined(&ana.id, 2))]);
}

#[test]
fn after_a_restart_the_late_begin_anew() {
    let mut world = World::new();
    world.resume(1, "a", &PeerId("x".into()), true);
    world.pass(30);
    assert!(!world.resume(2, "a", &PeerId("y".into()), true).resumed);
}

#[test]
fn a_claim_by_another_visitor_gets_a_seat_of_its_own() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let claim = Claim {
        id: ana.id.clone(),
        before_start: false,
    };
    let stranger = Join {
        visitor: "w".into(),
        ..world.request(2, "a", Some(claim))
    };
    let other = world.rooms.join(stranger, world.now()).unwrap();
    assert_ne!(other.id, ana.id);
    assert!(!other.resumed);
}

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    Join { conn: u64, room: usize },
    Resume { conn: u64, old: usize },
    Signal { from: u64, to: usize },
    Leave(u64),
    Lost { conn: u64, complete: bool },
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..8u64, 0..3usize).prop_map(|(conn, room)| Step::Join { conn, room }),
        (8..16u64, 0..20usize).prop_map(|(conn, old)| Step::Resume { conn, old }),
        (0..16u64, 0..20usize).prop_map(|(from, to)| Step::Signal { from, to }),
        (0..16u64).prop_map(Step::Leave),
        (0..16u64, any::<bool>()).prop_map(|(conn, complete)| Step::Lost { conn, complete }),
        (0..40u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..120)
}

/// A second book of who is where and of what each page knows, kept from the effects alone.
#[derive(Default)]
struct Book {
    room_by_conn: HashMap<ConnId, usize>,
    seats: Vec<(PeerId, usize)>,
    /// Whom each page has in its room.
    views: HashMap<ConnId, BTreeSet<PeerId>>,
}

const ROOMS: [&str; 3] = ["a", "b", "c"];

impl Book {
    /// Nobody gets a message who is not in the room where it comes from.
    fn apply(&mut self, room: usize, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => {
                    assert_eq!(self.room_by_conn.get(to), Some(&room), "{effect:?}");
                    let view = self.views.get_mut(to).unwrap();
                    match message {
                        ServerMessage::PeerJoined { peer } => drop(view.insert(peer.id.clone())),
                        ServerMessage::PeerLeft { id } => drop(view.remove(id)),
                        _ => {}
                    }
                }
                Effect::Close { conn, .. } => {
                    self.room_by_conn.remove(conn);
                    self.views.remove(conn);
                }
                Effect::Opened(_) | Effect::Closed(_) => {}
            }
        }
    }

    fn enter(&mut self, conn: ConnId, room: usize, joined: &Joined) {
        self.room_by_conn.insert(conn, room);
        let known = joined.peers.iter().map(|peer| peer.id.clone()).collect();
        self.views.insert(conn, known);
        self.seats.push((joined.id.clone(), room));
        self.apply(room, &joined.effects);
    }

    fn gone(&mut self, conn: ConnId) -> Option<usize> {
        self.views.remove(&conn);
        self.room_by_conn.remove(&conn)
    }

    fn seat(&self, index: usize) -> Option<(PeerId, usize)> {
        self.seats.get(index % self.seats.len().max(1)).cloned()
    }

    /// Every page knows exactly who has a seat in its room.
    fn check_views(&self, rooms: &Rooms) {
        for (conn, (name, id)) in &rooms.seat_by_conn {
            let others: BTreeSet<_> = rooms.by_name[name]
                .others(id)
                .map(|seat| seat.info.id.clone())
                .collect();
            assert_eq!(self.views[conn], others);
        }
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
                    if let Ok(joined) = world.rooms.join(join, world.now()) {
                        book.enter(ConnId(conn), room, &joined);
                    }
                }
                Step::Resume { conn, old } => {
                    let Some((id, room)) = book.seat(old) else { continue };
                    let claim = Claim { id: id.clone(), before_start: old % 2 == 0 };
                    let join = world.request(conn, ROOMS[room], Some(claim));
                    if let Ok(joined) = world.rooms.join(join, world.now()) {
                        prop_assert_eq!(joined.id == id, joined.resumed);
                        book.enter(ConnId(conn), room, &joined);
                    }
                }
                Step::Signal { from, to } => {
                    let Some((id, to_room)) = book.seat(to) else { continue };
                    let result = world.rooms.signal(ConnId(from), &id, candidate(&json!(0)));
                    let room = book.room_by_conn.get(&ConnId(from)).copied();
                    prop_assert_eq!(result.is_ok(), room.is_some());
                    if let Ok(Some(effect)) = result {
                        prop_assert_eq!(room, Some(to_room));
                        book.apply(to_room, &[effect]);
                    }
                }
                Step::Leave(conn) => {
                    let room = book.gone(ConnId(conn));
                    let effects = world.rooms.leave(ConnId(conn));
                    prop_assert!(room.is_some() || effects.is_empty());
                    book.apply(room.unwrap_or(usize::MAX), &effects);
                }
                Step::Lost { conn, complete } => {
                    world.rooms.lost(ConnId(conn), complete, world.now());
                    book.gone(ConnId(conn));
                }
                Step::Pass(seconds) => {
                    for effect in world.pass(seconds) {
                        let Effect::Send { message: ServerMessage::PeerLeft { id }, .. } = &effect
                        else { continue };
                        let room = book.seats.iter().find(|(seat, _)| seat == id).unwrap().1;
                        book.apply(room, &[effect]);
                    }
                }
            }
            check_invariants(&world.rooms);
            book.check_views(&world.rooms);
        }
        for conn in 0..16 {
            world.rooms.lost(ConnId(conn), true, world.now());
        }
        world.pass(30);
        prop_assert!(world.rooms.by_name.is_empty());
        prop_assert!(world.rooms.seat_by_conn.is_empty());
        prop_assert!(world.rooms.count_by_opener.is_empty());
        prop_assert!(world.rooms.deadlines.is_empty());
    }
}

fn check_invariants(rooms: &Rooms) {
    assert!(rooms.by_name.len() <= limits().max_rooms);
    assert_eq!(
        rooms.count_by_opener.values().sum::<usize>(),
        rooms.by_name.len()
    );
    let mut ids = HashSet::new();
    let mut absent = 0;
    for (name, room) in &rooms.by_name {
        assert!((1..=limits().max_peers).contains(&room.seats.len()));
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
