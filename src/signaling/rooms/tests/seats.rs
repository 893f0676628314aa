//! Seats: who gets one, keeps it, and finds it again.

use super::*;

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
            name: "n1".into(),
            number: 1,
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

    assert_eq!(world.leave(1), [sent(2, left(&ana.id))]);
    let closed = Effect::Closed(RoomName::parse("a").unwrap());
    assert_eq!(world.leave(2), [closed]);
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
    assert_eq!(world.admit(fourth), Err(ErrorCode::RoomFull));
    let twice = world.request(1, "b", None);
    assert_eq!(world.admit(twice), Err(ErrorCode::AlreadyJoined));

    world.join(5, "b");
    let third = world.request(6, "c", None);
    assert_eq!(world.admit(third.clone()), Err(ErrorCode::TooManyRooms));
    let elsewhere = Join {
        address: address(2),
        ..third
    };
    assert!(world.admit(elsewhere).is_ok(), "counted per address");
    let fourth = Join {
        address: address(3),
        ..world.request(7, "d", None)
    };
    assert_eq!(
        world.admit(fourth),
        Err(ErrorCode::TooManyRooms),
        "in total"
    );

    world.leave(5);
    world.join(8, "e");
}

#[test]
fn a_seat_is_kept_for_whoever_comes_back_in_time() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.lost(2);
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
    world.lost(2);
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
    assert_eq!(world.leave(2), [], "the old one has no say any more");
    world.lost(2);
    assert_eq!(world.pass(60), []);
    assert_eq!(world.leave(3), [sent(1, left(&bo.id))]);
}

#[test]
fn who_came_and_went_meanwhile_is_told_after_a_resume() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.lost(1);
    world.leave(2);
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
fn whoever_comes_back_late_is_never_taken_for_gone() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.lost(2);
    world.pass(5);
    world.lost(1);
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
    let other = world.enter(stranger);
    assert_ne!(other.id, ana.id);
    assert!(!other.resumed);
}
