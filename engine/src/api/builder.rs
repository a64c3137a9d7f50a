//! Builds an engine.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Engine;
#[cfg(feature = "gpu")]
use crate::device::{CostCache, SharedDevice};
use crate::exec::RuntimeEnv;
use crate::runtime::Pool;
use crate::shown_name;
use crate::{DeviceChoice, Error, ErrorKind, Level, Result, Shaders, Tuning};

/// Builds an [`Engine`].
///
/// # Examples
///
/// ```
/// use keymill::{Engine, ErrorKind, Level};
///
/// let engine = Engine::builder().threads(2).memory(64 << 20).level(Level::Scalar).build()?;
/// assert_eq!((engine.threads(), engine.level()), (2, Level::Scalar));
///
/// let error = Engine::builder().threads(0).build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EngineBuilder {
    threads: Option<usize>,
    memory: Option<usize>,
    level: Option<Level>,
    spill_dir: Option<PathBuf>,
    tuning: Tuning,
    seed: Option<u64>,
    device: DeviceChoice,
    shaders: Shaders,
    device_cache: Option<PathBuf>,
}

impl EngineBuilder {
    /// Sets the number of threads. With 1, jobs run on the caller's thread. A job on a device has a few
    /// more threads, which are mostly idle.
    ///
    /// The default is the number of processors. Without the feature `parallel` jobs run on one thread.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets the memory budget of a job in bytes. A job that needs more spills to disk.
    ///
    /// The default is half of the machine's memory or of the control group's limit, whichever is
    /// smaller, and at most a quarter of the address space that the process may still use
    /// (`ulimit -v`) beyond 200 MiB. A small allocation that fails aborts the process, as in any Rust
    /// program, so leave 200 MiB of address space beyond the budget.
    ///
    /// Keys of several MiB can exceed the budget: a drain holds copies of about fifteen times the
    /// longest key.
    ///
    /// The minimum is 20 MiB, and a job runs at most one thread per 10 MiB.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Sets the SIMD level. The default is the best level of the machine.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Sets the folder for spill files. The default is the system's temporary folder.
    #[must_use]
    pub fn spill_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.spill_dir = Some(path.into());
        self
    }

    /// Sets where jobs run. A device is opened when the first job needs it.
    ///
    /// If a GPU is requested and there is none, or the build lacks the feature `gpu`, jobs return an
    /// error of kind [`ErrorKind::Device`] before reading. If a device fails during a job, its chunks are
    /// counted again on the processor, and the answer is the same.
    #[must_use]
    pub fn device(mut self, device: DeviceChoice) -> Self {
        self.device = device;
        self
    }

    /// Sets the shaders of devices. The answer does not depend on it.
    #[must_use]
    pub fn shaders(mut self, shaders: Shaders) -> Self {
        self.shaders = shaders;
        self
    }

    /// Sets a file that caches the measured costs of devices for later processes.
    ///
    /// A file that cannot be read or written is ignored. By default nothing is cached on disk.
    #[must_use]
    pub fn device_cache(mut self, file: impl Into<PathBuf>) -> Self {
        self.device_cache = Some(file.into());
        self
    }

    /// Sets the sizes of chunks and tables, for tests. The answer does not depend on it.
    #[doc(hidden)]
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning.fitting();
        self
    }

    /// Sets the seed of hashes. By default each job has a random seed. The answer does not depend on it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Builds the engine. Threads are started by the first job that needs them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for 0 threads, for a spill folder that does not exist, and for a level that
    /// this machine lacks.
    pub fn build(self) -> Result<Engine> {
        let threads = match self.threads {
            Some(0) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "0 threads: at least one is needed",
                ));
            }
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        if let Some(folder) = self.spill_dir.as_deref().filter(|folder| !folder.is_dir()) {
            return Err(no_spill_folder(folder));
        }
        let memory = self.memory.unwrap_or_else(crate::runtime::default_memory);
        let least = least_worker_bytes(&self.tuning);
        let memory = memory.max(2 * least);
        let threads = threads.min(memory / least);
        Ok(Engine(Arc::new(RuntimeEnv {
            threads,
            memory,
            level: choose_level(self.level)?,
            spill_dir: self.spill_dir,
            tuning: self.tuning,
            seed: self.seed,
            pool: Pool::new(threads),
            #[cfg(feature = "gpu")]
            shared_device: SharedDevice::new(crate::device::opener(&self.device, self.shaders)),
            #[cfg(feature = "gpu")]
            costs: Arc::new(CostCache::new(self.device_cache)),
            device: self.device,
        })))
    }
}

fn no_spill_folder(folder: &Path) -> Error {
    let folder = shown_name(folder);
    let message = format!("`{folder}` is not a folder; create it, or choose another spill folder");
    Error::new(ErrorKind::Config, message)
}

/// Returns the minimum memory of a thread, for tables, partitions, ranges and output.
fn least_worker_bytes(tuning: &Tuning) -> usize {
    const SLOT_BYTES: usize = 40;
    const FRESH_TABLES: usize = 64;
    (tuning.table_slots * SLOT_BYTES * FRESH_TABLES).clamp(1, 10 << 20)
}

fn choose_level(asked: Option<Level>) -> Result<Level> {
    let level = asked.unwrap_or_else(Level::best);
    if level.is_available() {
        return Ok(level);
    }
    let names: Vec<_> = Level::available()
        .iter()
        .map(|level| level.name())
        .collect();
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "this machine cannot run the level `{level}`, which needs {}; it runs {}",
            level.requires(),
            names.join(", ")
        ),
    ))
}
