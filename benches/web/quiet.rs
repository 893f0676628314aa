//! A machine that does nothing else.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Ticks;

/// Percent of one core from which on others spoil the figures.
pub(crate) const DISTURBED: f64 = 15.0;
const LOOK: Duration = Duration::from_millis(250);

/// Two benchmarks at a time would measure each other.
pub(crate) fn alone() -> anyhow::Result<File> {
    let lock = File::create(std::env::temp_dir().join("callbox-bench-web.lock"))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another benchmark to end");
        lock.lock()?;
    }
    Ok(lock)
}

/// Waits, `patience` at the most, until others leave the machine alone; says what they take if they do not.
pub(crate) fn wait(patience: Duration) -> String {
    let begun = Instant::now();
    loop {
        let before = Ticks::read();
        thread::sleep(LOOK);
        let taken = Ticks::read().disturbance(before).others;
        if taken <= DISTURBED {
            return String::new();
        }
        if begun.elapsed() > patience {
            return format!(" (others take {taken:.0} % of a core)");
        }
    }
}
