//! Slows those who guess passwords of named users. Pure.
//!
//! What is over the limit is not looked at, right or wrong, and not answered: a client over UDP asks again, and is heard
//! once its share has grown. Counted are failures of one network with one name, and of one network with all names, so
//! that nobody's guesses keep others out who are elsewhere. Where a name is guessed from many networks, each of them has
//! one attempt a minute left. Shards share the table.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::recent::Recent;

/// In which all failures are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Failures a minute of a network with a name.
const WITH_A_NAME: u32 = 10;
/// The same while the name is guessed from many.
const WITH_A_NAME_UNDER_ATTACK: u32 = 1;
/// Of a network with all names.
const WITH_ALL_NAMES: u32 = 40;
/// Of a name from all networks, until it counts as under attack.
const FROM_ALL_NETWORKS: u32 = 60;
/// So many times as much may come from the larger network around.
const LARGER: u32 = 4;

/// Failed logins of late, by name and by network. Of bounded size, whoever tries whatever.
pub struct LoginLimit(Mutex<Recent<Instant>>);

impl fmt::Debug for LoginLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginLimit").finish_non_exhaustive()
    }
}

#[derive(Hash)]
enum Counted<'a> {
    Name(&'a str),
    Network(Network),
    Both(Network, &'a str),
}

impl LoginLimit {
    /// Without a failure so far.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Recent::new(now)))
    }

    /// May an attempt from here with this name be looked at?
    pub fn allows(&self, from: IpAddr, name: &str, now: Instant) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = Counts(&mut recent, now);
        counts
            .of(from, name)
            .iter()
            .all(|(counted, per_minute)| counts.has_room(counted, *per_minute))
    }

    /// One of them failed.
    pub fn failed(&self, from: IpAddr, name: &str, now: Instant) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = Counts(&mut recent, now);
        for (counted, per_minute) in counts.of(from, name) {
            counts.add(&counted, per_minute);
        }
        counts.add(&Counted::Name(name), FROM_ALL_NETWORKS);
    }
}

/// For each thing that is counted the moment at which all its failures are forgotten.
struct Counts<'a>(&'a mut Recent<Instant>, Instant);

impl Counts<'_> {
    /// What an attempt counts for, and how often a minute.
    fn of<'n>(&mut self, from: IpAddr, name: &'n str) -> [(Counted<'n>, u32); 4] {
        let with_a_name = if self.has_room(&Counted::Name(name), FROM_ALL_NETWORKS) {
            WITH_A_NAME
        } else {
            WITH_A_NAME_UNDER_ATTACK
        };
        let [small, large] = networks(from);
        [
            (Counted::Both(small, name), with_a_name),
            (Counted::Both(large, name), LARGER * with_a_name),
            (Counted::Network(small), WITH_ALL_NAMES),
            (Counted::Network(large), LARGER * WITH_ALL_NAMES),
        ]
    }

    fn has_room(&mut self, counted: &Counted<'_>, per_minute: u32) -> bool {
        let Self(recent, now) = self;
        let empty_at = recent.get(counted, *now).unwrap_or(*now);
        empty_at.max(*now) + MINUTE / per_minute <= *now + MINUTE
    }

    fn add(&mut self, counted: &Counted<'_>, per_minute: u32) {
        let Self(recent, now) = self;
        let empty_at = recent.entry(counted, *now, || *now);
        *empty_at = ((*empty_at).max(*now) + MINUTE / per_minute).min(*now + MINUTE);
    }
}

#[derive(Clone, Copy, Hash)]
enum Network {
    Small(IpAddr),
    Large(IpAddr),
}

