//! Bounds the answers to those who have not proved who they are, per source address: a forged source must not turn
//! this server into a flood (RFC 8489 §16.1.2).
//!
//! The table has a fixed size. Sources that share a slot share its allowance, so strangers cost no memory.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use crate::address::NetworkKey;
use crate::rate::Rate;

const SLOTS: usize = 4096;

pub(super) struct AnswerLimit {
    per_second: u64,
    hasher: RandomState,
    slots: Vec<Option<Rate>>,
}

impl AnswerLimit {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.into(),
            hasher: RandomState::new(),
            slots: vec![None; SLOTS],
        }
    }

    /// Counts an answer to `source`; `false` where it has had its share.
    pub(super) fn allows(&mut self, source: IpAddr, now: Instant) -> bool {
        let hash = self.hasher.hash_one(NetworkKey::from(source));
        let slot = usize::try_from(hash % SLOTS as u64).unwrap_or_default();
        self.slots[slot]
            .get_or_insert_with(|| Rate::new(now))
            .allows(1, self.per_second, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_source_has_its_share_and_no_more() {
        let mut limit = AnswerLimit::new(10);
        let start = Instant::now();
        let mut allowed = |ip: [u8; 4], seconds| {
            let now = start + Duration::from_secs(seconds);
            (0..100).filter(|_| limit.allows(ip.into(), now)).count()
        };
        assert_eq!(allowed([192, 0, 2, 1], 0), 10);
        assert_eq!(allowed([192, 0, 2, 1], 0), 0);
        assert_eq!(allowed([192, 0, 2, 1], 1), 10);
    }
}
