//! Row 29: a million strangers leave nothing behind.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::client::allocation;
use crate::link::{Link, Received};
use crate::target::{Setup, Target};
use crate::wire::{BINDING, Draft};

const FEW: u32 = 100_000;
const MANY: u32 = 1_000_000;
/// Two of these fit a socket's default buffer.
const BATCH: u32 = 100;
const MOST_GROWTH: u64 = 1 << 20;

#[test]
fn row_29_a_million_unauthenticated_allocates() {
    let Some(server) = Setup::default().with_default_limits().start() else {
        return;
    };
    flood(&server, 0, FEW);
    let before = server.callbox().resident();
    flood(&server, FEW, MANY);
    let after = server.callbox().resident();
    let grown = after.saturating_sub(before);
    assert!(
        grown < MOST_GROWTH,
        "resident memory has grown by {grown} bytes, from {before}"
    );
}

/// Sends the Allocates from `first` to `last`, each from an address of its own. No faster than the server reads: while
/// one batch is written, the one before may still be read.
fn flood(server: &Target, first: u32, last: u32) {
    let bytes = allocation().bytes();
    let mut mark = Mark::new(server, first);
    for number in first..last {
        let socket = UdpSocket::bind(source(number)).unwrap();
        socket.send_to(&bytes, server.turn).unwrap();
        if number % BATCH == BATCH - 1 {
            let next = Mark::new(server, number + 1);
            mark.wait();
            mark = next;
        }
    }
    mark.wait();
}

/// 127.1.0.0 and onwards, many ports on each.
fn source(number: u32) -> SocketAddr {
    let port = 20_000 + u16::try_from(number % 10_000).unwrap();
    SocketAddr::from((Ipv4Addr::from_bits(0x7f01_0000 + number / 10_000), port))
}

/// A request behind a batch: the server reads in order, so its answer tells that the batch has been read. It comes from
/// an address of its own, for which answers are not rationed yet.
struct Mark(Link);

impl Mark {
    fn new(server: &Target, number: u32) -> Self {
        let address = Ipv4Addr::from_bits(0x7f02_0000 + number / BATCH);
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.connect(server.turn).unwrap();
        let mut mark = Self(Link::Udp(socket));
        mark.request();
        mark
    }

    fn request(&mut self) {
        self.0.send(&Draft::new(BINDING).bytes()).unwrap();
    }

    fn wait(&mut self) {
        for _ in 0..100 {
            if let Received::Frame(_) = self.0.receive(Duration::from_millis(100)) {
                return;
            }
            self.request();
        }
        panic!("the server is silent");
    }
}
