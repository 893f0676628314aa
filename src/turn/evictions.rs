//! Allocations of a shard that have to go, since somebody else needs their places.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::AllocationId;

/// How many had to go.
pub const EVICTED: &str = "callbox_turn_evicted_allocations_total";

/// Shared by a shard and whoever gives places out.
pub struct Evictions {
    waiting: Mutex<Vec<Evicted>>,
    wake: Arc<OwnedFd>,
}

/// An allocation whose place has been given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evicted {
    pub id: AllocationId,
    /// Ids are used again; these numbers are not.
    pub place: u64,
}

impl Evictions {
    /// `wake` is written to when something waits.
    pub fn new(wake: Arc<OwnedFd>) -> Self {
        Self {
            waiting: Mutex::default(),
            wake,
        }
    }

    pub fn add(&self, evicted: Evicted) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(evicted);
        // It only fails when the counter is full, and then the shard is awake.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }

    pub fn take(&self) -> Vec<Evicted> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
