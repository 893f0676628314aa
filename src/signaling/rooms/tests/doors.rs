//! Locked rooms.

use super::*;
use door::{MAX_KNOCKS, MAX_KNOCKS_PER_ADDRESS};

fn locked(locked: bool, by: &PeerId) -> ServerMessage {
    let by = by.clone();
    ServerMessage::Locked { locked, by }
}

fn knock(join: &Join) -> ServerMessage {
    ServerMessage::Knock {
        peer: join.info.clone(),
    }
}

fn ended(join: &Join) -> ServerMessage {
    ServerMessage::KnockEnded {
        id: join.info.id.clone(),
    }
}

/// The only one admitted by these effects.
fn admitted(effects: &[Effect]) -> (ConnId, &Joined) {
    let mut found = effects.iter().filter_map(|effect| match effect {
        Effect::Admitted { conn, joined } => Some((*conn, joined)),
        _ => None,
    });
    let first = found.next().expect("somebody is admitted");
    assert!(found.next().is_none());
    first
}

impl World {
    /// Ana, on connection 1, has locked room "a".
    fn behind_a_lock() -> (Self, PeerId) {
        let mut world = Self::new();
        let ana = world.join(1, "a").id;
        let effects = world.rooms.lock(ConnId(1), true, world.now()).unwrap();
        assert_eq!(effects, [sent(1, locked(true, &ana))]);
        (world, ana)
    }

    fn knock_from(&mut self, conn: u64, last: u8) -> Result<Join, ErrorCode> {
        let join = Join {
            address: address(last),
            ..self.request(conn, "a", None)
        };
        match self.admit(join.clone())? {
            Entry::In(_) => panic!("is in"),
            Entry::Knocking(effects) => {
                assert_eq!(effects[0], sent(1, knock(&join)), "those inside hear of it");
                Ok(join)
            }
        }
    }

    fn knock(&mut self, conn: u64) -> Join {
        self.knock_from(conn, 1).unwrap()
    }
}

#[test]
fn whoever_knocks_is_in_once_somebody_inside_says_so() {
    let (mut world, ana) = World::behind_a_lock();
    let bo = world.knock(2);
    assert!(world.rooms.is_knocking(ConnId(2)) && !world.rooms.is_seated(ConnId(2)));
    let effects = world
        .rooms
        .admit(ConnId(1), &bo.info.id, world.now())
        .unwrap();
    assert_eq!(effects[0], sent(1, ended(&bo)));
    let (conn, in_now) = admitted(&effects);
    assert_eq!((conn, &in_now.id), (ConnId(2), &bo.info.id));
    assert_eq!(in_now.peers[0].id, ana);
    assert!(in_now.locked && in_now.knocks.is_empty());
    assert_eq!(in_now.effects, [sent(1, joined(&bo.info.id, 2))]);
    assert!(world.rooms.is_seated(ConnId(2)) && !world.rooms.is_knocking(ConnId(2)));
    let again = world.rooms.admit(ConnId(1), &bo.info.id, world.now());
    assert_eq!(again, Ok(vec![]), "two may answer at once");
}

#[test]
fn whoever_is_refused_is_told_and_may_knock_again() {
    let (mut world, _) = World::behind_a_lock();
    let bo = world.knock(2);
    let refused = Effect::Refuse {
        conn: ConnId(2),
        code: ErrorCode::Refused,
    };
    assert_eq!(
        world.rooms.refuse(ConnId(1), &bo.info.id),
        Ok(vec![sent(1, ended(&bo)), refused])
    );
    world.knock(2);
}

#[test]
fn only_those_inside_open_and_only_their_own_room() {
    let (mut world, _) = World::behind_a_lock();
    let bo = world.knock(2);
    let now = world.now();
    let outside = Err(ErrorCode::NotJoined);
    assert_eq!(world.rooms.admit(ConnId(2), &bo.info.id, now), outside);
    assert_eq!(world.rooms.refuse(ConnId(2), &bo.info.id), outside);
    assert_eq!(world.rooms.lock(ConnId(2), false, now), outside);
    assert_eq!(
        world
            .rooms
            .signal(ConnId(2), &bo.info.id, candidate(&json!(1))),
        Err(ErrorCode::NotJoined)
    );
    world.join(3, "b");
    assert_eq!(world.rooms.admit(ConnId(3), &bo.info.id, now), Ok(vec![]));
    assert!(world.rooms.is_knocking(ConnId(2)));
}

