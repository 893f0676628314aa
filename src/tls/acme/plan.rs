//! What to do next for the certificate. Pure: what is kept, and two clocks, in; a step out. The time of day says what is due,
//! and may be wrong or jump; how often the authority is asked goes by the steady clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use super::schedule;
use crate::tls::Facts;

const HOUR: Duration = Duration::from_secs(3600);
/// A well-known authority allows five failed validations in an hour: one is left to a pause that ends by itself.
const ATTEMPTS_IN_AN_HOUR: usize = 4;
/// And five certificates for the same names in a week. Machines sleep, and the steady clock with them.
const LONGEST_REST: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// What is kept.
    Serve,
    Attempt,
    Wait(Duration),
}

/// What happened so far.
#[derive(Debug)]
pub(super) struct Plan {
    retry: Duration,
    /// The same all along: what is not due does not become so by another throw of the dice.
    spread: f64,
    failures: u32,
    /// After a failure.
    paused_until: Option<Instant>,
    /// After a success: by a clock that is ahead each new certificate is due at once.
    enough_until: Option<Instant>,
    /// The last ones.
    attempts: VecDeque<Instant>,
    cut_by_clock: Option<Instant>,
}

impl Plan {
    /// `retry` is the pause after the first failure, `spread` from 0 to 1.
    pub(super) fn new(retry: Duration, spread: f64) -> Self {
        Self {
            retry,
            spread,
            failures: 0,
            paused_until: None,
            enough_until: None,
            attempts: VecDeque::new(),
            cut_by_clock: None,
        }
    }

