//! What this process and the threads of the relay have used of the processors, as the kernel counts it
//! (`proc_pid_stat(5)`).

use std::fs;
use std::time::Duration;

/// Of the whole process since it was started.
pub(super) fn process() -> Option<Duration> {
    used(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Of each thread of the relay, by its number.
pub(super) fn shards() -> Vec<(String, Duration)> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let stats =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let (_, name) = stat.split_once('(')?;
            let shard = name
                .split_once(')')?
                .0
                .strip_prefix(crate::turn::THREAD_PREFIX)?;
            Some((shard.to_owned(), used(&stat)?))
        })
        .collect()
}

/// Of all systems that run this, whatever the kernel's own clock does (`times(2)`).
const TICKS_PER_SECOND: u64 = 100;

/// Time in user mode and in the kernel.
fn used(stat: &str) -> Option<Duration> {
    // A thread's name may hold anything, a parenthesis too.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let total = ticks()? + ticks()?;
    Some(Duration::from_millis(total * 1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_time_are_read_whatever_a_thread_is_called() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 4 0 9 1 2 3";
        assert_eq!(used(stat), Some(Duration::from_secs(2)));
        assert_eq!(used("7 (cut) S 1"), None);
        assert!(process().is_some());
    }
}
