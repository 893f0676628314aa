//! Rooms that make way: where there are as many as there may be, the one goes that has been of no use for the longest time,
//! not the one that comes.

use std::time::{Duration, Instant};

use super::room::{Occupancy, Room};
use super::{Effect, Join, Rooms};
use crate::signaling::codes::{CloseReason, ErrorCode};
use crate::words::names::RoomName;

/// So long somebody may be alone in a room whatever comes.
const ALONE_FOR: Duration = Duration::from_secs(60);
/// The same in a room that is locked: whoever comes there should find it so.
const ALONE_BEHIND_LOCK: Duration = Duration::from_secs(600);

impl Rooms {
    /// Why this one could not enter, if so.
    pub(crate) fn refusal(&self, join: &Join, now: Instant) -> Option<ErrorCode> {
        match self.by_name.get(&join.room) {
            Some(_) => self.is_full(&join.room).then_some(ErrorCode::RoomFull),
            None if !self.opens => Some(ErrorCode::Draining),
            None => self.useless(join, now).err(),
        }
    }

    /// Sees to it that this one may open another room.
    ///
    /// # Errors
    /// Where there are as many as there may be, and all are of use.
    pub(super) fn make_way(&mut self, join: &Join, now: Instant) -> Result<Vec<Effect>, ErrorCode> {
        let useless = self.useless(join, now)?;
        Ok(useless.map_or_else(Vec::new, |name| self.clear(&name, now)))
    }

    /// Which room has to go so that this one may open another, if one has. Whoever had to go itself waits until there is
    /// place: else those who wait alone would throw each other out all the time.
    fn useless(&self, join: &Join, now: Instant) -> Result<Option<RoomName>, ErrorCode> {
        let Err(full) = self.may_open(join.address) else {
            return Ok(None);
        };
        let comes_back = join.resume.is_some();
        let within = full.own_network();
        let suits = |room: &Room| within.is_none_or(|network| room.opener.is_in(network));
        let longest = (!comes_back).then(|| self.longest_alone(now, suits));
        let longest = longest.flatten().ok_or(ErrorCode::TooManyRooms)?;
        Ok(Some(longest))
    }

    /// The room in which somebody has been alone for the longest time, and nobody knocks; locked ones last.
    fn longest_alone(&self, now: Instant, suits: impl Fn(&Room) -> bool) -> Option<RoomName> {
        let is_alone = |room: &Room| room.seats.len() == 1 && room.door.knocks.is_empty();
        let useless = |room: &Room| {
            let locked = room.door.locked;
            let least = if locked { ALONE_BEHIND_LOCK } else { ALONE_FOR };
            (room.alone_since + least <= now).then_some((locked, room.alone_since))
        };
        let alone = self.by_name.iter();
        let alone = alone.filter(|(_, room)| is_alone(room) && suits(room));
        alone
            .filter_map(|(name, room)| Some((useless(room)?, name)))
            .min_by_key(|(useless, _)| *useless)
            .map(|(_, name)| name.clone())
    }

    /// Closes a room with one seat, which may come back and open it anew.
    fn clear(&mut self, name: &RoomName, now: Instant) -> Vec<Effect> {
        let Some(seat) = self.by_name.get(name).and_then(|room| room.seats.first()) else {
            return Vec::new();
        };
        let id = seat.info.id.clone();
        let mut effects = vec![Effect::MadeWay];
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
        effects.extend(self.vacate(name, &id, now));
        effects
    }
}
