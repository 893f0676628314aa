//! Whether a peer has answered a user on trial: until then little is sent to it.

use std::time::{Duration, Instant};

use crate::counts::DropReason;

/// How long an answer counts. Browsers ask for consent every few seconds, and stop to send after 30 seconds without it
/// (RFC 7675 §5.1).
const ANSWER_COUNTS: Duration = Duration::from_secs(60);

/// What an allocation knows of a peer.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Contact {
    /// When the last packet came from there.
    heard: Option<Instant>,
    /// When the next one may go there, if that was asked.
    quiet_until: Option<Instant>,
}

impl Contact {
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    pub(super) fn has_answered(&self, now: Instant) -> bool {
        self.heard.is_some_and(|at| now < at + ANSWER_COUNTS)
    }

    /// Counts a packet to this peer, unless it has answered of late: `may_try` as [`super::Users::may_try`].
    pub(super) fn send(
        &mut self,
        may_try: impl FnOnce() -> Result<(), Instant>,
        now: Instant,
    ) -> Result<(), DropReason> {
        if self.has_answered(now) {
            return Ok(());
        }
        // A flood does not come as far as the table that all share.
        if self.quiet_until.is_some_and(|until| now < until) {
            return Err(DropReason::Unanswered);
        }
        let sent = may_try();
        self.quiet_until = sent.err();
        sent.map_err(|_| DropReason::Unanswered)
    }
}
