//! Asks the network. Every answer has a deadline and a bound, since the other side may be anybody.

pub(super) mod connect;
pub(super) mod http;
mod link;
pub(super) mod machine;
pub(super) mod passage;
pub(super) mod proxy;
mod readable;
pub(super) mod tls;
pub(super) mod turn;
pub(super) mod websocket;

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::fault::Fault;

/// For each of the steps that follow each other.
const STEP: Duration = Duration::from_secs(4);
/// For all of them.
const WHOLE: Duration = Duration::from_secs(18);

/// The time that is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    end: Instant,
}

impl Budget {
    pub(super) fn start() -> Self {
        Self {
            end: Instant::now() + WHOLE,
        }
    }

    /// When the step that begins now has to end.
    pub(super) fn step(self) -> Instant {
        self.end.min(Instant::now() + STEP)
    }

    /// Runs one step.
    ///
    /// # Errors
    /// Those of the step, and [`Fault::Silent`] when its time is over.
    pub(super) async fn within<T>(
        self,
        step: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        timeout_at(self.step(), step)
            .await
            .unwrap_or(Err(Fault::Silent))
    }
}
