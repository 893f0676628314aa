//! Whether a peer has answered a page: until then little is sent to it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::turn::counters::Drop;
use crate::turn::credentials::Holder;
use crate::turn::unanswered::{Target, Unanswered};

/// How long an answer counts. Browsers ask for consent every few seconds, and stop to send after 30 seconds without it
/// (RFC 7675 §5.1).
const ANSWER_COUNTS: Duration = Duration::from_secs(60);

/// What an allocation of a page knows of a peer.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Contact {
    /// When the last packet came from there.
    heard: Option<Instant>,
    /// When the next one may go there, if that was asked.
    quiet_until: Option<Instant>,
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub holder: &'a Holder,
    pub client: IpAddr,
}

impl Contact {
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    pub(super) fn has_answered(&self, now: Instant) -> bool {
        self.heard.is_some_and(|at| now < at + ANSWER_COUNTS)
    }

    /// Counts a packet to this peer, unless it has answered of late.
    pub(super) fn send(
        &mut self,
        page: Page<'_>,
        to: Target,
        unanswered: &Unanswered,
        now: Instant,
    ) -> Result<(), Drop> {
        if self.has_answered(now) {
            return Ok(());
        }
        // A flood does not come as far as the table that all share.
        if self.quiet_until.is_some_and(|until| now < until) {
            return Err(Drop::Unanswered);
        }
        let sent = unanswered.send(page.holder, page.client, to, now);
        self.quiet_until = sent.err();
        sent.map_err(|_| Drop::Unanswered)
    }
}
