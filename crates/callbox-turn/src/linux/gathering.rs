//! Whether to wait a moment for more packets before looking for them. Pure.
//!
//! To be woken costs a thread more than to relay a packet. Where packets come so often that another one is due within
//! a moment, a pause of that moment lets one awakening serve several, as network cards hold their interrupts back. A
//! relay with little to do does not pause, and one with much to do finds its sockets full without it.

use std::time::{Duration, Instant};

/// What a packet may be late by: little beside what a network takes.
pub const PAUSE: Duration = Duration::from_micros(200);
/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_millis(5);
/// Where so many come in a pause, they are there without it.
const PLENTY: u32 = 16;

/// Tells from the packets of the last milliseconds whether a pause pays.
#[derive(Debug)]
pub struct Gathering {
    since: Instant,
    packets: u32,
    /// One packet at least is due within a pause, and not too many.
    pays: bool,
}

impl Gathering {
    /// Without a packet so far.
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            packets: 0,
            pays: false,
        }
    }

    /// A turn has received so many packets; should the next one wait for [`PAUSE`]?
    pub fn pays(&mut self, received: usize, now: Instant) -> bool {
        self.packets = self
            .packets
            .saturating_add(u32::try_from(received).unwrap_or(u32::MAX));
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            let arrive = PAUSE * self.packets;
            self.pays = arrive >= passed && arrive < passed * PLENTY;
            self.packets = 0;
            self.since = now;
        }
        self.pays && received > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does gathering pay in the end, with so many packets in turns this far apart?
    fn pays(packets: usize, every: Duration) -> bool {
        let mut now = Instant::now();
        let mut gathering = Gathering::new(now);
        let mut last = false;
        for _ in 0..1000 {
            now += every;
            last = gathering.pays(packets, now);
        }
        last
    }

    #[test]
    fn only_where_the_next_packet_is_near_and_not_many_are_there() {
        assert!(!pays(1, Duration::from_millis(20)), "one voice");
        assert!(!pays(1, PAUSE * 2));
        assert!(pays(1, PAUSE) && pays(2, PAUSE) && pays(1, PAUSE / 2));
        assert!(pays(15, PAUSE) && !pays(16, PAUSE), "busy as it is");
        assert!(!pays(0, PAUSE), "timers and commands");
    }

    #[test]
    fn when_the_traffic_ends_so_do_the_pauses() {
        let start = Instant::now();
        let mut gathering = Gathering::new(start);
        for i in 0..1000 {
            gathering.pays(1, start + PAUSE * i);
        }
        let later = start + PAUSE * 1000 + Duration::from_secs(1);
        assert!(!gathering.pays(1, later));
    }
}
