//! The way from the rooms to one WebSocket: what waits to be written, and why there will be no more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::backlog::{Backlog, Full};
use super::codes::CloseReason;
use super::message::ServerMessage;
use super::rooms::ConnId;

/// The two ends of the way to a WebSocket.
pub(super) fn outbox(conn: ConnId) -> (Outbox, Inbox) {
    let way = Arc::new(Way::default());
    let outbox = Outbox {
        way: Arc::clone(&way),
    };
    (outbox, Inbox { conn, way })
}

#[derive(Default)]
struct Way {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    backlog: Backlog,
    /// Once there will be no more.
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    /// With a reason to tell the page.
    Closed(CloseReason),
    /// The rooms have forgotten this connection.
    Forgotten,
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_one();
    }
}

/// The rooms' end. Dropping it tells the session that it is forgotten.
pub(super) struct Outbox {
    way: Arc<Way>,
}

/// A session's end.
pub(super) struct Inbox {
    pub conn: ConnId,
    way: Arc<Way>,
}

impl Outbox {
    /// # Errors
    /// When a share is used up; the message was not taken.
    pub(super) fn push(&self, message: ServerMessage) -> Result<(), Full> {
        let mut state = self.way.lock();
        let first = state.backlog.is_empty();
        state.backlog.push(message)?;
        drop(state);
        if first {
            self.way.changed.notify_one();
        }
        Ok(())
    }

    /// Takes out all that waits.
    pub(super) fn drain(&self) -> Backlog {
        std::mem::take(&mut self.way.lock().backlog)
    }

    /// There will be no more messages.
    pub(super) fn close(self, reason: CloseReason) {
        self.way.end(End::Closed(reason));
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.way.end(End::Forgotten);
    }
}

impl Inbox {
    /// The next message to write, or why there will be no more: a reason to tell the page, or none once the hub has
    /// forgotten this connection.
    pub(super) async fn next(&mut self) -> Result<ServerMessage, Option<CloseReason>> {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.way.changed.notified().await;
        }
    }

    /// The same, if there is something now.
    pub(super) fn try_next(&mut self) -> Option<Result<ServerMessage, Option<CloseReason>>> {
        let mut state = self.way.lock();
        match state.end {
            Some(End::Closed(reason)) => Some(Err(Some(reason))),
            Some(End::Forgotten) => Some(Err(None)),
            None => state.backlog.pop().map(Ok),
        }
    }
}
