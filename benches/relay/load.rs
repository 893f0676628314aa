//! The load generator: one thread that never sleeps. It sends as a clock says, echoes as the peer, and takes what
//! comes back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::link::Link;
use crate::packets::{Encoding, Stamp, Template};
use crate::sys::Batch;

/// Packets sent before the others are looked after.
const BURST: usize = 16;
/// Clients looked at before the clock is.
const LOOKS: usize = 4;
/// A generator that is this late gives up what it missed: it says so by the rate that it reached.
const MAX_LAG: Duration = Duration::from_millis(2);
/// The load is over when nothing arrives for so long.
const QUIET: Duration = Duration::from_millis(4);
const MAX_DRAIN: Duration = Duration::from_millis(300);
const PEER_BUFFER: usize = 4 << 20;

/// The peer: sends back what it gets to where it came from.
pub(crate) struct Peer {
    socket: UdpSocket,
    batch: Batch,
}

impl Peer {
    pub(crate) fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(PEER_BUFFER)?;
        options.set_send_buffer_size(PEER_BUFFER)?;
        let batch = Batch::new(64);
        Ok(Self { socket, batch })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddrV4> {
        match self.socket.local_addr()? {
            SocketAddr::V4(address) => Ok(address),
            SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    fn echo(&mut self) -> usize {
        let filled = self.batch.receive(&self.socket, 0..self.batch.slots());
        self.batch.send(&self.socket, 0..filled);
        filled
    }
}

/// A client that is ready to send.
pub(crate) struct Sender {
    pub link: Link,
    pub template: Template,
    /// The client at which its packets arrive: itself where the peer echoes.
    pub arrives_at: usize,
}

/// How hard, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spell {
    /// Packets per second that all clients together send.
    pub rate: f64,
    pub warm_up: Duration,
    pub window: Duration,
    /// What arrives later than this after the window is lost.
    pub grace: Duration,
}

/// What became of one spell's window.
#[derive(Debug, Default)]
pub(crate) struct Tally<R> {
    pub sent: u64,
    /// Of those sent in the window.
    pub arrived: u64,
    /// Arrived while the window lasted, sent in it or just before.
    pub delivered: u64,
    /// Nanoseconds from client to client.
    pub latencies: Vec<u32>,
    pub elapsed: Duration,
    /// What the caller's probe read before and after.
    pub readings: (R, R),
}

impl<R> Tally<R> {
    pub(crate) fn loss(&self) -> f64 {
        1.0 - self.arrived as f64 / self.sent.max(1) as f64
    }

    pub(crate) fn sent_per_second(&self) -> f64 {
        self.sent as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn delivered_per_second(&self) -> f64 {
        self.delivered as f64 / self.elapsed.as_secs_f64()
    }
}

#[derive(Default)]
struct Counts {
    spell: u32,
    sent: u64,
    arrived: u64,
    delivered: u64,
    latencies: Vec<u32>,
}

pub(crate) struct Load {
    encoding: Encoding,
    senders: Vec<Sender>,
    /// Packets on their way to each client: nobody looks where none are.
    expected: Vec<usize>,
    peer: Option<Peer>,
    batch: Batch,
    begun: Instant,
    next_due: f64,
    next_sender: usize,
    next_look: usize,
    counts: Counts,
}

impl Load {
    pub(crate) fn new(encoding: Encoding, senders: Vec<Sender>, peer: Option<Peer>) -> Self {
        Self {
            encoding,
            expected: vec![0; senders.len()],
            senders,
            peer,
            batch: Batch::new(16),
            begun: Instant::now(),
            next_due: 0.0,
            next_sender: 0,
            next_look: 0,
            counts: Counts::default(),
        }
    }

    pub(crate) fn run<R>(&mut self, spell: &Spell, mut probe: impl FnMut() -> R) -> Tally<R> {
        self.drain();
        self.next_due = self.now() as f64;
        self.begin_spell();
        self.send_for(spell.warm_up, spell.rate);
        self.begin_spell();
        let before = probe();
        let window_began = Instant::now();
        self.send_for(spell.window, spell.rate);
        let elapsed = window_began.elapsed();
        let delivered = self.counts.delivered;
        let after = probe();
        self.look_for(spell.grace);
        Tally {
            sent: self.counts.sent,
            arrived: self.counts.arrived,
            delivered,
            latencies: std::mem::take(&mut self.counts.latencies),
            elapsed,
            readings: (before, after),
        }
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    fn begin_spell(&mut self) {
        self.counts = Counts {
            spell: self.counts.spell + 1,
            ..Counts::default()
        };
    }

    fn send_for(&mut self, duration: Duration, rate: f64) {
        let interval = 1e9 / rate;
        let end = self.now() + duration.as_nanos() as u64;
        loop {
            let now = self.now();
            if now >= end {
                return;
            }
            self.next_due = self.next_due.max(now as f64 - MAX_LAG.as_nanos() as f64);
            for _ in 0..BURST {
                if self.next_due > now as f64 {
                    break;
                }
                self.next_due += interval;
                self.send_one();
            }
            self.look();
        }
    }

    fn send_one(&mut self) {
        let index = self.next_sender;
        self.next_sender = (index + 1) % self.senders.len();
        let stamp = Stamp {
            sent: self.now(),
            spell: self.counts.spell,
        };
        let sender = &mut self.senders[index];
        self.counts.sent += 1;
        if sender.link.send(sender.template.stamped(stamp)) {
            self.expected[sender.arrives_at] += 1;
        }
    }

    fn look_for(&mut self, duration: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < duration {
            self.look();
        }
    }

    /// Waits until what is on its way has arrived or is lost.
    fn drain(&mut self) {
        let begun = Instant::now();
        let mut last = Instant::now();
        while last.elapsed() < QUIET && begun.elapsed() < MAX_DRAIN {
            if self.look() > 0 {
                last = Instant::now();
            }
        }
        self.expected.fill(0);
    }

    /// Echoes what the peer got, and takes what some of the clients got.
    fn look(&mut self) -> usize {
        let mut seen = self.peer.as_mut().map_or(0, Peer::echo);
        let mut looks = 0;
        for _ in 0..self.senders.len() {
            let index = self.next_look;
            self.next_look = (index + 1) % self.senders.len();
            if self.expected[index] > 0 {
                seen += self.take(index);
                looks += 1;
                if looks == LOOKS {
                    break;
                }
            }
        }
        seen
    }

    fn take(&mut self, index: usize) -> usize {
        let now = self.begun.elapsed().as_nanos() as u64;
        let Self {
            encoding,
            senders,
            batch,
            counts,
            ..
        } = self;
        let mut taken = 0;
        senders[index].link.receive(batch, &mut |packet| {
            if let Some(stamp) = Stamp::read(*encoding, packet) {
                taken += 1;
                counts.take(stamp, now);
            }
        });
        self.expected[index] = self.expected[index].saturating_sub(taken);
        taken
    }
}

impl Counts {
    fn take(&mut self, stamp: Stamp, now: u64) {
        self.delivered += 1;
        if stamp.spell == self.spell {
            self.arrived += 1;
            let latency = now.saturating_sub(stamp.sent);
            self.latencies
                .push(u32::try_from(latency).unwrap_or(u32::MAX));
        }
    }
}
