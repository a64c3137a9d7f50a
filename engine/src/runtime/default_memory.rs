//! The default memory budget: half of the memory of the machine or of the cgroup limit. A limit of the
//! address space lowers it.
#![forbid(unsafe_code)]

use std::fs;

/// The assumed memory of a machine that does not report it.
const FALLBACK: usize = 2 << 30;

/// The address space that thread stacks and the allocator need: glibc reserves 64 MiB for a thread.
#[cfg(target_os = "linux")]
const RESERVED_ADDRESSES: u64 = 200 << 20;

/// Returns half of the smaller of machine memory and cgroup limit, and at most a quarter of the address
/// space that is free for data.
pub(crate) fn default_memory() -> usize {
    let half = half_of_smaller(machine_memory(), group_limit());
    let addresses = address_limit().and_then(|bytes| usize::try_from(bytes / 4).ok());
    addresses.map_or(half, |quarter| half.min(quarter))
}

/// Returns the address space that this process may still use for data (`ulimit -v`).
#[cfg(target_os = "linux")]
fn address_limit() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = kibibytes_of(&status, "VmSize:").unwrap_or(0);
    Some(limit.saturating_sub(used + RESERVED_ADDRESSES))
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

/// Reads `MemTotal` of the machine.
fn machine_memory() -> Option<u64> {
    kibibytes_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// Reads a line of the form `MemTotal: 16 kB` and returns its value in bytes.
fn kibibytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Reads the smallest memory limit of this process's cgroups, version 2 and version 1.
fn group_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_files(&groups)
        .iter()
        .filter_map(|path| limit(&fs::read_to_string(path).ok()?))
        .min()
}

/// Returns the files that contain the limits of the cgroup and of all its parents.
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

/// Parses a limit. `max` means that there is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_half_of_the_smaller_limit() {
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
    fn limits_of_both_cgroup_versions_are_read_up_to_the_root() {
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