/// Whose an address most probably is: a customer's network, and that of a larger one. An address of IPv4 is both.
fn networks(ip: IpAddr) -> [Network; 2] {
    let [small, large] = match ip.to_canonical() {
        IpAddr::V4(v4) => [v4.into(); 2],
        IpAddr::V6(v6) => [56, 48].map(|bits| {
            let mask = !(u128::MAX >> bits);
            IpAddr::from(Ipv6Addr::from(u128::from(v6) & mask))
        }),
    };
    [Network::Small(small), Network::Large(large)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of a hundred guesses are looked at.
    fn guesses(limit: &LoginLimit, from: IpAddr, name: &str, now: Instant) -> usize {
        let guess = |_: &i32| {
            let looked_at = limit.allows(from, name, now);
            if looked_at {
                limit.failed(from, name, now);
            }
            looked_at
        };
        (0..100).filter(guess).count()
    }

    #[test]
    fn ten_guesses_a_minute_and_nobody_elsewhere_is_kept_out() {
        let start = Instant::now();
        let limit = LoginLimit::new(start);
        let here = ip("192.0.2.1");
        assert_eq!(guesses(&limit, here, "alice", start), 10);
        assert_eq!(guesses(&limit, here, "alice", start + MINUTE / 10), 1);
        assert!(limit.allows(here, "bob", start), "another name");
        assert!(limit.allows(ip("192.0.2.2"), "alice", start), "elsewhere");
        assert_eq!(guesses(&limit, here, "alice", start + 2 * MINUTE), 10);
    }

    #[test]
    fn other_names_do_not_make_it_more_for_ever() {
        let start = Instant::now();
        let limit = LoginLimit::new(start);
        let sum: usize = (0..50)
            .map(|number| guesses(&limit, ip("192.0.2.1"), &format!("user-{number}"), start))
            .sum();
        assert_eq!(sum, 40);
        assert!(limit.allows(ip("192.0.2.2"), "user-1", start));
    }

    #[test]
    fn who_is_refused_makes_nobodys_failures_forgotten() {
        let start = Instant::now();
        let limit = LoginLimit::new(start);
        assert_eq!(guesses(&limit, ip("192.0.2.1"), "alice", start), 10);
        for number in 0..40_000 {
            guesses_one(&limit, ip("192.0.2.9"), &format!("made-up-{number}"), start);
        }
        assert_eq!(guesses(&limit, ip("192.0.2.1"), "alice", start), 0);
    }

    fn guesses_one(limit: &LoginLimit, from: IpAddr, name: &str, now: Instant) {
        if limit.allows(from, name, now) {
            limit.failed(from, name, now);
        }
    }

    #[test]
    fn a_customers_ipv6_network_counts_as_one() {
        let start = Instant::now();
        let limit = LoginLimit::new(start);
        let from = |text| guesses(&limit, ip(text), "alice", start);
        assert_eq!(from("2001:db8:0:100::1"), 10);
        assert_eq!(from("2001:db8:0:1ff::1"), 0, "the same /56");
        assert_eq!(from("2001:db8:0:200::1"), 10);
        assert_eq!(from("2001:db8:0:300::1") + from("2001:db8:0:400::1"), 20);
        assert_eq!(from("2001:db8:0:500::1"), 0, "the same /48");
        assert!(limit.allows(ip("2001:db8:1::1"), "alice", start));
    }

    #[test]
    fn a_name_that_many_guess_leaves_each_network_one_attempt() {
        let start = Instant::now();
        let limit = LoginLimit::new(start);
        let from =
            |number: u8, now| guesses(&limit, IpAddr::from([10, 0, 0, number]), "alice", now);
        let early: usize = (0..6).map(|number| from(number, start)).sum();
        assert_eq!(early, 60);
        let later: usize = (6..106).map(|number| from(number, start)).sum();
        assert_eq!(later, 100, "one of each");
        assert!(
            limit.allows(ip("192.0.2.9"), "alice", start),
            "who comes anew is heard"
        );
        assert!(limit.allows(IpAddr::from([10, 0, 0, 7]), "bob", start));
        assert_eq!(from(200, start + 3 * MINUTE), 10, "it is over");
    }
}
