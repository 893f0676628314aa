//! One room and its seats. Pure, like [`super::rooms`], whose part it is.

use std::collections::VecDeque;
use std::time::Instant;

use super::message::{PeerId, PeerInfo, ServerMessage};
use super::rooms::{ConnId, Effect, Join};
use crate::limits::AddressKey;

const MAX_WAITING: usize = 64;
const MAX_WAITING_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub struct Room {
    pub opener: AddressKey,
    pub opened: Instant,
    /// In the order of joining.
    pub seats: Vec<Seat>,
    pub door: Door,
}

/// Locked from within, it lets in those only whom somebody inside admits.
#[derive(Debug, Default)]
pub struct Door {
    pub locked: bool,
    /// Was it locked since the server was started, and not only again?
    pub locked_anew: bool,
    /// Who waits before it, in the order of coming.
    pub knocks: Vec<Join>,
}

#[derive(Debug)]
pub struct Seat {
    pub info: PeerInfo,
    pub visitor: String,
    pub occupancy: Occupancy,
}

#[derive(Debug)]
pub enum Occupancy {
    Present(ConnId),
    Absent { until: Instant, waiting: Waiting },
}

/// Signals to somebody absent, and who left meanwhile; `None` once some of them are lost.
#[derive(Debug)]
pub struct Waiting {
    pub queue: Option<VecDeque<ServerMessage>>,
    bytes: usize,
}

impl Room {
    pub fn new(opener: AddressKey, opened: Instant) -> Self {
        Self {
            opener,
            opened,
            seats: Vec::new(),
            door: Door::default(),
        }
    }

    pub fn others(&self, id: &PeerId) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(move |seat| seat.info.id != *id)
    }

    /// `message` to all but `id`. The absent learn who is there from `welcome`, so only who left waits for them.
    pub fn tell(&mut self, id: &PeerId, message: &ServerMessage) -> Vec<Effect> {
        let mut effects = Vec::new();
        for seat in self.seats.iter_mut().filter(|seat| seat.info.id != *id) {
            match &mut seat.occupancy {
                Occupancy::Present(to) => {
                    effects.push(Effect::Send {
                        to: *to,
                        message: message.clone(),
                    });
                }
                Occupancy::Absent { waiting, .. } => {
                    if matches!(message, ServerMessage::PeerLeft { .. }) {
                        waiting.push(message.clone(), 0);
                    }
                }
            }
        }
        effects
    }

    /// `message` to everybody; whoever is absent learns of it from `welcome`.
    pub fn tell_all(&self, message: &ServerMessage) -> Vec<Effect> {
        let present = self.seats.iter().filter_map(|seat| match seat.occupancy {
            Occupancy::Present(to) => Some(to),
            Occupancy::Absent { .. } => None,
        });
        let message = || message.clone();
        present
            .map(|to| Effect::Send {
                to,
                message: message(),
            })
            .collect()
    }
}

impl Seat {
    /// Would whoever comes back find everything that was sent to them?
    pub fn is_complete(&self) -> bool {
        match &self.occupancy {
            Occupancy::Present(_) => true,
            Occupancy::Absent { waiting, .. } => waiting.queue.is_some(),
        }
    }
}

impl Waiting {
    /// An incomplete one has lost messages already.
    pub fn new(complete: bool) -> Self {
        Self {
            queue: complete.then(VecDeque::new),
            bytes: 0,
        }
    }

    pub fn push(&mut self, message: ServerMessage, bytes: usize) {
        let Some(queue) = &mut self.queue else { return };
        if queue.len() >= MAX_WAITING || self.bytes + bytes > MAX_WAITING_BYTES {
            self.queue = None;
            return;
        }
        self.bytes += bytes;
        queue.push_back(message);
    }
}
