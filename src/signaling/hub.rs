//! All rooms and the WebSockets in them: carries out what [`super::rooms`] decides.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::codes::{CloseReason, ErrorCode};
use super::message::{JoinMessage, PeerId, ServerMessage, SignalData};
use super::name::person;
use super::outbox::{Inbox, Outbox, outbox};
use super::rooms::{Claim, ConnId, Effect, Join, Joined, Limits, Rooms};
use super::ticket::{Resume, TicketKey};
use super::{RoomName, Visit};
use crate::config::Signaling;
use crate::limits::{AddressKey, PerAddress};
use crate::presence::Presence;
use crate::sealed::SealError;
use crate::state::random_hex;
use crate::web::{IceServers, Reached};

/// The rooms of this server.
pub struct Hub {
    state: Mutex<State>,
    tickets: TicketKey,
    ice: Arc<IceServers>,
    pub(super) presence: Presence,
    /// Names this run of the server in resume tickets.
    boot: String,
    next_conn: AtomicU64,
    deadline_changed: Arc<Notify>,
    pub(super) settings: Signaling,
    pub(super) stopping: CancellationToken,
    /// Until when, once it is about to stop.
    pub(super) draining: OnceLock<Instant>,
    /// The sessions that run.
    pub tasks: TaskTracker,
    /// WebSockets by address.
    pub connections: PerAddress,
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    pub rooms: usize,
    /// Rooms of two or more.
    pub calls: usize,
    /// Seats.
    pub people: usize,
    pub websockets: usize,
}

struct State {
    rooms: Rooms,
    deadline_changed: Arc<Notify>,
    outboxes: HashMap<ConnId, Outbox>,
}

impl Hub {
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(
        settings: Signaling,
        tickets: TicketKey,
        ice: Arc<IceServers>,
        presence: Presence,
    ) -> anyhow::Result<Arc<Self>> {
        let rooms = Rooms::new(Limits {
            max_peers: settings.max_peers,
            max_rooms: settings.max_rooms,
            max_rooms_per_address: settings.max_rooms_per_ip,
            resume: settings.resume,
        });
        let deadline_changed = Arc::new(Notify::new());
        let state = State {
            rooms,
            deadline_changed: Arc::clone(&deadline_changed),
            outboxes: HashMap::new(),
        };
        let hub = Arc::new(Self {
            state: Mutex::new(state),
            tickets,
            ice,
            presence,
            boot: random_hex::<8>()?,
            next_conn: AtomicU64::new(0),
            deadline_changed,
            connections: PerAddress::new(settings.max_connections_per_ip),
            settings,
            stopping: CancellationToken::new(),
            draining: OnceLock::new(),
            tasks: TaskTracker::new(),
        });
        tokio::spawn(Arc::clone(&hub).free_seats());
        Ok(hub)
    }

    /// A new WebSocket, which is in no room yet.
    pub(super) fn open(&self) -> Inbox {
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let (outbox, inbox) = outbox(conn);
        self.with(|state| state.outboxes.insert(conn, outbox));
        inbox
    }

    /// Lets a page into a room and welcomes it.
    pub(super) fn join(
        &self,
        conn: ConnId,
        visit: &Visit,
        message: &JoinMessage,
        now: SystemTime,
    ) -> Result<String, ErrorCode> {
        let visitor = self
            .tickets
            .read_visitor(&message.ticket, now)
            .map_err(|e| match e {
                SealError::Invalid => ErrorCode::BadTicket,
                SealError::Expired => ErrorCode::TicketExpired,
            })?;
        let room = RoomName::parse(&message.room).ok_or(ErrorCode::BadRoom)?;
        if !visit.scope.allows(&room) {
            return Err(ErrorCode::NotInvited);
        }
        let resume = message.resume.as_ref().and_then(|ticket| {
            let seat = self.tickets.read_resume(ticket, now).ok()?;
            let matches = seat.room == room && seat.visitor == visitor;
            matches.then(|| Claim {
                id: seat.id,
                before_start: seat.boot != self.boot,
            })
        });
        let fresh = random_hex::<8>().map_err(|_| ErrorCode::TooManyRooms)?;
        let join = Join {
            conn,
            address: AddressKey::from(visit.address),
            visitor: visitor.clone(),
            room: room.clone(),
            name: person(&message.name),
            fresh_id: PeerId(format!("p{fresh}")),
            resume,
        };
        self.with(|state| {
            let draining = self.draining.get();
            if draining.is_some() && !state.rooms.is_open(&room) {
                return Err(ErrorCode::Draining);
            }
            let Joined {
                id,
                resumed,
                peers,
                effects,
            } = state.rooms.join(join, Instant::now())?;
            let seat = Resume {
                id: id.clone(),
                room,
                visitor: visitor.clone(),
                boot: self.boot.clone(),
            };
            let welcome = ServerMessage::Welcome {
                id,
                resume: self.tickets.resume(&seat, now),
                resumed,
                peers,
                pc_config: self.ice.for_visitor(&visit.reached, &visitor, now),
            };
            state.send(conn, &welcome);
            if let Some(end) = draining {
                state.send(conn, &Self::farewell(*end));
            }
            state.carry_out(effects);
            Ok(visitor)
        })
    }

