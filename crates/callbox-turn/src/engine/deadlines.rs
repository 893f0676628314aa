//! What ends when, in the order of time.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use super::AllocationId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    Allocation,
    Permission(IpAddr),
    Channel(u16),
}

#[derive(Default)]
pub(super) struct Deadlines {
    entries: BTreeSet<(Instant, AllocationId, Deadline)>,
}

impl Deadlines {
    pub(super) fn set(
        &mut self,
        id: AllocationId,
        deadline: Deadline,
        before: Option<Instant>,
        at: Instant,
    ) {
        if let Some(before) = before {
            self.remove(id, deadline, before);
        }
        self.entries.insert((at, id, deadline));
    }

    pub(super) fn remove(&mut self, id: AllocationId, deadline: Deadline, at: Instant) {
        let was_there = self.entries.remove(&(at, id, deadline));
        debug_assert!(was_there, "{deadline:?} of {id:?} has no entry");
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.first().map(|(at, ..)| *at)
    }

    /// The first that is over at `now`, taken out.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(AllocationId, Deadline)> {
        if self.next()? > now {
            return None;
        }
        self.entries
            .pop_first()
            .map(|(_, id, deadline)| (id, deadline))
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
