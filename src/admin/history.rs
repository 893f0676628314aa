//! The last hour, in steps. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// How often it is looked.
pub(super) const STEP: Duration = Duration::from_secs(10);
/// Steps of an hour.
pub(super) const STEPS: usize = 360;

/// What there was at one time. Bytes and time are counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub people: usize,
    pub allocations: usize,
    pub relayed_bytes: u64,
    pub cpu: Duration,
}

/// The newest samples, one for each step, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
}

impl History {
    pub(super) fn push(&mut self, sample: Sample) {
        // One more than there are steps between them.
        if self.samples.len() > STEPS {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// One value for each sample.
    pub(super) fn levels(&self, value: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(value).collect()
    }

    /// How fast a count grew, per second, in each step.
    pub(super) fn rates(&self, count: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let later = self.samples.iter().skip(1);
        let pairs = self.samples.iter().zip(later);
        pairs
            .map(|(before, after)| ((count(after) - count(before)) / STEP.as_secs_f64()).max(0.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn an_hour_is_kept_and_counts_become_rates() {
        let mut history = History::default();
        for step in 0..2 * STEPS {
            history.push(Sample {
                people: step,
                relayed_bytes: 1000 * step as u64,
                ..Sample::default()
            });
        }
        let people = history.levels(|sample| sample.people as f64);
        assert_eq!(
            (people.len(), people[STEPS]),
            (STEPS + 1, (2 * STEPS - 1) as f64)
        );
        let rates = history.rates(|sample| sample.relayed_bytes as f64);
        assert_eq!(rates.len(), STEPS);
        assert!(rates.iter().all(|rate| (rate - 100.0).abs() < 1e-9));
        assert!(History::default().rates(|_| 1.0).is_empty());
    }
}
