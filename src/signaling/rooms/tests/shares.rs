//! What one may send to others, and what becomes of what is too much.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ice::PcConfig;
use crate::signaling::backlog::Full;
use crate::signaling::message::Welcome;

/// An offer of the size that a browser with many codecs makes.
fn offer() -> Value {
    json!("x".repeat(30_000))
}

#[test]
fn what_pages_send_to_somebody_absent_waits_whole() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    let cy = world.join(3, "a");
    world.lost(2);
    // Each offers again and again, and restarts ICE a few times, with its candidates.
    for conn in [1, 3] {
        for round in 0..7 {
            assert_eq!(world.signal(conn, &bo.id, offer()), None);
            for _ in 0..30 {
                let line = format!("{round} candidate:{}", "y".repeat(150));
                assert_eq!(world.signal(conn, &bo.id, json!(line)), None);
            }
        }
    }
    let back = world.resume(4, "a", &bo.id, false);
    assert!(back.resumed && back.anew.is_empty());
    let from = |id: &PeerId| {
        let all = back.effects.iter();
        all.filter(|effect| matches!(effect, Effect::Send { message: ServerMessage::Signal { from, .. }, .. } if from == id))
            .count()
    };
    assert_eq!((from(&ana.id), from(&cy.id)), (7 * 31, 7 * 31));
}

#[test]
fn of_whoever_sends_too_much_to_somebody_absent_nothing_waits_and_the_two_begin_anew() {
    for (count, length) in [(257, 1), (9, 30_000)] {
        let mut world = World::new();
        let ana = world.join(1, "a");
        let bo = world.join(2, "a");
        let cy = world.join(3, "a");
        world.lost(1);
        for number in 0..count {
            let passed =
                world
                    .rooms
                    .signal(ConnId(3), &ana.id, candidate(&json!("x".repeat(length))));
            let last = number + 1 == count;
            assert_eq!(
                passed,
                if last {
                    Err(ErrorCode::TooFast)
                } else {
                    Ok(None)
                }
            );
        }
        let passed = world.rooms.signal(ConnId(3), &ana.id, candidate(&json!(0)));
        assert_eq!(
            passed,
            Err(ErrorCode::TooFast),
            "what follows is good for nothing"
        );
        world.signal(2, &ana.id, json!("waits"));

        let back = world.resume(4, "a", &ana.id, false);
        assert!(back.resumed && back.id == ana.id, "the seat is kept");
        assert_eq!(back.anew, std::slice::from_ref(&cy.id));
        assert_eq!(back.peers.len(), 2);
        assert_eq!(
            back.effects,
            [
                // Who sent too much offers.
                sent(3, left(&ana.id)),
                sent(3, joined(&ana.id, 1)),
                sent(4, joined(&bo.id, 2)),
                sent(4, signal(&bo.id, json!("waits"))),
            ]
        );
        world.lost(4);
        let again = world.resume(5, "a", &ana.id, false);
        assert_eq!(
            again.effects,
            [sent(5, joined(&bo.id, 2))],
            "Cy offers still"
        );
    }
}

#[test]
fn who_is_absent_too_begins_anew_when_it_is_back() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    world.lost(1);
    for _ in 0..9 {
        let _ = world.rooms.signal(ConnId(2), &ana.id, candidate(&offer()));
    }
    world.lost(2);
    let back = world.resume(3, "a", &ana.id, false);
    assert_eq!((back.anew, back.effects), (vec![bo.id.clone()], vec![]));
    world.signal(3, &bo.id, json!("waits"));
    let again = world.resume(4, "a", &bo.id, false);
    assert_eq!(again.anew, std::slice::from_ref(&ana.id));
    assert_eq!(
        again.effects,
        [
            sent(4, joined(&ana.id, 1)),
            sent(4, signal(&ana.id, json!("waits")))
        ]
    );
}

#[test]
fn what_was_not_written_waits_on() {
    let mut world = World::new();
    let ana = world.join(1, "a");
    let bo = world.join(2, "a");
    let mut rest = Backlog::default();
    for number in 0..200 {
        rest.push(signal(&ana.id, json!(number))).unwrap();
    }
    rest.push(ServerMessage::Pong).unwrap();
    let join = world.request(
        3,
        "a",
        Some(Claim {
            id: bo.id.clone(),
            before_start: false,
        }),
    );
    let entry = world.rooms.join(join, world.now(), |old| {
        assert_eq!(old, ConnId(2));
        rest
    });
    let Ok(Entry::In(back)) = entry else {
        panic!("{entry:?}");
    };
    let sent = (0..200).map(|number| sent(3, signal(&ana.id, json!(number))));
    assert!(back.effects.into_iter().skip(1).eq(sent));
}

