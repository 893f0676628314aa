//! What a user on trial may send to a peer from which nothing has come: enough to find out whether it answers (ICE, RFC 8445),
//! and too little to flood anybody. Pure.
//!
//! Counted are packets of a user to an address, over all its allocations and all ports of the address; and those of all
//! users in one network together, so that many names do not help. Engines share the table. It is asked only while a peer
//! has not answered: what was answered, an allocation knows itself.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::engine::Target;
use super::recent::Recent;
use crate::address::NetworkKey;

const SECOND: Duration = Duration::from_secs(1);
/// Packets of a user in the first second.
const AT_FIRST: u32 = 20;
/// Packets a second after that.
const PER_SECOND: u32 = 5;
/// So many times as much may go from one network.
const NETWORK: u32 = 8;

/// A peer, as packets to it are counted.
#[derive(Clone, Copy, Hash)]
enum Peer {
    Address(NetworkKey),
    Relayed(SocketAddr),
}

impl From<Target> for Peer {
    fn from(target: Target) -> Self {
        match target {
            Target::Outside(ip) => Self::Address(ip.into()),
            Target::Inside(relayed) => Self::Relayed(relayed),
        }
    }
}

/// Packets to peers that have not answered. Of bounded size, whoever sends whatever.
pub struct Unanswered(Mutex<Recent<Trial>>);

impl fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unanswered").finish_non_exhaustive()
    }
}

impl Unanswered {
    /// Without a packet so far.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Recent::new(now)))
    }

    /// Counts a packet of `user`, whose client is at `client`, to a peer that has not answered.
    ///
    /// # Errors
    /// Where it must not go: from when on another may.
    pub fn send(
        &self,
        user: &impl Hash,
        client: IpAddr,
        to: Target,
        now: Instant,
    ) -> Result<(), Instant> {
        let to = Peer::from(to);
        let senders = [
            (Sender::Network(client.into()), NETWORK),
            (Sender::User(user), 1),
        ];
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [network, user] = senders.map(|(sender, times)| {
            let trial = recent.get(&(sender, to), now);
            trial.unwrap_or_else(|| Trial::new(now)).next(times, now)
        });
        if network.max(user) > now {
            return Err(network.max(user));
        }
        for (sender, times) in senders {
            let trial = recent.entry(&(sender, to), now, || Trial::new(now));
            trial.take(times, now);
        }
        Ok(())
    }
}

#[derive(Hash)]
enum Sender<'a, U> {
    Network(NetworkKey),
    User(&'a U),
}

impl<U> Clone for Sender<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> Copy for Sender<'_, U> {}

/// Packets to one peer.
#[derive(Debug, Clone, Copy)]
struct Trial {
    begun: Instant,
    /// In the first second.
    sent: u32,
    /// Until when all packets after the first second are paid for; a second's worth may be saved.
    paid: Instant,
}

impl Trial {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            sent: 0,
            // The first second leaves nothing over.
            paid: now + SECOND,
        }
    }

    /// When the next packet may go; `times` as many as of one user.
    fn next(&self, times: u32, now: Instant) -> Instant {
        if now < self.begun + SECOND && self.sent < AT_FIRST * times {
            return now;
        }
        self.paid + cost(times)
    }

    fn take(&mut self, times: u32, now: Instant) {
        if now < self.begun + SECOND {
            self.sent += 1;
        } else {
            let saved = now.checked_sub(SECOND).unwrap_or(now);
            self.paid = self.paid.max(saved) + cost(times);
        }
    }
}

fn cost(times: u32) -> Duration {
    SECOND / (PER_SECOND * times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(last: u8) -> Target {
        Target::Outside(IpAddr::from([8, 8, 8, last]))
    }

    fn page(name: &str) -> String {
        name.to_owned()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    /// How many of a packet each millisecond pass in each of so many seconds.
    fn passed(unanswered: &Unanswered, user: &str, to: Target, start: Instant) -> [usize; 4] {
        [0, 1, 2, 3].map(|second| {
            let at = |ms| start + second * SECOND + Duration::from_millis(ms);
            (0..1000)
                .filter(|ms| unanswered.send(&user, HERE, to, at(*ms)).is_ok())
                .count()
        })
    }

    #[test]
    fn twenty_in_the_first_second_and_five_in_each_after_it() {
        let start = Instant::now();
        let unanswered = Unanswered::new(start);
        let ana = page("v-ana");
        let seconds = passed(&unanswered, &ana, target(1), start);
        assert_eq!(seconds, [20, 4, 5, 5]);
        let other = passed(&unanswered, &ana, target(2), start + 9 * SECOND);
        assert_eq!(other, [20, 4, 5, 5], "another address");
        let later = passed(&unanswered, &ana, target(1), start + 30 * SECOND);
        assert!(
            later[0] <= 10 && later[1] == 5,
            "{later:?}: no new first second"
        );
    }

    #[test]
    fn it_tells_when_the_next_may_go() {
        let start = Instant::now();
        let unanswered = Unanswered::new(start);
        let send = |now| unanswered.send(&page("v-1"), HERE, target(1), now);
        for _ in 0..AT_FIRST {
            assert_eq!(send(start), Ok(()));
        }
        let next = send(start).unwrap_err();
        assert!(next > start + SECOND);
        assert_eq!(send(start + SECOND), Err(next));
        assert_eq!(send(next), Ok(()));
    }

    #[test]
    fn many_pages_of_one_network_get_no_more_than_eight() {
        let start = Instant::now();
        let unanswered = Unanswered::new(start);
        let sum: usize = (0..100)
            .map(|number| {
                let page = page(&format!("v-{number}"));
                let send = |_: &i32| unanswered.send(&page, HERE, target(1), start).is_ok();
                (0..20).filter(send).count()
            })
            .sum();
        assert_eq!(sum, 8 * 20);
        let elsewhere = IpAddr::from([192, 0, 2, 2]);
        let sent = unanswered.send(&page("v-new"), elsewhere, target(1), start);
        assert_eq!(sent, Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let start = Instant::now();
        let unanswered = Unanswered::new(start);
        let sent = (0..100_u16).filter(|last| {
            let peer = IpAddr::from([0x2606, 0x4700, 0, 0, 0, 0, 0, *last]);
            let to = Target::Outside(peer);
            unanswered.send(&page("v-1"), HERE, to, start).is_ok()
        });
        assert_eq!(sent.count(), 20);
    }

    proptest! {
        /// Whatever is tried when: in so many seconds pass no more than twenty, five for each, and five that were saved.
        #[test]
        fn no_schedule_gets_more_through(pauses in proptest::collection::vec(0..2000_u64, 1..300)) {
            let start = Instant::now();
            let unanswered = Unanswered::new(start);
            let ana = page("v-ana");
            let (mut now, mut sent) = (start, Vec::new());
            for pause in pauses {
                // The first second begins with the first packet.
                if unanswered.send(&ana, HERE, target(1), now).is_ok() {
                    sent.push(now.duration_since(start).as_millis());
                }
                now += Duration::from_millis(pause / 10);
            }
            prop_assert!(sent.iter().filter(|at| **at < 1000).count() <= 20);
            let later: Vec<_> = sent.into_iter().filter(|at| *at >= 1000).collect();
            for (index, from) in later.iter().enumerate() {
                for (more, to) in (0_u128..).zip(&later[index..]) {
                    prop_assert!(1000 * more <= 5000 + 5 * (to - from), "{} to {}", from, to);
                }
            }
        }
    }
}