    /// `kept` is a certificate for the right names.
    pub(super) fn next(
        &self,
        kept: Option<&Facts>,
        is_served: bool,
        now: SystemTime,
        steady: Instant,
    ) -> Step {
        let mut wait = Duration::ZERO;
        if let Some(facts) = kept {
            if !is_served && now < facts.not_after {
                return Step::Serve;
            }
            let due = schedule::renewal(facts.not_before, facts.not_after, self.spread);
            wait = due.duration_since(now).unwrap_or_default();
        }
        for end in [self.paused_until, self.enough_until].into_iter().flatten() {
            wait = wait.max(end.saturating_duration_since(steady));
        }
        if wait.is_zero() {
            Step::Attempt
        } else {
            Step::Wait(wait)
        }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn attempt_begins(&mut self, steady: Instant) {
        self.attempts.push_back(steady);
        while self.attempts.len() > ATTEMPTS_IN_AN_HOUR {
            self.attempts.pop_front();
        }
    }

    pub(super) fn succeeded(&mut self, issued: &Facts, steady: Instant) {
        let life = issued.not_after.duration_since(issued.not_before);
        let rest = (life.unwrap_or_default() / 4).min(LONGEST_REST);
        self.failures = 0;
        self.paused_until = None;
        self.enough_until = Some(steady + rest);
    }

    /// How long the pause is; `spread` from 0 to 1.
    pub(super) fn failed(&mut self, steady: Instant, spread: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let pause = schedule::pause(self.retry, self.failures, spread);
        self.paused_until = Some(steady + pause);
        pause
    }

    /// Somebody asks to wait no longer.
    pub(super) fn asked(&mut self, steady: Instant) {
        let last = self.attempts.back().map(|last| *last + self.retry);
        self.cut_pause(last.map_or(steady, |last| last.max(steady)));
    }

    /// It may be that the attempt failed by the clock; but there are clocks that are set again and again.
    pub(super) fn clock_was_set(&mut self, steady: Instant) {
        let at = self.cut_by_clock.map_or(steady, |cut| cut + HOUR);
        if let Some(end) = self.cut_pause(at.max(steady)) {
            self.cut_by_clock = Some(end);
        }
    }

    /// The new end of the pause, if it is sooner than the old one.
    fn cut_pause(&mut self, at: Instant) -> Option<Instant> {
        let paused_until = self.paused_until?;
        let full = self.attempts.len() == ATTEMPTS_IN_AN_HOUR;
        let first = self.attempts.front().filter(|_| full);
        let at = first.map_or(at, |first| at.max(*first + HOUR));
        (at < paused_until).then(|| *self.paused_until.insert(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);
    const RETRY: Duration = Duration::from_secs(120);

    /// A machine, and an authority whose clock is right.
    struct World {
        plan: Plan,
        began: Instant,
        passed: Duration,
        /// How far the machine's clock is ahead.
        ahead: Duration,
        life: Duration,
        answers: bool,
        kept: Option<Facts>,
        is_served: bool,
        /// When they were made.
        attempts: Vec<Duration>,
    }

    impl World {
        fn new(life: Duration) -> Self {
            Self {
                plan: Plan::new(RETRY, 0.5),
                began: Instant::now(),
                passed: Duration::ZERO,
                ahead: Duration::ZERO,
                life,
                answers: true,
                kept: None,
                is_served: false,
                attempts: Vec::new(),
            }
        }

        fn time(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + 21_000 * DAY + self.passed
        }

        fn steady(&self) -> Instant {
            self.began + self.passed
        }

        fn issued(&self, age: Duration) -> Facts {
            Facts {
                names: Vec::new(),
                not_before: self.time() - age,
                not_after: self.time() - age + self.life,
                fingerprint: String::new(),
            }
        }

        /// What happens in this time; the number of attempts.
        fn pass(&mut self, time: Duration) -> usize {
            let end = self.passed + time;
            let before = self.attempts.len();
            loop {
                let now = self.time() + self.ahead;
                let kept = self.kept.as_ref();
                match self.plan.next(kept, self.is_served, now, self.steady()) {
                    Step::Serve => self.is_served = true,
                    Step::Attempt => self.attempt(),
                    Step::Wait(wait) if self.passed + wait > end => break,
                    Step::Wait(wait) => self.passed += wait,
                }
            }
            self.passed = end;
            self.attempts.len() - before
        }

        fn attempt(&mut self) {
            self.attempts.push(self.passed);
            self.plan.attempt_begins(self.steady());
            self.passed += Duration::from_secs(1);
            if self.answers {
                let issued = self.issued(Duration::ZERO);
                self.plan.succeeded(&issued, self.steady());
                self.kept = Some(issued);
                self.is_served = true;
            } else {
                self.plan.failed(self.steady(), 0.5);
            }
        }

        fn set_clock(&mut self, ahead: Duration) {
            self.ahead = ahead;
            self.plan.clock_was_set(self.steady());
        }

        /// The most in any hour.
        fn most_in_an_hour(&self) -> usize {
            let in_hour = |from: Duration| {
                let until = from + HOUR;
                let inside = |at: &&Duration| **at >= from && **at < until;
                self.attempts.iter().filter(inside).count()
            };
            self.attempts.iter().map(|at| in_hour(*at)).max().unwrap()
        }
    }

    #[test]
    fn by_a_right_clock_a_certificate_is_renewed_in_time() {
        let mut world = World::new(6 * DAY);
        assert_eq!(world.pass(MINUTE), 1);
        assert_eq!(world.pass(60 * DAY), 20);
        let mut world = World::new(90 * DAY);
        assert_eq!(world.pass(MINUTE), 1);
        assert_eq!(world.pass(55 * DAY), 0);
        assert_eq!(world.pass(5 * DAY), 1);
    }

    #[test]
    fn a_clock_that_is_ahead_orders_no_more_than_the_authority_allows() {
        for (life, ahead) in [(6, 4), (6, 9), (90, 70), (90, 4000)] {
            let mut world = World::new(life * DAY);
            world.ahead = ahead * DAY;
            let orders = world.pass(7 * DAY);
            assert!((1..=5).contains(&orders), "{life}, {ahead}: {orders}");
        }
    }

    #[test]
    fn who_asks_gets_nothing_that_is_not_due() {
        let mut world = World::new(90 * DAY);
        world.pass(MINUTE);
        for _ in 0..50 {
            world.plan.asked(world.steady());
            assert_eq!(world.pass(HOUR), 0);
        }
    }

    #[test]
    fn who_asks_shortens_a_pause_within_what_the_authority_allows() {
        let mut world = World::new(90 * DAY);
        world.answers = false;
        world.pass(DAY);
        world.plan.asked(world.steady());
        assert_eq!(world.pass(Duration::ZERO), 1, "at once");
        world.plan.asked(world.steady());
        assert_eq!(world.pass(RETRY / 2), 0);
        assert_eq!(world.pass(RETRY / 2), 1, "once in this time");
        world.attempts.clear();
        for _ in 0..600 {
            world.plan.asked(world.steady());
            world.pass(MINUTE);
        }
        assert!(world.most_in_an_hour() <= 5);
        assert!(world.attempts.len() >= 30, "but as often as is allowed");
    }

    #[test]
    fn two_time_services_that_fight_do_not_make_more_attempts() {
        let mut world = World::new(6 * DAY);
        world.answers = false;
        for minute in 0..600 {
            world.set_clock(if minute % 2 == 0 {
                9 * DAY
            } else {
                Duration::ZERO
            });
            world.pass(MINUTE);
        }
        assert!(world.most_in_an_hour() <= 6);
        assert!(world.attempts.len() <= 20, "{}", world.attempts.len());
        assert!(world.plan.failures() >= 10, "they are not forgotten");
        world.answers = true;
        for minute in 0..7 * 24 * 60 {
            world.set_clock(if minute % 2 == 0 {
                9 * DAY
            } else {
                Duration::ZERO
            });
            world.pass(MINUTE);
        }
        let orders = world.attempts.len();
        assert!(orders <= 20 + 5, "{orders}");
    }

    #[test]
    fn an_attempt_that_failed_by_the_clock_is_made_again_once_it_is_set() {
        let mut world = World::new(90 * DAY);
        world.answers = false;
        world.pass(20 * HOUR);
        world.answers = true;
        world.set_clock(DAY);
        assert_eq!(world.pass(Duration::from_secs(1)), 1);
    }

    #[test]
    fn what_is_kept_is_served_whenever_it_is_good_and_nothing_ordered_for_it() {
        let mut world = World::new(90 * DAY);
        world.answers = false;
        world.kept = Some(world.issued(DAY));
        world.ahead = 700 * DAY;
        assert!(world.pass(DAY) >= 1);
        assert!(!world.is_served, "it is over, by this clock");
        world.answers = true;
        world.set_clock(Duration::ZERO);
        assert_eq!(world.pass(30 * DAY), 0);
        assert!(world.is_served);
        // Due, but better than what stands in for it.
        world.is_served = false;
        world.answers = false;
        world.ahead = 50 * DAY;
        assert!(world.pass(MINUTE) >= 1);
        assert!(world.is_served);
    }

    #[test]
    fn a_machine_that_sleeps_most_of_the_time_renews_before_the_end() {
        let mut world = World::new(90 * DAY);
        world.pass(MINUTE);
        let mut days = 0;
        while world.attempts.len() < 2 {
            // The steady clock sleeps, too.
            world.pass(2 * HOUR);
            world.set_clock(world.ahead + 22 * HOUR);
            days += 1;
        }
        assert!((55..89).contains(&days), "{days}");
    }
}
