//! Row 12: EVEN-PORT and RESERVATION-TOKEN (RFC 8656 §7.2).

use crate::client::{allocation, relayed};
use crate::link::Via;
use crate::target::{Setup, Target};
use crate::wire::{Draft, attribute as a};

stories! {
    row_12_even_port: udp tcp tls;
    row_12_reserved_port: udp tcp tls;
    row_12_reserved_port_with_two_shards: udp tcp tls;
    row_12_token_that_was_never_given: udp tcp tls;
    row_12_even_port_beside_a_token: udp tcp tls;
}

/// The R bit: reserve the next port too.
const RESERVE: u8 = 0x80;

fn even_port(bits: u8) -> Draft {
    allocation().with(a::EVEN_PORT, &[bits])
}

fn with_token(token: &[u8]) -> Draft {
    allocation().with(a::RESERVATION_TOKEN, token)
}

fn row_12_even_port(via: Via) {
    let server = Target::start();
    // A random port is even half of the time.
    for _ in 0..8 {
        let mut client = server.client(via);
        let answer = client.granted(&even_port(0));
        assert_eq!(relayed(&answer).port() % 2, 0);
        assert_eq!(answer.get(a::RESERVATION_TOKEN), None);
        client.free();
    }
}

fn check_reservation(server: &Target, via: Via) {
    let mut first = server.client(via);
    let answer = first.granted(&even_port(RESERVE));
    let even = relayed(&answer);
    assert_eq!(even.port() % 2, 0);
    let token = answer.get(a::RESERVATION_TOKEN).expect("RESERVATION-TOKEN");
    assert_eq!(token.len(), 8);

    let mut second = server.client(via);
    let signed = second.login().sign(with_token(token));
    let next = relayed(&second.exchange(&signed));
    assert_eq!((next.ip(), next.port()), (even.ip(), even.port() + 1));
    let again = second.exchange(&signed);
    assert!(again.is_success(), "the same again: {:?}", again.error());
    assert_eq!(relayed(&again), next);

    server.client(via).refused(&with_token(token), 508);
    first.free();
    second.free();
}

fn row_12_reserved_port(via: Via) {
    check_reservation(&Target::start(), via);
}

/// Which shard a client lands on is the kernel's choice; of so many, some of each pair land on two.
fn row_12_reserved_port_with_two_shards(via: Via) {
    let Some(server) = Setup::default().turn("shards = 2").start() else {
        return;
    };
    for _ in 0..8 {
        check_reservation(&server, via);
    }
}

fn row_12_token_that_was_never_given(via: Via) {
    let server = Target::start();
    server.client(via).refused(&with_token(b"12345678"), 508);
}

fn row_12_even_port_beside_a_token(via: Via) {
    let server = Target::start();
    let draft = with_token(b"12345678").with(a::EVEN_PORT, &[0]);
    server.client(via).refused(&draft, 400);
}
