//! One core's part of the relay: its sockets, its engine, its streams. No lock on the way of a packet.
//!
//! A turn waits for sockets that are ready, receives from each of them into the inbox, lets the engine say where it
//! goes, and sends all of it on, by the batch where several go through one socket.

mod handle;
mod judging;
mod sending;
mod serving;

use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use callbox_turn::channel_data::padded;
use callbox_turn::linux::{Batch, Gathering, Inbox, Outgoing, PAUSE, SLOTS, Timer, Token, Wake};
use callbox_turn::{
    AllocationId, Client, DropReason, Engine, Families, HEADROOM, Now, Rules, Transport, Verdict,
    Withdrawn, is_data,
};
use rustix::event::epoll;

use super::counters::{Counters, Flow};
use super::directory::Directory;
use super::evictions::{EVICTED, Evictions};
use super::registry::Registry;
use super::sockets::Sockets;
use super::streams::{StreamLimits, Streams};
pub(super) use handle::{Command, ShardHandle};

const EVENTS: usize = 256;
/// How often it is looked which allocations are of use, while anything happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a shard starts with.
pub(super) struct Setup {
    /// One socket for each local address.
    pub listeners: Vec<UdpSocket>,
    pub registry: Arc<Registry>,
    pub rules: Rules<Directory>,
    pub counters: Arc<Counters>,
    pub streams: StreamLimits,
}

struct Listener {
    socket: UdpSocket,
    batch: Batch,
    /// What goes out through it at the end of the turn.
    outgoing: Vec<Outgoing>,
}

pub(super) struct Shard {
    poll: Arc<OwnedFd>,
    wake: Wake,
    timer: Timer,
    commands: Receiver<Command>,
    listeners: Vec<Listener>,
    engine: Engine<Directory>,
    sockets: Sockets,
    streams: Streams,
    inbox: Inbox,
    /// Slots of the inbox that this turn has used.
    used: usize,
    /// Packets that this turn has received.
    received: usize,
    gathering: Gathering,
    /// By the policy that holds now, until all are judged by it.
    withdrawn: Withdrawn,
    /// When it was last looked which allocations are of use.
    looked: Instant,
    /// What goes to peers at the end of the turn, by the allocation that it goes out through.
    to_peers: Vec<(AllocationId, Outgoing)>,
    counters: Arc<Counters>,
    stopped: bool,
}

impl Shard {
    /// # Errors
    /// What the kernel says.
    pub(super) fn new(setup: Setup) -> io::Result<(Self, ShardHandle)> {
        let poll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let wake = Wake::new()?;
        let wanted = epoll::EventFlags::IN;
        epoll::add(&*poll, &wake, Token::Commands.into(), wanted)?;
        let timer = Timer::new()?;
        epoll::add(&*poll, &timer, Token::Timer.into(), wanted)?;
        let mut families: Vec<Families> = Vec::new();
        let mut listeners = Vec::new();
        for (index, socket) in (0..).zip(setup.listeners) {
            epoll::add(&*poll, &socket, Token::Listener(index).into(), wanted)?;
            let address = socket.local_addr()?;
            families.push(setup.registry.addresses.families(address.ip()));
            listeners.push(Listener {
                socket,
                batch: Batch::default(),
                outgoing: Vec::with_capacity(SLOTS),
            });
        }
        let (sender, commands) = std::sync::mpsc::channel();
        let handle = ShardHandle {
            commands: sender,
            wake: wake.clone(),
        };
        let evictions = Arc::new(Evictions::new(wake.clone()));
        let shard = Self {
            sockets: Sockets::new(setup.registry, Arc::clone(&poll), evictions, families),
            streams: Streams::new(Arc::clone(&poll), setup.streams),
            poll,
            wake,
            timer,
            commands,
            listeners,
            engine: Engine::new(setup.rules),
            inbox: Inbox::new(),
            used: 0,
            received: 0,
            gathering: Gathering::new(Instant::now()),
            withdrawn: Withdrawn::default(),
            looked: Instant::now(),
            to_peers: Vec::with_capacity(SLOTS),
            counters: setup.counters,
            stopped: false,
        };
        Ok((shard, handle))
    }

