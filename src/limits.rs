//! What one address may take: simultaneous things (connections, rooms), and things per minute.
//!
//! An IPv6 client owns a /64 at least, so addresses are counted by /64 there.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Addresses that one rate limiter remembers at the most.
const MAX_TRACKED: usize = 65_536;

/// Who counts as one client: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey(IpAddr);

impl From<IpAddr> for AddressKey {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
        }
    }
}

/// Counts simultaneous things per address, with a bound per address.
#[derive(Debug, Clone)]
pub struct PerAddress {
    counts: Arc<Mutex<HashMap<AddressKey, usize>>>,
    max: usize,
}

/// One counted thing; dropping it gives its place back.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Mutex<HashMap<AddressKey, usize>>>,
    key: AddressKey,
}

impl PerAddress {
    pub fn new(max: usize) -> Self {
        Self {
            counts: Arc::default(),
            max,
        }
    }

    /// A place for this address, or `None` when it has as many as it may.
    pub fn take(&self, ip: IpAddr) -> Option<Place> {
        let key = AddressKey::from(ip);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place {
            counts: Arc::clone(&self.counts),
            key,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// Limits how often something happens per key, in a table of bounded size.
#[derive(Debug)]
pub struct KeyedRate<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    /// `per_minute` at once, refilled evenly over a minute.
    pub fn per_minute(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            limiter: RateLimiter::keyed(quota),
        }
    }

    /// Counts one; `false` when this key has used up its share, or when too many others are being counted.
    pub fn allows(&self, key: &K) -> bool {
        if self.limiter.len() >= MAX_TRACKED {
            self.limiter.retain_recent();
            if self.limiter.len() >= MAX_TRACKED {
                return false;
            }
        }
        self.limiter.check_key(key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_per_address_and_given_back() {
        let places = PerAddress::new(2);
        let first = places.take(ip("192.0.2.1")).unwrap();
        let _second = places.take(ip("::ffff:192.0.2.1")).unwrap();
        assert!(places.take(ip("192.0.2.1")).is_none());
        assert!(places.take(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(places.take(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one() {
        let places = PerAddress::new(1);
        let _held = places.take(ip("2001:db8:0:1::1")).unwrap();
        assert!(places.take(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(places.take(ip("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn the_table_is_empty_when_all_are_gone() {
        let places = PerAddress::new(8);
        let held: Vec<_> = (0..200u8)
            .map(|i| places.take(IpAddr::from([10, 0, 0, i])))
            .collect();
        drop(held);
        assert!(places.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn a_rate_holds_per_key() {
        let rate = KeyedRate::per_minute(3);
        let allowed = |text| {
            (0..10)
                .filter(|_| rate.allows(&AddressKey::from(ip(text))))
                .count()
        };
        assert_eq!(allowed("192.0.2.1"), 3);
        assert_eq!(allowed("192.0.2.2"), 3);
    }
}
