//! Reads the properties of this machine. Properties that the system does not report are unknown.

use std::fs;
use std::process::Command;
use std::thread;

use keymill::Level;

use crate::model::{Cache, Machine};

impl Machine {
    /// Reads the properties of the machine that this process runs on.
    ///
    /// # Examples
    ///
    /// ```
    /// let machine = keymill_report::model::Machine::read();
    /// assert!(machine.cores >= 1 && !machine.levels.is_empty());
    /// ```
    #[must_use]
    pub fn read() -> Self {
        let levels = Level::available().into_iter().map(Level::name);
        let mut machine = Self {
            fingerprint: String::new(),
            processor: processor(),
            cores: u32::try_from(threads()).unwrap_or(u32::MAX),
            caches: caches(),
            memory_bytes: memory_bytes(),
            system: system(),
            kernel: first_line("/proc/sys/kernel/osrelease").or_else(|| sysctl("kern.osrelease")),
            architecture: std::env::consts::ARCH.to_owned(),
            levels: levels.map(str::to_owned).collect(),
            keymill: env!("CARGO_PKG_VERSION").to_owned(),
            build: match cfg!(debug_assertions) {
                true => "debug".to_owned(),
                false => "release".to_owned(),
            },
        };
        machine.fingerprint = fingerprint(&machine);
        machine
    }
}

/// Returns the average number of programs that ran or waited in the last minute, in hundredths.
pub(crate) fn load() -> Option<u32> {
    let line = first_line("/proc/loadavg")?;
    let load: f64 = line.split(' ').next()?.parse().ok()?;
    Some((load * 100.0).round() as u32)
}

/// Returns the number of threads that "all threads" means.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the FNV-1a hash of the printed fields, without the fingerprint.
fn fingerprint(machine: &Machine) -> String {
    let text = format!("{machine:?}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Returns the value of a name in a file with lines `name: value` or `name=value`.
fn value_in(path: &str, name: &str, between: char) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(between));
    let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// Returns a named value of macOS.
fn sysctl(name: &str) -> Option<String> {
    if !cfg!(target_os = "macos") {
        return None;
    }
    let output = Command::new("sysctl").args(["-n", name]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

fn processor() -> Option<String> {
    value_in("/proc/cpuinfo", "model name", ':')
        .or_else(|| sysctl("machdep.cpu.brand_string"))
        .or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok())
}

fn memory_bytes() -> Option<u64> {
    let kibibytes = || {
        let value = value_in("/proc/meminfo", "MemTotal", ':')?;
        let number: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
        number.checked_mul(1024)
    };
    kibibytes().or_else(|| sysctl("hw.memsize")?.parse().ok())
}

fn system() -> String {
    value_in("/etc/os-release", "PRETTY_NAME", '=')
        .or_else(|| sysctl("kern.osproductversion").map(|version| format!("macOS {version}")))
        .unwrap_or_else(|| std::env::consts::OS.to_owned())
}

/// Returns the data caches of the first processor, smallest first.
fn caches() -> Vec<Cache> {
    let cache = |index: usize| {
        let folder = format!("/sys/devices/system/cpu/cpu0/cache/index{index}");
        let read = |file: &str| first_line(&format!("{folder}/{file}"));
        Some((read("level")?, read("type")?, kibibytes(&read("size")?)?))
    };
    (0..8)
        .map_while(cache)
        .filter(|(_, kind, _)| kind != "Instruction")
        .map(|(level, _, bytes)| Cache {
            name: format!("L{level}"),
            bytes,
        })
        .collect()
}

/// Parses a size of Linux: `32K`, `16M`.
fn kibibytes(text: &str) -> Option<u64> {
    let (number, shift) = match text.strip_suffix('K') {
        Some(number) => (number, 10),
        None => (text.strip_suffix('M')?, 20),
    };
    Some(number.parse::<u64>().ok()? << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_machine_has_the_same_fingerprint() {
        let machine = Machine::read();
        assert_eq!(machine, Machine::read());
        assert_eq!(machine.fingerprint.len(), 16);
        let mut other = machine.clone();
        other.fingerprint.clear();
        assert_eq!(fingerprint(&other), machine.fingerprint);
        other.cores += 1;
        assert_ne!(fingerprint(&other), machine.fingerprint);
    }

    #[test]
    fn missing_properties_are_unknown() {
        assert_eq!(first_line("/no/such/file"), None);
        assert_eq!(value_in("/no/such/file", "x", ':'), None);
        assert_eq!(kibibytes("48K"), Some(48 << 10));
        assert_eq!(kibibytes("2M"), Some(2 << 20));
        assert_eq!(kibibytes("x"), None);
    }
}