#[test]
fn whoever_goes_away_no_longer_waits() {
    let (mut world, _) = World::behind_a_lock();
    let bo = world.knock(2);
    assert_eq!(world.leave(2), [sent(1, ended(&bo))]);
    let bo = world.knock(2);
    let now = world.now();
    let lost = world.rooms.lost(ConnId(2), Backlog::default(), now);
    assert_eq!(lost, [sent(1, ended(&bo))]);
    assert_eq!(world.pass(60), [], "no seat was kept");
}

#[test]
fn an_unlocked_room_lets_in_who_waits_as_far_as_there_are_seats() {
    let (mut world, ana) = World::behind_a_lock();
    let waiting = [2, 3, 4].map(|conn| world.knock(conn));
    let effects = world.rooms.lock(ConnId(1), false, world.now()).unwrap();
    assert_eq!(effects[0], sent(1, locked(false, &ana)));
    assert_eq!(
        effects[1..4],
        waiting.each_ref().map(|join| sent(1, ended(join)))
    );
    let Effect::Admitted { conn, joined } = &effects[5] else {
        panic!("{effects:?}");
    };
    assert_eq!(
        (*conn, joined.locked, joined.peers.len()),
        (ConnId(3), false, 2)
    );
    let full = Effect::Refuse {
        conn: ConnId(4),
        code: ErrorCode::RoomFull,
    };
    assert_eq!(effects[6..], [full]);
}

#[test]
fn a_full_room_lets_nobody_knock_and_who_waits_waits_on() {
    let gone = PeerId("gone".into());
    let (mut world, _) = World::behind_a_lock();
    let [bo, cy, di] = [2, 3, 4].map(|conn| world.knock(conn));
    for join in [&bo, &cy] {
        world
            .rooms
            .admit(ConnId(1), &join.info.id, world.now())
            .unwrap();
    }
    let full = Err(ErrorCode::RoomFull);
    assert_eq!(world.rooms.admit(ConnId(1), &di.info.id, world.now()), full);
    assert!(world.rooms.is_knocking(ConnId(4)));
    let nobody = world.rooms.admit(ConnId(1), &cy.info.id, world.now());
    assert_eq!(nobody, Ok(vec![]), "another one was quicker");
    assert_eq!(world.rooms.admit(ConnId(1), &gone, world.now()), Ok(vec![]));
    assert_eq!(world.knock_from(5, 1).unwrap_err(), ErrorCode::RoomFull);
    world.leave(2);
    let effects = world
        .rooms
        .admit(ConnId(3), &di.info.id, world.now())
        .unwrap();
    assert_eq!(admitted(&effects).0, ConnId(4));
}

#[test]
fn knocks_are_bounded_per_room_and_per_address() {
    let (mut world, _) = World::behind_a_lock();
    for conn in 2..2 + MAX_KNOCKS_PER_ADDRESS as u64 {
        world.knock(conn);
    }
    assert_eq!(
        world.knock_from(20, 1).unwrap_err(),
        ErrorCode::TooManyKnocks
    );
    for other in MAX_KNOCKS_PER_ADDRESS..MAX_KNOCKS {
        let other = u8::try_from(other).unwrap();
        world.knock_from(20 + u64::from(other), 10 + other).unwrap();
    }
    assert_eq!(
        world.knock_from(40, 99).unwrap_err(),
        ErrorCode::TooManyKnocks
    );
}

#[test]
fn who_comes_back_to_a_seat_need_not_knock_and_learns_who_does() {
    let (mut world, ana) = World::behind_a_lock();
    world.lost(1);
    let bo = world.request(2, "a", None);
    let entry = world.admit(bo.clone()).unwrap();
    assert_eq!(entry, Entry::Knocking(vec![]), "all are away for a moment");
    let back = world.resume(3, "a", &ana, false);
    assert!(back.resumed && back.locked);
    assert_eq!(back.knocks, std::slice::from_ref(&bo.info));
}

#[test]
fn whoever_comes_back_too_late_knocks() {
    let (mut world, _) = World::behind_a_lock();
    let bo = world.knock(2);
    world
        .rooms
        .admit(ConnId(1), &bo.info.id, world.now())
        .unwrap();
    world.lost(2);
    world.pass(30);
    let claim = Claim {
        id: bo.info.id,
        before_start: false,
    };
    let late = world.request(3, "a", Some(claim));
    assert!(world.rooms.has_to_knock(&late, world.now()));
    let entry = world.admit(late.clone()).unwrap();
    assert_eq!(entry, Entry::Knocking(vec![sent(1, knock(&late))]));
}

