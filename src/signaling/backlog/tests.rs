use serde_json::json;

use super::*;
use crate::ice::PcConfig;
use crate::signaling::message::{PeerInfo, Welcome};

impl Backlog {
    /// How many messages wait that are at no sender's expense.
    pub(crate) fn rest(&self) -> usize {
        let paid: usize = self.shares.iter().map(|share| share.messages).sum();
        self.queue.len() - paid
    }
}

fn id(text: &str) -> PeerId {
    PeerId(text.into())
}

fn info(text: &str) -> PeerInfo {
    PeerInfo {
        id: id(text),
        name: text.into(),
        number: 1,
    }
}

fn signal(from: &str, bytes: usize) -> ServerMessage {
    let empty = "\"\"".len();
    let data = json!({ "candidate": "x".repeat(bytes - empty) });
    ServerMessage::Signal {
        from: id(from),
        data: serde_json::from_value(data).unwrap(),
    }
}

fn joined(text: &str) -> ServerMessage {
    ServerMessage::PeerJoined { peer: info(text) }
}

fn left(text: &str) -> ServerMessage {
    ServerMessage::PeerLeft { id: id(text) }
}

fn knock(text: &str) -> ServerMessage {
    ServerMessage::Knock { peer: info(text) }
}

fn knock_ended(text: &str) -> ServerMessage {
    ServerMessage::KnockEnded { id: id(text) }
}

fn locked(locked: bool) -> ServerMessage {
    let by = id("a");
    ServerMessage::Locked { locked, by }
}

fn welcome(peers: &[&str], knocks: &[&str]) -> ServerMessage {
    let infos = |names: &[&str]| names.iter().map(|name| info(name)).collect();
    ServerMessage::Welcome(Box::new(Welcome {
        id: id("own"),
        resume: String::new(),
        resumed: false,
        peers: infos(peers),
        locked: true,
        knocks: infos(knocks),
        pc_config: PcConfig {
            ice_servers: Vec::new(),
            ice_transport_policy: "all",
        },
    }))
}

fn filled(messages: impl IntoIterator<Item = ServerMessage>) -> Backlog {
    let mut backlog = Backlog::default();
    for message in messages {
        backlog.push(message).unwrap();
    }
    backlog
}

fn all(backlog: &mut Backlog) -> Vec<ServerMessage> {
    std::iter::from_fn(|| backlog.pop()).collect()
}

#[test]
fn each_sender_has_a_share_of_its_own() {
    for (fits, bytes) in [(SHARE_MESSAGES, 50), (8, 32 * 1024), (4, 64 * 1024)] {
        let mut backlog = Backlog::default();
        for _ in 0..fits {
            backlog.push(signal("a", bytes)).unwrap();
        }
        assert_eq!(backlog.push(signal("a", bytes)), Err(Full::Sender));
        for _ in 0..fits {
            backlog.push(signal("b", bytes)).unwrap();
        }
        backlog.push(joined("c")).unwrap();
        backlog.push(ServerMessage::Pong).unwrap();
        // What was read gives its place back.
        backlog.pop().unwrap();
        backlog.push(signal("a", bytes)).unwrap();
        assert_eq!(backlog.push(signal("a", bytes)), Err(Full::Sender));
        assert_eq!(all(&mut backlog).len(), 2 * fits + 2);
        assert!(backlog.shares.is_empty() && backlog.own == 0);
    }
    let mut backlog = Backlog::default();
    assert_eq!(
        backlog.push(signal("a", SHARE_BYTES + 1)),
        Err(Full::Sender)
    );
    assert!(backlog.is_empty() && backlog.shares.is_empty());
}

#[test]
fn whoever_asks_for_more_than_it_reads_has_had_enough() {
    let mut backlog = filled((0..OWN_MESSAGES).map(|_| ServerMessage::Pong));
    assert_eq!(backlog.push(ServerMessage::Pong), Err(Full::Own));
    backlog.push(signal("a", 50)).unwrap();
    backlog.push(left("b")).unwrap();
}

#[test]
fn who_came_and_went_unseen_is_not_told_of() {
    let mut backlog = filled([joined("a")]);
    for n in 0..1000 {
        let name = n.to_string();
        backlog.push(joined(&name)).unwrap();
        backlog.push(signal(&name, 50)).unwrap();
        backlog.push(left(&name)).unwrap();
        backlog.push(knock(&name)).unwrap();
        backlog.push(knock_ended(&name)).unwrap();
    }
    backlog.push(left("b")).unwrap();
    assert_eq!(all(&mut backlog), [joined("a"), left("b")]);
}

#[test]
fn whom_a_welcome_names_is_known() {
    let mut backlog = filled([
        welcome(&["a", "b"], &["c"]),
        joined("b"),
        left("a"),
        left("b"),
        knock_ended("c"),
        joined("c"),
        left("c"),
    ]);
    let told = all(&mut backlog);
    assert_eq!(told[1..], [left("a"), left("b"), knock_ended("c")]);
}

#[test]
fn whoever_is_to_be_begun_anew_with_and_leaves_is_told_to_have_left() {
    let mut backlog = filled([signal("a", 50), left("a"), joined("a"), left("a")]);
    assert_eq!(all(&mut backlog), [left("a")]);
    let mut backlog = filled([left("a"), joined("a")]);
    assert_eq!(all(&mut backlog), [left("a"), joined("a")]);
}

#[test]
fn of_a_lock_the_last_is_told() {
    let mut backlog = filled((0..1000).map(|n| locked(n % 2 == 0)));
    assert_eq!(all(&mut backlog), [locked(false)]);
}
