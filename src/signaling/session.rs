//! One WebSocket: reads, writes, pings, and knows when to give up.

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::SinkExt;
use metrics::Counter;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Error as WsError;

use super::codes::{CloseReason, ErrorCode};
use super::hub::{Hub, Standing};
use super::message::{ClientMessage, ServerMessage};
use super::outbox::Inbox;
use super::pace::Pace;
use super::patience::{Patience, SILENCE};
use super::rooms::ConnId;
use crate::access::Scope;
use crate::config::PING_INTERVAL;
use crate::limits::Place;
use crate::presence::Stay;
use crate::words::visitor::Visitor;

const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Bytes from which on a write takes no further message along: what it takes stays with the connection.
pub(crate) const AT_ONCE: usize = 8 * 1024;
/// Lets a close frame arrive before the connection is torn down.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
const MAX_BAD_MESSAGES: u32 = 10;

/// Looked up once, since each look-up costs as much as a small message.
static RECEIVED: LazyLock<Counter> =
    LazyLock::new(|| metrics::counter!("callbox_websocket_messages_total", "way" => "in"));
static SENT: LazyLock<Counter> =
    LazyLock::new(|| metrics::counter!("callbox_websocket_messages_total", "way" => "out"));

/// Who is at the other end.
pub(crate) struct Visit {
    pub visitor: Visitor,
    /// Where it may call.
    pub scope: Scope,
    /// Gives what is to be held while it is in a room or before one.
    pub hold: Box<dyn Fn() -> Held + Send>,
}

/// Dropped when its time is over.
pub(super) type Held = Box<dyn Send>;

/// Serves one WebSocket to its end.
pub(crate) fn run(
    hub: Arc<Hub>,
    socket: WebSocket,
    visit: Visit,
    place: Place,
) -> impl Future<Output = ()> + Send {
    let inbox = hub.open(place);
    let registered = Registered {
        hub: Arc::clone(&hub),
        conn: inbox.conn,
    };
    let mut session = Session::new(hub, socket, inbox, visit);
    // What it takes from here is in it once: arguments of an async function, and a future that another one awaits, are in it twice.
    async move {
        let ending = session.serve().await;
        // Before the last words, for which a reader that does not read may take their time.
        match ending {
            Ending::Closed(reason) => reason.count(),
            Ending::Left => {
                CloseReason::Left.count();
                registered.hub.leave(registered.conn);
            }
            Ending::Lost => {}
        }
        drop(registered);
        session.part(ending).await;
    }
}

/// Gives up the connection's place in the hub, however the session ends.
struct Registered {
    hub: Arc<Hub>,
    conn: ConnId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.hub.lost(self.conn);
    }
}

/// How a session ends, which decides about its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The page left; its seat is free.
    Left,
    /// Gone without a word; its seat is kept.
    Lost,
    /// Closed by the server; the seat, if any, is kept.
    Closed(CloseReason),
}

struct Session {
    hub: Arc<Hub>,
    socket: WebSocket,
    inbox: Inbox,
    visit: Visit,
    /// Once in a room: who it is.
    visitor: Option<String>,
    /// Who it is while those inside have not let it in yet.
    knocking: Option<String>,
    patience: Patience,
    /// Held as long as it is there.
    stay: Option<Stay>,
    /// Held as long as it is there, or waits to be let in.
    held: Option<Held>,
    pace: Pace,
    bad_messages: u32,
    /// Its browser has frozen the page, and closes with 1001 when it thaws.
    frozen: bool,
}

impl Session {
    fn new(hub: Arc<Hub>, socket: WebSocket, inbox: Inbox, visit: Visit) -> Self {
        let pace = Pace::new(hub.settings.message_rate);
        let patience = Patience::new(hub.settings.knock, Instant::now().into_std());
        Self {
            hub,
            socket,
            inbox,
            visit,
            visitor: None,
            knocking: None,
            patience,
            stay: None,
            held: None,
            pace,
            bad_messages: 0,
            frozen: false,
        }
    }

