//! The memory that this process takes, and what it may take, bytes.

use std::fs;
use std::path::Path;

/// Resident.
pub(super) fn resident() -> Option<u64> {
    resident_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib * 1024)
}

/// The smallest of what its control groups allow (`MemoryMax=`) and what the machine has.
pub(super) fn limit() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let read = |path: &Path| fs::read_to_string(path).ok();
    groups_limit(Path::new("/sys/fs/cgroup"), &own, read)
        .map_or(machine, |limit| limit.min(machine))
}

/// `own`: as in `/proc/self/cgroup` with the unified hierarchy (cgroups(7)). A group is bounded by those around it as well.
fn groups_limit(root: &Path, own: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let within = root.join(path);
    let groups = within
        .ancestors()
        .take_while(|group| group.starts_with(root));
    let limits = groups.filter_map(|group| read(&group.join("memory.max"))?.trim().parse().ok());
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let status = "Name:\tcallbox\nVmHWM:\t  9000 kB\nVmRSS:\t   23456 kB\nThreads:\t4\n";
        assert_eq!(resident_in(status), Some(23_456 * 1024));
        assert_eq!(resident_in("Name:\tcallbox\n"), None);
        assert!(resident().unwrap() > 1 << 20);
        assert!(limit() > resident().unwrap());
    }

    #[test]
    fn a_group_is_bounded_by_those_around_it() {
        let read = |path: &Path| {
            let text = match path.to_str()? {
                "/g/system.slice/callbox.service/memory.max" => "max\n",
                "/g/system.slice/memory.max" => "2000\n",
                "/g/other/memory.max" => "1000\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let limit = |own| groups_limit(Path::new("/g"), own, read);
        assert_eq!(limit("0::/system.slice/callbox.service\n"), Some(2000));
        assert_eq!(limit("1:name=systemd:/x\n0::/other\n"), Some(1000));
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit(""), None);
    }
}