    /// Serves until it is told to stop.
    pub(super) fn run(mut self) {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        while !self.stopped {
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            let waited = epoll::wait(&*self.poll, room, None);
            if let Err(error) = waited
                && error != rustix::io::Errno::INTR
            {
                tracing::error!("a relay thread cannot wait for its sockets: {error}");
                break;
            }
            if self.turn(&events) {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let engine = self.engine.poll_timeout();
        engine.into_iter().chain(self.streams.next_deadline()).min()
    }

    /// Gives whether it pays to let packets gather before the next turn.
    fn turn(&mut self, events: &[epoll::Event]) -> bool {
        let now = Now {
            instant: Instant::now(),
            wall: SystemTime::now(),
        };
        if self.next_deadline().is_some_and(|at| at <= now.instant) {
            self.expire(now.instant);
        }
        for event in events {
            match Token::from(event.data) {
                Token::Commands => self.obey(now),
                Token::Timer => self.timer.rang(),
                Token::Listener(index) => self.receive_from_clients(index, now),
                Token::Relay(id) => self.receive_from_peers(id, now.instant),
                Token::Stream(key) => self.serve_stream(key, event.flags, now),
            }
        }
        if self.engine.has_to_judge() {
            self.judge();
        }
        self.flush(now.instant);
        if now.instant >= self.looked + LOOK_EVERY {
            self.looked = now.instant;
            let packets = |id| self.engine.relayed(id);
            self.sockets.note_use(packets, now.instant);
        }
        let at_once = self.engine.has_to_judge().then_some(now.instant);
        let next = at_once.or(self.next_deadline());
        self.timer.set(next, now.instant);
        let received = std::mem::take(&mut self.received);
        self.gathering.pays(received, now.instant)
    }

    fn expire(&mut self, now: Instant) {
        self.engine.handle_timeout(&mut self.sockets, now);
        // Before their keys can be another stream's.
        self.close_orphans();
        self.streams.expire(&self.engine, now);
        self.close_ended_streams(now);
    }

    fn obey(&mut self, now: Now) {
        self.wake.woken();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Stream(handover) => self.take_stream(*handover, now),
                Command::Revoke(holder) => {
                    self.flush_to_peers();
                    self.engine.revoke(&mut self.sockets, &holder, now.instant);
                }
                Command::Policy(policy) => self.set_policy(policy),
                Command::Stop => {
                    self.flush_to_peers();
                    self.engine.stop(&mut self.sockets, now.instant);
                    self.flush(now.instant);
                    self.streams.stop(now.instant);
                    self.stopped = true;
                    return;
                }
            }
        }
        self.evict(now.instant);
    }

    fn evict(&mut self, now: Instant) {
        for id in self.sockets.evicted() {
            self.flush_to_peers();
            self.engine.evict(&mut self.sockets, id, now);
            metrics::counter!(EVICTED).increment(1);
        }
    }

    fn receive_from_clients(&mut self, index: u32, now: Now) {
        let wanted = self.listeners[index as usize].batch.size();
        let slots = self.free_slots(wanted, now.instant);
        let (first, asked) = (slots.start, slots.len());
        let listener = &mut self.listeners[index as usize];
        // There is nothing to tell anybody of an error, such as an ICMP message about an earlier answer.
        let received = self.inbox.receive(&listener.socket, slots).unwrap_or(0);
        listener.batch.came(received, asked);
        self.used = first + received;
        self.received += received;
        for slot in first..self.used {
            let Some((address, length)) = self.inbox.received(slot) else {
                continue;
            };
            let client = Client {
                transport: Transport::Udp,
                via: index,
                address,
                proxied: false,
            };
            self.client_message(client, slot, length, now);
        }
    }

