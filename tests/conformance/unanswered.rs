//! What a page may send to a peer from which nothing has come.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::{Client, User};
use crate::link::Via;
use crate::peer::Peer;
use crate::support::json_of;
use crate::target::{Setup, Target};
use crate::usernames::{seconds_now, signed};

stories! {
    a_visitor_floods_nobody_who_does_not_answer: udp tcp tls;
    a_named_user_and_another_program_may: udp tcp tls;
}

const SECOND: Duration = Duration::from_secs(1);

/// A visitor's credentials, as a page gets them.
fn visitor(server: &Target) -> User {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let script = runtime.block_on(crate::support::get(server.front, "/config.js"));
    let entry = json_of(script.text(), "PC_CONFIG")["iceServers"][1].clone();
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    User::new(&text("username"), &text("credential"))
}

/// Sends for two seconds and a half, through each of the clients to each of the peers in turn; gives when packets
/// arrived, whichever way.
fn flood(clients: &mut [Client], peers: &[Peer]) -> Vec<Duration> {
    for peer in peers {
        peer.socket.set_nonblocking(true).unwrap();
    }
    let (start, mut arrived) = (Instant::now(), Vec::new());
    while start.elapsed() < SECOND * 5 / 2 {
        for client in &mut *clients {
            for peer in peers {
                client.send_to(peer.address(), b"flood");
            }
        }
        std::thread::sleep(Duration::from_millis(5));
        for peer in peers {
            while peer.socket.recv(&mut [0; 64]).is_ok() {
                arrived.push(start.elapsed());
            }
        }
    }
    arrived
}

/// Two allocations, three ports of one address that says nothing, and the first relayed address.
fn prepared(server: &Target, user: &User, via: Via) -> (Vec<Client>, Vec<Peer>, SocketAddr) {
    let peers: Vec<_> = (0..3).map(|_| Peer::new()).collect();
    let mut clients: Vec<_> = (0..2).map(|_| server.client_of(user, via)).collect();
    let relayed: Vec<_> = clients.iter_mut().map(Client::allocate).collect();
    for client in &mut clients {
        client.permit(&[peers[0].address()]);
    }
    (clients, peers, relayed[0])
}

fn a_visitor_floods_nobody_who_does_not_answer(via: Via) {
    let Some(server) = Setup::default().turn("shards = 2").start() else {
        return;
    };
    let (mut clients, peers, relayed) = prepared(&server, &visitor(&server), via);
    let arrived = flood(&mut clients, &peers);
    // What the shard lets pass in the first second may arrive a little after it.
    let early = arrived.iter().filter(|at| **at < SECOND).count();
    assert!((1..=20).contains(&early), "{early} in the first second");
    let most = 20 + 2 * 5;
    assert!(arrived.len() <= most, "{} in 2.5 s", arrived.len());
    // Its answer to one of them opens the way to it, and what comes is let through.
    let (client, peer) = (&mut clients[0], &peers[0]);
    peer.socket.set_nonblocking(false).unwrap();
    peer.send(relayed, b"here");
    assert_eq!(client.receive_data(), (peer.address(), b"here".to_vec()));
    for number in 0..100_u8 {
        client.send_to(peer.address(), &[number]);
        while peer.receive().0 != [number] {}
    }
}

fn a_named_user_and_another_program_may(via: Via) {
    let Some(server) = Setup::default().start() else {
        return;
    };
    let program = signed(&format!("{}:v-anna", seconds_now() + 60));
    for user in [&server.alice, &program] {
        let (mut clients, peers, _) = prepared(&server, user, via);
        let (client, peer) = (&mut clients[0], &peers[0]);
        for number in 0..100_u8 {
            client.send_to(peer.address(), &[number]);
            assert_eq!(peer.receive().0, [number]);
        }
    }
}
