//! One room and its seats. Pure.

use std::time::Instant;

use super::{ConnId, Effect, Join};
use crate::limits::AddressKey;
use crate::signaling::backlog::{Backlog, Full};
use crate::signaling::message::{PeerId, PeerInfo, ServerMessage};
use crate::words::names::look_alike;

/// Of so many who left somebody absent is told; of others it learns from `welcome`.
const MAX_LEFT: usize = 64;

#[derive(Debug)]
pub(super) struct Room {
    pub opener: AddressKey,
    pub opened: Instant,
    /// Where one seat is left.
    pub alone_since: Instant,
    /// In the order of joining.
    pub seats: Vec<Seat>,
    pub door: Door,
}

/// Locked from within, it lets in those only whom somebody inside admits.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub locked: bool,
    /// Was it locked since the server was started, and not only again?
    pub locked_anew: bool,
    /// Who waits before it, in the order of coming.
    pub knocks: Vec<Join>,
}

#[derive(Debug)]
pub(super) struct Seat {
    pub info: PeerInfo,
    pub visitor: String,
    /// The how many-th to enter since the server was started; 0 for whoever had the seat before.
    pub number: u64,
    /// Those who came later and offer nevertheless, since the two began anew.
    pub awaits: Vec<PeerId>,
    pub occupancy: Occupancy,
}

#[derive(Debug)]
pub(super) enum Occupancy {
    Present(ConnId),
    Absent { until: Instant, waiting: Waiting },
}

/// What waits for somebody absent.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Signals, and who left meanwhile.
    pub backlog: Backlog,
    left: usize,
    /// The [`Seat::number`] of the last who entered before.
    since: u64,
    /// Those whose signals are not complete, since they sent too many. Both begin anew once the absent one is back, who waits
    /// for an offer.
    pub incomplete: Vec<PeerId>,
    /// Those who have begun anew meanwhile, and wait for an offer of the absent one.
    pub renewed: Vec<PeerId>,
}

impl Room {
    pub(super) fn new(opener: AddressKey, opened: Instant) -> Self {
        Self {
            opener,
            opened,
            alone_since: opened,
            // Most rooms that are idle have one; a vector by itself begins with four.
            seats: Vec::with_capacity(1),
            door: Door::default(),
        }
    }

    pub(super) fn others(&self, id: &PeerId) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(move |seat| seat.info.id != *id)
    }

    /// `message` to all but `id`; whoever is absent learns of it from `welcome`.
    pub(super) fn tell(&self, id: &PeerId, message: &ServerMessage) -> Vec<Effect> {
        self.others(id)
            .filter_map(|seat| seat.send(message))
            .collect()
    }

    /// Somebody's seat is free, which the absent are to find out, too.
    pub(super) fn tell_gone(&mut self, gone: &Seat) -> Vec<Effect> {
        for seat in &mut self.seats {
            seat.awaits.retain(|other| *other != gone.info.id);
            if let Occupancy::Absent { waiting, .. } = &mut seat.occupancy {
                waiting.leaves(gone);
            }
        }
        let id = &gone.info.id;
        self.tell(id, &ServerMessage::PeerLeft { id: id.clone() })
    }

    /// `message` to everybody; whoever is absent learns of it from `welcome`.
    pub(super) fn tell_all(&self, message: &ServerMessage) -> Vec<Effect> {
        let seats = self.seats.iter();
        seats.filter_map(|seat| seat.send(message)).collect()
    }

    /// The lowest number that nobody of this look has, inside or before the door.
    pub(super) fn number_of(&self, name: &str) -> usize {
        let inside = self.seats.iter().map(|seat| &seat.info);
        let known = inside.chain(self.door.knocks.iter().map(|knock| &knock.info));
        let same = known.filter(|info| look_alike(&info.name, name));
        let mut taken: Vec<_> = same.map(|info| info.number).collect();
        taken.sort_unstable();
        let free = |number: usize, taken: &usize| number + usize::from(*taken == number);
        taken.iter().fold(1, free)
    }

    pub(super) fn position(&self, id: &PeerId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.info.id == *id)
    }
}

impl Seat {
    /// `message` to whoever sits there now.
    fn send(&self, message: &ServerMessage) -> Option<Effect> {
        match self.occupancy {
            Occupancy::Present(to) => Some(Effect::Send {
                to,
                message: message.clone(),
            }),
            Occupancy::Absent { .. } => None,
        }
    }
}

impl Waiting {
    /// `since` is the number of the last who entered; `seated` says who is there; `rest` is what was not written before.
    pub(super) fn new(since: u64, mut rest: Backlog, seated: impl Fn(&PeerId) -> bool) -> Self {
        let mut waiting = Self {
            since,
            ..Self::default()
        };
        while let Some(message) = rest.pop() {
            match message {
                // It was to begin anew with somebody, and does so when it is back.
                ServerMessage::PeerLeft { id } if seated(&id) => waiting.lacks(&id),
                ServerMessage::PeerLeft { id } => waiting.push_left(id),
                // The first half of it may have been written.
                ServerMessage::PeerJoined { peer } if seated(&peer.id) => waiting.renews(&peer.id),
                ServerMessage::Signal { .. } => {
                    // There was place for it before.
                    let _ = waiting.push(message);
                }
                _ => {}
            }
        }
        waiting
    }

    /// # Errors
    /// When the sender's share is used up, of which nothing waits from then on.
    pub(super) fn push(&mut self, signal: ServerMessage) -> Result<(), Full> {
        let ServerMessage::Signal { from, .. } = &signal else {
            return Ok(());
        };
        if self.incomplete.contains(from) {
            return Err(Full::Sender);
        }
        let from = from.clone();
        self.backlog.push(signal).inspect_err(|_| self.lacks(&from))
    }

    /// Something of this one's is lost.
    fn lacks(&mut self, from: &PeerId) {
        self.backlog.forget_signals(from);
        if !self.incomplete.contains(from) {
            self.incomplete.push(from.clone());
        }
    }

    /// This one has begun anew, and knows nothing of what it sent before.
    pub(super) fn renews(&mut self, id: &PeerId) {
        self.backlog.forget_signals(id);
        self.incomplete.retain(|other| other != id);
        if !self.renewed.contains(id) {
            self.renewed.push(id.clone());
        }
    }

    fn leaves(&mut self, gone: &Seat) {
        let id = &gone.info.id;
        self.incomplete.retain(|other| other != id);
        self.renewed.retain(|other| other != id);
        self.backlog.forget_signals(id);
        if gone.number <= self.since {
            self.push_left(id.clone());
        }
    }

    fn push_left(&mut self, id: PeerId) {
        if self.left < MAX_LEFT {
            self.left += 1;
            // It is at nobody's expense.
            let _ = self.backlog.push(ServerMessage::PeerLeft { id });
        }
    }
}
