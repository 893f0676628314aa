//! How long a session waits for its page. Pure: time is an argument.

use std::time::{Duration, Instant};

use super::codes::CloseReason;

/// Nothing heard for so long, not even the answer to a ping: the other end is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(45);
const JOIN_WITHIN: Duration = Duration::from_secs(20);

pub(super) struct Patience {
    /// How long one may wait before a locked room.
    knock: Duration,
    heard: Instant,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Outside { since: Instant },
    Knocking { since: Instant },
    Inside,
}

impl Patience {
    pub(super) fn new(knock: Duration, now: Instant) -> Self {
        Self {
            knock,
            heard: now,
            place: Place::Outside { since: now },
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Each knock has its time.
    pub(super) fn knocks(&mut self, now: Instant) {
        self.place = Place::Knocking { since: now };
    }

    pub(super) fn enters(&mut self) {
        self.place = Place::Inside;
    }

    /// It may knock again, or go elsewhere.
    pub(super) fn is_refused(&mut self, now: Instant) {
        self.place = Place::Outside { since: now };
    }

    /// When the session is given up, and why.
    pub(super) fn end(&self) -> (Instant, CloseReason) {
        let silent = (self.heard + SILENCE, CloseReason::Silent);
        let idle = match self.place {
            Place::Inside => return silent,
            Place::Outside { since } => (since + JOIN_WITHIN, CloseReason::NoJoin),
            Place::Knocking { since } => (since + self.knock, CloseReason::Unanswered),
        };
        if idle.0 < silent.0 { idle } else { silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOCK: Duration = Duration::from_secs(300);

    /// When it ends, in seconds from the beginning.
    fn end(patience: &Patience, start: Instant) -> (u64, CloseReason) {
        let (at, why) = patience.end();
        (at.duration_since(start).as_secs(), why)
    }

    #[test]
    fn one_joins_in_time_and_may_then_stay() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::new(KNOCK, start);
        patience.heard(after(10));
        assert_eq!(end(&patience, start), (20, CloseReason::NoJoin));
        patience.enters();
        assert_eq!(end(&patience, start), (55, CloseReason::Silent));
        patience.heard(after(5000));
        assert_eq!(end(&patience, start), (5045, CloseReason::Silent));
    }

    #[test]
    fn each_knock_has_its_time_and_once_inside_it_does_not_count() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::new(KNOCK, start);
        patience.knocks(after(5));
        patience.heard(after(290));
        assert_eq!(end(&patience, start), (305, CloseReason::Unanswered));
        patience.is_refused(after(290));
        assert_eq!(end(&patience, start), (310, CloseReason::NoJoin));
        patience.knocks(after(300));
        patience.heard(after(590));
        assert_eq!(end(&patience, start), (600, CloseReason::Unanswered));
        patience.enters();
        assert_eq!(end(&patience, start), (635, CloseReason::Silent));
    }

    #[test]
    fn whoever_is_gone_does_not_wait_to_be_let_in() {
        let start = Instant::now();
        let mut patience = Patience::new(KNOCK, start);
        patience.knocks(start);
        assert_eq!(end(&patience, start), (45, CloseReason::Silent));
    }
}
