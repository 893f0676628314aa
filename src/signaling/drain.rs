//! A server that is about to stop lets its calls come to an end: no new rooms, and those in one are told.

use std::time::{Duration, Instant};

use super::Hub;
use super::message::ServerMessage;

/// How often it looks whether the last has left.
const LOOK: Duration = Duration::from_millis(200);

impl Hub {
    /// Opens no room from now on, tells those in one that the server stops in `within`, and waits until nobody is left or
    /// that time is over.
    pub(crate) async fn drain(&self, within: Duration) {
        let end = Instant::now() + within;
        if self.greeter.draining.set(end).is_err() {
            return;
        }
        self.stop_opening();
        self.tell_everybody(&ServerMessage::stopping(end));
        while Instant::now() < end && self.census().rooms > 0 {
            tokio::time::sleep(LOOK.min(end.saturating_duration_since(Instant::now()))).await;
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.greeter.draining.get().is_some()
    }
}

impl ServerMessage {
    /// The server stops then.
    pub(crate) fn stopping(end: Instant) -> Self {
        let left = end.saturating_duration_since(Instant::now());
        Self::Draining {
            // Not 0 before it is over.
            seconds: (left + Duration::from_millis(999)).as_secs(),
        }
    }
}
