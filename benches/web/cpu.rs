//! The processor time of a server, thread by thread: one that ends meanwhile must not take with it what it used before.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

/// Nanoseconds by thread, what they spent in the kernel included.
pub(crate) struct Spent(HashMap<OsString, u64>);

impl Spent {
    pub(crate) fn read(pid: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        let read = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
            Some((task.file_name(), nanoseconds))
        };
        let tasks = tasks.into_iter().flatten().flatten();
        Self(tasks.filter_map(read).collect())
    }

    pub(crate) fn since(&self, before: &Self) -> Duration {
        let spent = self.0.iter().map(|(thread, now)| {
            let then = before.0.get(thread).copied().unwrap_or(0);
            now.saturating_sub(then)
        });
        Duration::from_nanos(spent.sum())
    }
}