    async fn serve(&mut self) -> Ending {
        let stopping = self.hub.stopping.clone();
        let mut stopping = pin!(stopping.cancelled());
        let mut ping = interval(PING_INTERVAL);
        ping.reset();
        let mut renewal: Option<Instant> = None;
        // Each message moves the end; the timer is moved where it fires, and where something is due sooner.
        let mut timer = pin!(sleep_until(Instant::now() + SILENCE));
        loop {
            let (until, reason) = self.patience.end();
            let until = Instant::from_std(until);
            let due = renewal.map_or(until, |renewal| renewal.min(until));
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            let ending = tokio::select! {
                biased;
                () = &mut stopping => Err(Ending::Closed(CloseReason::Stopping)),
                message = self.inbox.next() => match message {
                    Ok(message) => self.tell(message).await,
                    Err(reason) => Err(reason.map_or(Ending::Lost, Ending::Closed)),
                },
                received = self.socket.recv() => {
                    self.patience.heard(Instant::now().into_std());
                    self.receive(received)
                }
                _ = ping.tick() => self.write(Message::Ping(axum::body::Bytes::new())).await,
                () = &mut timer => {
                    let now = Instant::now();
                    timer.as_mut().reset(now + SILENCE);
                    if renewal.is_some_and(|renewal| renewal <= now) {
                        self.renew();
                        renewal = None;
                    }
                    if until <= now {
                        Err(Ending::Closed(reason))
                    } else {
                        Ok(())
                    }
                }
            };
            if let Err(ending) = ending {
                return ending;
            }
            if renewal.is_none() && self.visitor.is_some() {
                renewal = self
                    .hub
                    .renewal_interval()
                    .map(|interval| Instant::now() + interval);
            }
        }
    }

    /// Somebody who was let in is there from now on; whoever was not may try again.
    fn settle(&mut self) {
        let standing = self.hub.standing(self.inbox.conn);
        if standing == Standing::Knocking {
            return;
        }
        let Some(visitor) = self.knocking.take() else {
            return;
        };
        if standing == Standing::Inside {
            self.stay = Some(self.hub.presence.enter(&visitor));
            self.visitor = Some(visitor);
            self.patience.enters();
        } else {
            self.held = None;
            self.patience.is_refused(Instant::now().into_std());
        }
    }

    fn renew(&self) {
        if let Some(visitor) = &self.visitor {
            self.hub.renew(
                self.inbox.conn,
                &self.visit.visitor,
                visitor,
                SystemTime::now(),
            );
        }
    }

    fn receive(&mut self, received: Option<Result<Message, Error>>) -> Result<(), Ending> {
        match received {
            None => Err(Ending::Lost),
            Some(Err(error)) => Err(broken(error)),
            Some(Ok(Message::Close(frame))) => Err(match frame.map(|frame| frame.code) {
                Some(1001) if self.frozen => Ending::Lost,
                Some(1000 | 1001) => Ending::Left,
                _ => Ending::Lost,
            }),
            Some(Ok(message)) => {
                if !self.pace.allows(&message) {
                    return Err(Ending::Closed(CloseReason::Flood));
                }
                match message {
                    Message::Text(text) => self.handle(&text),
                    Message::Binary(_) => Err(Ending::Closed(CloseReason::Binary)),
                    // tungstenite answers pings by itself.
                    _ => Ok(()),
                }
            }
        }
    }

