//! The machine, its memory and its adapters.

use serde::{Deserialize, Serialize};

use super::Spread;

/// A machine. Unknown values are null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// A hash of the other fields, which identifies reports of one machine and build.
    pub fingerprint: String,
    /// The processor's name.
    pub processor: Option<String>,
    /// Processors that this process may use.
    pub cores: u32,
    /// The caches that hold data of the first processor, smallest first.
    pub caches: Vec<Cache>,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
    /// The operating system and its release.
    pub system: String,
    /// The version of its kernel.
    pub kernel: Option<String>,
    /// The instruction set.
    pub architecture: String,
    /// SIMD levels that this machine runs, slowest first.
    pub levels: Vec<String>,
    /// The version of keymill.
    pub keymill: String,
    /// `release`, or `debug`, whose times are not meaningful.
    pub build: String,
}

/// A cache of the processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// `L1`, `L2` and so on.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// The rate of summing up a buffer that is larger than the caches, in bytes per second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRead {
    /// The size of the buffer.
    pub buffer_bytes: u64,
    /// With one thread.
    pub one_core: Spread,
    /// With all threads, each with its own part.
    pub all_cores: Spread,
    /// The number of all threads.
    pub threads: u32,
}

/// An adapter and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Its name, from the driver.
    pub name: String,
    /// `GPU`, `software Vulkan` or `software`.
    pub label: String,
    /// Whether it is software on the processor, which is never counted as a GPU.
    pub is_software: bool,
    /// `vulkan`, `metal` or `dx12`.
    pub interface: String,
    /// The driver and its version.
    pub driver: String,
    /// Maximum bytes of a buffer binding.
    pub binding_bytes: u64,
    /// Why it has no figures; null if it has.
    pub not_measured: Option<String>,
    /// The limits of every stage on it; null if it was not measured.
    pub limits: Option<AdapterLimits>,
}

/// The limits of every stage on an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterLimits {
    /// Copies to the adapter, in bytes per second.
    pub upload: Spread,
    /// Copies to the adapter from host memory that it can read, in bytes per second. No upload is
    /// faster.
    pub pinned: Spread,
    /// Copies from the adapter, in bytes per second.
    pub readback: Spread,
    /// From the launch to the end of an empty kernel, in nanoseconds.
    pub launch_ns: Spread,
}
