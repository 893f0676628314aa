//! A table of what happened lately, whose size is bounded. Pure.
//!
//! Two generations: what is asked for moves into the young one, which becomes the old one when it is full or a minute
//! old, and what was in the old one is forgotten. So an entry lives for a minute at the least unless more than [`MOST`]
//! others are asked for meanwhile, and nothing is ever searched.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::{Duration, Instant};

/// In one generation.
const MOST: usize = 16_384;
const AGE: Duration = Duration::from_secs(60);

/// Keys are remembered by a keyed hash, so that they cost eight bytes each, however long they are.
pub(crate) struct Recent<V> {
    hasher: RandomState,
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
    turned: Instant,
}

impl<V: Copy> Recent<V> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            hasher: RandomState::new(),
            young: HashMap::new(),
            old: HashMap::new(),
            turned: now,
        }
    }

    /// What is remembered of `key`, or what `new` makes of it.
    pub(crate) fn entry(
        &mut self,
        key: &impl Hash,
        now: Instant,
        new: impl FnOnce() -> V,
    ) -> &mut V {
        self.turn(now);
        let hash = self.hasher.hash_one(key);
        let before = self.old.get(&hash).copied();
        self.young
            .entry(hash)
            .or_insert_with(|| before.unwrap_or_else(new))
    }

    /// What is remembered of `key`. Looking adds nothing, so that whoever is refused cannot fill the table.
    pub(crate) fn get(&mut self, key: &impl Hash, now: Instant) -> Option<V> {
        self.turn(now);
        let hash = self.hasher.hash_one(key);
        let found = self.young.get(&hash).or_else(|| self.old.get(&hash));
        found.copied()
    }

    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.turned);
        if self.young.len() >= MOST || age >= AGE {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        // Nobody has asked for so long.
        if age >= 2 * AGE {
            self.old.clear();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lives_for_a_minute_after_it_was_asked_for() {
        let start = Instant::now();
        let mut recent = Recent::new(start);
        let mut seen = |key, seconds| {
            let now = start + Duration::from_secs(seconds);
            *recent.entry(&key, now, || seconds)
        };
        assert_eq!((seen("a", 1), seen("a", 59), seen("b", 59)), (1, 1, 59));
        assert_eq!((seen("c", 61), seen("a", 119)), (61, 1));
        assert_eq!((seen("c", 121), seen("b", 122)), (61, 122));
        assert_eq!((seen("c", 3000), seen("b", 3000)), (3000, 3000));
    }

    #[test]
    fn looking_adds_nothing() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        *recent.entry(&"a", now, || 0) = 1;
        for key in 0..100_000_u32 {
            assert_eq!(recent.get(&key, now), None);
        }
        assert_eq!((recent.get(&"a", now), recent.len()), (Some(1), 1));
        assert_eq!(recent.get(&"a", now + 3 * AGE), None);
    }

    #[test]
    fn however_many_come_the_table_is_bounded_and_the_last_are_known() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        for key in 0..200_000_u32 {
            *recent.entry(&key, now, || 0) = key;
        }
        assert!(recent.len() <= 2 * MOST);
        assert_eq!(*recent.entry(&190_000, now, || 0), 190_000);
        assert_eq!(*recent.entry(&0, now, || 7), 7);
    }
}
