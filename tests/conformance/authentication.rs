//! Rows 2 to 5, 13 and 14: the long-term credential mechanism (RFC 8489 §9.2).

use crate::client::{Client, User, allocation, channel_bind, permission, refresh};
use crate::link::Via;
use crate::peer::Peer;
use crate::target::{Setup, Target};
use crate::usernames::{seconds_now, signed};
use crate::wire::{Draft, Message, attribute as a};

stories! {
    row_02_allocate_without_integrity: udp tcp tls;
    row_02_other_requests_without_integrity: udp tcp tls;
    row_03_wrong_password: udp tcp tls;
    row_03_unknown_user: udp tcp tls;
    row_03_expired_user: udp tcp tls;
    row_04_missing_username_realm_or_nonce: udp tcp tls;
    row_05_foreign_nonce: udp tcp tls;
    row_05_nonce_of_another_client: udp tcp tls;
    row_13_no_allocation: udp tcp tls;
    row_14_another_user: udp tcp tls;
}

/// An unsigned error that says where and how to log in.
fn check_challenge(answer: &Message, code: u16, server: &Target) {
    assert_eq!(answer.error(), Some(code));
    assert_eq!(answer.get(a::REALM), Some(server.realm.as_bytes()));
    assert!(answer.get(a::NONCE).is_some_and(|nonce| !nonce.is_empty()));
    assert!(!answer.has_integrity(), "a challenge is not signed");
}

fn row_02_allocate_without_integrity(via: Via) {
    let server = Target::start();
    let answer = server.stranger(via).exchange(&allocation());
    check_challenge(&answer, 401, &server);
}

fn row_02_other_requests_without_integrity(via: Via) {
    let server = Target::start();
    let peer = Peer::new().address();
    let mut client = server.stranger(via);
    for draft in [refresh(), permission(&[peer]), channel_bind(0x4000, peer)] {
        check_challenge(&client.exchange(&draft), 401, &server);
    }
    let (mut client, _) = server.allocated(via);
    let answer = client.exchange(&refresh().lifetime(0));
    check_challenge(&answer, 401, &server);
    client.granted(&refresh());
}

/// A first signed Allocate of this user.
fn first_allocate(server: &Target, user: &User, via: Via) -> (Client, Message) {
    let mut client = server.client_of(user, via);
    let answer = client.ask(&allocation());
    (client, answer)
}

fn row_03_wrong_password(via: Via) {
    let server = Target::start();
    let user = User::new(&server.alice.name, "guess");
    let (mut client, answer) = first_allocate(&server, &user, via);
    check_challenge(&answer, 401, &server);
    client.log_in(&server.alice);
    client.allocate();
}

fn row_03_unknown_user(via: Via) {
    let server = Target::start();
    let user = User::new("nobody", &server.alice.password);
    let (_, answer) = first_allocate(&server, &user, via);
    check_challenge(&answer, 401, &server);
}

fn row_03_expired_user(via: Via) {
    let Some(server) = Setup::default().start() else {
        return;
    };
    let now = seconds_now();
    let expired = signed(&format!("{}:carol", now - 60));
    let (_, answer) = first_allocate(&server, &expired, via);
    check_challenge(&answer, 401, &server);
    let valid = signed(&format!("{}:carol", now + 60));
    server.client_of(&valid, via).allocate();
}

fn row_04_missing_username_realm_or_nonce(via: Via) {
    let server = Target::start();
    let mut client = server.client(via);
    let login = client.login().clone();
    let parts = [
        (a::USERNAME, login.user.as_bytes()),
        (a::REALM, &login.realm),
        (a::NONCE, &login.nonce),
    ];
    for (missing, _) in parts {
        let draft = parts
            .iter()
            .filter(|(kind, _)| *kind != missing)
            .fold(allocation(), |draft, (kind, value)| {
                draft.with(*kind, value)
            });
        let answer = client.exchange(&draft.integrity(&login.key));
        assert_eq!(answer.error(), Some(400), "without {missing:#x}");
        assert!(!answer.has_integrity(), "without {missing:#x}");
    }
    client.allocate();
}

/// Signs with this nonce, is told a new one, and succeeds with that.
fn check_stale(server: &Target, mut client: Client, nonce: &[u8]) {
    client.set_nonce(nonce);
    let signed = client.login().sign(allocation());
    let answer = client.exchange(&signed);
    check_challenge(&answer, 438, server);
    let fresh = answer.get(a::NONCE).unwrap();
    assert_ne!(fresh, nonce);
    client.set_nonce(fresh);
    let again = client.login().sign(allocation());
    assert!(client.exchange(&again).is_success(), "the retry");
}

fn row_05_foreign_nonce(via: Via) {
    let server = Target::start();
    let genuine = server.client(via).login().nonce.clone();
    let mut altered = genuine.clone();
    altered[0] = if altered[0] == b'a' { b'b' } else { b'a' };
    let cut = &genuine[..genuine.len() - 1];
    for nonce in [
        &b"adl7W7PeDU4hKE72jdaQvbAMcr6h39sm"[..],
        b"x",
        &altered,
        cut,
        &[b'0'; 127],
    ] {
        check_stale(&server, server.client(via), nonce);
    }
}

fn row_05_nonce_of_another_client(via: Via) {
    let server = Target::start();
    let other = server.client(via);
    check_stale(&server, server.client(via), &other.login().nonce);
}

fn requests_on_an_allocation() -> [Draft; 3] {
    let peer = Peer::new().address();
    [refresh(), permission(&[peer]), channel_bind(0x4000, peer)]
}

fn row_13_no_allocation(via: Via) {
    let server = Target::start();
    for draft in requests_on_an_allocation() {
        server.client(via).refused(&draft, 437);
    }
}

fn row_14_another_user(via: Via) {
    let server = Target::start();
    let (mut client, _) = server.allocated(via);
    client.log_in(&server.bob);
    for draft in requests_on_an_allocation() {
        client.refused(&draft, 441);
    }
    client.refused(&refresh().lifetime(0), 441);
    client.refused(&allocation(), 437);
    client.log_in(&server.alice);
    client.granted(&refresh());
}
