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

/// An engine that is still to be built.
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
    /// Uses so many threads; one means the caller's own. A job on a device has a few more, which
    /// mostly wait.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets the memory budget of a job, in bytes; past it the job spills to disk.
    ///
    /// The default is half of the smaller of the machine's memory and the control group's limit, and
    /// at most a quarter of the address space that the process may still use (`ulimit -v`). Small
    /// allocations that fail end the process, as in any Rust program: leave 200 MiB of address space
    /// beyond the budget.
    ///
    /// Keys of some MiB are not bounded by the budget: a drain holds several copies of them, about
    /// fifteen times the longest key.
    ///
    /// A budget below 20 MiB counts as 20 MiB, and a job runs at most one thread for each 10 MiB.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Runs on these instructions, whatever else the machine has.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Spills into a folder of the caller's choice.
    #[must_use]
    pub fn spill_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.spill_dir = Some(path.into());
        self
    }

    /// Says where jobs run; no device is touched before a job needs one.
    ///
    /// A job that asks for a GPU where there is none, or in a build without the feature `gpu`, is an
    /// error of kind [`ErrorKind::Device`] before anything is read. A device that fails in the middle
    /// changes no answer: what it had is counted again on the processor.
    #[must_use]
    pub fn device(mut self, device: DeviceChoice) -> Self {
        self.device = device;
        self
    }

    /// Says which shaders devices run; no answer depends on it.
    #[must_use]
    pub fn shaders(mut self, shaders: Shaders) -> Self {
        self.shaders = shaders;
        self
    }

    /// Keeps what is measured of devices in a file, so that the next process need not measure again.
    ///
    /// A file that cannot be read or written is as good as none. Without this nothing is written
    /// anywhere.
    #[must_use]
    pub fn device_cache(mut self, file: impl Into<PathBuf>) -> Self {
        self.device_cache = Some(file.into());
        self
    }

    /// Cuts work at other sizes; for tests. No answer depends on it.
    #[doc(hidden)]
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning.fitting();
        self
    }

    /// Seeds the hashes, which are otherwise different in each query; no answer depends on it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Builds the engine; threads start with the first job that needs them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for 0 threads, for a spill folder that is not there, and for a level that
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
    let message = format!("the spill folder `{folder}` is no folder; make it, or name another one");
    Error::new(ErrorKind::Config, message)
}

/// What a thread needs to work: tables, what it deals to partitions and ranges, and its output.
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
            "this machine does not run level `{level}`, which needs {}; it runs {}",
            level.requires(),
            names.join(", ")
        ),
    ))
}
