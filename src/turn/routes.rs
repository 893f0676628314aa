//! Whether peers are on other machines, as the kernel says; asked when a permission is given, and remembered for a
//! moment.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use callbox_turn::embedded_ipv4;

use crate::net::route::{Kind, Routes};

const GOOD_FOR: Duration = Duration::from_secs(10);
const MAX_KNOWN: usize = 4096;

/// The destination, and the source of a packet.
type Way = (IpAddr, Option<IpAddr>);

#[derive(Default)]
pub(super) struct PeerRoutes {
    /// `None` until it is needed, and where the kernel takes no questions.
    kernel: Option<Routes>,
    known: Known,
}

impl PeerRoutes {
    /// Do packets from `from` reach another machine at `to`? Where the kernel does not say, they do not: not knowing
    /// permits nothing.
    pub(super) fn lead_elsewhere(&mut self, to: IpAddr, from: IpAddr, now: Instant) -> bool {
        let reason = match self.kind_of_peer(to, from, now) {
            Ok(Kind::Elsewhere) => return true,
            Ok(Kind::Here) => "here",
            Ok(Kind::Nowhere) => "nowhere",
            Err(error) => unknown(&error),
        };
        metrics::counter!("callbox_turn_refused_peers_total", "reason" => reason).increment(1);
        false
    }

    /// The same of a peer that was elsewhere before: that it is nowhere now is no harm.
    pub(super) fn lead_not_here(&mut self, to: IpAddr, from: IpAddr, now: Instant) -> bool {
        let kind = self.kind_of_peer(to, from, now);
        matches!(kind, Ok(Kind::Elsewhere | Kind::Nowhere))
    }

    /// What is here by translation is here, whatever the route to the translator. One elsewhere may reach what has no route
    /// from here.
    fn kind_of_peer(&mut self, to: IpAddr, from: IpAddr, now: Instant) -> io::Result<Kind> {
        let kind = self.kind((to, Some(from)), now)?;
        let translated = match to {
            IpAddr::V6(v6) => embedded_ipv4(v6),
            IpAddr::V4(_) => None,
        };
        match translated {
            Some(v4) if self.kind((v4.into(), None), now)? == Kind::Here => Ok(Kind::Here),
            _ => Ok(kind),
        }
    }

    fn kind(&mut self, way: Way, now: Instant) -> io::Result<Kind> {
        if let Some(kind) = self.known.get(way, now) {
            return Ok(kind);
        }
        let mut kernel = match self.kernel.take() {
            Some(kernel) => kernel,
            None => Routes::open()?,
        };
        let kind = kernel.kind(way.0, way.1)?;
        // One that has failed is opened anew.
        self.kernel = Some(kernel);
        self.known.insert(way, kind, now);
        Ok(kind)
    }

    /// The machine's addresses or routes have changed.
    pub(super) fn forget(&mut self) {
        self.known.0.clear();
    }
}

/// Says once what the operator can do.
fn unknown(error: &io::Error) -> &'static str {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the kernel does not tell the relay whether a peer's address leads to this machine, so peers that are no \
             relayed addresses of this server are refused ({error}); allow netlink sockets (AF_NETLINK) in the unit or \
             sandbox that callbox runs in"
        );
    }
    "unknown"
}

#[derive(Default)]
struct Known(HashMap<Way, (Kind, Instant)>);

impl Known {
    fn get(&self, way: Way, now: Instant) -> Option<Kind> {
        let (kind, at) = self.0.get(&way)?;
        (now.saturating_duration_since(*at) < GOOD_FOR).then_some(*kind)
    }

    fn insert(&mut self, way: Way, kind: Kind, now: Instant) {
        if self.0.len() >= MAX_KNOWN {
            self.0
                .retain(|_, (_, at)| now.saturating_duration_since(*at) < GOOD_FOR);
        }
        // Whoever fills the table makes others ask the kernel, and no more.
        if self.0.len() >= MAX_KNOWN {
            self.0.clear();
        }
        self.0.insert(way, (kind, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(number: u32) -> Way {
        (IpAddr::from(number.to_be_bytes()), None)
    }

    #[test]
    fn what_is_known_is_forgotten_after_a_moment_and_bounded() {
        let mut known = Known::default();
        let start = Instant::now();
        known.insert(way(0), Kind::Here, start);
        let last = start + GOOD_FOR.saturating_sub(Duration::from_millis(1));
        assert_eq!(known.get(way(0), last), Some(Kind::Here));
        assert_eq!(known.get(way(0), start + GOOD_FOR), None);
        assert_eq!(known.get(way(1), start), None);
        for number in 0..3 * 4096 {
            known.insert(way(number), Kind::Elsewhere, start);
            assert!(known.0.len() <= MAX_KNOWN);
            assert_eq!(known.get(way(number), start), Some(Kind::Elsewhere));
        }
    }

    #[test]
    fn this_machine_is_not_elsewhere_under_any_of_its_names() {
        let mut routes = PeerRoutes::default();
        let now = Instant::now();
        let mut leads = |to: &str, from: &str| {
            routes.lead_elsewhere(to.parse().unwrap(), from.parse().unwrap(), now)
        };
        for _ in 0..2 {
            assert!(!leads("127.9.9.9", "127.0.0.1"));
            assert!(!leads("::ffff:127.9.9.9", "::1"));
            assert!(!leads("64:ff9b::7f09:909", "::1"));
        }
        let way = (
            IpAddr::from([127, 9, 9, 9]),
            Some(IpAddr::from([127, 0, 0, 1])),
        );
        assert_eq!(routes.known.get(way, now), Some(Kind::Here));
        routes.forget();
        assert_eq!(routes.known.get(way, now), None);
    }
}
