//! Allocations of a shard that have to go, since somebody else needs their places.

use std::sync::{Mutex, PoisonError};

use callbox_turn::AllocationId;
use callbox_turn::linux::Wake;

/// How many had to go.
pub(super) const EVICTED: &str = "callbox_turn_evicted_allocations_total";

/// Shared by a shard and whoever gives places out.
pub(super) struct Evictions {
    waiting: Mutex<Vec<Evicted>>,
    wake: Wake,
}

/// An allocation whose place has been given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evicted {
    pub id: AllocationId,
    /// Ids are used again; these numbers are not.
    pub place: u64,
}

impl Evictions {
    /// Of the shard that is woken by `wake`.
    pub(super) fn new(wake: Wake) -> Self {
        Self {
            waiting: Mutex::default(),
            wake,
        }
    }

    pub(super) fn add(&self, evicted: Evicted) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(evicted);
        self.wake.wake();
    }

    pub(super) fn take(&self) -> Vec<Evicted> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
