//! The engine: what a program makes once, and starts its jobs from.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::api::{Input, TextJob};
#[cfg(feature = "gpu")]
use crate::device::{CostCache, SharedDevice};
use crate::read::{Columns, FileSource, IntoPaths, MemorySource, ReaderSource, Source};
use crate::runtime::Pool;
use crate::runtime::random_seed;
use crate::shown_name;
use crate::{
    Cancel, DeviceChoice, Error, ErrorKind, Level, MemoryBudget, Resources, Result, Shaders, Tuning,
};

/// The variable that names the level where no builder does.
const LEVEL_VARIABLE: &str = "KEYMILL_LEVEL";

/// Threads, memory, a level: everything that jobs share; clones are the same engine.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
///
/// let engine = Engine::new()?;
/// let counts = engine
///     .read_bytes("to be or not to be")
///     .tokenize(whitespace())
///     .count_by_key()
///     .collect()?;
/// assert_eq!(counts.get("be"), Some(2));
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    threads: usize,
    memory: usize,
    level: Level,
    spill_dir: Option<PathBuf>,
    tuning: Tuning,
    seed: Option<u64>,
    pool: Pool,
    device: DeviceChoice,
    #[cfg(feature = "gpu")]
    shared_device: SharedDevice,
    #[cfg(feature = "gpu")]
    costs: Arc<CostCache>,
}

impl Engine {
    /// An engine with all of this machine's processors and half of its memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `KEYMILL_LEVEL` names a level that this machine lacks.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Starts an engine with other threads, memory or level.
    #[must_use]
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Reads text from one path or several.
    ///
    /// A path is a file, a pipe, or a pattern such as `logs/*.txt` where no file has that name.
    /// Files of gzip or zstd are known by their first bytes. Every file's end ends a token.
    pub fn read_text(&self, paths: impl IntoPaths) -> TextJob {
        self.read_paths(paths.into_paths())
    }

    /// Reads text from paths, each as [`Engine::read_text`] would.
    pub fn read_paths(&self, paths: Vec<PathBuf>) -> TextJob {
        let source = FileSource::from_patterns(&paths);
        self.job(source.map(|source| Input::Source(Arc::new(source))))
    }

    /// Reads bytes that are in memory, as they are.
    pub fn read_bytes(&self, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> TextJob {
        self.read_source(MemorySource::new(bytes))
    }

    /// Reads to the end of a stream: standard input, a socket, a pipe.
    ///
    /// Streams of gzip or zstd are known by their first bytes; [`ReaderSource::as_is`] keeps them.
    pub fn read(&self, reader: impl std::io::Read + Send + 'static) -> TextJob {
        self.read_source(ReaderSource::new(reader))
    }

    /// Reads a column of text or bytes from Arrow batches; each row is a record, and its end ends
    /// a token. [`Columns`] takes plain arrays too, with [`Engine::read_columns`].
    pub fn read_batches<I>(&self, batches: I, column: &str) -> TextJob
    where
        I: IntoIterator<Item = RecordBatch>,
        I::IntoIter: Send + 'static,
    {
        self.read_columns(Columns::new(batches, column))
    }

    /// Reads Arrow arrays of text or bytes.
    pub fn read_columns(&self, columns: Columns) -> TextJob {
        self.job(Ok(Input::Columns(columns)))
    }

    /// Reads what a source has at this moment.
    pub fn read_source(&self, source: impl Source) -> TextJob {
        self.job(Ok(Input::Source(Arc::new(source))))
    }

    /// What an operator of a new query gets from this engine, with a budget of its own.
    #[must_use]
    pub fn resources(&self) -> Resources {
        Resources {
            level: self.0.level,
            threads: self.0.threads,
            // A part is left for what allocators keep of what was given back to them.
            memory: MemoryBudget::new(self.0.memory / 16 * 15),
            spill_dir: self.0.spill_dir.clone(),
            cancel: Cancel::default(),
            tuning: self.0.tuning,
            seed: self.0.seed.unwrap_or_else(random_seed),
        }
    }

    /// The instructions that jobs run on.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.level
    }

    /// How many threads a job uses at most.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// How many bytes of memory a job may take before it spills.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.memory
    }

    /// Where jobs run.
    #[must_use]
    pub fn device(&self) -> &DeviceChoice {
        &self.0.device
    }

    /// Where jobs run, and why, in words; it opens the device that was asked for, if any.
    #[must_use]
    pub fn explain_device(&self) -> String {
        crate::exec::describe_place(self, None)
    }

    /// The device that jobs share, which the first one that needs it opens.
    #[cfg(feature = "gpu")]
    pub(crate) fn shared_device(&self) -> &SharedDevice {
        &self.0.shared_device
    }

    /// What is known of the costs of devices.
    #[cfg(feature = "gpu")]
    pub(crate) fn costs(&self) -> &Arc<CostCache> {
        &self.0.costs
    }

    /// The same engine with another device; for tests, before any clone is made.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_shared_device(mut self, shared_device: SharedDevice) -> Self {
        Arc::get_mut(&mut self.0)
            .expect("no clone was made")
            .shared_device = shared_device;
        self
    }

    /// The same engine with other costs of devices; for tests, before any clone is made.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_costs(mut self, costs: CostCache) -> Self {
        Arc::get_mut(&mut self.0).expect("no clone was made").costs = Arc::new(costs);
        self
    }

    /// The same engine with other limits; for tests, before any clone is made.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_tuning(mut self, tuning: Tuning) -> Self {
        Arc::get_mut(&mut self.0).expect("no clone was made").tuning = tuning;
        self
    }

    /// Where partitions go that do not fit; `None` is the system's temporary folder.
    #[must_use]
    pub fn spill_dir(&self) -> Option<&Path> {
        self.0.spill_dir.as_deref()
    }

    /// Runs something that shares its work over the engine's threads: a writer of results.
    ///
    /// # Examples
    ///
    /// ```
    /// let engine = keymill::Engine::builder().threads(2).build()?;
    /// assert_eq!(engine.install(|| 6 * 7), 42);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.pool.install(work)
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    fn job(&self, input: Result<Input>) -> TextJob {
        TextJob::new(self.clone(), input)
    }
}

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

    /// Lets a job take so many bytes before it spills. If nobody says, that is half of the smaller of
    /// the machine's memory and the control group's limit, and at most a quarter of the addresses
    /// that the process may still use (`ulimit -v`). Small allocations that fail end the process, as
    /// in any Rust program, so that such a limit should leave some 200 MiB beyond the budget.
    ///
    /// Keys of mebibytes are not bounded by it: the steps of a drain hold some of them whole at a
    /// time, so that a job takes more by some fifteen times the longest key.
    ///
    /// Less than 20 MiB counts as that, and there are not more threads than have 10 MiB each: with
    /// less they would write and read ever smaller pieces, and count nothing.
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
    /// [`ErrorKind::Config`] for no threads, a spill folder that is none, a level that this machine
    /// lacks, or a value of `KEYMILL_LEVEL` that is no level.
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
        Ok(Engine(Arc::new(Shared {
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
    let level = match asked {
        Some(level) => level,
        None => match std::env::var_os(LEVEL_VARIABLE).filter(|name| !name.is_empty()) {
            None => return Ok(Level::best()),
            Some(name) => named_level(&name.to_string_lossy())?,
        },
    };
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

fn named_level(name: &str) -> Result<Level> {
    name.parse()
        .map_err(|cause| Error::new(ErrorKind::Config, LEVEL_VARIABLE).with_source(cause))
}
