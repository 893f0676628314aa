//! Coming back to a seat.

use std::time::Instant;

use super::room::{Occupancy, Room, Seat};
use super::{ConnId, Effect, Join, Joined, Rooms};
use crate::signaling::backlog::Backlog;
use crate::signaling::codes::{CloseReason, ErrorCode};
use crate::signaling::message::{PeerId, ServerMessage};
use crate::words::names::RoomName;

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
    pub(super) fn take_over(
        &mut self,
        conn: ConnId,
        name: RoomName,
        id: PeerId,
        now: Instant,
        rest: impl FnOnce(ConnId) -> Backlog,
    ) -> Joined {
        let mut effects = Vec::new();
        if let Some(old) = self.conn_of(&name, &id) {
            self.seat_by_conn.remove(&old);
            self.leave_empty(name.clone(), &id, rest(old), now);
            effects.push(Effect::Close {
                conn: old,
                reason: CloseReason::Replaced,
            });
        }
        self.seat_by_conn.insert(conn, (name.clone(), id.clone()));
        let mut joined = Joined {
            id,
            resumed: true,
            anew: Vec::new(),
            peers: Vec::new(),
            locked: false,
            knocks: Vec::new(),
            effects,
        };
        let id = &joined.id;
        let Some(room) = self.by_name.get_mut(&name) else {
            return joined;
        };
        let Some(index) = room.position(id) else {
            return joined;
        };
        let present = Occupancy::Present(conn);
        let Occupancy::Absent { until, mut waiting } =
            std::mem::replace(&mut room.seats[index].occupancy, present)
        else {
            return joined;
        };
        self.deadlines.remove(&(until, name, id.clone()));
        joined.locked = room.door.locked;
        joined.knocks = room.door.knocking();
        joined.peers = room.others(id).map(|seat| seat.info.clone()).collect();
        joined.effects.extend(room.renew(id, &waiting.incomplete));
        let back = &mut room.seats[index];
        back.awaits.retain(|id| !waiting.renewed.contains(id));
        for id in &waiting.incomplete {
            if !back.awaits.contains(id) {
                back.awaits.push(id.clone());
            }
        }
        let back = &room.seats[index];
        let offers = |(at, seat): &(usize, &Seat)| {
            let other = &seat.info.id;
            (*at > index || waiting.renewed.contains(other)) && !back.awaits.contains(other)
        };
        let announced = room.seats.iter().enumerate().filter(offers);
        let announced = announced.map(|(_, seat)| ServerMessage::PeerJoined {
            peer: seat.info.clone(),
        });
        // Whoever left and came back under the same id, after a restart, is there.
        let waits = std::iter::from_fn(|| waiting.backlog.pop()).filter(|message| match message {
            ServerMessage::PeerLeft { id } => room.position(id).is_none(),
            _ => true,
        });
        let messages = announced.chain(waits);
        joined
            .effects
            .extend(messages.map(|message| Effect::Send { to: conn, message }));
        joined.anew = waiting.incomplete;
        joined.anew.extend(waiting.renewed);
        joined
    }

    fn conn_of(&self, room: &RoomName, id: &PeerId) -> Option<ConnId> {
        match self.seat_of(room, id)?.occupancy {
            Occupancy::Present(conn) => Some(conn),
            Occupancy::Absent { .. } => None,
        }
    }
}

impl Room {
    /// Whoever comes back lacks signals of `others`, who forget what they know of it and offer, now or when they are back.
    fn renew(&mut self, back: &PeerId, others: &[PeerId]) -> Vec<Effect> {
        let Some(index) = self.position(back) else {
            return Vec::new();
        };
        let peer = self.seats[index].info.clone();
        let mut effects = Vec::new();
        for seat in &mut self.seats {
            if !others.contains(&seat.info.id) {
                continue;
            }
            seat.awaits.retain(|other| other != back);
            match &mut seat.occupancy {
                Occupancy::Present(to) => {
                    let to = *to;
                    let (id, peer) = (back.clone(), peer.clone());
                    effects.extend(
                        [
                            ServerMessage::PeerLeft { id },
                            ServerMessage::PeerJoined { peer },
                        ]
                        .map(|message| Effect::Send { to, message }),
                    );
                }
                Occupancy::Absent { waiting, .. } => waiting.renews(back),
            }
        }
        effects
    }
}