    fn handle(&mut self, text: &Utf8Bytes) -> Result<(), Ending> {
        RECEIVED.increment(1);
        let conn = self.inbox.conn;
        let Some(message) = ClientMessage::parse(text) else {
            self.bad_messages += 1;
            if self.bad_messages >= MAX_BAD_MESSAGES {
                return Err(Ending::Closed(CloseReason::BadMessages));
            }
            self.hub.turn_down(conn, ErrorCode::BadMessage);
            return Ok(());
        };
        self.frozen = matches!(message, ClientMessage::Freeze);
        let result = match message {
            ClientMessage::Join(join) => self
                .hub
                .join(conn, &self.visit, &join, SystemTime::now())
                .map(|visitor| {
                    self.held = Some((self.visit.hold)());
                    self.knocking = Some(visitor);
                    self.patience.knocks(Instant::now().into_std());
                    self.settle();
                }),
            ClientMessage::Lock { locked } => self.hub.lock(conn, self.visitor.as_deref(), locked),
            ClientMessage::Admit { id } => self.hub.admit(conn, &id),
            ClientMessage::Refuse { id } => self.hub.refuse(conn, &id),
            ClientMessage::Signal { to, data } => self.hub.signal(conn, &to, data),
            ClientMessage::Ping => {
                self.hub.send(conn, ServerMessage::Pong);
                Ok(())
            }
            ClientMessage::Freeze => Ok(()),
            ClientMessage::Leave => return Err(Ending::Left),
        };
        if let Err(code) = result {
            self.hub.turn_down(conn, code);
            if code == ErrorCode::TooFast && !self.pace.allows_too_fast() {
                return Err(Ending::Closed(CloseReason::Flood));
            }
        }
        Ok(())
    }

    /// Writes a message, and along with it what else waits: to the kernel, one write costs as much as another.
    async fn tell(&mut self, first: ServerMessage) -> Result<(), Ending> {
        let writing = async {
            let (mut next, mut bytes) = (Some(first), 0);
            while let Some(message) = next {
                if self.knocking.is_some() {
                    self.settle();
                }
                let text = message.to_text();
                SENT.increment(1);
                bytes += text.len();
                self.socket.feed(Message::Text(text)).await?;
                // Why there is no more is told again.
                let more = || self.inbox.try_next()?.ok();
                next = (bytes < AT_ONCE).then(more).flatten();
            }
            self.socket.flush().await
        };
        written(timeout(WRITE_WITHIN, writing).await)
    }

    async fn write(&mut self, message: Message) -> Result<(), Ending> {
        written(timeout(WRITE_WITHIN, self.socket.send(message)).await)
    }

    /// Says why, or answers the page's own close frame, then reads on for a moment: a connection that is closed with
    /// unread data is reset, and the frame would be lost with it.
    async fn part(&mut self, ending: Ending) {
        let reason = match ending {
            Ending::Left => Some(CloseReason::Left),
            Ending::Closed(reason) => Some(reason),
            Ending::Lost => None,
        };
        let farewell = async {
            if let Some(reason) = reason {
                let frame = CloseFrame {
                    code: reason.code(),
                    reason: reason.text().into(),
                };
                // It fails after a close frame of the page; the answer to that one leaves with the next read.
                let _ = self.socket.send(Message::Close(Some(frame))).await;
            }
            while let Some(Ok(_)) = self.socket.recv().await {}
        };
        let _ = timeout(CLOSE_WITHIN, farewell).await;
    }
}

/// What became of something that was to be written in time.
fn written(result: Result<Result<(), Error>, Elapsed>) -> Result<(), Ending> {
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(broken(error)),
        Err(_) => Err(Ending::Closed(CloseReason::SlowReader)),
    }
}

/// What a failed read or write means.
fn broken(error: Error) -> Ending {
    match error.into_inner().downcast_ref::<WsError>() {
        Some(WsError::Capacity(_)) => Ending::Closed(CloseReason::TooBig),
        Some(WsError::Utf8(_)) => Ending::Closed(CloseReason::NotText),
        Some(WsError::Protocol(problem)) if is_disconnect(problem) => Ending::Lost,
        Some(WsError::Protocol(_)) => Ending::Closed(CloseReason::Protocol),
        _ => Ending::Lost,
    }
}

fn is_disconnect(problem: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(problem, ProtocolError::ResetWithoutClosingHandshake)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each idle WebSocket has one.
    #[test]
    fn the_task_of_a_session_is_small() {
        fn size_of_output<A, F>(_: impl FnOnce(A) -> F) -> usize {
            size_of::<F>()
        }
        let run = |(hub, socket, visit, place)| run(hub, socket, visit, place);
        let size = size_of_output(run);
        assert!(size <= 1800, "{size} bytes");
    }
}
