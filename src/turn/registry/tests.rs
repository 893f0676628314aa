use super::*;
use callbox_turn::PortRange;
use callbox_turn::linux::Wake;

fn other(name: &str) -> Holder {
    Holder::Other(name.into())
}

/// With so many relay ports.
fn registry_of(ports: u16, limits: Limits) -> Arc<Registry> {
    let range = PortRange {
        low: 50_000,
        high: 50_000 + ports - 1,
    };
    let addresses = RelayedAddresses::new(range, &[], &[IpAddr::from([127, 0, 0, 1])]);
    let presence = Presence::new(Duration::ZERO);
    Arc::new(Registry::new(addresses, presence, limits, Instant::now()))
}

fn registry() -> Arc<Registry> {
    let limits = Limits {
        allocations: 4,
        allocations_per_visitor: 2,
        allocations_per_ip: 3,
        allocations_per_minute: 8,
        ..Limits::default()
    };
    registry_of(8, limits)
}

/// So many of everything.
fn many(count: usize) -> Limits {
    Limits {
        allocations: count,
        allocations_per_visitor: count,
        allocations_per_ip: count,
        allocations_per_minute: 10_000,
        ..Limits::default()
    }
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
    Arc::new(Evictions::new(Wake::new().unwrap()))
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
        let limits = Limits {
            total_bytes_per_second: Some(total),
            ..many(100)
        };
        let now = Instant::now();
        let registry = registry_of(1000, limits);
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
    let now = Instant::now();
    let registry = registry_of(256, many(8192));
    let ip = IpAddr::from([192, 0, 2, 1]);
    let taken: Vec<_> = std::iter::from_fn(|| registry.admit(&other("mal"), ip, now).ok())
        .take(300)
        .collect();
    assert_eq!(taken.len(), 240 / 4);
}

/// A program that calls somebody what callbox calls a check has its own share, and takes nobody else's.
#[test]
fn a_check_has_few_and_who_is_called_like_one_has_its_own() {
    let limits = Limits {
        allocations_per_visitor: 40,
        ..many(1000)
    };
    let registry = registry_of(2000, limits);
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
