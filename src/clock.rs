//! Is the clock right? Machines without a battery start in 1970, or where they stopped, and are set minutes later. What is
//! made or thrown away by such a clock would be missed afterwards. Pure, but for [`Watch`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// No clock is right that says less than when this program was made: 2026-05-01. Written down, and raised with releases, so that
/// who builds the same source again gets the same program.
const MADE: Duration = Duration::from_secs(1_777_593_600);
const HOUR: Duration = Duration::from_secs(3600);
/// Nothing that was made by a right clock begins later than now, but for clocks that differ: by a day, if somebody took one
/// zone's time for another's.
const AHEAD: Duration = Duration::from_secs(86_400);

/// The time of day, as far as it can be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// When this program was made, at the least: it is later than that in any case.
    pub now: SystemTime,
    believed: bool,
}

impl Reading {
    pub(crate) fn new(clock: SystemTime) -> Self {
        let made = UNIX_EPOCH + MADE;
        Self {
            now: clock.max(made),
            believed: clock >= made,
        }
    }

    pub(crate) fn is_believed(&self) -> bool {
        self.believed
    }

    /// Was something that begins then made while the clock was ahead? Never so where it is the present clock that is wrong.
    pub(crate) fn is_from_the_future(&self, begin: SystemTime) -> bool {
        self.believed && begin > self.now + AHEAD
    }

    /// The time to judge something by that begins then.
    pub(crate) fn for_what_begins(&self, begin: SystemTime) -> SystemTime {
        if self.believed {
            self.now
        } else {
            self.now.max(begin)
        }
    }
}

/// What is wrong with the clock, where that shows: a sentence with the remedy. `seen` are things with the time at which they
/// have been there already.
pub(crate) fn complaint(clock: SystemTime, seen: &[(&str, SystemTime)]) -> Option<String> {
    let text = |time| humantime::format_rfc3339_seconds(time);
    let remedy = "set it (`timedatectl set-ntp true` keeps it right): certificates, invitations and credentials go by it";
    if clock < UNIX_EPOCH + MADE {
        return Some(format!(
            "the clock says {}, which is before this program was made; {remedy}",
            text(clock.max(UNIX_EPOCH))
        ));
    }
    let (what, since) = seen.iter().find(|(_, since)| *since > clock + HOUR)?;
    Some(format!(
        "the clock says {}, and {what} is of {}: if it is the clock that is wrong, {remedy}",
        text(clock),
        text(*since)
    ))
}

/// Notices when the clock is set.
#[derive(Debug)]
pub(crate) struct Watch {
    wall: SystemTime,
    steady: Instant,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            wall: SystemTime::now(),
            steady: Instant::now(),
        }
    }

    /// Since the last question, by more than clocks drift. A machine that has slept is one whose clock was set, too.
    pub(crate) fn was_set(&mut self) -> bool {
        const DRIFT: Duration = Duration::from_secs(60);
        let next = Self::start();
        let expected = self.wall + next.steady.duration_since(self.steady);
        let apart = match next.wall.duration_since(expected) {
            Ok(ahead) => ahead,
            Err(behind) => behind.duration(),
        };
        *self = next;
        apart > DRIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_clock_from_before_the_program_is_not_believed() {
        let made = UNIX_EPOCH + MADE;
        let early = Reading::new(UNIX_EPOCH + DAY);
        assert_eq!(early.now, made);
        assert!(!early.is_from_the_future(made + 300 * DAY));
        assert_eq!(early.for_what_begins(made + 300 * DAY), made + 300 * DAY);
        let right = Reading::new(made + 100 * DAY);
        assert_eq!(right.now, made + 100 * DAY);
        assert!(right.is_from_the_future(made + 300 * DAY));
        assert!(!right.is_from_the_future(made + 101 * DAY));
        assert_eq!(right.for_what_begins(made + 300 * DAY), right.now);
    }

    #[test]
    fn it_is_told_where_it_shows() {
        let made = UNIX_EPOCH + MADE;
        let seen = [("the state directory", made + 9 * DAY)];
        let told = complaint(UNIX_EPOCH, &seen).unwrap();
        assert!(told.starts_with("the clock says 1970-01-01T00:00:00Z, which is before"));
        let told = complaint(made + 8 * DAY, &seen).unwrap();
        assert!(
            told.contains("and the state directory is of 2026-05-10"),
            "{told}"
        );
        assert_eq!(complaint(made + 9 * DAY, &seen), None);
        assert_eq!(complaint(made + 9000 * DAY, &seen), None);
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once() {
        let mut watch = Watch::start();
        assert!(!watch.was_set());
        for wall in [watch.wall - DAY, watch.wall + DAY] {
            watch.wall = wall;
            assert!(watch.was_set());
            assert!(!watch.was_set());
        }
    }
}
