//! Coming back to a seat.

use std::collections::VecDeque;
use std::time::Instant;

use super::{ConnId, Effect, Join, Joined, Rooms};
use crate::signaling::RoomName;
use crate::signaling::codes::{CloseReason, ErrorCode};
use crate::signaling::message::{PeerId, ServerMessage};
use crate::signaling::room::{Occupancy, Room, Seat};

impl Rooms {
    /// Pages keep a connected peer for `resume` after they were welcomed themselves; the first one came when the room
    /// was opened, soon after the start. A room that was locked since is no longer what it was before.
    pub(super) fn is_restoring(&self, room: &RoomName, now: Instant) -> bool {
        let resume = self.limits.resume;
        let in_time = |room: &Room| now < room.opened + resume && !room.door.locked_anew;
        now < self.started + 2 * resume && self.by_name.get(room).is_none_or(in_time)
    }

    /// Gives somebody the seat that they had before the server was started, and the room the lock that it had.
    pub(super) fn restore(
        &mut self,
        join: Join,
        id: PeerId,
        now: Instant,
    ) -> Result<Joined, ErrorCode> {
        let (name, locked) = (join.room.clone(), join.locked);
        let mut joined = self.enter(join, id, true, now)?;
        if locked && let Some(room) = self.by_name.get_mut(&name) {
            if !std::mem::replace(&mut room.door.locked, true) {
                let by = joined.id.clone();
                let told = ServerMessage::Locked { locked, by };
                joined.effects.extend(room.tell(&joined.id, &told));
            }
            joined.locked = true;
        }
        Ok(joined)
    }

    /// The same visitor comes back to its seat, whether or not its old connection is known to be broken. Since messages
    /// may have been lost with it, everybody who joined after this peer is announced again, as newcomers to offer to.
    pub(super) fn take_over(&mut self, conn: ConnId, room_name: RoomName, id: PeerId) -> Joined {
        let mut joined = Joined {
            id,
            resumed: true,
            peers: Vec::new(),
            locked: false,
            knocks: Vec::new(),
            effects: Vec::new(),
        };
        let id = &joined.id;
        self.seat_by_conn
            .insert(conn, (room_name.clone(), id.clone()));
        let Some(room) = self.by_name.get_mut(&room_name) else {
            return joined;
        };
        let Some(index) = room.seats.iter().position(|seat| seat.info.id == *id) else {
            return joined;
        };
        joined.locked = room.door.locked;
        joined.knocks = room.door.knocking();
        joined.peers = room.others(id).map(|seat| seat.info.clone()).collect();
        let present = Occupancy::Present(conn);
        let waiting = match std::mem::replace(&mut room.seats[index].occupancy, present) {
            Occupancy::Present(old) => {
                self.seat_by_conn.remove(&old);
                joined.effects.push(Effect::Close {
                    conn: old,
                    reason: CloseReason::Replaced,
                });
                VecDeque::new()
            }
            Occupancy::Absent { until, waiting } => {
                self.deadlines.remove(&(until, room_name, id.clone()));
                waiting.queue.unwrap_or_default()
            }
        };
        let juniors = room.seats[index + 1..].iter();
        let announced = juniors.map(|seat| ServerMessage::PeerJoined {
            peer: seat.info.clone(),
        });
        // Whoever left and came back under the same id, after a restart, is there.
        let waiting = waiting.into_iter().filter(|message| match message {
            ServerMessage::PeerLeft { id } => room.seats.iter().all(|seat| seat.info.id != *id),
            _ => true,
        });
        let messages = announced.chain(waiting);
        joined
            .effects
            .extend(messages.map(|message| Effect::Send { to: conn, message }));
        joined
    }

    /// An absent peer's seat is given up since what waited for it is not complete. The room stays open, and its door as it is,
    /// for they take another one.
    pub(super) fn forfeit(&mut self, room: &RoomName, id: &PeerId) -> Vec<Effect> {
        if let Some(Seat {
            occupancy: Occupancy::Absent { until, .. },
            ..
        }) = self.seat_of(room, id)
        {
            self.deadlines.remove(&(*until, room.clone(), id.clone()));
        }
        self.unseat(room, id)
    }
}
