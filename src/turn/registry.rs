//! What shards share off the packet path: quotas, reserved ports, and who is present.

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use callbox_turn::{AllocationId, Claim, NoRelay, RelayedAddresses, SharedRate};

use super::Limits;
use super::credentials::Holder;
use super::evictions::{Evicted, Evictions};
use crate::limits::{AddressKey, Bounds, Full, KeyedRate, Network, SHARE, Tally};
use crate::presence::Presence;
use crate::refused::Refused;

/// RFC 8656 §7.2 asks for at least 30 seconds.
const RESERVED_FOR: Duration = Duration::from_secs(30);
const MAX_RESERVED: usize = 1024;
/// What a network may have of the bitrate of all, even where that is more than its share: a call of eight that is wholly relayed,
/// and more. In bytes per second.
const A_CALL: u64 = 50_000_000 / 8;
/// One of so many relay ports is not given out.
const SPARE: usize = 16;
/// So long an allocation may be idle whatever comes: a browser asks for one before it knows whether it is needed, and probes what
/// it does not use each 25 s.
const IDLE_FOR: Duration = Duration::from_secs(60);
/// Of a check: some for each way to the relay, times the machine's interfaces.
const CHECK_ALLOCATIONS: usize = 32;

pub(super) struct Registry {
    pub addresses: Arc<RelayedAddresses>,
    pub presence: Presence,
    pub bitrate: Option<SharedRate>,
    limits: Limits,
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
pub(super) struct Reserved {
    pub socket: UdpSocket,
    pub claim: Claim,
    /// It counts as an allocation of who asked for it.
    _place: Place,
    until: Instant,
}

/// A counted allocation; dropping it gives its place back, unless another has it already.
pub(super) struct Place {
    registry: Arc<Registry>,
    /// No two have the same.
    pub number: u64,
    /// What the client's network may have of the bitrate of all.
    pub share: Option<Arc<SharedRate>>,
}

impl Registry {
    pub(super) fn new(
        addresses: RelayedAddresses,
        presence: Presence,
        limits: Limits,
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
    pub(super) fn admit(
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
        let per_second = (total / u64::from(SHARE)).max(A_CALL.min(total));
        let share = Arc::new(SharedRate::new(per_second, now));
        shares.insert(network, Arc::downgrade(&share));
        Some(share)
    }

    /// Something has been relayed for these.
    pub(super) fn were_used(&self, places: impl Iterator<Item = u64>, now: Instant) {
        let mut quotas = lock(&self.quotas);
        for number in places {
            if let Some(entry) = quotas.entries.get_mut(&number) {
                entry.used = now;
            }
        }
    }

    /// Keeps a port for whoever brings `token`; `false` where too many are kept.
    pub(super) fn reserve(
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
    pub(super) fn is_reserved(&self, token: [u8; 8], now: Instant) -> bool {
        let reserved = lock(&self.reserved);
        reserved.get(&token).is_some_and(|kept| kept.until > now)
    }

    pub(super) fn redeem(&self, token: [u8; 8], now: Instant) -> Option<Reserved> {
        lock(&self.reserved)
            .remove(&token)
            .filter(|kept| kept.until > now)
    }

    /// Gives up reservations that nobody redeemed.
    pub(super) fn expire(&self, now: Instant) {
        lock(&self.reserved).retain(|_, kept| kept.until > now);
    }

    pub(super) fn allocations(&self) -> usize {
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
    pub(super) fn is_for(&self, id: AllocationId, evictions: &Arc<Evictions>) {
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
mod tests;