    pub(super) fn signal(
        &self,
        from: ConnId,
        to: &PeerId,
        data: SignalData,
    ) -> Result<(), ErrorCode> {
        self.with(|state| {
            let effect = state.rooms.signal(from, to, data)?;
            state.carry_out(effect.into_iter().collect());
            Ok(())
        })
    }

    /// Fresh ICE servers for a visitor whose credentials are about to end.
    pub(super) fn renew(&self, conn: ConnId, reached: &Reached, visitor: &str, now: SystemTime) {
        let pc_config = self.ice.for_visitor(reached, visitor, now);
        self.send(conn, &ServerMessage::PcConfig { pc_config });
    }

    pub(super) fn renewal_interval(&self) -> Option<std::time::Duration> {
        self.ice.renewal_interval()
    }

    pub(super) fn send(&self, to: ConnId, message: &ServerMessage) {
        self.with(|state| state.send(to, message));
    }

    pub(super) fn tell_everybody(&self, message: &ServerMessage) {
        self.with(|state| {
            let all = state.outboxes.keys().copied();
            let seated: Vec<_> = all.filter(|conn| state.rooms.is_seated(*conn)).collect();
            for conn in seated {
                state.send(conn, message);
            }
        });
    }

    /// The page left for good.
    pub(super) fn leave(&self, conn: ConnId) {
        self.with(|state| {
            state.outboxes.remove(&conn);
            let effects = state.rooms.leave(conn);
            state.carry_out(effects);
        });
    }

    /// The connection broke without a word.
    pub(super) fn lost(&self, conn: ConnId) {
        self.with(|state| {
            let outbox = state.outboxes.remove(&conn);
            let complete = outbox.is_none_or(|outbox| outbox.is_empty());
            state.lost(conn, complete);
        });
    }

    /// Nobody who is here may be here any longer: frees all seats and closes all WebSockets.
    pub fn revoke(&self) {
        self.with(|state| {
            let conns: Vec<_> = state.outboxes.keys().copied().collect();
            for conn in conns {
                let effects = state.rooms.leave(conn);
                state.carry_out(effects);
                state.close(conn, CloseReason::Revoked);
            }
        });
    }

    /// Closes all WebSockets with 1001 and refuses new ones.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// How much there is.
    pub fn census(&self) -> Census {
        self.with(|state| Census {
            rooms: state.rooms.len(),
            calls: state.rooms.sizes().filter(|size| *size > 1).count(),
            people: state.rooms.sizes().sum(),
            websockets: state.outboxes.len(),
        })
    }

    /// How many seats each room has.
    pub fn room_sizes(&self) -> Vec<usize> {
        self.with(|state| state.rooms.sizes().collect())
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Frees the seats of those who do not come back, until the server stops.
    async fn free_seats(self: Arc<Self>) {
        loop {
            let next = self.with(|state| {
                let effects = state.rooms.expire(Instant::now());
                state.carry_out(effects);
                state.rooms.next_deadline()
            });
            let deadline = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = deadline => {}
                () = self.deadline_changed.notified() => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }
}

impl State {
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(to, &message),
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
    fn send(&mut self, to: ConnId, message: &ServerMessage) {
        let Some(outbox) = self.outboxes.get(&to) else {
            return;
        };
        let Ok(text) = serde_json::to_string(message) else {
            return;
        };
        metrics::counter!("callbox_websocket_messages_total", "way" => "out").increment(1);
        if !outbox.push(text) {
            self.close(to, CloseReason::SlowReader);
            self.lost(to, false);
        }
    }

    fn lost(&mut self, conn: ConnId, complete: bool) {
        self.rooms.lost(conn, complete, Instant::now());
        self.deadline_changed.notify_one();
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason) {
        if let Some(outbox) = self.outboxes.remove(&conn) {
            outbox.close(reason);
        }
    }
}
