//! What shards share off the packet path: quotas, reserved ports, and who is present.

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::credentials::Holder;
use super::engine::AllocationId;
use super::evictions::{Evicted, Evictions};
use super::ports::{Claim, RelayedAddresses};
use super::rate::SharedRate;
use crate::config::TurnLimits;
use crate::limits::{AddressKey, Bounds, KeyedRate, Network, Tally};
use crate::presence::Presence;
use crate::refused::Refused;

/// RFC 8656 §7.2 asks for at least 30 seconds.
const RESERVED_FOR: Duration = Duration::from_secs(30);
const MAX_RESERVED: usize = 1024;
/// So long an allocation may be idle whatever comes: a browser asks for one before it knows whether it is needed.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Of a check: some for each way to the relay, times the machine's interfaces.
const CHECK_ALLOCATIONS: usize = 32;

pub struct Registry {
    pub addresses: Arc<RelayedAddresses>,
    pub presence: Presence,
    pub bitrate: Option<SharedRate>,
    limits: TurnLimits,
    /// New allocations by holder.
    beginnings: KeyedRate<Holder>,
    quotas: Mutex<Quotas>,
    reserved: Mutex<HashMap<[u8; 8], Reserved>>,
}

struct Quotas {
    by_holder: HashMap<Holder, usize>,
    /// Of all, by the clients' addresses.
    places: Tally,
    entries: HashMap<u64, Entry>,
    /// How many were ever given out.
    given: u64,
}

/// Who has a place, and what for.
struct Entry {
    holder: Holder,
    address: AddressKey,
    /// When something was relayed last, or it was given out.
    used: Instant,
    /// Whose socket it is, once it is one.
    home: Option<(AllocationId, Arc<Evictions>)>,
}

/// A bound port that waits for whoever brings its token.
pub struct Reserved {
    pub socket: UdpSocket,
    pub claim: Claim,
    /// It counts as an allocation of who asked for it.
    _place: Place,
    until: Instant,
}

/// A counted allocation; dropping it gives its place back, unless another has it already.
pub struct Place {
    registry: Arc<Registry>,
    /// No two have the same.
    pub number: u64,
}

impl Registry {
    pub fn new(
        addresses: RelayedAddresses,
        presence: Presence,
        limits: TurnLimits,
        now: Instant,
    ) -> Self {
        let bitrate = limits.total_bytes_per_second;
        let bounds = Bounds::new(limits.allocations, limits.allocations_per_ip);
        Self {
            addresses: Arc::new(addresses),
            presence,
            bitrate: bitrate.map(|per_second| SharedRate::new(per_second, now)),
            beginnings: KeyedRate::per_minute(limits.allocations_per_minute),
            limits,
            quotas: Mutex::new(Quotas {
                by_holder: HashMap::new(),
                places: Tally::new(bounds),
                entries: HashMap::new(),
                given: 0,
            }),
            reserved: Mutex::default(),
        }
    }

    /// A place for another allocation of `holder`; `None` where it, its address or the server has all it may have, or
    /// where it has begun too many of late: each costs a socket and a line of the log. Where there is no place, the allocation
    /// goes that has been idle for the longest time.
    pub fn admit(self: &Arc<Self>, holder: &Holder, ip: IpAddr, now: Instant) -> Option<Place> {
        let address = AddressKey::from(ip);
        let mut quotas = lock(&self.quotas);
        let theirs = quotas.by_holder.get(holder).copied().unwrap_or_default();
        let mut most = self.limits.allocations_per_visitor;
        if matches!(holder, Holder::Check(_)) {
            most = most.min(CHECK_ALLOCATIONS);
        }
        let full = quotas.places.room(address).err();
        let idlest = full.and_then(|full| quotas.idlest(full.network(), now));
        let reached = if let (Some(full), None) = (full, idlest) {
            Some(full.of([
                Refused::Allocations,
                Refused::AllocationsOfAddress,
                Refused::AllocationsOfNetwork,
            ]))
        } else if theirs >= most {
            Some(Refused::AllocationsOfVisitor)
        } else if !self.beginnings.allows(holder) {
            Some(Refused::AllocationRate)
        } else {
            None
        };
        if let Some(bound) = reached {
            bound.count();
            return None;
        }
        if let Some(number) = idlest {
            quotas.evict(number);
        }
        Some(Place {
            number: quotas.give(holder.clone(), address, now),
            registry: Arc::clone(self),
        })
    }

