//! Rooms that make way: where there are as many as there may be, the one goes that has been of no use for the longest time,
//! not the one that comes.

use std::time::{Duration, Instant};

use super::{Effect, Rooms};
use crate::limits::AddressKey;
use crate::signaling::RoomName;
use crate::signaling::codes::{CloseReason, ErrorCode};
use crate::signaling::room::{Occupancy, Room, Seat};

/// So long somebody may be alone in a room whatever comes.
pub const ALONE_FOR: Duration = Duration::from_secs(60);

impl Rooms {
    /// Sees to it that `opener` may open another room.
    ///
    /// # Errors
    /// Where there are as many as there may be, and all are of use.
    pub(super) fn make_way(
        &mut self,
        opener: AddressKey,
        now: Instant,
    ) -> Result<Vec<Effect>, ErrorCode> {
        let Err(full) = self.may_open(opener) else {
            return Ok(Vec::new());
        };
        let within = full.network();
        let suits = |room: &Room, _: &Seat| within.is_none_or(|it| room.opener.is_in(it));
        let useless = self.longest_alone(now, suits);
        let name = useless.ok_or(ErrorCode::TooManyRooms)?;
        Ok(self.clear(&name))
    }

    /// The room in which somebody has been alone for the longest time, and nobody knocks.
    pub fn longest_alone(
        &self,
        now: Instant,
        suits: impl Fn(&Room, &Seat) -> bool,
    ) -> Option<RoomName> {
        let alone = self.by_name.iter().filter(|(_, room)| {
            matches!(&room.seats[..], [seat] if suits(room, seat)) && room.door.knocks.is_empty()
        });
        alone
            .map(|(name, room)| (room.alone_since, name))
            .filter(|(since, _)| *since + ALONE_FOR <= now)
            .min_by_key(|(since, _)| *since)
            .map(|(_, name)| name.clone())
    }

    /// Closes a room with one seat, which may come back and open it anew.
    pub fn clear(&mut self, name: &RoomName) -> Vec<Effect> {
        let Some(seat) = self.by_name.get(name).and_then(|room| room.seats.first()) else {
            return Vec::new();
        };
        let id = seat.info.id.clone();
        let mut effects = Vec::new();
        match &seat.occupancy {
            Occupancy::Present(conn) => {
                let (conn, reason) = (*conn, CloseReason::MadeWay);
                self.seat_by_conn.remove(&conn);
                effects.push(Effect::Close { conn, reason });
            }
            Occupancy::Absent { until, .. } => {
                self.deadlines.remove(&(*until, name.clone(), id.clone()));
            }
        }
        // Nobody is left to whom the time could matter.
        effects.extend(self.vacate(name, &id, self.started));
        effects
    }
}
