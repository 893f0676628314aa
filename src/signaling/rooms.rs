//! Rooms and who sits in them. Pure: events and time in, deliveries out; no sockets, no clock.
//!
//! A *seat* belongs to a peer id. A seat whose connection broke is kept for a while and signals to it wait, so that
//! whoever comes back with a resume ticket finds everything as it was.

mod crowded;
mod door;
mod events;
mod resuming;
mod room;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::backlog::Backlog;
use super::codes::ErrorCode;
use super::message::{PeerId, PeerInfo, ServerMessage, SignalData};
use crate::limits::{AddressKey, Bounds, Full, Tally};
use crate::words::names::RoomName;
use room::{Occupancy, Room, Seat, Waiting};

pub(super) use events::{Claim, ConnId, Effect, Entry, Join, Joined, Limits};

/// How somebody comes in.
enum Admission {
    /// To the seat that they have.
    TakeOver(PeerId),
    /// To one that they had before the server was started.
    Restore(PeerId),
    Knock,
    Enter,
}

#[derive(Debug)]
pub(super) struct Rooms {
    limits: Limits,
    by_name: HashMap<RoomName, Room>,
    seat_by_conn: HashMap<ConnId, (RoomName, PeerId)>,
    openers: Tally,
    /// When absent peers lose their seats.
    deadlines: BTreeSet<(Instant, RoomName, PeerId)>,
    /// Who waits before which room.
    room_by_knock: HashMap<ConnId, RoomName>,
    /// How many have entered.
    entered: u64,
    /// Are new rooms opened still?
    opens: bool,
    /// Since when there can be rooms.
    started: Instant,
}

