//! What the kernel knows of a process and of the machine, from /proc.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// CPU time of all threads of a process, what they spent in the kernel for their packets included.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let nanoseconds = tasks
        .filter_map(|task| first_number(&task.ok()?.path().join("schedstat")))
        .sum();
    Duration::from_nanos(nanoseconds)
}

fn first_number(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Resident bytes. `smaps_rollup` counts pages; `statm` is behind by some per core.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Ticks of 10 ms since the machine started, over all cores.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ticks {
    cores: usize,
    total: u64,
    busy: u64,
    stolen: u64,
    /// Of this program and of those that it started and that have ended.
    own: u64,
}

/// Parts of the machine's time, in percent of one core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disturbance {
    pub others: f64,
    pub stolen: f64,
}

impl Ticks {
    pub(crate) fn read() -> Self {
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields = machine.lines().next().unwrap_or_default();
        let fields: Vec<u64> = fields
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or(0);
        let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name may have spaces; behind it utime, stime, cutime and cstime are the 12th to the 15th field.
        let own = own.rsplit(')').next().unwrap_or_default();
        let own = own.split_whitespace().skip(11).take(4);
        Self {
            cores: machine
                .lines()
                .filter(|line| line.starts_with("cpu"))
                .count()
                - 1,
            total: fields.iter().take(8).sum(),
            busy: [0, 1, 2, 5, 6].into_iter().map(field).sum(),
            stolen: field(7),
            own: own.filter_map(|ticks| ticks.parse::<u64>().ok()).sum(),
        }
    }

    pub(crate) fn disturbance(self, since: Self) -> Disturbance {
        let one_core = (self.total - since.total).max(1) as f64 / self.cores as f64;
        let own = self.own - since.own;
        let others = (self.busy - since.busy).saturating_sub(own);
        Disturbance {
            others: 100.0 * others as f64 / one_core,
            stolen: 100.0 * (self.stolen - since.stolen) as f64 / one_core,
        }
    }
}
