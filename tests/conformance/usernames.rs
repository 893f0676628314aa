//! Row 36: what usernames under the shared secret say (draft-uberti-behave-turn-rest, coturn's `use-auth-secret`).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::client::{User, allocation};
use crate::link::Via;
use crate::peer::Peer;
use crate::target::{SECRET, Setup, Target};

stories! {
    row_36_names_before_and_behind_an_expiry: udp tcp tls;
    row_36_names_like_those_of_pages: udp tcp tls;
    row_36_names_like_those_of_named_users: udp;
    row_36_an_expiry_over_or_years_ahead: udp tcp tls;
}

const HOUR: u64 = 3600;
const YEAR: u64 = 366 * 24 * HOUR;
/// More than a check may have.
const MANY: usize = 40;

pub(crate) fn seconds_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// With the password that the shared secret gives this name.
pub(crate) fn signed(name: &str) -> User {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    let password = STANDARD.encode(hmac::sign(&key, name.as_bytes()));
    User::new(name, &password)
}

fn check(server: &Target, name: &str, via: Via, granted: bool) {
    println!("{name}");
    let answer = server.client_of(&signed(name), via).ask(&allocation());
    assert_eq!(answer.error(), (!granted).then_some(401));
}

fn row_36_names_before_and_behind_an_expiry(via: Via) {
    let Some(server) = Setup::default().start() else {
        return;
    };
    let live = seconds_now() + HOUR / 2;
    for name in ["carol", "v-anna", "c-3po", "v-anna.AAAAAAAAAAAAAAAA"] {
        check(&server, &format!("{live}:{name}"), via, true);
        check(&server, &format!("{name}:{live}"), via, true);
    }
    check(&server, &live.to_string(), via, true);
    check(&server, &format!("{live}:"), via, true);
    for other in ["carol", "v-anna", "c-3po", ":", ""] {
        check(&server, other, via, false);
        check(&server, &format!(":{live}{other}"), via, false);
    }
}

/// They are neither slow like checks nor as few, nor have to be in a room.
fn row_36_names_like_those_of_pages(via: Via) {
    let setup = Setup::default().limit("check_bitrate = \"64 kbit/s\"");
    let Some(server) = setup.start() else {
        return;
    };
    let peer = Peer::new();
    let user = signed(&format!("{}:c-3po", seconds_now() + 60));
    let clients: Vec<_> = (0..MANY)
        .map(|_| {
            let mut client = server.client_of(&user, via);
            client.allocate();
            client
        })
        .collect();
    let mut client = clients.into_iter().next_back().unwrap();
    client.permit(&[peer.address()]);
    // A check would be stopped after eight thousand bytes, and where nobody has answered after twenty packets.
    for number in 0..30_u8 {
        client.send_to(peer.address(), &[number; 1000]);
        assert_eq!(peer.receive().0, [number; 1000]);
    }
}

fn row_36_names_like_those_of_named_users(via: Via) {
    let Some(server) = Setup::default().start() else {
        return;
    };
    // The name alone is Alice's; with an expiry it is another program's.
    check(&server, &server.alice.name, via, false);
    let live = seconds_now() + HOUR;
    check(&server, &format!("{live}:{}", server.alice.name), via, true);
    server.client(via).allocate();
}

fn row_36_an_expiry_over_or_years_ahead(via: Via) {
    let Some(server) = Setup::default().start() else {
        return;
    };
    let now = seconds_now();
    for (expiry, granted) in [
        (now - 1, false),
        (now + 60, true),
        (now + YEAR - HOUR, true),
        (now + YEAR + HOUR, false),
        ((now + HOUR) * 1000, false),
        (u64::MAX, false),
    ] {
        check(&server, &format!("{expiry}:carol"), via, granted);
        check(&server, &format!("carol:{expiry}"), via, granted);
        check(&server, &expiry.to_string(), via, granted);
    }
}
