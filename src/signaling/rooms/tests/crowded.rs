//! Rooms that make way for others.

use super::*;

fn closed(conn: u64) -> Effect {
    Effect::Close {
        conn: ConnId(conn),
        reason: CloseReason::MadeWay,
    }
}

fn ended(room: &str) -> Effect {
    Effect::Closed(RoomName::parse(room).unwrap())
}

fn opened(room: &str) -> Effect {
    Effect::Opened(RoomName::parse(room).unwrap())
}

impl World {
    fn join_from(&mut self, from: u8, conn: u64, room: &str) -> Result<Vec<Effect>, ErrorCode> {
        let join = Join {
            address: address(from),
            ..self.request(conn, room, None)
        };
        match self.admit(join)? {
            Entry::In(joined) => Ok(joined.effects),
            Entry::Knocking(_) => panic!("has to knock"),
        }
    }
}

#[test]
fn who_has_been_alone_longest_makes_way() {
    let mut world = World::new();
    let first = world.join(1, "first");
    world.pass(10);
    world.join(2, "second");
    world.pass(49);
    assert_eq!(
        world.join_from(1, 3, "third"),
        Err(ErrorCode::TooManyRooms),
        "a minute is everybody's"
    );
    world.pass(1);
    assert_eq!(
        world.join_from(1, 3, "third"),
        Ok(vec![
            Effect::MadeWay,
            closed(1),
            ended("first"),
            opened("third")
        ])
    );
    assert!(!world.rooms.is_seated(ConnId(1)));
    assert_eq!(world.rooms.len(), 2);
    // Whoever had to go waits until there is a place, and throws nobody out.
    world.pass(100);
    let claim = Claim {
        id: first.id.clone(),
        before_start: false,
    };
    let mut back = world.request(4, "first", Some(claim));
    back.locked = true;
    assert_eq!(
        world.rooms.refusal(&back, world.now()),
        Some(ErrorCode::TooManyRooms)
    );
    assert_eq!(world.admit(back.clone()), Err(ErrorCode::TooManyRooms));
    world.leave(2);
    assert_eq!(world.rooms.refusal(&back, world.now()), None);
    let back = world.enter(back);
    assert_ne!(back.id, first.id);
    assert_eq!(back.effects, [opened("first")]);
    assert!(back.locked, "as it was");
}

#[test]
fn a_locked_room_stays_for_longer() {
    let mut world = World::new();
    world.join(1, "locked");
    world.rooms.lock(ConnId(1), true, world.now()).unwrap();
    world.pass(500);
    world.join(2, "open");
    world.pass(60);
    assert_eq!(
        world.join_from(1, 3, "third"),
        Ok(vec![
            Effect::MadeWay,
            closed(2),
            ended("open"),
            opened("third")
        ])
    );
    world.pass(39);
    assert_eq!(
        world.join_from(1, 4, "fourth"),
        Err(ErrorCode::TooManyRooms)
    );
    world.join(5, "third");
    world.pass(1);
    assert_eq!(
        world.join_from(1, 4, "fourth"),
        Ok(vec![
            Effect::MadeWay,
            closed(1),
            ended("locked"),
            opened("fourth")
        ])
    );
}

#[test]
fn a_call_and_those_who_are_about_to_begin_one_stay() {
    let mut world = World::new();
    world.join(1, "call");
    world.join(2, "call");
    world.join(3, "door");
    world.rooms.lock(ConnId(3), true, world.now()).unwrap();
    let knock = world.request(4, "door", None);
    world.admit(knock).unwrap();
    world.pass(100);
    assert_eq!(world.join_from(1, 5, "new"), Err(ErrorCode::TooManyRooms));
    world.leave(2);
    world.pass(59);
    assert_eq!(world.join_from(1, 5, "new"), Err(ErrorCode::TooManyRooms));
    world.pass(1);
    assert_eq!(
        world.join_from(1, 5, "new"),
        Ok(vec![
            Effect::MadeWay,
            closed(1),
            ended("call"),
            opened("new")
        ])
    );
}

#[test]
fn of_one_address_its_own_of_all_anybodys() {
    let mut world = World::new();
    world.join_from(2, 1, "theirs").unwrap();
    world.pass(1);
    world.join(2, "a");
    world.join(3, "b");
    world.pass(60);
    let mine = world.join_from(1, 4, "c").unwrap();
    assert!(
        mine.contains(&ended("a")) || mine.contains(&ended("b")),
        "{mine:?}"
    );
    assert_eq!(
        world.join_from(3, 5, "d"),
        Ok(vec![
            Effect::MadeWay,
            closed(1),
            ended("theirs"),
            opened("d")
        ]),
        "there are as many as there may be"
    );
}

#[test]
fn an_empty_seat_makes_way_too() {
    let mut world = World::new();
    world.join(1, "a");
    world.pass(1);
    world.join(2, "b");
    world.pass(49);
    world.lost(1);
    world.pass(10);
    assert_eq!(
        world.join_from(1, 3, "c"),
        Ok(vec![Effect::MadeWay, ended("a"), opened("c")])
    );
    assert_eq!(world.pass(30), [], "its time is forgotten");
    assert_eq!(world.rooms.next_deadline(), None);
}
