//! Bare UDP forwarders, the floor under every relay: a listening socket, one relay socket per client, epoll, and no
//! protocol at all. One moves a packet at a time, the other moves batches.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::ops::Range;

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use socket2::SockRef;

use crate::sys::Batch;

const LISTEN_BUFFER: usize = 4 << 20;
const RELAY_BUFFER: usize = 1 << 20;
const EVENTS: usize = 64;
/// Packets taken from the listening socket before the relay sockets have their turn.
const TURN: usize = 32;
const LISTENER: u64 = u64::MAX;
const MAGIC: &[u8; 8] = b"cbx-echo";

/// A client's first packet, which names its peer. It comes back as it is.
pub(crate) struct Hello {
    bytes: Vec<u8>,
    answered: bool,
}

impl Hello {
    pub(crate) fn new(peer: SocketAddrV4) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(peer.ip().octets());
        bytes.extend(peer.port().to_be_bytes());
        Self {
            bytes,
            answered: false,
        }
    }

    pub(crate) fn request(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    pub(crate) fn answer(&mut self, packet: &[u8]) -> bool {
        self.answered |= packet == self.bytes;
        self.answered
    }

    pub(crate) fn done(&self) -> bool {
        self.answered
    }

    fn read(packet: &[u8]) -> Option<SocketAddrV4> {
        let rest: &[u8; 6] = packet.strip_prefix(MAGIC)?.try_into().ok()?;
        let [a, b, c, d, high, low] = *rest;
        Some(SocketAddrV4::new(
            Ipv4Addr::new(a, b, c, d),
            u16::from_be_bytes([high, low]),
        ))
    }
}

/// Addresses are few and nobody chooses them with ill intent: a multiplication mixes them well enough.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type RelayByClient = HashMap<u64, usize, BuildHasherDefault<AddressHasher>>;

struct Relay {
    socket: UdpSocket,
    client: SocketAddrV4,
    peer: SocketAddrV4,
}

struct Forwarder {
    listener: UdpSocket,
    epoll: OwnedFd,
    relays: Vec<Relay>,
    relay_by_client: RelayByClient,
}

/// One packet at a time: epoll, recvfrom, sendto.
pub(crate) fn serve_plain(listen: SocketAddr) -> io::Result<()> {
    let mut forwarder = Forwarder::new(listen)?;
    let mut buffer = [0; 2048];
    forwarder.serve(|forwarder, events| {
        for event in events {
            match event.data.u64() {
                LISTENER => forwarder.plain_from_clients(&mut buffer),
                relay => forwarder.plain_from_peer(relay as usize, &mut buffer),
            }
        }
    })
}

/// Batches: epoll, recvmmsg, sendmmsg. What all ready relay sockets got leaves with one system call.
pub(crate) fn serve_batches(listen: SocketAddr) -> io::Result<()> {
    let mut forwarder = Forwarder::new(listen)?;
    let mut from_clients = Batch::new(TURN);
    let mut from_peers = Batch::new(EVENTS);
    forwarder.serve(|forwarder, events| {
        let mut filled = 0;
        for event in events {
            match event.data.u64() {
                LISTENER => forwarder.batch_from_clients(&mut from_clients),
                relay => {
                    filled = forwarder.batch_from_peer(relay as usize, &mut from_peers, filled);
                }
            }
        }
        from_peers.send(&forwarder.listener, 0..filled);
    })
}

impl Forwarder {
    fn new(listen: SocketAddr) -> io::Result<Self> {
        let listener = UdpSocket::bind(listen)?;
        SockRef::from(&listener).set_recv_buffer_size(LISTEN_BUFFER)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, data, epoll::EventFlags::IN)?;
        Ok(Self {
            listener,
            epoll,
            relays: Vec::new(),
            relay_by_client: RelayByClient::default(),
        })
    }

    fn serve(&mut self, mut handle: impl FnMut(&mut Self, &[epoll::Event])) -> io::Result<()> {
        let mut events = [const { MaybeUninit::uninit() }; EVENTS];
        loop {
            match epoll::wait(&self.epoll, &mut events, None) {
                Ok((ready, _)) => handle(self, ready),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn plain_from_clients(&mut self, buffer: &mut [u8]) {
        for _ in 0..TURN {
            let Ok((length, SocketAddr::V4(client))) = self.listener.recv_from(buffer) else {
                return;
            };
            match self.relay_by_client.get(&key(client)) {
                Some(&relay) => {
                    let relay = &self.relays[relay];
                    let _ = relay.socket.send_to(&buffer[..length], relay.peer);
                }
                None => self.greet(client, &buffer[..length]),
            }
        }
    }

    fn plain_from_peer(&self, relay: usize, buffer: &mut [u8]) {
        let relay = &self.relays[relay];
        if let Ok((length, _)) = relay.socket.recv_from(buffer) {
            let _ = self.listener.send_to(&buffer[..length], relay.client);
        }
    }

    fn batch_from_clients(&mut self, batch: &mut Batch) {
        let filled = batch.receive(&self.listener, 0..batch.slots());
        let mut slot = 0;
        while slot < filled {
            let client = batch.address(slot);
            let run = same_client(batch, slot..filled);
            if let Some(&relay) = self.relay_by_client.get(&key(client)) {
                let relay = &self.relays[relay];
                for slot in run.clone() {
                    batch.set_address(slot, relay.peer);
                }
                batch.send(&relay.socket, run.clone());
            } else {
                self.greet(client, batch.packet(slot));
            }
            slot = run.end;
        }
    }

    /// Adds what the relay socket got to the batch; says how far that is filled then.
    fn batch_from_peer(&self, relay: usize, batch: &mut Batch, mut filled: usize) -> usize {
        if filled == batch.slots() {
            batch.send(&self.listener, 0..filled);
            filled = 0;
        }
        let relay = &self.relays[relay];
        let new = batch.receive(&relay.socket, filled..batch.slots());
        for slot in filled..filled + new {
            batch.set_address(slot, relay.client);
        }
        filled + new
    }

    /// Opens a relay socket for a client that says hello.
    fn greet(&mut self, client: SocketAddrV4, packet: &[u8]) {
        if let Some(peer) = Hello::read(packet)
            && self.add_relay(client, peer).is_ok()
        {
            let _ = self.listener.send_to(packet, client);
        }
    }

    fn add_relay(&mut self, client: SocketAddrV4, peer: SocketAddrV4) -> io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        SockRef::from(&socket).set_recv_buffer_size(RELAY_BUFFER)?;
        socket.set_nonblocking(true)?;
        let index = self.relays.len();
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
        self.relays.push(Relay {
            socket,
            client,
            peer,
        });
        self.relay_by_client.insert(key(client), index);
        Ok(())
    }
}

fn key(address: SocketAddrV4) -> u64 {
    u64::from(u32::from(*address.ip())) << 16 | u64::from(address.port())
}

/// The slots at the beginning of `range` that came from one client.
fn same_client(batch: &Batch, range: Range<usize>) -> Range<usize> {
    let client = batch.address(range.start);
    let mut end = range.start + 1;
    while end < range.end && batch.address(end) == client {
        end += 1;
    }
    range.start..end
}