#[test]
fn when_the_last_one_inside_leaves_nobody_is_let_in() {
    let away = Effect::Refuse {
        conn: ConnId(2),
        code: ErrorCode::RoomClosed,
    };
    let closed = Effect::Closed(RoomName::parse("a").unwrap());
    let (mut world, _) = World::behind_a_lock();
    world.knock(2);
    assert_eq!(world.leave(1), [closed.clone(), away.clone()]);
    assert!(!world.join(2, "a").locked, "whoever comes now opens it");

    let (mut world, _) = World::behind_a_lock();
    world.knock(2);
    world.lost(1);
    assert_eq!(world.pass(30), [closed, away]);
}

#[test]
fn after_a_restart_the_lock_comes_back_with_those_who_were_inside() {
    let mut world = World::new();
    let claim = |id: &str| Claim {
        id: PeerId(id.into()),
        before_start: true,
    };
    let ana = Join {
        locked: true,
        ..world.request(1, "a", Some(claim("x")))
    };
    assert!(world.enter(ana.clone()).locked);
    let bo = world.knock(2);
    let cy = Join {
        locked: true,
        ..world.request(3, "a", Some(claim("y")))
    };
    let cy = world.enter(cy);
    assert_eq!(
        (cy.resumed, cy.locked, cy.knocks),
        (true, true, vec![bo.info.clone()])
    );
    assert_eq!(
        cy.effects,
        [sent(1, joined(&PeerId("y".into()), 3))],
        "locked already"
    );

    let mut world = World::new();
    world.join(1, "a");
    let first = PeerId("x".into());
    let mut late = ana.clone();
    late.conn = ConnId(2);
    late.info.name = "n2".into();
    let back = world.enter(late);
    assert_eq!(
        back.effects,
        [sent(1, joined(&first, 2)), sent(1, locked(true, &first))],
        "somebody was quicker, and is seen"
    );
    let stranger = Join {
        locked: true,
        ..world.request(3, "b", None)
    };
    assert!(
        !world.enter(stranger).locked,
        "only a seat gives the right to say so"
    );
}

#[test]
fn a_seat_from_before_the_start_is_no_way_past_a_lock_of_today() {
    let claim = || Claim {
        id: PeerId("x".into()),
        before_start: true,
    };
    let (mut world, _) = World::behind_a_lock();
    let mallory = world.request(2, "a", Some(claim()));
    let entry = world.admit(mallory.clone()).unwrap();
    assert_eq!(entry, Entry::Knocking(vec![sent(1, knock(&mallory))]));

    let mut world = World::new();
    world.pass(60);
    world.join(1, "a");
    assert!(
        !world.resume(2, "a", &claim().id, true).resumed,
        "long after the start"
    );
}

#[test]
fn people_of_the_same_look_have_numbers_inside_and_before_the_door() {
    let mut world = World::new();
    let named = |world: &mut World, conn, name: &str| {
        let mut join = world.request(conn, "a", None);
        join.info.name = name.into();
        join
    };
    let ana = named(&mut world, 1, "Ana");
    world.enter(ana);
    // In Cyrillic letters.
    let second = named(&mut world, 2, "\u{410}n\u{430}");
    assert_eq!(world.enter(second).peers[0].number, 1);
    world.rooms.lock(ConnId(1), true, world.now()).unwrap();
    let third = named(&mut world, 3, "Ana");
    let Ok(Entry::Knocking(effects)) = world.admit(third.clone()) else {
        panic!("is in");
    };
    let peer = PeerInfo {
        number: 3,
        ..third.info
    };
    let knock = ServerMessage::Knock { peer: peer.clone() };
    assert_eq!(effects[0], sent(1, knock));
    let now = world.now();
    let effects = world.rooms.admit(ConnId(1), &peer.id, now).unwrap();
    let (_, joined) = admitted(&effects);
    let numbers: Vec<_> = joined.peers.iter().map(|peer| peer.number).collect();
    assert_eq!(numbers, [1, 2]);
    let told = ServerMessage::PeerJoined { peer };
    assert_eq!(joined.effects[0], sent(1, told));
    // The number of whoever left is free.
    world.leave(2);
    world.rooms.lock(ConnId(1), false, now).unwrap();
    let again = named(&mut world, 4, "Ana");
    let peer = PeerInfo {
        number: 2,
        ..again.info.clone()
    };
    let told = ServerMessage::PeerJoined { peer };
    assert_eq!(world.enter(again).effects[0], sent(1, told));
}
