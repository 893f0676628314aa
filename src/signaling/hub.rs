//! What sessions ask of the rooms that all of them share.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Visit;
use super::codes::{CloseReason, ErrorCode};
use super::greeter::{Greeter, Guest};
use super::message::{JoinMessage, PeerId, PeerInfo, ServerMessage, SignalData};
use super::outbox::{Inbox, outbox};
use super::rooms::{ConnId, Effect, Join, Limits, Rooms};
use super::switchboard::Switchboard;
use super::ticket::TicketKey;
use crate::config::Signaling;
use crate::ice::IceServers;
use crate::limits::{AddressKey, AddressRate, Full, KeyedRate, PerAddress, Place};
use crate::presence::Presence;
use crate::refused::Refused;
use crate::words::names::RoomName;
use crate::words::names::person;
use crate::words::secret::random_hex;
use crate::words::visitor::Visitor;

/// How often an address may knock at locked rooms, in a minute.
const KNOCKS_PER_MINUTE: u32 = 12;
/// How often somebody may lock a room or unlock it, in a minute.
const LOCKS_PER_MINUTE: u32 = 8;
/// New seats an address may take in a minute, as a multiple of its WebSockets: all come back when a network does, and once more.
const ENTRIES: usize = 2;

/// The rooms of this server.
pub(crate) struct Hub {
    switchboard: Mutex<Switchboard>,
    pub(super) greeter: Arc<Greeter>,
    pub(super) presence: Presence,
    next_conn: AtomicU64,
    deadline_changed: Arc<Notify>,
    pub(super) settings: Signaling,
    pub(super) stopping: CancellationToken,
    /// The sessions that run.
    pub tasks: TaskTracker,
    /// WebSockets by address.
    connections: PerAddress,
    knocks: AddressRate,
    entries: AddressRate,
    locks: KeyedRate<String>,
}

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Outside,
    Knocking,
    Inside,
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub rooms: usize,
    /// Rooms of two or more.
    pub calls: usize,
    /// Seats.
    pub people: usize,
    pub websockets: usize,
}

