//! Wakes a shard at its next deadline.
//!
//! A timer of the kernel that stays set: giving the poll a timeout instead would set and cancel one with every wait,
//! which costs as much as a system call or two.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A timer that the poll can wait for.
pub struct Timer {
    fd: OwnedFd,
    set_to: Option<Instant>,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

impl Timer {
    /// # Errors
    /// What the kernel says.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self {
            fd: timerfd_create(TimerfdClockId::Monotonic, flags)?,
            set_to: None,
        })
    }

    /// Sees to it that it rings at `deadline` at the latest. A deadline that has moved on is left to ring in vain.
    pub fn set(&mut self, deadline: Option<Instant>, now: Instant) {
        let Some(deadline) = deadline else { return };
        if self.set_to.is_some_and(|set_to| set_to <= deadline) {
            return;
        }
        // Zero would switch it off.
        let wait = deadline.saturating_duration_since(now) + Duration::from_micros(1);
        let Ok(value) = Timespec::try_from(wait) else {
            return;
        };
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        if timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once).is_ok() {
            self.set_to = Some(deadline);
        }
    }

    /// It has rung.
    pub fn rang(&mut self) {
        // It only fails when it has been read already.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
        self.set_to = None;
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn rings_within(timer: &Timer, wait: Duration) -> bool {
        let mut fds = [PollFd::new(timer, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::try_from(wait).unwrap())).unwrap() == 1
    }

    #[test]
    fn it_rings_at_the_earliest_deadline_and_again() {
        let mut timer = Timer::new().unwrap();
        let now = Instant::now();
        timer.set(None, now);
        timer.set(Some(now + Duration::from_secs(3600)), now);
        assert!(!rings_within(&timer, Duration::from_millis(1)));
        timer.set(Some(now + Duration::from_millis(5)), now);
        timer.set(Some(now + Duration::from_secs(3600)), now);
        assert!(rings_within(&timer, Duration::from_secs(5)));
        timer.rang();
        assert!(!rings_within(&timer, Duration::from_millis(1)));
        timer.set(Some(now), Instant::now());
        assert!(rings_within(&timer, Duration::from_secs(5)), "long over");
    }
}