    /// Something has been relayed for these.
    pub fn were_used(&self, places: impl Iterator<Item = u64>, now: Instant) {
        let mut quotas = lock(&self.quotas);
        for number in places {
            if let Some(entry) = quotas.entries.get_mut(&number) {
                entry.used = now;
            }
        }
    }

    /// Keeps a port for whoever brings `token`; `false` where too many are kept.
    pub fn reserve(
        &self,
        token: [u8; 8],
        socket: UdpSocket,
        claim: Claim,
        place: Place,
        now: Instant,
    ) -> bool {
        let mut reserved = lock(&self.reserved);
        reserved.retain(|_, kept| kept.until > now);
        let room = reserved.len() < MAX_RESERVED;
        if room {
            let until = now + RESERVED_FOR;
            let kept = Reserved {
                socket,
                claim,
                _place: place,
                until,
            };
            reserved.insert(token, kept);
        }
        room
    }

    pub fn redeem(&self, token: [u8; 8], now: Instant) -> Option<Reserved> {
        lock(&self.reserved)
            .remove(&token)
            .filter(|kept| kept.until > now)
    }

    /// Gives up reservations that nobody redeemed.
    pub fn expire(&self, now: Instant) {
        lock(&self.reserved).retain(|_, kept| kept.until > now);
    }

    pub fn allocations(&self) -> usize {
        lock(&self.quotas).places.total()
    }
}

impl Quotas {
    fn give(&mut self, holder: Holder, address: AddressKey, now: Instant) -> u64 {
        *self.by_holder.entry(holder.clone()).or_default() += 1;
        self.places.add(address, 1);
        self.given += 1;
        let entry = Entry {
            holder,
            address,
            used: now,
            home: None,
        };
        self.entries.insert(self.given, entry);
        self.given
    }

    fn give_back(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        give_back(&mut self.by_holder, &entry.holder);
        self.places.remove(entry.address, 1);
        Some(entry)
    }

    /// The allocation that has been idle for the longest time, of one network or of all.
    fn idlest(&self, within: Option<Network>, now: Instant) -> Option<u64> {
        let suits = |entry: &Entry| {
            let is_theirs = within.is_none_or(|network| entry.address.is_in(network));
            is_theirs && entry.home.is_some() && entry.used + IDLE_FOR <= now
        };
        let idle = self.entries.iter().filter(|(_, entry)| suits(entry));
        let idle = idle.map(|(number, entry)| (entry.used, *number));
        idle.min().map(|(_, number)| number)
    }

    fn evict(&mut self, place: u64) {
        let home = self.give_back(place).and_then(|entry| entry.home);
        if let Some((id, evictions)) = home {
            evictions.add(Evicted { id, place });
        }
    }
}

impl Place {
    /// It is this allocation's from now on, which may have to go.
    pub fn is_for(&self, id: AllocationId, evictions: &Arc<Evictions>) {
        let mut quotas = lock(&self.registry.quotas);
        if let Some(entry) = quotas.entries.get_mut(&self.number) {
            entry.home = Some((id, Arc::clone(evictions)));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.registry.quotas).give_back(self.number);
    }
}