/// What may happen in one room, where 0 reads little, 1 is its friend, and the others do as they like.
#[derive(Debug, Clone)]
enum Step {
    /// A friend's signal.
    Friend,
    /// From one of the others, as often.
    Flood {
        by: usize,
        to: usize,
        count: usize,
    },
    Lock {
        by: usize,
        locked: bool,
    },
    /// Leaves and comes again as somebody new.
    Churn(usize),
    /// The connection breaks.
    Lost(usize),
    /// Comes back to the seat, whether or not the connection broke.
    Resume(usize),
    Read {
        by: usize,
        count: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let other = 2..4usize;
    let step = prop_oneof![
        3 => Just(Step::Friend),
        3 => (other.clone(), 0..4usize, 1..14usize)
            .prop_map(|(by, to, count)| Step::Flood { by, to, count }),
        2 => (other.clone(), any::<bool>()).prop_map(|(by, locked)| Step::Lock { by, locked }),
        2 => other.prop_map(Step::Churn),
        1 => (0..4usize).prop_map(Step::Lost),
        2 => (0..4usize).prop_map(Step::Resume),
        1 => (0..4usize, 0..80usize).prop_map(|(by, count)| Step::Read { by, count }),
    ];
    prop::collection::vec(step, 0..150)
}

/// A page, as far as it knows the room.
struct Page {
    id: PeerId,
    conn: Option<ConnId>,
    /// Does this page offer to them?
    peers: BTreeMap<PeerId, bool>,
    heard: Vec<(PeerId, String)>,
}

/// The rooms, what waits for each connection, and the pages behind them.
struct Town {
    world: World,
    lines: HashMap<ConnId, Backlog>,
    pages: Vec<Page>,
    conns: u64,
}

impl Town {
    fn new() -> Self {
        let mut world = World::new();
        world.rooms.limits.max_peers = 4;
        let mut town = Self {
            world,
            lines: HashMap::new(),
            pages: Vec::new(),
            conns: 0,
        };
        for _ in 0..4 {
            let page = town.arrive();
            town.pages.push(page);
        }
        town
    }

    fn connect(&mut self, claim: Option<Claim>) -> (ConnId, Joined) {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.lines.insert(conn, Backlog::default());
        let join = self.world.request(self.conns, "a", claim);
        let now = self.world.now();
        let lines = &mut self.lines;
        let entry = self
            .world
            .rooms
            .join(join, now, |old| lines.remove(&old).unwrap());
        let Ok(Entry::In(mut joined)) = entry else {
            panic!("{entry:?}");
        };
        let effects = std::mem::take(&mut joined.effects);
        let before = joined.anew.iter().cloned();
        for message in before
            .map(|id| ServerMessage::PeerLeft { id })
            .chain([welcome(&joined)])
        {
            self.send(conn, message);
        }
        self.carry_out(effects);
        (conn, joined)
    }

