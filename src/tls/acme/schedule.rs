//! When to ask for a certificate. Pure: times in, times out.

use std::time::{Duration, SystemTime};

/// Certificates that live no longer are renewed at half their life, others when a third is left.
const SHORT_LIVED: Duration = Duration::from_secs(10 * 86_400);
/// However long it has failed: a certificate that lives for days is asked for some times before it ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// When a certificate that is valid from `begin` to `end` is to be replaced: a little earlier by `spread` (0 to 1), so that
/// what many servers got together they do not renew together.
pub(crate) fn renewal(begin: SystemTime, end: SystemTime, spread: f64) -> SystemTime {
    let life = end.duration_since(begin).unwrap_or_default();
    let share = if life <= SHORT_LIVED {
        1.0 / 2.0
    } else {
        2.0 / 3.0
    };
    begin + life.mul_f64(share * (1.0 - 0.05 * spread.clamp(0.0, 1.0)))
}

/// The pause after `failures` in a row (1 at the least): `first`, twice that and so on, a quarter longer or shorter by
/// `spread` (0 to 1).
pub(crate) fn pause(first: Duration, failures: u32, spread: f64) -> Duration {
    let doubled = first.saturating_mul(
        1u32.checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX),
    );
    let longest = LONGEST_PAUSE.max(first);
    doubled
        .min(longest)
        .mul_f64(0.75 + 0.5 * spread.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn short_lived_certificates_are_renewed_at_half_their_life_and_others_with_a_third_left() {
        let begin = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        assert_eq!(renewal(begin, begin + 6 * DAY, 0.0), begin + 3 * DAY);
        let days = |spread| {
            let at = renewal(begin, begin + 90 * DAY, spread);
            at.duration_since(begin).unwrap().as_secs_f64() / 86_400.0
        };
        assert!((days(0.0) - 60.0).abs() < 0.01);
        assert!((days(1.0) - 57.0).abs() < 0.01, "never all at once");
        assert_eq!(
            renewal(begin, begin - DAY, 0.5),
            begin,
            "a clock that is off"
        );
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread() {
        let first = Duration::from_secs(120);
        assert_eq!(pause(first, 1, 0.5), first);
        assert_eq!(pause(first, 3, 0.5), 4 * first);
        assert_eq!(pause(first, 3, 0.0), 3 * first);
        for failures in [20, 32, 33, u32::MAX] {
            assert_eq!(pause(first, failures, 0.5), LONGEST_PAUSE);
        }
        // Five failed validations in an hour are what a well-known authority allows.
        let hour = Duration::from_secs(3600);
        let fifth: Duration = (1..=5).map(|failures| pause(first, failures, 0.0)).sum();
        assert!(fifth + Duration::from_secs(60) >= hour * 3 / 4);
    }
}
