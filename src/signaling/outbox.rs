//! What waits to be written to one WebSocket, within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{mpsc, oneshot};

use super::codes::CloseReason;
use super::rooms::ConnId;

const QUEUE_MESSAGES: usize = 256;
/// Bytes that may wait for one reader, over all messages.
const QUEUE_BYTES: usize = 1024 * 1024;

/// The two ends of the way to a WebSocket.
pub fn outbox(conn: ConnId) -> (Outbox, Inbox) {
    let (sender, queue) = mpsc::channel(QUEUE_MESSAGES);
    let (close, closed) = oneshot::channel();
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox {
        queue: sender,
        queued_bytes: Arc::clone(&queued_bytes),
        close,
    };
    let inbox = Inbox {
        conn,
        queue,
        queued_bytes,
        close: closed,
    };
    (outbox, inbox)
}

/// The way to one WebSocket.
pub struct Outbox {
    queue: mpsc::Sender<Utf8Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    close: oneshot::Sender<CloseReason>,
}

/// A session's end of its outbox.
pub struct Inbox {
    pub conn: ConnId,
    queue: mpsc::Receiver<Utf8Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    close: oneshot::Receiver<CloseReason>,
}

impl Outbox {
    /// Queues a message; `false` when the reader lags too far behind.
    pub fn push(&self, text: String) -> bool {
        let queued = self.queued_bytes.fetch_add(text.len(), Ordering::Relaxed);
        queued + text.len() <= QUEUE_BYTES && self.queue.try_send(text.into()).is_ok()
    }

    /// There will be no more messages.
    pub fn close(self, reason: CloseReason) {
        // A session that is gone already needs no reason.
        let _ = self.close.send(reason);
    }

    /// Has everything been taken out?
    pub fn is_empty(&self) -> bool {
        self.queued_bytes.load(Ordering::Relaxed) == 0
    }
}

impl Inbox {
    /// The next message to write, or why there will be no more: a reason to tell the page, or none once the hub has
    /// forgotten this connection.
    pub async fn next(&mut self) -> Result<Utf8Bytes, Option<CloseReason>> {
        tokio::select! {
            biased;
            reason = &mut self.close => Err(reason.ok()),
            text = self.queue.recv() => {
                let text = text.ok_or(None)?;
                self.queued_bytes.fetch_sub(text.len(), Ordering::Relaxed);
                Ok(text)
            }
        }
    }
}