impl Hub {
    /// # Errors
    /// When the operating system has no randomness.
    pub(crate) fn new(
        settings: Signaling,
        websockets: PerAddress,
        tickets: TicketKey,
        ice: Arc<IceServers>,
        presence: Presence,
    ) -> anyhow::Result<Arc<Self>> {
        let rooms = Rooms::new(
            Limits {
                max_peers: settings.max_peers,
                max_rooms: settings.max_rooms,
                max_rooms_per_address: settings.max_rooms_per_ip,
                resume: settings.resume,
            },
            Instant::now(),
        );
        let greeter = Arc::new(Greeter::new(tickets, ice)?);
        let deadline_changed = Arc::new(Notify::new());
        let switchboard =
            Switchboard::new(rooms, Arc::clone(&greeter), Arc::clone(&deadline_changed));
        let entries = ENTRIES.saturating_mul(settings.max_connections_per_ip);
        let hub = Arc::new(Self {
            switchboard: Mutex::new(switchboard),
            greeter,
            presence,
            next_conn: AtomicU64::new(0),
            deadline_changed,
            connections: websockets,
            knocks: AddressRate::per_minute(KNOCKS_PER_MINUTE),
            entries: AddressRate::per_minute(entries.try_into().unwrap_or(u32::MAX)),
            locks: KeyedRate::per_minute(LOCKS_PER_MINUTE),
            settings,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        tokio::spawn(Arc::clone(&hub).free_seats());
        Ok(hub)
    }

    /// A place for a WebSocket of this address. Where there is none, one that is of no use goes.
    ///
    /// # Errors
    /// The bound that is reached, where all are of use.
    pub(crate) fn place(&self, ip: IpAddr) -> Result<Place, Full> {
        self.connections.take(ip).or_else(|full| {
            let made = self.with(|board| board.make_way(full.network(), Instant::now()));
            made.then(|| self.connections.take_over(ip)).ok_or(full)
        })
    }

    /// A new WebSocket, which is in no room yet.
    pub(super) fn open(&self, place: Place) -> Inbox {
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let (outbox, inbox) = outbox(conn);
        self.with(|board| board.open(conn, outbox, place, Instant::now()));
        inbox
    }

    /// Lets a page into a room and welcomes it, or has it wait before a locked one. Returns the visitor.
    pub(super) fn join(
        &self,
        conn: ConnId,
        visit: &Visit,
        message: &JoinMessage,
        now: SystemTime,
    ) -> Result<String, ErrorCode> {
        let visitor = self.greeter.visitor(&message.ticket, now)?;
        let room = RoomName::parse(&message.room).ok_or(ErrorCode::BadRoom)?;
        if !visit.scope.allows(&room) {
            return Err(ErrorCode::NotInvited);
        }
        let claim = |ticket: &String| self.greeter.claim(ticket, &room, &visitor, now);
        let resume = message.resume.as_ref().and_then(claim);
        let fresh = random_hex::<8>().map_err(|_| ErrorCode::TooManyRooms)?;
        let join = Join {
            conn,
            address: AddressKey::from(visit.visitor.ip),
            visitor: visitor.clone(),
            room,
            info: PeerInfo {
                id: PeerId(format!("p{fresh}")),
                name: person(&message.name),
                number: 1,
            },
            resume,
            locked: message.locked,
        };
        let guest = Guest {
            visitor: visitor.clone(),
            room: join.room.clone(),
            from: visit.visitor.clone(),
        };
        self.with(|board| {
            let instant = Instant::now();
            if !board.is_open(conn) {
                return Err(ErrorCode::NotJoined);
            }
            let knocks = board.rooms.has_to_knock(&join, instant);
            let address = join.address;
            if knocks && !self.knocks.allows(address, instant) {
                Refused::Knocks.count();
                return Err(ErrorCode::TooManyKnocks);
            }
            // Whoever comes back to a seat is nobody new to the others.
            let enters = !knocks && !board.rooms.has_seat(&join, instant);
            if enters && let Some(code) = board.rooms.refusal(&join, instant) {
                count_refused(code, address, &board.rooms);
                return Err(code);
            }
            if enters && !self.entries.allows(address, instant) {
                Refused::Seats.count();
                return Err(ErrorCode::TooFast);
            }
            let entry = board.join(join, instant);
            let entry = entry.inspect_err(|code| count_refused(*code, address, &board.rooms))?;
            board.receive(conn, guest, entry);
            Ok(visitor)
        })
    }

    pub(super) fn lock(
        &self,
        conn: ConnId,
        visitor: Option<&str>,
        locked: bool,
    ) -> Result<(), ErrorCode> {
        let visitor = visitor.ok_or(ErrorCode::NotJoined)?;
        if !self.locks.allows(&visitor.to_owned()) {
            Refused::Locks.count();
            return Err(ErrorCode::TooFast);
        }
        self.act(|rooms| rooms.lock(conn, locked, Instant::now()))
    }

    pub(super) fn admit(&self, conn: ConnId, id: &PeerId) -> Result<(), ErrorCode> {
        self.act(|rooms| rooms.admit(conn, id, Instant::now()))
    }

    pub(super) fn refuse(&self, conn: ConnId, id: &PeerId) -> Result<(), ErrorCode> {
        self.act(|rooms| rooms.refuse(conn, id))
    }

    fn act(
        &self,
        decide: impl FnOnce(&mut Rooms) -> Result<Vec<Effect>, ErrorCode>,
    ) -> Result<(), ErrorCode> {
        self.with(|board| {
            let effects = decide(&mut board.rooms)?;
            board.carry_out(effects);
            Ok(())
        })
    }

    /// Is this connection in a room, or does it wait before one?
    pub(super) fn standing(&self, conn: ConnId) -> Standing {
        self.with(|board| {
            if board.rooms.is_seated(conn) {
                Standing::Inside
            } else if board.rooms.is_knocking(conn) {
                Standing::Knocking
            } else {
                Standing::Outside
            }
        })
    }

    pub(super) fn signal(
        &self,
        from: ConnId,
        to: &PeerId,
        data: SignalData,
    ) -> Result<(), ErrorCode> {
        self.with(|board| board.signal(from, to, data))
    }

    /// Fresh ICE servers for a visitor whose credentials are about to end.
    pub(super) fn renew(&self, conn: ConnId, from: &Visitor, visitor: &str, now: SystemTime) {
        let pc_config = self.greeter.ice.for_visitor(from, visitor, now);
        self.send(conn, ServerMessage::PcConfig { pc_config });
    }

    pub(super) fn renewal_interval(&self) -> Option<std::time::Duration> {
        self.greeter.ice.renewal_interval()
    }

    /// Something that a page asked for is not to be.
    pub(super) fn turn_down(&self, conn: ConnId, code: ErrorCode) {
        self.with(|board| board.refuse(conn, code));
    }

    pub(super) fn send(&self, to: ConnId, message: ServerMessage) {
        self.with(|board| board.send(to, message));
    }

    pub(super) fn stop_opening(&self) {
        self.with(|board| board.rooms.stop_opening());
    }

    pub(super) fn tell_everybody(&self, message: &ServerMessage) {
        self.with(|board| {
            let mut seated = board.conns();
            seated.retain(|conn| board.rooms.is_seated(*conn));
            for conn in seated {
                board.send(conn, message.clone());
            }
        });
    }

    /// The page left for good.
    pub(super) fn leave(&self, conn: ConnId) {
        self.with(|board| {
            board.forget(conn);
            board.leave(conn);
        });
    }

    /// The connection broke without a word.
    pub(super) fn lost(&self, conn: ConnId) {
        self.with(|board| {
            let rest = board.forget(conn);
            board.lost(conn, rest);
        });
    }

    /// Nobody who is here may be here any longer: frees all seats and closes all WebSockets.
    pub(crate) fn revoke(&self) {
        self.with(|board| {
            let mut conns = board.conns();
            // Who waits first: nobody needs to be told that the room became empty.
            conns.sort_by_key(|conn| !board.rooms.is_knocking(*conn));
            for conn in conns {
                board.leave(conn);
                board.close(conn, CloseReason::Revoked);
            }
        });
    }

    /// Closes all WebSockets with 1001 and refuses new ones.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// How much there is.
    pub(crate) fn census(&self) -> Census {
        self.with(|board| Census {
            rooms: board.rooms.len(),
            calls: board.rooms.sizes().filter(|size| *size > 1).count(),
            people: board.rooms.sizes().sum(),
            websockets: board.len(),
        })
    }

    /// How many seats each room has.
    pub(crate) fn room_sizes(&self) -> Vec<usize> {
        self.with(|board| board.rooms.sizes().collect())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Switchboard) -> T) -> T {
        f(&mut self
            .switchboard
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// Frees the seats of those who do not come back, until the server stops.
    async fn free_seats(self: Arc<Self>) {
        loop {
            let next = self.with(|board| {
                let effects = board.rooms.expire(Instant::now());
                board.carry_out(effects);
                board.rooms.next_deadline()
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

/// By which bound somebody was not let in.
fn count_refused(code: ErrorCode, address: AddressKey, rooms: &Rooms) {
    let bounds = [
        Refused::Rooms,
        Refused::RoomsOfAddress,
        Refused::RoomsOfNetwork,
    ];
    let refused = match code {
        ErrorCode::RoomFull => Some(Refused::People),
        ErrorCode::TooManyKnocks => Some(Refused::KnocksWaiting),
        ErrorCode::TooManyRooms => rooms.may_open(address).err().map(|full| full.of(bounds)),
        _ => None,
    };
    if let Some(refused) = refused {
        refused.count();
    }
}
