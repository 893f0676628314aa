//! What passes, and what is dropped and why.
//!
//! Each shard writes counters of its own and anybody reads them, so counting takes no lock and no locked instruction.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use callbox_turn::{CODES, DropReason, FailedLogin, FailedLogins, Refusals};

/// What is counted in packets and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flow {
    ToPeers,
    ToClients,
    /// Messages to clients that came from another client's relayed address without leaving the process.
    Inside,
}

impl Flow {
    pub(crate) const ALL: &[Self] = &[Self::ToPeers, Self::ToClients, Self::Inside];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ToPeers => "to_peers",
            Self::ToClients => "to_clients",
            Self::Inside => "inside",
        }
    }
}

/// What a failed login is called in metrics: whoever may not relay is in no call.
pub(crate) fn label(why: FailedLogin) -> &'static str {
    match why {
        FailedLogin::NotAdmitted => "not_in_call",
        other => other.name(),
    }
}

#[derive(Debug)]
pub(crate) struct Counters {
    refusals: [AtomicU64; CODES.len()],
    failed_logins: [AtomicU64; FailedLogin::ALL.len()],
    drops: [AtomicU64; DropReason::ALL.len()],
    packets: [AtomicU64; Flow::ALL.len()],
    bytes: [AtomicU64; Flow::ALL.len()],
    answers: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            refusals: std::array::from_fn(|_| AtomicU64::new(0)),
            failed_logins: std::array::from_fn(|_| AtomicU64::new(0)),
            drops: std::array::from_fn(|_| AtomicU64::new(0)),
            packets: zeros(),
            bytes: zeros(),
            answers: AtomicU64::new(0),
        }
    }
}

impl Counters {
    pub(crate) fn dropped(&self, reason: DropReason) {
        add(&self.drops[reason as usize], 1);
    }

    pub(crate) fn passed(&self, flow: Flow, bytes: usize) {
        add(&self.packets[flow as usize], 1);
        add(&self.bytes[flow as usize], bytes as u64);
    }

    /// An answer was given; so often was one a refusal by now, and so often for a failed login.
    pub(crate) fn answered(&self, refusals: &Refusals, failed_logins: &FailedLogins) {
        add(&self.answers, 1);
        for (counter, count) in self.refusals.iter().zip(refusals.0) {
            counter.store(count, Ordering::Relaxed);
        }
        for (counter, count) in self.failed_logins.iter().zip(failed_logins.0) {
            counter.store(count, Ordering::Relaxed);
        }
    }
}

/// Only the owning shard adds, so nothing can come between the load and the store.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(amount),
        Ordering::Relaxed,
    );
}

/// The sum over all shards at one time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Totals {
    pub drops: [u64; DropReason::ALL.len()],
    pub packets: [u64; Flow::ALL.len()],
    pub bytes: [u64; Flow::ALL.len()],
    pub answers: u64,
    /// By [`CODES`].
    pub refusals: [u64; CODES.len()],
    pub failed_logins: [u64; FailedLogin::ALL.len()],
}

impl Totals {
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a Counters>) -> Self {
        let mut totals = Self::default();
        for counters in all {
            sum(&mut totals.drops, &counters.drops);
            sum(&mut totals.packets, &counters.packets);
            sum(&mut totals.bytes, &counters.bytes);
            sum(&mut totals.refusals, &counters.refusals);
            sum(&mut totals.failed_logins, &counters.failed_logins);
            totals.answers += counters.answers.load(Ordering::Relaxed);
        }
        totals
    }

    /// What was dropped since `before`, as an operator reads it; `None` if nothing was.
    pub(crate) fn drops_since(&self, before: &Self) -> Option<String> {
        let mut text = String::new();
        for reason in DropReason::ALL {
            let count = self.drops[*reason as usize] - before.drops[*reason as usize];
            if count > 0 {
                let _ = write!(
                    text,
                    "{}{}={count}",
                    if text.is_empty() { "" } else { " " },
                    reason.name()
                );
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "relayed in all:")?;
        for flow in Flow::ALL {
            let (packets, bytes) = (self.packets[*flow as usize], self.bytes[*flow as usize]);
            write!(f, " {} {packets} packets, {bytes} bytes;", flow.name())?;
        }
        write!(f, " {} answers", self.answers)?;
        match self.drops_since(&Self::default()) {
            Some(drops) => write!(f, "; dropped {drops}"),
            None => Ok(()),
        }
    }
}

fn sum(totals: &mut [u64], counters: &[AtomicU64]) {
    for (total, counter) in totals.iter_mut().zip(counters) {
        *total += counter.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed_up_and_drops_told_by_reason() {
        let shards = [Counters::default(), Counters::default()];
        shards[0].passed(Flow::ToPeers, 100);
        shards[1].passed(Flow::ToPeers, 20);
        let before = Totals::of(&shards);
        assert_eq!((before.packets[0], before.bytes[0]), (2, 120));
        assert_eq!(before.drops_since(&Totals::default()), None);
        shards[0].dropped(DropReason::NoPermission);
        shards[1].dropped(DropReason::NoPermission);
        shards[1].dropped(DropReason::Malformed);
        let told = Totals::of(&shards).drops_since(&before);
        assert_eq!(told.as_deref(), Some("malformed=1 no_permission=2"));
    }

    #[test]
    fn failed_logins_are_called_as_the_documentation_says() {
        let documented = include_str!("../../docs/turn.md");
        for why in FailedLogin::ALL {
            let label = label(*why);
            assert!(documented.contains(&format!("`{label}`")), "{label}");
        }
    }
}
