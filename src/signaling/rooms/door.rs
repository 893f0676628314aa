//! Rooms that are locked from within: whoever comes knocks, and those inside admit or refuse.

use std::time::Instant;

use super::room::{Door, Room};
use super::{ConnId, Effect, Join, Rooms};
use crate::signaling::codes::ErrorCode;
use crate::signaling::message::{PeerId, PeerInfo, ServerMessage};
use crate::words::names::RoomName;

/// How many may wait before a room.
pub(super) const MAX_KNOCKS: usize = 8;
/// Of these, from one address.
pub(super) const MAX_KNOCKS_PER_ADDRESS: usize = 3;

impl Door {
    /// Who waits, as those inside are told.
    pub(super) fn knocking(&self) -> Vec<PeerInfo> {
        self.knocks.iter().map(|knock| knock.info.clone()).collect()
    }
}

impl Rooms {
    /// Locks the sender's room, or unlocks it, which lets in all who wait.
    ///
    /// # Errors
    /// When the sender is in no room.
    pub(crate) fn lock(
        &mut self,
        conn: ConnId,
        locked: bool,
        now: Instant,
    ) -> Result<Vec<Effect>, ErrorCode> {
        let (name, by) = self.seat_by_conn.get(&conn).ok_or(ErrorCode::NotJoined)?;
        let Some(room) = self.by_name.get_mut(name) else {
            return Ok(Vec::new());
        };
        if room.door.locked == locked {
            return Ok(Vec::new());
        }
        room.door.locked = locked;
        room.door.locked_anew = locked;
        let by = by.clone();
        let mut effects = room.tell_all(&ServerMessage::Locked { locked, by });
        if !locked {
            let knocks = std::mem::take(&mut room.door.knocks);
            for knock in &knocks {
                effects.extend(ended(room, &knock.info.id));
            }
            effects.extend(self.let_in(knocks, now));
        }
        Ok(effects)
    }

    /// Lets somebody in who knocked at the sender's room. Whoever does not wait any longer is not.
    ///
    /// # Errors
    /// When the sender is in no room, or there is no seat left; they wait on then.
    pub(crate) fn admit(
        &mut self,
        conn: ConnId,
        id: &PeerId,
        now: Instant,
    ) -> Result<Vec<Effect>, ErrorCode> {
        let (name, _) = self.seat_by_conn.get(&conn).ok_or(ErrorCode::NotJoined)?;
        let name = name.clone();
        if self.is_waiting(&name, id) && self.is_full(&name) {
            return Err(ErrorCode::RoomFull);
        }
        let Some((knock, mut effects)) = self.take_knock(&name, |knock| knock.info.id == *id)
        else {
            return Ok(Vec::new());
        };
        effects.extend(self.let_in(vec![knock], now));
        Ok(effects)
    }

    /// Sends somebody away who knocked at the sender's room.
    ///
    /// # Errors
    /// When the sender is in no room.
    pub(crate) fn refuse(&mut self, conn: ConnId, id: &PeerId) -> Result<Vec<Effect>, ErrorCode> {
        let (name, _) = self.seat_by_conn.get(&conn).ok_or(ErrorCode::NotJoined)?;
        let name = name.clone();
        let Some((knock, mut effects)) = self.take_knock(&name, |knock| knock.info.id == *id)
        else {
            return Ok(Vec::new());
        };
        self.room_by_knock.remove(&knock.conn);
        effects.push(Effect::Refuse {
            conn: knock.conn,
            code: ErrorCode::Refused,
        });
        Ok(effects)
    }

    /// Does this connection wait to be let in?
    pub(crate) fn is_knocking(&self, conn: ConnId) -> bool {
        self.room_by_knock.contains_key(&conn)
    }

    pub(crate) fn is_locked(&self, room: &RoomName) -> bool {
        self.by_name.get(room).is_some_and(|room| room.door.locked)
    }

    pub(super) fn knock(&mut self, mut join: Join) -> Result<Vec<Effect>, ErrorCode> {
        if self.is_full(&join.room) {
            return Err(ErrorCode::RoomFull);
        }
        let Some(room) = self.by_name.get_mut(&join.room) else {
            return Err(ErrorCode::BadRoom);
        };
        let knocks = &room.door.knocks;
        let neighbours = knocks.iter().filter(|other| other.address == join.address);
        if knocks.len() >= MAX_KNOCKS || neighbours.count() >= MAX_KNOCKS_PER_ADDRESS {
            return Err(ErrorCode::TooManyKnocks);
        }
        join.info.number = room.number_of(&join.info.name);
        let peer = join.info.clone();
        self.room_by_knock.insert(join.conn, join.room.clone());
        room.door.knocks.push(join);
        Ok(room.tell_all(&ServerMessage::Knock { peer }))
    }

    /// Whoever knocked is gone.
    pub(super) fn stop_knocking(&mut self, conn: ConnId) -> Vec<Effect> {
        let Some(name) = self.room_by_knock.remove(&conn) else {
            return Vec::new();
        };
        let taken = self.take_knock(&name, |knock| knock.conn == conn);
        taken.map(|(_, effects)| effects).unwrap_or_default()
    }

    /// Seats those who waited, as far as there is room; their knocks are taken from the door already.
    pub(super) fn let_in(&mut self, knocks: Vec<Join>, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        for join in knocks {
            let (conn, id) = (join.conn, join.info.id.clone());
            self.room_by_knock.remove(&conn);
            effects.push(match self.enter(join, id, false, now) {
                Ok(joined) => Effect::Admitted { conn, joined },
                Err(code) => Effect::Refuse { conn, code },
            });
        }
        effects
    }

    /// There is nobody any more who could let them in.
    pub(super) fn turn_away(&mut self, knocks: Vec<Join>) -> Vec<Effect> {
        let away = |Join { conn, .. }| {
            self.room_by_knock.remove(&conn);
            let code = ErrorCode::RoomClosed;
            Effect::Refuse { conn, code }
        };
        knocks.into_iter().map(away).collect()
    }

    fn is_waiting(&self, room: &RoomName, id: &PeerId) -> bool {
        let mut knocks = self.by_name.get(room).into_iter();
        knocks.any(|room| room.door.knocks.iter().any(|knock| knock.info.id == *id))
    }

    pub(super) fn is_full(&self, room: &RoomName) -> bool {
        let room = self.by_name.get(room);
        room.is_some_and(|room| room.seats.len() >= self.limits.max_peers)
    }

    /// Somebody does not wait any longer, which those inside are to be told.
    fn take_knock(
        &mut self,
        room: &RoomName,
        which: impl Fn(&Join) -> bool,
    ) -> Option<(Join, Vec<Effect>)> {
        let room = self.by_name.get_mut(room)?;
        let index = room.door.knocks.iter().position(which)?;
        let knock = room.door.knocks.remove(index);
        let effects = ended(room, &knock.info.id);
        Some((knock, effects))
    }
}

fn ended(room: &Room, id: &PeerId) -> Vec<Effect> {
    room.tell_all(&ServerMessage::KnockEnded { id: id.clone() })
}
