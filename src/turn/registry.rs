//! What shards share off the packet path: quotas, reserved ports, and who is present.

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::credentials::Holder;
use super::engine::{AllocationId, NoRelay};
use super::evictions::{Evicted, Evictions};
use super::ports::{Claim, RelayedAddresses};
use super::rate::SharedRate;
use crate::config::TurnLimits;
use crate::limits::{AddressKey, Bounds, Full, KeyedRate, Network, Tally};
use crate::presence::Presence;
use crate::refused::Refused;

/// RFC 8656 §7.2 asks for at least 30 seconds.
const RESERVED_FOR: Duration = Duration::from_secs(30);
const MAX_RESERVED: usize = 1024;
/// Of the bitrate of all, what one network may have.
const SHARE: u64 = 4;
/// Whatever there is in all: a call of eight that is wholly relayed, and more. In bytes per second.
const A_CALL: u64 = 50_000_000 / 8;
/// One of so many relay ports is not given out.
const SPARE: usize = 16;
/// So long an allocation may be idle whatever comes: a browser asks for one before it knows whether it is needed, and probes what
/// it does not use each 25 s.
const IDLE_FOR: Duration = Duration::from_secs(60);
/// Of a check: some for each way to the relay, times the machine's interfaces.
const CHECK_ALLOCATIONS: usize = 32;

pub struct Registry {
    pub addresses: Arc<RelayedAddresses>,
    pub presence: Presence,
    pub bitrate: Option<SharedRate>,
    limits: TurnLimits,
    /// Allocations that there may be.
    total: usize,
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
    /// Of the bitrate of all.
    shares: HashMap<Network, Weak<SharedRate>>,
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
    /// What the client's network may have of the bitrate of all.
    pub share: Option<Arc<SharedRate>>,
}

impl Registry {
    pub fn new(
        addresses: RelayedAddresses,
        presence: Presence,
        limits: TurnLimits,
        now: Instant,
    ) -> Self {
        let bitrate = limits.total_bytes_per_second;
        // Nobody may take more than a share of the ports either. Some are on their way back from those who made way.
        let ports = usize::try_from(addresses.ports()).unwrap_or(usize::MAX);
        let total = limits.allocations.min(ports - ports / SPARE);
        let bounds = Bounds::new(total, limits.allocations_per_ip);
        Self {
            addresses: Arc::new(addresses),
            presence,
            bitrate: bitrate.map(|per_second| SharedRate::new(per_second, now)),
            beginnings: KeyedRate::per_minute(limits.allocations_per_minute),
            limits,
            total,
            quotas: Mutex::new(Quotas {
                by_holder: HashMap::new(),
                places: Tally::new(bounds),
                entries: HashMap::new(),
                given: 0,
                shares: HashMap::new(),
            }),
            reserved: Mutex::default(),
        }
    }

    /// A place for another allocation of `holder`. Where it, its network or the server has all it may have, the allocation makes
    /// way that has been idle for the longest time.
    ///
    /// # Errors
    /// Where none is idle, or the holder has begun too many of late: each costs a socket and a line of the log.
    pub fn admit(
        self: &Arc<Self>,
        holder: &Holder,
        ip: IpAddr,
        now: Instant,
    ) -> Result<Place, NoRelay> {
        let address = AddressKey::from(ip);
        let mut quotas = lock(&self.quotas);
        let mut most = self.limits.allocations_per_visitor;
        if matches!(holder, Holder::Check(_)) {
            most = most.min(CHECK_ALLOCATIONS);
        }
        let refuse = |bound: Refused, why| {
            bound.count();
            Err(why)
        };
        if !self.beginnings.allows(holder) {
            return refuse(Refused::AllocationRate, NoRelay::Quota);
        }
        let evicted = if quotas.held(holder) >= most {
            let Some(own) = quotas.idlest(now, |entry| entry.holder == *holder) else {
                return refuse(Refused::AllocationsOfVisitor, NoRelay::Quota);
            };
            Some(own)
        } else if let Err(full) = quotas.places.room(address) {
            let Some(idlest) = quotas.idlest_for(holder, full.network(), now) else {
                let bound = full.of([
                    Refused::Allocations,
                    Refused::AllocationsOfAddress,
                    Refused::AllocationsOfNetwork,
                ]);
                let none_left = quotas.places.total() >= self.total;
                let own = matches!(full, Full::Share(_)) && !none_left;
                let why = if own {
                    NoRelay::Quota
                } else {
                    NoRelay::Capacity
                };
                return refuse(bound, why);
            };
            Some(idlest)
        } else {
            None
        };
        if let Some(number) = evicted {
            quotas.evict(number);
        }
        Ok(Place {
            number: quotas.give(holder.clone(), address, now),
            share: self.share_of(&mut quotas, address, now),
            registry: Arc::clone(self),
        })
    }

