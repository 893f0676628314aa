//! How many of something there are, in total and of each network, with a bound for each. [`Tally`] is pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::network::LEVELS;
use super::{AddressKey, Network};

/// Of the whole, one network may have one in so many at the most.
pub(crate) const SHARE: u8 = 4;
/// Of the whole, what is kept for those who have nothing yet.
const RESERVE: usize = 16;
/// What even one address may have of a whole that is small.
const SMALL: usize = 8;

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    total: usize,
    /// Of an IPv4 address or a /64, of a /56, and of a /48.
    each: [usize; LEVELS],
    /// Up to `total`, those only who have fewer than `few`.
    open_to_all: usize,
    few: usize,
}

impl Bounds {
    /// `total` of all together and `each` of one address; twice as many of a /56 and four times as many of a /48, and of none
    /// of them more than a quarter of all. The last sixteenth is for those who have none.
    pub(crate) fn new(total: usize, each: usize) -> Self {
        let share = (total / usize::from(SHARE)).max(SMALL.min(total)).max(1);
        Self {
            total,
            each: [1, 2, 4].map(|times| each.saturating_mul(times).min(share)),
            open_to_all: total - total / RESERVE,
            few: 1,
        }
    }

    /// The last sixteenth is for those who have fewer than `few`.
    #[must_use]
    pub(crate) fn with_few(self, few: usize) -> Self {
        Self { few, ..self }
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// This network has as many as it may.
    Share(Network),
    /// There are as many as there may be.
    Total,
    /// Those that are left are for others than this network, which has some.
    Reserve(Network),
}

impl Full {
    /// The network that has as many as it may.
    pub(crate) fn network(self) -> Option<Network> {
        match self {
            Self::Share(network) => Some(network),
            Self::Total | Self::Reserve(_) => None,
        }
    }

    /// The network of whoever asks, where it has something itself. What others would miss is taken from within it then.
    pub(crate) fn own_network(self) -> Option<Network> {
        match self {
            Self::Share(network) | Self::Reserve(network) => Some(network),
            Self::Total => None,
        }
    }

    /// The first where it is the total, the second where it is an address's share, and else the third.
    pub(crate) fn of<T>(self, [total, address, network]: [T; 3]) -> T {
        match self {
            Self::Total | Self::Reserve(_) => total,
            Self::Share(share) if share.level() == 0 => address,
            Self::Share(_) => network,
        }
    }
}

/// Counts things by whose they are.
#[derive(Debug)]
pub(crate) struct Tally {
    bounds: Bounds,
    total: usize,
    by_network: HashMap<Network, usize>,
}

impl Tally {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            total: 0,
            by_network: HashMap::new(),
        }
    }

    /// Is there room for another one of `key`? Without a key only the total counts.
    ///
    /// # Errors
    /// The bound that is reached, the narrowest of several.
    pub(crate) fn room(&self, key: impl Into<Option<AddressKey>>) -> Result<(), Full> {
        let (mut held, mut widest) = (0, None);
        for network in networks(key) {
            held = self.of(network);
            widest = Some(network);
            if held >= self.bounds.each[network.level()] {
                return Err(Full::Share(network));
            }
        }
        let open = if held < self.bounds.few {
            self.bounds.total
        } else {
            self.bounds.open_to_all
        };
        if self.total < open {
            return Ok(());
        }
        Err(match widest {
            Some(network) if held >= self.bounds.few => Full::Reserve(network),
            _ => Full::Total,
        })
    }

    /// Counts `count` of `key`, whether there is room or not.
    pub(crate) fn add(&mut self, key: impl Into<Option<AddressKey>>, count: usize) {
        if count == 0 {
            return;
        }
        self.total += count;
        for network in networks(key) {
            *self.by_network.entry(network).or_default() += count;
        }
    }

    /// So many of those that were counted are gone.
    pub(crate) fn remove(&mut self, key: impl Into<Option<AddressKey>>, count: usize) {
        self.total = self.total.saturating_sub(count);
        for network in networks(key) {
            if let Some(held) = self.by_network.get_mut(&network) {
                *held = held.saturating_sub(count);
                if *held == 0 {
                    self.by_network.remove(&network);
                }
            }
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    fn of(&self, network: Network) -> usize {
        self.by_network.get(&network).copied().unwrap_or_default()
    }
}

fn networks(key: impl Into<Option<AddressKey>>) -> impl Iterator<Item = Network> {
    key.into().into_iter().flat_map(AddressKey::networks)
}

/// A [`Tally`] that many share.
#[derive(Debug, Clone)]
pub(crate) struct PerAddress {
    tally: Arc<Mutex<Tally>>,
}

/// One counted thing; dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Place {
    tally: Arc<Mutex<Tally>>,
    key: AddressKey,
}

impl PerAddress {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            tally: Arc::new(Mutex::new(Tally::new(bounds))),
        }
    }

    /// A place for this address.
    ///
    /// # Errors
    /// The bound that is reached.
    pub(crate) fn take(&self, ip: IpAddr) -> Result<Place, Full> {
        let key = AddressKey::from(ip);
        let mut tally = lock(&self.tally);
        tally.room(key)?;
        tally.add(key, 1);
        drop(tally);
        Ok(self.place(key))
    }

    /// A place for this address, in exchange for one that somebody has just given up.
    pub(crate) fn take_over(&self, ip: IpAddr) -> Place {
        let key = AddressKey::from(ip);
        lock(&self.tally).add(key, 1);
        self.place(key)
    }

    /// One that is counted already.
    fn place(&self, key: AddressKey) -> Place {
        Place {
            tally: Arc::clone(&self.tally),
            key,
        }
    }
}