impl Rooms {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        let bounds = Bounds::new(limits.max_rooms, limits.max_rooms_per_address);
        Self {
            limits,
            by_name: HashMap::new(),
            seat_by_conn: HashMap::new(),
            openers: Tally::new(bounds),
            deadlines: BTreeSet::new(),
            room_by_knock: HashMap::new(),
            entered: 0,
            opens: true,
            started: now,
        }
    }

    /// `rest` takes out what was not written yet to a connection whose seat is taken over.
    ///
    /// # Errors
    /// The reason to tell whoever may not come in.
    pub(super) fn join(
        &mut self,
        join: Join,
        now: Instant,
        rest: impl FnOnce(ConnId) -> Backlog,
    ) -> Result<Entry, ErrorCode> {
        if self.is_seated(join.conn) || self.is_knocking(join.conn) {
            return Err(ErrorCode::AlreadyJoined);
        }
        let fresh = join.info.id.clone();
        Ok(Entry::In(match self.admission(&join, now) {
            Admission::TakeOver(id) => self.take_over(join.conn, join.room, id, now, rest),
            Admission::Restore(id) => self.restore(join, id, now)?,
            Admission::Knock => return self.knock(join).map(Entry::Knocking),
            Admission::Enter => self.enter(join, fresh, false, now)?,
        }))
    }

    /// What becomes of somebody who wants in. An id that the others may have dropped is never used again: whoever still has it
    /// would take the two for one.
    fn admission(&self, join: &Join, now: Instant) -> Admission {
        if let Some(claim) = &join.resume {
            let id = claim.id.clone();
            match self.seat_of(&join.room, &id) {
                Some(seat) if seat.visitor != join.visitor => {}
                Some(_) => return Admission::TakeOver(id),
                None if claim.before_start && self.is_restoring(&join.room, now) => {
                    return Admission::Restore(id);
                }
                None => {}
            }
        }
        if self.is_locked(&join.room) {
            Admission::Knock
        } else {
            Admission::Enter
        }
    }

    /// Would they have to knock?
    pub(super) fn has_to_knock(&self, join: &Join, now: Instant) -> bool {
        matches!(self.admission(join, now), Admission::Knock)
    }

    /// Do they come back to a seat that they have?
    pub(super) fn has_seat(&self, join: &Join, now: Instant) -> bool {
        matches!(self.admission(join, now), Admission::TakeOver(_))
    }

    /// Passes a signal on to a member of the sender's own room, or nowhere.
    ///
    /// # Errors
    /// When the sender is in no room, or too much of it waits there already.
    pub(super) fn signal(
        &mut self,
        from: ConnId,
        to: &PeerId,
        data: SignalData,
    ) -> Result<Option<(ConnId, ServerMessage)>, ErrorCode> {
        let (room, sender) = self.seat_by_conn.get(&from).ok_or(ErrorCode::NotJoined)?;
        let Some(room) = self.by_name.get_mut(room) else {
            return Ok(None);
        };
        let Some(seat) = room.seats.iter_mut().find(|seat| seat.info.id == *to) else {
            return Ok(None);
        };
        if seat.info.id == *sender {
            return Ok(None);
        }
        let message = ServerMessage::Signal {
            from: sender.clone(),
            data,
        };
        match &mut seat.occupancy {
            Occupancy::Present(to) => Ok(Some((*to, message))),
            Occupancy::Absent { waiting, .. } => {
                waiting.push(message).map_err(|_| ErrorCode::TooFast)?;
                Ok(None)
            }
        }
    }

    /// The peer is gone for good.
    pub(super) fn leave(&mut self, conn: ConnId, now: Instant) -> Vec<Effect> {
        match self.seat_by_conn.remove(&conn) {
            Some((room, id)) => self.vacate(&room, &id, now),
            None => self.stop_knocking(conn),
        }
    }

    /// The connection broke; its seat is kept for a while, with what was not written yet.
    pub(super) fn lost(&mut self, conn: ConnId, rest: Backlog, now: Instant) -> Vec<Effect> {
        let Some((room, id)) = self.seat_by_conn.remove(&conn) else {
            return self.stop_knocking(conn);
        };
        self.leave_empty(room, &id, rest, now);
        Vec::new()
    }

    fn leave_empty(&mut self, name: RoomName, id: &PeerId, rest: Backlog, now: Instant) {
        let until = now + self.limits.resume;
        let Some(room) = self.by_name.get_mut(&name) else {
            return;
        };
        let seated = |id: &PeerId| room.position(id).is_some();
        let waiting = Waiting::new(self.entered, rest, seated);
        if let Some(index) = room.position(id) {
            room.seats[index].occupancy = Occupancy::Absent { until, waiting };
            self.deadlines.insert((until, name, id.clone()));
        }
    }

    /// Frees the seats of those who did not come back in time.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((until, _, _)) = self.deadlines.first() {
            if *until > now {
                break;
            }
            if let Some((_, room, id)) = self.deadlines.pop_first() {
                effects.extend(self.vacate(&room, &id, now));
            }
        }
        effects
    }

    /// When [`Rooms::expire`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _, _)| *until)
    }

    /// Opens no room from now on.
    pub(super) fn stop_opening(&mut self) {
        self.opens = false;
    }

    /// Is there room for another room that this address opens?
    ///
    /// # Errors
    /// The bound that is reached.
    pub(super) fn may_open(&self, opener: AddressKey) -> Result<(), Full> {
        self.openers.room(opener)
    }

    /// Is this connection in a room?
    pub(super) fn is_seated(&self, conn: ConnId) -> bool {
        self.seat_by_conn.contains_key(&conn)
    }

    /// Open rooms.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// How many seats each room has.
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.by_name.values().map(|room| room.seats.len())
    }

    fn seat_of(&self, room: &RoomName, id: &PeerId) -> Option<&Seat> {
        self.by_name
            .get(room)?
            .seats
            .iter()
            .find(|seat| seat.info.id == *id)
    }

    fn enter(
        &mut self,
        join: Join,
        id: PeerId,
        resumed: bool,
        now: Instant,
    ) -> Result<Joined, ErrorCode> {
        let mut effects = Vec::new();
        match self.by_name.get(&join.room) {
            Some(_) if self.is_full(&join.room) => return Err(ErrorCode::RoomFull),
            Some(_) => {}
            None => {
                effects = self.open(&join, now)?;
                effects.push(Effect::Opened(join.room.clone()));
            }
        }
        let Some(room) = self.by_name.get_mut(&join.room) else {
            return Err(ErrorCode::BadRoom);
        };
        let info = PeerInfo {
            id: id.clone(),
            number: room.number_of(&join.info.name),
            ..join.info
        };
        let number = if resumed { 0 } else { self.entered + 1 };
        self.entered += 1;
        let peers = room.seats.iter().map(|seat| seat.info.clone()).collect();
        let (locked, knocks) = (room.door.locked, room.door.knocking());
        effects.extend(room.tell(&id, &ServerMessage::PeerJoined { peer: info.clone() }));
        let occupancy = Occupancy::Present(join.conn);
        room.seats.push(Seat {
            info,
            visitor: join.visitor,
            number,
            awaits: Vec::new(),
            occupancy,
        });
        self.seat_by_conn.insert(join.conn, (join.room, id.clone()));
        Ok(Joined {
            id,
            resumed,
            anew: Vec::new(),
            peers,
            locked,
            knocks,
            effects,
        })
    }

    /// Gives what has to be done where another room has to go for it.
    fn open(&mut self, join: &Join, now: Instant) -> Result<Vec<Effect>, ErrorCode> {
        if !self.opens {
            return Err(ErrorCode::Draining);
        }
        let effects = self.make_way(join, now)?;
        let opener = join.address;
        self.openers.add(opener, 1);
        let mut room = Room::new(opener, now);
        // It was locked by whoever comes back to it; nobody else has been in it.
        room.door.locked = join.locked && join.resume.as_ref().is_some_and(|it| !it.before_start);
        self.by_name.insert(join.room.clone(), room);
        Ok(effects)
    }

    fn vacate(&mut self, name: &RoomName, id: &PeerId, now: Instant) -> Vec<Effect> {
        let mut effects = self.unseat(name, id, now);
        let is_empty = |room: &Room| room.seats.is_empty();
        if self.by_name.get(name).is_some_and(is_empty)
            && let Some(room) = self.by_name.remove(name)
        {
            self.openers.remove(room.opener, 1);
            effects.push(Effect::Closed(name.clone()));
            effects.extend(self.turn_away(room.door.knocks));
        }
        effects
    }

    fn unseat(&mut self, name: &RoomName, id: &PeerId, now: Instant) -> Vec<Effect> {
        let Some(room) = self.by_name.get_mut(name) else {
            return Vec::new();
        };
        let Some(index) = room.position(id) else {
            return Vec::new();
        };
        let gone = room.seats.remove(index);
        room.alone_since = now;
        room.tell_gone(&gone)
    }
}

#[cfg(test)]
mod tests;
