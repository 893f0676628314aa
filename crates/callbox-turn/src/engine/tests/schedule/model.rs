//! What the rules let happen: allocations with their permissions and channels, credentials, and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use super::super::world::{GLOBAL_V6, LOCAL, PUBLIC};
use super::super::{AllocationId, Relayed};
use super::{MAX_CHANNELS, MAX_PERMISSIONS};
use crate::wire::{Key, TransactionId};

/// What the model knows of an allocation.
pub(super) struct Held {
    pub id: AllocationId,
    pub username: String,
    pub key: Key,
    pub transaction: TransactionId,
    pub relayed: Relayed,
    pub until: Instant,
    pub permissions: BTreeMap<IpAddr, Instant>,
    pub channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

impl Held {
    pub(super) fn permits(&self, ip: IpAddr, now: Instant) -> bool {
        self.permissions.get(&ip).is_some_and(|until| *until > now)
    }

    pub(super) fn peer_of(&self, channel: u16, now: Instant) -> Option<SocketAddr> {
        let (peer, until) = self.channels.get(&channel)?;
        (*until > now).then_some(*peer)
    }

    pub(super) fn same_family(&self, peer: SocketAddr) -> bool {
        self.relayed.address.is_ipv4() == peer.is_ipv4()
    }

    pub(super) fn permit(&mut self, ip: IpAddr, now: Instant) {
        self.permissions.insert(ip, now + Duration::from_secs(300));
        let live = self.permissions.values().filter(|until| **until > now);
        assert!(live.count() <= MAX_PERMISSIONS);
    }

    pub(super) fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) {
        assert!((0x4000..=0x4fff).contains(&number));
        for (other, (bound, until)) in &self.channels {
            let same = (*other == number) == (*bound == peer);
            assert!(
                same || *until <= now,
                "{number:x} and {peer} are bound otherwise"
            );
        }
        self.channels
            .insert(number, (peer, now + Duration::from_secs(600)));
        let live = self.channels.values().filter(|(_, until)| *until > now);
        assert!(live.count() <= MAX_CHANNELS);
    }
}

/// Credentials that a client may have.
pub(super) struct Known {
    pub key: Key,
    /// Of visitors: when it ends.
    pub expires: Option<SystemTime>,
}

/// Addresses that have come to the machine.
pub(super) type Moved = BTreeSet<IpAddr>;

pub(super) fn is_own(ip: IpAddr, moved: &Moved) -> bool {
    [PUBLIC, LOCAL, GLOBAL_V6].contains(&ip) || moved.contains(&ip)
}

/// One of those that no rule speaks against.
pub(super) fn is_ordinary(peer: SocketAddr, moved: &Moved) -> bool {
    peer.port() != 0
        && !moved.contains(&peer.ip())
        && match peer.ip() {
            IpAddr::V4(ip) => ip.octets().starts_with(&[8, 8, 4]),
            IpAddr::V6(ip) => ip.segments().starts_with(&[0x2606, 0x4700, 0, 0, 0, 0, 0]),
        }
}

/// Somebody else's address, in the whole Internet.
pub(super) fn is_reachable(ip: IpAddr, moved: &Moved) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = matches!(
                (a, b, c),
                (0 | 10 | 127 | 224.., ..)
                    | (100, 64..=127, _)
                    | (169, 254, _)
                    | (172, 16..=31, _)
                    | (192, 168, _)
                    | (192, 0, 0 | 2)
                    | (192, 88, 99)
                    | (198, 18 | 19, _)
                    | (198, 51, 100)
                    | (203, 0, 113)
            );
            !special && !is_own(ip, moved)
        }
        IpAddr::V6(v6) => {
            let embedded = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                is_reachable(Ipv4Addr::new(a, b, c, d).into(), moved)
            };
            match v6.segments() {
                [0, 0, 0, 0, 0, 0xffff, high, low]
                | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
                | [0x2002, high, low, ..] => embedded(high, low),
                [0x2001, 0x0db8 | ..0x0200, ..] | [0x3fff, ..0x1000, ..] => false,
                [first, ..] => (0x2000..0x4000).contains(&first) && !is_own(ip, moved),
            }
        }
    }
}