fn give_back<K, Q>(counts: &mut HashMap<K, usize>, key: &Q)
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ?Sized,
{
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PortRange;

    fn other(name: &str) -> Holder {
        Holder::Other(name.into())
    }

    fn registry() -> Arc<Registry> {
        let range = PortRange {
            low: 50000,
            high: 50001,
        };
        let addresses = RelayedAddresses::new(range, &[], &[IpAddr::from([127, 0, 0, 1])]);
        let limits = TurnLimits {
            allocations: 4,
            allocations_per_visitor: 2,
            allocations_per_ip: 3,
            allocations_per_minute: 8,
            ..TurnLimits::default()
        };
        let presence = Presence::new(Duration::ZERO);
        Arc::new(Registry::new(addresses, presence, limits, Instant::now()))
    }

    #[test]
    fn quotas_hold_and_places_come_back() {
        let registry = registry();
        let admit = |holder, last| {
            registry.admit(
                &other(holder),
                IpAddr::from([192, 0, 2, last]),
                Instant::now(),
            )
        };
        let first = admit("ana", 1).unwrap();
        let second = admit("ana", 1).unwrap();
        assert!(admit("ana", 2).is_none(), "of a visitor");
        let third = admit("bo", 1).unwrap();
        assert!(admit("cy", 1).is_none(), "of an address");
        let fourth = admit("bo", 2).unwrap();
        assert!(admit("cy", 3).is_none(), "of the server");
        drop((first, second, third, fourth));
        assert_eq!(registry.allocations(), 0);
        let quotas = lock(&registry.quotas);
        assert!(quotas.by_holder.is_empty() && quotas.places.total() == 0);
    }

    fn evictions() -> Arc<Evictions> {
        let wake = rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();
        Arc::new(Evictions::new(Arc::new(wake)))
    }

    #[test]
    fn what_has_been_idle_for_longest_makes_way() {
        let registry = registry();
        let evictions = evictions();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let admit =
            |holder, last, at| registry.admit(&other(holder), IpAddr::from([192, 0, 2, last]), at);
        let places: Vec<_> = [("ana", 1), ("ana", 1), ("bo", 1), ("cy", 2)]
            .into_iter()
            .zip(0..)
            .map(|((holder, last), id)| {
                let place = admit(holder, last, after(u64::from(id))).unwrap();
                place.is_for(AllocationId(id), &evictions);
                place
            })
            .collect();
        registry.were_used([places[0].number].into_iter(), after(20));
        assert!(admit("dan", 1, after(30)).is_none(), "not idle for long");
        assert!(admit("ana", 1, after(31)).is_none(), "has all it may have");
        assert_eq!(evictions.take(), []);
        let evicted = |index: usize| Evicted {
            id: AllocationId(u32::try_from(index).unwrap()),
            place: places[index].number,
        };
        let of_address = admit("dan", 1, after(31)).unwrap();
        assert_eq!(evictions.take(), [evicted(1)]);
        let of_all = admit("eva", 3, after(34)).unwrap();
        assert_eq!(evictions.take(), [evicted(2)]);
        // What has no socket yet stays, and what was relayed through.
        assert!(admit("fay", 4, after(32)).is_none());
        assert_eq!(registry.allocations(), 4);
        drop((places, of_address, of_all));
        assert_eq!(registry.allocations(), 0);
        let quotas = lock(&registry.quotas);
        assert!(quotas.by_holder.is_empty() && quotas.entries.is_empty());
    }

    /// A program that calls somebody what callbox calls a check has its own share, and takes nobody else's.
    #[test]
    fn a_check_has_few_and_who_is_called_like_one_has_its_own() {
        let limits = TurnLimits {
            allocations: 1000,
            allocations_per_visitor: 40,
            allocations_per_ip: 100,
            allocations_per_minute: 100,
            ..TurnLimits::default()
        };
        let range = PortRange { low: 1, high: 2 };
        let addresses = RelayedAddresses::new(range, &[], &[]);
        let presence = Presence::new(Duration::ZERO);
        let registry = Registry::new(addresses, presence, limits, Instant::now());
        let registry = Arc::new(registry);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let taken = |holder: &Holder| -> Vec<_> {
            std::iter::from_fn(|| registry.admit(holder, ip, Instant::now()))
                .take(60)
                .collect()
        };
        let (check, other) = (taken(&Holder::own("c-3po")), taken(&other("c-3po")));
        assert_eq!((check.len(), other.len()), (CHECK_ALLOCATIONS, 40));
    }

    #[test]
    fn beginnings_are_counted_also_when_they_have_ended() {
        let registry = registry();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let begun = |holder| {
            (0..10)
                .filter(|_| registry.admit(&other(holder), ip, Instant::now()).is_some())
                .count()
        };
        assert_eq!(begun("ana"), 8);
        assert_eq!(begun("bo"), 8);
        assert_eq!(registry.allocations(), 0);
    }

    #[test]
    fn a_token_is_good_once_and_for_thirty_seconds() {
        let registry = registry();
        let start = Instant::now();
        let reserve = |token| {
            let claim = registry.addresses.claim_port(0, 50001).unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let place = registry
                .admit(&other("ana"), IpAddr::from([192, 0, 2, 1]), start)
                .unwrap();
            registry.reserve(token, socket, claim, place, start)
        };
        assert!(reserve([1; 8]));
        assert!(registry.addresses.claim_port(0, 50001).is_none());
        assert!(registry.redeem([2; 8], start).is_none());
        assert!(registry.redeem([1; 8], start).is_some());
        assert!(registry.redeem([1; 8], start).is_none());
        assert!(reserve([3; 8]), "the port is free again");
        registry.expire(start + RESERVED_FOR);
        assert!(registry.redeem([3; 8], start).is_none());
        assert_eq!(registry.allocations(), 0);
    }
}
