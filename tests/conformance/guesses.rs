//! Who guesses passwords of named users is slowed, and nobody else.

use std::net::UdpSocket;

use crate::client::{Client, User, allocation, refresh};
use crate::link::{Link, Via};
use crate::target::Setup;

stories! {
    guesses_are_slowed_and_nobody_else_is: udp tcp tls;
}

/// Failures that are answered at once.
const ANSWERED: usize = 10;

fn guesses_are_slowed_and_nobody_else_is(via: Via) {
    let Some(server) = Setup::default().turn("shards = 2").start() else {
        return;
    };
    let (mut running, _) = server.allocated(via);
    let guess = User::new(&server.alice.name, "guess");
    // Each from a port of its own, so that it does not matter which shard it comes to.
    for _ in 0..ANSWERED {
        let answer = server.client_of(&guess, via).ask(&allocation());
        assert_eq!(answer.error(), Some(401));
    }
    let mut guesser = server.client_of(&guess, via);
    let signed = guesser.login().sign(allocation());
    guesser.send(&signed.bytes());
    guesser.expect_nothing();

    running.granted(&refresh());
    server.client_of(&server.bob, via).allocate();
    let elsewhere = UdpSocket::bind("127.0.0.2:0").unwrap();
    elsewhere.connect(server.turn).unwrap();
    let mut elsewhere = Client::new(Link::Udp(elsewhere));
    elsewhere.log_in(&server.alice);
    elsewhere.allocate();
}
