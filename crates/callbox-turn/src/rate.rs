//! How many bytes may pass in a time. Pure.
//!
//! The generic cell rate algorithm: one moment in time says all, namely when the bucket will be empty again. A burst of
//! one second's worth may pass at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BURST: Duration = Duration::from_secs(1);

/// One direction of one allocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    empty_at: Instant,
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { empty_at: now }
    }

    /// Counts so many units if they may pass.
    pub(crate) fn allows(&mut self, units: u64, per_second: u64, now: Instant) -> bool {
        let start = self.empty_at.max(now);
        let end = start + Duration::from_nanos(nanoseconds(units, per_second));
        let allowed = end <= now + BURST;
        if allowed {
            self.empty_at = end;
        }
        allowed
    }
}

/// The same for all threads together, without a lock.
#[derive(Debug)]
pub struct SharedRate {
    per_second: u64,
    start: Instant,
    /// Nanoseconds after `start`.
    empty_at: AtomicU64,
}

impl SharedRate {
    /// So many units a second, from now on.
    pub fn new(per_second: u64, start: Instant) -> Self {
        Self {
            per_second,
            start,
            empty_at: AtomicU64::new(0),
        }
    }

    /// Counts so many units if they may pass.
    pub fn allows(&self, units: u64, now: Instant) -> bool {
        let now = nanos(now.saturating_duration_since(self.start));
        let cost = nanoseconds(units, self.per_second);
        let counted =
            self.empty_at
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
                    let end = empty_at.max(now).saturating_add(cost);
                    (end <= now.saturating_add(nanos(BURST))).then_some(end)
                });
        counted.is_ok()
    }
}

fn nanoseconds(units: u64, per_second: u64) -> u64 {
    units.saturating_mul(1_000_000_000) / per_second.max(1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_at_once_and_then_as_time_passes() {
        let start = Instant::now();
        let mut own = Rate::new(start);
        let shared = SharedRate::new(1000, start);
        let mut both = |units, after_ms| {
            let now = start + Duration::from_millis(after_ms);
            let allowed = own.allows(units, 1000, now);
            assert_eq!(shared.allows(units, now), allowed);
            allowed
        };
        assert!(both(600, 0) && both(400, 0) && !both(1, 0));
        assert!(!both(101, 100) && both(100, 100) && !both(1, 100));
        assert!(
            both(1000, 5000) && !both(1, 5000),
            "idle time is not saved up"
        );
        assert!(!both(2000, 60_000), "more than a burst never passes");
    }
}
