//! The environment that an engine's jobs share: threads, memory, a level, a device.
#![forbid(unsafe_code)]

use std::path::PathBuf;
#[cfg(feature = "gpu")]
use std::sync::Arc;

#[cfg(feature = "gpu")]
use crate::device::{CostCache, SharedDevice};
use crate::runtime::{Pool, random_seed};
use crate::{Cancel, DeviceChoice, Level, MemoryBudget, Resources, Tuning};
#[cfg(feature = "stream")]
use crate::{Result, StateStore, StateStoreBuilder};

/// The environment that an engine's jobs share.
#[derive(Debug)]
pub(crate) struct RuntimeEnv {
    pub(crate) threads: usize,
    pub(crate) memory: usize,
    pub(crate) level: Level,
    pub(crate) spill_dir: Option<PathBuf>,
    pub(crate) tuning: Tuning,
    pub(crate) seed: Option<u64>,
    pub(crate) pool: Pool,
    pub(crate) device: DeviceChoice,
    /// The device that jobs share. The first job that needs it opens it.
    #[cfg(feature = "gpu")]
    pub(crate) shared_device: SharedDevice,
    /// The measured costs of devices.
    #[cfg(feature = "gpu")]
    pub(crate) costs: Arc<CostCache>,
}

impl RuntimeEnv {
    /// Creates a state store that has at most this number of bytes in memory.
    #[cfg(feature = "stream")]
    pub(crate) fn stored(
        &self,
        store: StateStoreBuilder,
        hash_seed: u64,
        memory: usize,
    ) -> Result<StateStore> {
        let mut store = store.level(self.level).hash_seed(hash_seed).memory(memory);
        if let Some(folder) = &self.spill_dir {
            store = store.spill_dir(folder);
        }
        store.build()
    }

    /// Returns the resources of a new job, with its own memory budget.
    pub(crate) fn resources(&self) -> Resources {
        Resources {
            level: self.level,
            threads: self.threads,
            // One part is reserved for freed memory that the allocator keeps.
            memory: MemoryBudget::new(self.memory / 16 * 15),
            spill_dir: self.spill_dir.clone(),
            cancel: Cancel::default(),
            tuning: self.tuning,
            seed: self.seed.unwrap_or_else(random_seed),
        }
    }
}
