//! The rooms together with the ways to the pages: carries out what [`super::rooms`] decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use super::backlog::{Backlog, Full};
use super::codes::{CloseReason, ErrorCode, MadeWay};
use super::greeter::{Greeter, Guest};
use super::message::{PeerId, ServerMessage, SignalData};
use super::outbox::Outbox;
use super::rooms::{ConnId, Effect, Entry, Join, Joined, Rooms};
use crate::limits::{Network, Place};

pub(super) struct Switchboard {
    pub rooms: Rooms,
    lines: HashMap<ConnId, Line>,
    greeter: Arc<Greeter>,
    deadline_changed: Arc<Notify>,
}

/// A connection that is in no room does not have to go before that. A page that comes back to a locked room joins after four
/// seconds.
const GRACE: Duration = Duration::from_secs(5);

/// The way to one page.
struct Line {
    outbox: Outbox,
    /// Counted against its address as long as this is there.
    place: Place,
    /// Since when it has been in no room, nor before one.
    outside: Option<Instant>,
    /// Whom to welcome once those inside let them in.
    guest: Option<Guest>,
}

impl Switchboard {
    pub(super) fn new(rooms: Rooms, greeter: Arc<Greeter>, deadline_changed: Arc<Notify>) -> Self {
        Self {
            rooms,
            lines: HashMap::new(),
            greeter,
            deadline_changed,
        }
    }

    pub(super) fn open(&mut self, conn: ConnId, outbox: Outbox, place: Place, now: Instant) {
        let line = Line {
            outbox,
            place,
            outside: Some(now),
            guest: None,
        };
        self.lines.insert(conn, line);
    }

    /// Closes the WebSocket that has been in no room for the longest time, of one network or of all; `false` where there is none.
    pub(super) fn make_way(&mut self, within: Option<Network>, now: Instant) -> bool {
        let suits = |line: &Line| within.is_none_or(|network| line.place.is_in(network));
        let lines = self.lines.iter().filter(|(_, line)| suits(line));
        let outside = lines
            .filter_map(|(conn, line)| Some((line.outside?, *conn)))
            .filter(|(since, _)| *since + GRACE <= now)
            .min();
        let Some((_, conn)) = outside else {
            return false;
        };
        self.close(conn, CloseReason::NoJoin);
        MadeWay::WebSocket.count();
        true
    }

    /// Has it not been closed meanwhile?
    pub(super) fn is_open(&self, conn: ConnId) -> bool {
        self.lines.contains_key(&conn)
    }

    /// All who are connected.
    pub(super) fn conns(&self) -> Vec<ConnId> {
        self.lines.keys().copied().collect()
    }

    /// WebSockets.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// # Errors
    /// The reason to tell whoever may not come in.
    pub(super) fn join(&mut self, join: Join, now: Instant) -> Result<Entry, ErrorCode> {
        let lines = &self.lines;
        let rest = |old| lines.get(&old).map(|line| line.outbox.drain());
        let entry = self
            .rooms
            .join(join, now, |old| rest(old).unwrap_or_default())?;
        self.deadline_changed.notify_one();
        Ok(entry)
    }

    /// Welcomes whoever came in, or tells them that they have to wait.
    pub(super) fn receive(&mut self, conn: ConnId, guest: Guest, entry: Entry) {
        if let Some(line) = self.lines.get_mut(&conn) {
            line.outside = None;
        }
        match entry {
            Entry::In(joined) => self.welcome(conn, &guest, joined),
            Entry::Knocking(effects) => {
                if let Some(line) = self.lines.get_mut(&conn) {
                    line.guest = Some(guest);
                }
                self.send(conn, ServerMessage::Knocking);
                self.carry_out(effects);
            }
        }
    }

    fn welcome(&mut self, conn: ConnId, guest: &Guest, mut joined: Joined) {
        let effects = std::mem::take(&mut joined.effects);
        for message in self.greeter.welcome(guest, joined, SystemTime::now()) {
            self.send(conn, message);
        }
        self.carry_out(effects);
    }

    /// Somebody who knocked has their answer.
    fn answer(&mut self, conn: ConnId, answer: Result<Joined, ErrorCode>) {
        let guest = self.lines.get_mut(&conn).and_then(|line| line.guest.take());
        match (guest, answer) {
            (Some(guest), Ok(joined)) => self.welcome(conn, &guest, joined),
            (_, Err(code)) => {
                if let Some(line) = self.lines.get_mut(&conn) {
                    line.outside = Some(Instant::now());
                }
                self.refuse(conn, code);
            }
            // Whose line has ended is seated nevertheless, until that is heard.
            (None, Ok(joined)) => self.carry_out(joined.effects),
        }
    }

    pub(super) fn refuse(&mut self, conn: ConnId, code: ErrorCode) {
        metrics::counter!("callbox_signaling_refusals_total", "code" => code.name()).increment(1);
        self.send(conn, code.into());
    }

    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(to, message),
                Effect::Admitted { conn, joined } => self.answer(conn, Ok(joined)),
                Effect::Refuse { conn, code } => self.answer(conn, Err(code)),
                Effect::Close { conn, reason } => drop(self.close(conn, reason)),
                Effect::MadeWay => MadeWay::Room.count(),
                Effect::Opened(name) => {
                    tracing::info!(rooms = self.rooms.len(), "room opened");
                    tracing::debug!(room = %name, "room opened");
                }
                Effect::Closed(name) => {
                    tracing::info!(rooms = self.rooms.len(), "room closed");
                    tracing::debug!(room = %name, "room closed");
                }
            }
        }
    }

    /// Queues a message that is not at anybody else's expense. Who asks for more than it reads is cut off.
    pub(super) fn send(&mut self, to: ConnId, message: ServerMessage) {
        if self.push(to, message) == Err(Full::Own) {
            let rest = self.close(to, CloseReason::SlowReader);
            self.lost(to, rest);
        }
    }

    /// Passes a signal on.
    ///
    /// # Errors
    /// When the sender is in no room, or too much of it waits at the other side.
    pub(super) fn signal(
        &mut self,
        from: ConnId,
        to: &PeerId,
        data: SignalData,
    ) -> Result<(), ErrorCode> {
        match self.rooms.signal(from, to, data)? {
            Some((to, signal)) => self.push(to, signal).map_err(|_| ErrorCode::TooFast),
            None => Ok(()),
        }
    }

    fn push(&self, to: ConnId, message: ServerMessage) -> Result<(), Full> {
        let line = self.lines.get(&to);
        line.map_or(Ok(()), |line| line.outbox.push(message))
    }

    /// The page left for good.
    pub(super) fn leave(&mut self, conn: ConnId) {
        let effects = self.rooms.leave(conn, Instant::now());
        self.carry_out(effects);
    }

    /// The connection broke; what was not written yet waits for whoever comes back.
    pub(super) fn lost(&mut self, conn: ConnId, rest: Backlog) {
        let effects = self.rooms.lost(conn, rest, Instant::now());
        self.carry_out(effects);
        self.deadline_changed.notify_one();
    }

    /// Returns what was not written yet.
    pub(super) fn close(&mut self, conn: ConnId, reason: CloseReason) -> Backlog {
        let Some(line) = self.lines.remove(&conn) else {
            return Backlog::default();
        };
        let rest = line.outbox.drain();
        line.outbox.close(reason);
        rest
    }

    /// Returns what was not written yet.
    pub(super) fn forget(&mut self, conn: ConnId) -> Backlog {
        let line = self.lines.remove(&conn);
        line.map(|line| line.outbox.drain()).unwrap_or_default()
    }
}