    fn share_of(
        &self,
        quotas: &mut Quotas,
        address: AddressKey,
        now: Instant,
    ) -> Option<Arc<SharedRate>> {
        let total = self.limits.total_bytes_per_second?;
        // An IPv4 address, or a /56.
        let network = address.networks().take(2).last()?;
        let shares = &mut quotas.shares;
        if let Some(share) = shares.get(&network).and_then(Weak::upgrade) {
            return Some(share);
        }
        if shares.len() > quotas.entries.len() {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let per_second = (total / SHARE).max(A_CALL.min(total));
        let share = Arc::new(SharedRate::new(per_second, now));
        shares.insert(network, Arc::downgrade(&share));
        Some(share)
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

    /// Does a port wait for whoever brings this token?
    pub fn is_reserved(&self, token: [u8; 8], now: Instant) -> bool {
        let reserved = lock(&self.reserved);
        reserved.get(&token).is_some_and(|kept| kept.until > now)
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

    fn held(&self, holder: &Holder) -> usize {
        self.by_holder.get(holder).copied().unwrap_or_default()
    }

    /// The allocation that has been idle for the longest time, of one network or of all: one of `holder` itself or of
    /// somebody who has more, and of anybody where it has none.
    fn idlest_for(&self, holder: &Holder, within: Option<Network>, now: Instant) -> Option<u64> {
        let held = self.held(holder);
        self.idlest(now, |entry| {
            let is_there = within.is_none_or(|network| entry.address.is_in(network));
            let may_go = held == 0 || entry.holder == *holder || self.held(&entry.holder) > held;
            is_there && may_go
        })
    }

    fn idlest(&self, now: Instant, suits: impl Fn(&Entry) -> bool) -> Option<u64> {
        let is_idle = |entry: &Entry| entry.home.is_some() && entry.used + IDLE_FOR <= now;
        let idle = self.entries.iter();
        let idle = idle.filter(|(_, entry)| is_idle(entry) && suits(entry));
        idle.map(|(number, entry)| (entry.used, *number))
            .min()
            .map(|(_, number)| number)
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
            high: 50007,
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
        assert!(admit("ana", 2).is_err(), "of a visitor");
        let third = admit("bo", 1).unwrap();
        assert!(admit("cy", 1).is_err(), "of an address");
        let fourth = admit("bo", 2).unwrap();
        assert!(admit("cy", 3).is_err(), "of the server");
        drop((first, second, third, fourth));
        assert_eq!(registry.allocations(), 0);
        let quotas = lock(&registry.quotas);
        assert!(quotas.by_holder.is_empty() && quotas.places.total() == 0);
    }

    fn evictions() -> Arc<Evictions> {
        let wake = rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();
        Arc::new(Evictions::new(Arc::new(wake)))
    }

    /// Somebody's places, each with a socket.
    fn seated(
        registry: &Arc<Registry>,
        evictions: &Arc<Evictions>,
        who: &[(&str, u8)],
        start: Instant,
    ) -> Vec<Place> {
        let seat = |((holder, last), id): (&(&str, u8), u32)| {
            let ip = IpAddr::from([192, 0, 2, *last]);
            let at = start + Duration::from_secs(u64::from(id));
            let place = registry.admit(&other(holder), ip, at).unwrap();
            place.is_for(AllocationId(id), evictions);
            place
        };
        who.iter().zip(0..).map(seat).collect()
    }

    fn evicted(places: &[Place], index: usize) -> Evicted {
        Evicted {
            id: AllocationId(u32::try_from(index).unwrap()),
            place: places[index].number,
        }
    }

    #[test]
    fn what_has_been_idle_for_longest_makes_way() {
        let registry = registry();
        let evictions = evictions();
        let start = Instant::now();
        let who = [("ana", 1), ("ana", 1), ("bo", 1), ("cy", 2)];
        let places = seated(&registry, &evictions, &who, start);
        let admit = |holder, last, seconds| {
            let ip = IpAddr::from([192, 0, 2, last]);
            registry.admit(&other(holder), ip, start + Duration::from_secs(seconds))
        };
        registry.were_used(
            [places[0].number].into_iter(),
            start + Duration::from_secs(40),
        );
        assert!(admit("dan", 1, 60).is_err(), "not idle for long");
        assert_eq!(evictions.take(), []);
        let of_address = admit("dan", 1, 61).unwrap();
        assert_eq!(evictions.take(), [evicted(&places, 1)]);
        let of_all = admit("eva", 3, 64).unwrap();
        assert_eq!(evictions.take(), [evicted(&places, 2)]);
        // What has no socket yet stays, and what was relayed through.
        assert!(admit("fay", 4, 62).is_err());
        assert_eq!(registry.allocations(), 4);
        drop((places, of_address, of_all));
        assert_eq!(registry.allocations(), 0);
        let quotas = lock(&registry.quotas);
        assert!(quotas.by_holder.is_empty() && quotas.entries.is_empty());
    }

    #[test]
    fn who_has_all_it_may_have_gives_up_its_own_and_nobody_who_has_fewer() {
        let registry = registry();
        let evictions = evictions();
        let start = Instant::now();
        let who = [("bo", 1), ("ana", 1), ("ana", 1), ("cy", 2)];
        let places = seated(&registry, &evictions, &who, start);
        let later = start + Duration::from_secs(100);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let again = registry.admit(&other("ana"), ip, later).unwrap();
        assert_eq!(evictions.take(), [evicted(&places, 1)], "her own");
        registry.were_used([again.number, places[2].number].into_iter(), later);
        assert!(registry.admit(&other("ana"), ip, later).is_err());
        // Bo has one, as has Cy, who makes way for nobody who has as many.
        registry.were_used([places[0].number].into_iter(), later);
        let elsewhere = IpAddr::from([192, 0, 2, 3]);
        let refused = registry.admit(&other("bo"), elsewhere, later);
        assert_eq!(refused.err(), Some(NoRelay::Capacity));
        assert!(registry.admit(&other("dan"), elsewhere, later).is_ok());
        assert_eq!(evictions.take(), [evicted(&places, 3)]);
    }

    #[test]
    fn a_network_has_a_quarter_of_the_bitrate_and_room_for_a_call() {
        let share = |total, ips: [&str; 2]| {
            let limits = TurnLimits {
                allocations: 100,
                allocations_per_visitor: 100,
                allocations_per_ip: 100,
                allocations_per_minute: 100,
                total_bytes_per_second: Some(total),
                ..TurnLimits::default()
            };
            let range = PortRange { low: 1, high: 999 };
            let addresses = RelayedAddresses::new(range, &[], &[]);
            let now = Instant::now();
            let registry = Registry::new(addresses, Presence::new(Duration::ZERO), limits, now);
            let registry = Arc::new(registry);
            let places = ips.map(|ip| {
                let place = registry.admit(&other("ana"), ip.parse().unwrap(), now);
                place.unwrap()
            });
            let passes = |place: &Place| {
                let share = place.share.as_ref().unwrap();
                (0..total / 1000)
                    .filter(|_| share.allows(1000, now))
                    .count()
            };
            [passes(&places[0]), passes(&places[1])]
        };
        let household = ["2001:db8:0:100::1", "2001:db8:0:101::1"];
        assert_eq!(share(100_000_000, household), [25_000, 0]);
        let two = ["192.0.2.1", "192.0.2.2"];
        assert_eq!(share(100_000_000, two), [25_000; 2]);
        assert_eq!(share(12_000_000, two), [6_250; 2]);
        assert_eq!(share(2_000_000, two), [2_000; 2]);
    }

    #[test]
    fn nobody_takes_all_relay_ports() {
        let range = PortRange {
            low: 50000,
            high: 50255,
        };
        let addresses = RelayedAddresses::new(range, &[], &[IpAddr::from([127, 0, 0, 1])]);
        let limits = TurnLimits {
            allocations: 8192,
            allocations_per_visitor: 1000,
            allocations_per_ip: 1024,
            allocations_per_minute: 1024,
            ..TurnLimits::default()
        };
        let now = Instant::now();
        let registry = Registry::new(addresses, Presence::new(Duration::ZERO), limits, now);
        let registry = Arc::new(registry);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let taken: Vec<_> = std::iter::from_fn(|| registry.admit(&other("mal"), ip, now).ok())
            .take(300)
            .collect();
        assert_eq!(taken.len(), 240 / 4);
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
        let range = PortRange { low: 1, high: 2000 };
        let addresses = RelayedAddresses::new(range, &[], &[]);
        let presence = Presence::new(Duration::ZERO);
        let registry = Registry::new(addresses, presence, limits, Instant::now());
        let registry = Arc::new(registry);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let taken = |holder: &Holder| -> Vec<_> {
            std::iter::from_fn(|| registry.admit(holder, ip, Instant::now()).ok())
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
                .filter(|_| registry.admit(&other(holder), ip, Instant::now()).is_ok())
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