impl Place {
    /// Does it belong to somebody in this network?
    pub(crate) fn is_in(&self, network: Network) -> bool {
        self.key.is_in(network)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.tally).remove(self.key, 1);
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEVELS_BY_NAME: [&str; LEVELS] = ["address", "/56", "/48"];

    fn name(full: Full) -> &'static str {
        full.network()
            .map_or("total", |network| LEVELS_BY_NAME[network.level()])
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn key(text: &str) -> AddressKey {
        ip(text).into()
    }

    /// Adds until there is no room; how many fitted, and what was full.
    fn fill(tally: &mut Tally, mut next: impl FnMut(usize) -> AddressKey) -> (usize, Full) {
        for count in 0.. {
            let key = next(count);
            match tally.room(key) {
                Ok(()) => tally.add(key, 1),
                Err(full) => return (count, full),
            }
        }
        unreachable!()
    }

    #[test]
    fn places_are_bounded_per_address_and_given_back() {
        let places = PerAddress::new(Bounds::new(1000, 2));
        let first = places.take(ip("192.0.2.1")).unwrap();
        let _second = places.take(ip("::ffff:192.0.2.1")).unwrap();
        let full = places.take(ip("192.0.2.1")).unwrap_err();
        assert_eq!(name(full), "address");
        assert!(places.take(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(places.take(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn of_many_who_ask_at_once_as_many_get_one_as_there_are() {
        let places = PerAddress::new(Bounds::new(1000, 100));
        let ask = || -> Vec<_> { (0..100).map(|_| places.take(ip("192.0.2.1"))).collect() };
        let got: usize = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            let got: Vec<_> = askers
                .into_iter()
                .flat_map(|it| it.join().unwrap())
                .collect();
            got.iter().filter(|place| place.is_ok()).count()
        });
        assert_eq!(got, 100);
    }

    #[test]
    fn nobody_has_more_than_a_quarter() {
        let mut tally = Tally::new(Bounds::new(400, 1000));
        let (count, full) = fill(&mut tally, |_| key("192.0.2.1"));
        assert_eq!((count, name(full)), (100, "address"));
        let (count, full) = fill(&mut tally, |n| {
            key(&format!("2001:db8:0:{:x}::1", n % 0x100))
        });
        assert_eq!((count, name(full)), (100, "/56"));
        let (count, full) = fill(&mut tally, |n| key(&format!("2001:db8:1:{:x}00::1", n % 8)));
        assert_eq!((count, name(full)), (100, "/48"));
    }

    #[test]
    fn wider_networks_may_have_more() {
        let bounds = Bounds::new(4000, 10);
        let count = |next: fn(usize) -> String| {
            let (count, full) = fill(&mut Tally::new(bounds), |n| key(&next(n)));
            (count, name(full))
        };
        assert_eq!(count(|_| "2001:db8::1".to_owned()), (10, "address"));
        let household = |n| format!("2001:db8:0:{:x}::1", n % 0x10);
        assert_eq!(count(household), (20, "/56"));
        let company = |n| format!("2001:db8:0:{:x}00::1", n % 0x10);
        assert_eq!(count(company), (40, "/48"));
    }

    #[test]
    fn the_last_places_are_for_those_who_have_none() {
        let mut tally = Tally::new(Bounds::new(160, 40));
        for last in 1..=4 {
            fill(&mut tally, |_| key(&format!("192.0.2.{last}")));
        }
        assert_eq!(tally.total(), 150);
        let some = key("192.0.2.4").networks().last();
        assert_eq!(
            tally.room(key("192.0.2.4")),
            Err(Full::Reserve(some.unwrap()))
        );
        let (count, full) = fill(&mut tally, |n| key(&format!("198.51.100.{n}")));
        assert_eq!((count, full), (10, Full::Total));
    }

    #[test]
    fn who_has_few_may_have_another() {
        let mut tally = Tally::new(Bounds::new(160, 40).with_few(2));
        for last in 1..=4 {
            fill(&mut tally, |_| key(&format!("192.0.2.{last}")));
        }
        let (count, _) = fill(&mut tally, |_| key("198.51.100.1"));
        assert_eq!(count, 2);
    }

    #[test]
    fn what_is_small_is_not_divided() {
        let mut tally = Tally::new(Bounds::new(4, 4));
        assert_eq!(
            fill(&mut tally, |_| key("192.0.2.1")),
            (4, Full::Share(key("192.0.2.1").networks().next().unwrap()))
        );
    }

    proptest! {
        #[test]
        fn the_table_is_empty_when_all_are_gone(clients in prop::collection::vec((0..3u16, 0..3u16, 0..3u16), 0..80)) {
            let mut tally = Tally::new(Bounds::new(40, 4));
            let keys = clients.iter().map(|(a, b, c)| key(&format!("2001:db8:{a}:{b}0{c}::")));
            let mut held = Vec::new();
            for key in keys {
                if tally.room(key).is_ok() {
                    tally.add(key, 1);
                    held.push(key);
                }
                for network in key.networks() {
                    prop_assert!(tally.of(network) <= [4, 8, 10][network.level()]);
                }
            }
            prop_assert_eq!(tally.total(), held.len());
            for key in held {
                tally.remove(key, 1);
            }
            prop_assert!(tally.by_network.is_empty() && tally.total() == 0);
        }
    }
}
