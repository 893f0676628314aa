//! A peer: a UDP socket that a relayed address talks to.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::support::PATIENCE;
use crate::wire::Draft;

pub(crate) struct Peer {
    pub socket: UdpSocket,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self::on("127.0.0.1")
    }

    pub(crate) fn on(ip: &str) -> Self {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn send(&self, to: SocketAddr, data: &[u8]) {
        self.socket.send_to(data, to).unwrap();
    }

    /// The next datagram and where it came from.
    pub(crate) fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 1 << 16];
        let received = loop {
            match self.socket.recv_from(&mut buffer) {
                // A signal to the process.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => break received,
            }
        };
        let (length, from) = received.expect("a datagram");
        buffer.truncate(length);
        (buffer, from)
    }

    /// The next datagram is this one, from there.
    pub(crate) fn expect(&self, data: &[u8], from: SocketAddr) {
        let (received, source) = self.receive();
        assert_eq!(
            (String::from_utf8_lossy(&received), source),
            (String::from_utf8_lossy(data), from)
        );
    }

    /// Nothing has arrived. What callbox sends on one machine is there before its next answer is.
    pub(crate) fn expect_nothing(&self) {
        self.socket.set_nonblocking(true).unwrap();
        let received = self.socket.recv_from(&mut [0; 64]);
        assert!(received.is_err(), "out of nowhere: {received:?}");
        self.socket.set_nonblocking(false).unwrap();
    }
}

/// The first of so many successive UDP ports on loopback that nobody uses; it is even. Outside of the range that the
/// kernel takes ports for others from.
pub(crate) fn free_ports(count: u16) -> u16 {
    let free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    loop {
        let [high, low, ..] = Draft::new(0).transaction;
        let first = 24_000 + (u16::from_be_bytes([high, low]) & 0x0ffe);
        if (first..first + count).all(free) {
            return first;
        }
    }
}
