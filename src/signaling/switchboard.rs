//! The rooms together with the ways to the pages: carries out what [`super::rooms`] decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::Notify;

use super::codes::{CloseReason, ErrorCode};
use super::greeter::{Greeter, Guest};
use super::message::ServerMessage;
use super::outbox::Outbox;
use super::rooms::{ConnId, Effect, Entry, Joined, Rooms};

pub struct Switchboard {
    pub rooms: Rooms,
    lines: HashMap<ConnId, Line>,
    greeter: Arc<Greeter>,
    deadline_changed: Arc<Notify>,
}

/// The way to one page.
struct Line {
    outbox: Outbox,
    /// Whom to welcome once those inside let them in.
    guest: Option<Guest>,
}

impl Switchboard {
    pub fn new(rooms: Rooms, greeter: Arc<Greeter>, deadline_changed: Arc<Notify>) -> Self {
        Self {
            rooms,
            lines: HashMap::new(),
            greeter,
            deadline_changed,
        }
    }

    pub fn open(&mut self, conn: ConnId, outbox: Outbox) {
        let guest = None;
        self.lines.insert(conn, Line { outbox, guest });
    }

    /// All who are connected.
    pub fn conns(&self) -> Vec<ConnId> {
        self.lines.keys().copied().collect()
    }

    /// WebSockets.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Welcomes whoever came in, or tells them that they have to wait.
    pub fn receive(&mut self, conn: ConnId, guest: Guest, entry: Entry) {
        match entry {
            Entry::In(joined) => self.welcome(conn, &guest, joined),
            Entry::Knocking(effects) => {
                if let Some(line) = self.lines.get_mut(&conn) {
                    line.guest = Some(guest);
                }
                self.send(conn, &ServerMessage::Knocking);
                self.carry_out(effects);
            }
        }
    }

    fn welcome(&mut self, conn: ConnId, guest: &Guest, mut joined: Joined) {
        let effects = std::mem::take(&mut joined.effects);
        for message in self.greeter.welcome(guest, joined, SystemTime::now()) {
            self.send(conn, &message);
        }
        self.carry_out(effects);
    }

    /// Somebody who knocked has their answer.
    fn answer(&mut self, conn: ConnId, answer: Result<Joined, ErrorCode>) {
        let guest = self.lines.get_mut(&conn).and_then(|line| line.guest.take());
        match (guest, answer) {
            (Some(guest), Ok(joined)) => self.welcome(conn, &guest, joined),
            (_, Err(code)) => self.refuse(conn, code),
            // Whose line has ended is seated nevertheless, until that is heard.
            (None, Ok(joined)) => self.carry_out(joined.effects),
        }
    }

    pub fn refuse(&mut self, conn: ConnId, code: ErrorCode) {
        metrics::counter!("callbox_signaling_refusals_total", "code" => code.name()).increment(1);
        self.send(conn, &code.into());
    }

    pub fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(to, &message),
                Effect::Admitted { conn, joined } => self.answer(conn, Ok(joined)),
                Effect::Refuse { conn, code } => self.answer(conn, Err(code)),
                Effect::Close { conn, reason } => self.close(conn, reason),
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

    /// Queues a message; a reader that lags too far behind is cut off, alone.
    pub fn send(&mut self, to: ConnId, message: &ServerMessage) {
        let Some(line) = self.lines.get(&to) else {
            return;
        };
        let Ok(text) = serde_json::to_string(message) else {
            return;
        };
        metrics::counter!("callbox_websocket_messages_total", "way" => "out").increment(1);
        if !line.outbox.push(text) {
            self.close(to, CloseReason::SlowReader);
            self.lost(to, false);
        }
    }

    /// The page left for good.
    pub fn leave(&mut self, conn: ConnId) {
        let effects = self.rooms.leave(conn);
        self.carry_out(effects);
    }

    /// The connection broke; was everything written that was sent to it?
    pub fn lost(&mut self, conn: ConnId, complete: bool) {
        let effects = self.rooms.lost(conn, complete, Instant::now());
        self.carry_out(effects);
        self.deadline_changed.notify_one();
    }

    pub fn close(&mut self, conn: ConnId, reason: CloseReason) {
        if let Some(line) = self.lines.remove(&conn) {
            line.outbox.close(reason);
        }
    }

    /// Returns whether everything was written that was sent to it.
    pub fn forget(&mut self, conn: ConnId) -> bool {
        let line = self.lines.remove(&conn);
        line.is_none_or(|line| line.outbox.is_empty())
    }
}