    fn arrive(&mut self) -> Page {
        let (conn, joined) = self.connect(None);
        Page {
            id: joined.id,
            conn: Some(conn),
            peers: BTreeMap::new(),
            heard: Vec::new(),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(to, message),
                Effect::Close { conn, reason } => {
                    assert_eq!(reason, CloseReason::Replaced);
                    assert!(!self.lines.contains_key(&conn), "it resumed");
                }
                Effect::Opened(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Nothing but a signal is ever too much.
    fn send(&mut self, to: ConnId, message: ServerMessage) {
        let line = self.lines.get_mut(&to).expect("open");
        line.push(message).expect("place for it");
        assert!(line.rest() <= 64 + 2 * 4 + 2, "{}", line.rest());
    }

    fn signal(&mut self, by: usize, to: usize, data: SignalData) -> Result<(), ErrorCode> {
        let (Some(conn), to) = (self.pages[by].conn, self.pages[to].id.clone()) else {
            return Ok(());
        };
        match self.world.rooms.signal(conn, &to, data)? {
            Some((to, message)) => {
                let line = self.lines.get_mut(&to).expect("open");
                let pushed = line.push(message);
                assert_ne!(pushed, Err(Full::Own));
                pushed.map_err(|_| ErrorCode::TooFast)
            }
            None => Ok(()),
        }
    }

    fn lost(&mut self, by: usize) {
        if let Some(conn) = self.pages[by].conn.take() {
            let rest = self.lines.remove(&conn).expect("open");
            let effects = self.world.rooms.lost(conn, rest, self.world.now());
            assert_eq!(effects, []);
        }
    }

    /// Whoever has a seat gets it.
    fn resume(&mut self, by: usize) {
        let id = self.pages[by].id.clone();
        let claim = Claim {
            id: id.clone(),
            before_start: false,
        };
        let (conn, joined) = self.connect(Some(claim));
        assert!(joined.resumed && joined.id == id);
        self.pages[by].conn = Some(conn);
    }

    fn churn(&mut self, by: usize) {
        if let Some(conn) = self.pages[by].conn
            && !self.world.rooms.is_locked(&RoomName::parse("a").unwrap())
        {
            self.lines.remove(&conn);
            let effects = self.world.leave(conn.0);
            self.carry_out(effects);
            self.pages[by] = self.arrive();
        }
    }

    fn lock(&mut self, by: usize, locked: bool) {
        if let Some(conn) = self.pages[by].conn {
            let effects = self
                .world
                .rooms
                .lock(conn, locked, self.world.now())
                .unwrap();
            self.carry_out(effects);
        }
    }

    fn read(&mut self, by: usize, count: usize) {
        let page = &mut self.pages[by];
        let Some(line) = page.conn.and_then(|conn| self.lines.get_mut(&conn)) else {
            return;
        };
        for message in std::iter::from_fn(|| line.pop()).take(count) {
            page.receive(message);
        }
    }
}

impl Page {
    /// As `web/room.js` does.
    fn receive(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Welcome(welcome) => {
                for peer in welcome.peers {
                    self.peers.entry(peer.id).or_insert(false);
                }
            }
            // Also to somebody known, to whom nothing was offered yet.
            ServerMessage::PeerJoined { peer } => drop(self.peers.insert(peer.id, true)),
            ServerMessage::PeerLeft { id } => drop(self.peers.remove(&id)),
            ServerMessage::Signal { from, data } if data.len() < 100 => {
                let text = serde_json::to_string(&data).unwrap();
                self.heard.push((from, text));
            }
            _ => {}
        }
    }
}

fn welcome(joined: &Joined) -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        id: joined.id.clone(),
        resume: String::new(),
        resumed: joined.resumed,
        peers: joined.peers.clone(),
        locked: joined.locked,
        knocks: joined.knocks.clone(),
        pc_config: PcConfig {
            ice_servers: Vec::new(),
            ice_transport_policy: "all",
        },
    }))
}

/// Plays a story to its end, where everybody is back and has read all.
fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut town = Town::new();
    let mut said = Vec::new();
    let large = candidate(&offer());
    for step in steps {
        match step {
            Step::Friend => {
                let text = said.len().to_string();
                if town.pages[1].conn.is_some() {
                    prop_assert_eq!(town.signal(1, 0, candidate(&json!(text))), Ok(()));
                    said.push((
                        town.pages[1].id.clone(),
                        format!("{{\"candidate\":\"{text}\"}}"),
                    ));
                }
            }
            Step::Flood { by, to, count } => {
                for _ in 0..count {
                    let _ = town.signal(by, to, large.clone());
                }
            }
            Step::Lock { by, locked } => town.lock(by, locked),
            Step::Churn(by) => town.churn(by),
            Step::Lost(by) => town.lost(by),
            Step::Resume(by) => town.resume(by),
            Step::Read { by, count } => town.read(by, count),
        }
    }
    for by in 0..4 {
        town.resume(by);
    }
    for by in 0..4 {
        town.read(by, usize::MAX);
    }
    let [victim, friend, ..] = &town.pages[..] else {
        unreachable!()
    };
    let heard: Vec<_> = victim
        .heard
        .iter()
        .filter(|(from, _)| *from == friend.id)
        .cloned()
        .collect();
    prop_assert_eq!(heard, said);
    for page in &town.pages {
        for other in &town.pages {
            if page.id == other.id {
                continue;
            }
            let offers = (page.peers.get(&other.id), other.peers.get(&page.id));
            let one = matches!(
                offers,
                (Some(true), Some(false)) | (Some(false), Some(true))
            );
            prop_assert!(one, "{:?} and {:?}: {offers:?}", page.id, other.id);
        }
        prop_assert_eq!(page.peers.len(), 3);
    }
    Ok(())
}

proptest! {
    #[test]
    fn nobodys_messages_cost_anybody_else_a_seat_a_connection_or_a_friends_message(steps in steps()) {
        play(steps)?;
    }
}

/// Somebody who sent too much is told that the other has left and come, and loses the connection between the two.
#[test]
fn who_was_told_half_of_it_still_offers() {
    use Step::{Churn, Flood, Lost, Read, Resume};
    let flood = Flood {
        by: 3,
        to: 0,
        count: 9,
    };
    for count in 0..8 {
        let read = Read { by: 3, count };
        let story = vec![Churn(2), Lost(2), Lost(0), flood.clone(), Resume(0), read];
        play(story).unwrap();
    }
}
