//! How much memory a job may take where nobody says: half of what the machine or its group has, or a
//! quarter of the addresses that the process may use, whichever is least.
#![forbid(unsafe_code)]

use std::fs;

/// What is assumed where the system does not tell.
const FALLBACK: usize = 2 << 30;

/// Half of the smaller of memory and cgroup limit, and no more than a quarter of the addresses.
pub(crate) fn default_memory() -> usize {
    let half = half_of_smaller(machine_memory(), group_limit());
    let addresses = address_limit().and_then(|bytes| usize::try_from(bytes / 4).ok());
    addresses.map_or(half, |quarter| half.min(quarter))
}

/// The addresses that this process may still use (`ulimit -v`). Stacks of threads, and what their
/// allocator reserves, take some of them too.
#[cfg(target_os = "linux")]
fn address_limit() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    Some(limit.saturating_sub(kibibytes_of(&status, "VmSize:").unwrap_or(0)))
}

#[cfg(not(target_os = "linux"))]
fn address_limit() -> Option<u64> {
    None
}

fn half_of_smaller(machine: Option<u64>, group: Option<u64>) -> usize {
    match machine.into_iter().chain(group).min() {
        Some(bytes) => usize::try_from(bytes / 2).unwrap_or(usize::MAX / 2),
        None => FALLBACK / 2,
    }
}

/// `MemTotal` of the machine.
fn machine_memory() -> Option<u64> {
    kibibytes_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The bytes that a line of the form `MemTotal: 16 kB` names.
fn kibibytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The least limit of this process's control groups, version 2 and version 1.
fn group_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_files(&groups)
        .iter()
        .filter_map(|path| limit(&fs::read_to_string(path).ok()?))
        .min()
}

/// The files that hold the limits: those of the group, and of every group around it.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut group = path.trim_end_matches('/');
        loop {
            files.push(format!("{root}{group}/{file}"));
            match group.rfind('/') {
                Some(end) => group = &group[..end],
                None => break,
            }
        }
    }
    files
}

/// A limit as the kernel writes it; `max` is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_machine_and_group_is_halved() {
        assert_eq!(half_of_smaller(Some(1000), Some(600)), 300);
        assert_eq!(half_of_smaller(Some(1000), None), 500);
        assert_eq!(half_of_smaller(None, None), FALLBACK / 2);
    }

    #[test]
    fn meminfo_is_in_kibibytes() {
        assert_eq!(
            kibibytes_of("MemFree: 1 kB\nMemTotal:       16 kB\n", "MemTotal:"),
            Some(16 << 10)
        );
        assert_eq!(kibibytes_of("nothing", "MemTotal:"), None);
    }

    #[test]
    fn both_versions_of_groups_are_asked_up_to_the_root() {
        assert_eq!(
            limit_files("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(
            limit_files("4:cpu:/x\n3:memory,x:/\n"),
            ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("4096\n"), Some(4096));
    }
}