    fn receive_from_peers(&mut self, id: AllocationId, now: Instant) {
        let Some(relay) = self.sockets.relay(id) else {
            return;
        };
        let wanted = relay.batch.size();
        let slots = self.free_slots(wanted, now);
        let (first, asked) = (slots.start, slots.len());
        let Some(relay) = self.sockets.relay(id) else {
            return;
        };
        let received = self.inbox.receive(&relay.socket, slots).unwrap_or(0);
        relay.batch.came(received, asked);
        self.used = first + received;
        self.received += received;
        for slot in first..self.used {
            if let Some((from, length)) = self.inbox.received(slot) {
                let buffer = self.inbox.slot(slot);
                let verdict =
                    self.engine
                        .handle_peer_packet(&self.sockets, id, from, buffer, length, now);
                self.carry_out(None, slot, verdict);
            }
        }
    }

    /// Slots of the inbox; sends on what is in them where none is free.
    fn free_slots(&mut self, wanted: usize, now: Instant) -> std::ops::Range<usize> {
        if self.used == SLOTS {
            self.flush(now);
        }
        self.used..(self.used + wanted).min(SLOTS)
    }

    fn client_message(&mut self, client: Client, slot: usize, length: usize, now: Now) {
        let message = &self.inbox.slot(slot)[HEADROOM..HEADROOM + length];
        if !is_data(message) {
            // It may end the allocation that waiting data belongs to.
            self.flush_to_peers();
        }
        let buffer = self.inbox.slot(slot);
        let verdict =
            self.engine
                .handle_client_packet(&mut self.sockets, client, buffer, length, now);
        self.carry_out(Some(client), slot, verdict);
    }

    fn carry_out(&mut self, from: Option<Client>, slot: usize, verdict: Verdict) {
        match verdict {
            Verdict::Answer(answer) => self.answer(from, &answer),
            Verdict::ToPeer {
                from,
                to,
                data,
                dont_fragment,
            } => {
                self.counters.passed(Flow::ToPeers, data.len());
                let outgoing = Outgoing {
                    slot,
                    part: data,
                    to,
                };
                if dont_fragment {
                    self.send_whole(from, &outgoing);
                } else {
                    self.to_peers.push((from, outgoing));
                }
            }
            Verdict::ToClient { client, message } => {
                let flow = match from {
                    Some(_) => Flow::Inside,
                    None => Flow::ToClients,
                };
                self.counters.passed(flow, message.len());
                self.send_to_client(client, slot, message);
            }
            Verdict::Drop(reason) => self.counters.dropped(reason),
        }
    }

    fn answer(&mut self, to: Option<Client>, answer: &[u8]) {
        let Some(client) = to else { return };
        self.counters
            .answered(self.engine.refusals(), self.engine.failed_logins());
        match client.transport {
            Transport::Udp => {
                let socket = &self.listeners[client.via as usize].socket;
                if socket.send_to(answer, client.address).is_err() {
                    self.counters.dropped(DropReason::NotSent);
                }
            }
            Transport::Tcp | Transport::Tls => {
                let known = self.engine.serves(client);
                self.streams.answer(client.via, answer, known);
            }
        }
    }

    fn send_to_client(&mut self, client: Client, slot: usize, message: std::ops::Range<usize>) {
        match client.transport {
            Transport::Udp => self.listeners[client.via as usize].outgoing.push(Outgoing {
                slot,
                part: message,
                to: client.address,
            }),
            Transport::Tcp | Transport::Tls => {
                let length = message.len();
                let padded = message.start..message.start + padded(length);
                let bytes = &mut self.inbox.slot(slot)[padded];
                if !self.streams.data(client.via, bytes, length) {
                    self.counters.dropped(DropReason::SlowReader);
                }
            }
        }
    }
}
