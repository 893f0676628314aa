//! How often something may happen.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::network::LEVELS;
use super::{AddressKey, Network};

/// Keys that one rate limiter remembers at the most.
const MAX_TRACKED: usize = 65_536;

/// Limits how often something happens per key, in a table of bounded size.
#[derive(Debug)]
pub(crate) struct KeyedRate<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    /// `per_minute` at once, refilled evenly over a minute.
    pub(crate) fn per_minute(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            limiter: RateLimiter::keyed(quota),
        }
    }

    /// Counts one; `false` when this key has used up its share, or when too many others are being counted.
    pub(crate) fn allows(&self, key: &K) -> bool {
        if self.limiter.len() >= MAX_TRACKED {
            self.limiter.retain_recent();
            if self.limiter.len() >= MAX_TRACKED {
                return false;
            }
        }
        self.limiter.check_key(key).is_ok()
    }
}

/// Limits how often something happens per address: twice as often for a /56 and four times for a /48. An address that is
/// refused takes nothing from its neighbours.
#[derive(Debug)]
pub(crate) struct AddressRate {
    table: Mutex<Table>,
}

impl AddressRate {
    /// `per_minute` of one address at once, refilled evenly over a minute.
    pub(crate) fn per_minute(per_minute: u32) -> Self {
        Self::new(per_minute, Duration::from_secs(60))
    }

    /// `count` at once, refilled evenly over `time`.
    pub(crate) fn new(count: u32, time: Duration) -> Self {
        Self {
            table: Mutex::new(Table::new(count, time, MAX_TRACKED)),
        }
    }

    /// Counts one; `false` when this address or a network of it has used up its share.
    pub(crate) fn allows(&self, who: impl Into<AddressKey>, now: Instant) -> bool {
        self.next(who, now).is_ok()
    }

    /// Counts one if there may be one.
    ///
    /// # Errors
    /// From when on there may be one.
    pub(crate) fn next(&self, who: impl Into<AddressKey>, now: Instant) -> Result<(), Instant> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.next(who.into(), now)
    }
}

/// Pure. The generic cell rate algorithm: of each network one moment says all, namely when all of its share will have come
/// back.
#[derive(Debug)]
struct Table {
    /// In which one comes back, by level.
    each: [Duration; LEVELS],
    time: Duration,
    full_at: HashMap<Network, Instant>,
    max: usize,
}

impl Table {
    fn new(count: u32, time: Duration, max: usize) -> Self {
        let count = count.max(1);
        Self {
            each: [1, 2, 4].map(|times| time / count.saturating_mul(times)),
            time,
            full_at: HashMap::new(),
            max,
        }
    }

    fn next(&mut self, key: AddressKey, now: Instant) -> Result<(), Instant> {
        let after = |table: &Self, network: Network| {
            let full_at = table.full_at.get(&network).copied();
            full_at.map_or(now, |at| at.max(now)) + table.each[network.level()]
        };
        let last = key.networks().map(|network| after(self, network)).max();
        if let Some(last) = last
            && last > now + self.time
        {
            return Err(now + (last - now).saturating_sub(self.time));
        }
        if self.full_at.len() + LEVELS > self.max {
            self.forget(now);
        }
        for network in key.networks() {
            let at = after(self, network);
            self.full_at.insert(network, at);
        }
        Ok(())
    }

    /// Whose share is whole again is not remembered; if that is not enough, nor are those who have used least.
    fn forget(&mut self, now: Instant) {
        self.full_at.retain(|_, at| *at > now);
        let keep = self.max - self.max / 4;
        if self.full_at.len() > keep {
            let mut ends: Vec<_> = self.full_at.values().copied().collect();
            let drop = ends.len() - keep;
            let (_, bound, _) = ends.select_nth_unstable(drop);
            let bound = *bound;
            self.full_at.retain(|_, at| *at > bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_holds_per_key() {
        let rate = KeyedRate::per_minute(3);
        let allowed = |text: &str| (0..10).filter(|_| rate.allows(&text.to_owned())).count();
        assert_eq!(allowed("ana"), 3);
        assert_eq!(allowed("bo"), 3);
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back_evenly() {
        let rate = AddressRate::per_minute(3);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let allowed = |text, now| (0..10).filter(|_| rate.allows(ip(text), now)).count();
        assert_eq!(allowed("192.0.2.1", start), 3);
        assert_eq!(allowed("192.0.2.2", start), 3);
        assert_eq!(rate.next(ip("192.0.2.1"), start), Err(after(20)));
        assert_eq!(allowed("192.0.2.1", after(19)), 0);
        assert_eq!(allowed("192.0.2.1", after(20)), 1);
        assert_eq!(allowed("192.0.2.1", after(3600)), 3);
    }

    #[test]
    fn wider_networks_have_a_share_too() {
        let rate = AddressRate::per_minute(3);
        let start = Instant::now();
        let allowed = |text: fn(u32) -> String| {
            (0..0x100)
                .filter(|n| rate.allows(ip(&text(*n)), start))
                .count()
        };
        assert_eq!(allowed(|n| format!("2001:db8:0:{n:x}::1")), 6);
        assert_eq!(allowed(|n| format!("2001:db8:1:{n:x}00::1")), 12);
    }

    #[test]
    fn who_is_refused_takes_nothing_from_neighbours() {
        let rate = AddressRate::per_minute(3);
        let start = Instant::now();
        for _ in 0..100 {
            rate.allows(ip("2001:db8::1"), start);
        }
        assert!(rate.allows(ip("2001:db8:0:1::1"), start));
    }

    #[test]
    fn the_table_is_bounded_and_remembers_who_took_most() {
        let mut table = Table::new(4, Duration::from_secs(60), 64);
        let start = Instant::now();
        let greedy = AddressKey::from(ip("192.0.2.1"));
        for _ in 0..4 {
            table.next(greedy, start).unwrap();
        }
        for n in 0..1000u32 {
            let other = AddressKey::from(IpAddr::from((n + (10 << 24)).to_be_bytes()));
            assert!(table.next(other, start).is_ok(), "nobody else is refused");
            assert!(table.full_at.len() <= 64);
        }
        assert!(table.next(greedy, start).is_err());
    }
}
