//! The engine: what a program makes once, and starts its jobs from.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BatchJob, EngineBuilder, TextJob};
#[cfg(all(test, feature = "gpu"))]
use crate::Tuning;
#[cfg(all(test, feature = "gpu"))]
use crate::device::{CostCache, SharedDevice};
use crate::exec::{JobInput, RuntimeEnv, describe_placement};
use crate::read::{
    FileSource, IntoBatch, IntoPaths, MemorySource, ReaderSource, RecordBatches, Source,
};
use crate::{DeviceChoice, Level, Resources, Result};

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
pub struct Engine(pub(super) Arc<RuntimeEnv>);

impl Engine {
    /// An engine with all of this machine's processors and half of its memory.
    ///
    /// # Errors
    ///
    /// Those of [`EngineBuilder::build`].
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
        self.text(source.map(|source| JobInput::Source(Arc::new(source))))
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

    /// Reads Arrow batches of one schema, or the results of reading them.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    /// use keymill::aggregate::{mean, sum};
    /// use keymill::prelude::*;
    ///
    /// let sites: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    /// let visits: ArrayRef = Arc::new(Int64Array::from(vec![3, 5, 4]));
    /// let batch = RecordBatch::try_from_iter([("site", sites), ("visits", visits)])?;
    ///
    /// let totals = Engine::new()?
    ///     .read_batches([batch])
    ///     .group_by(["site"])
    ///     .agg([sum("visits"), mean("visits")])
    ///     .collect()?;
    /// assert_eq!(totals.num_rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_batches<I>(&self, batches: I) -> BatchJob
    where
        I: IntoIterator,
        I::Item: IntoBatch + 'static,
        I::IntoIter: Send + 'static,
    {
        self.read_record_batches(RecordBatches::new(batches))
    }

    /// Reads Arrow batches or arrays.
    pub fn read_record_batches(&self, batches: RecordBatches) -> BatchJob {
        BatchJob::new(self.clone(), batches)
    }

    /// Reads what a source has at this moment.
    pub fn read_source(&self, source: impl Source) -> TextJob {
        self.text(Ok(JobInput::Source(Arc::new(source))))
    }

    /// What an operator of a new query gets from this engine, with a budget of its own.
    #[must_use]
    pub fn resources(&self) -> Resources {
        self.0.resources()
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
        describe_placement(&self.0, None)
    }

    /// What is known of the costs of devices.
    #[cfg(all(test, feature = "gpu"))]
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

    /// The same engine with another budget of memory; for tests, before any clone is made.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_memory(mut self, memory: usize) -> Self {
        Arc::get_mut(&mut self.0).expect("no clone was made").memory = memory;
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

    pub(crate) fn env(&self) -> &RuntimeEnv {
        &self.0
    }

    fn text(&self, input: Result<JobInput>) -> TextJob {
        TextJob::new(self.clone(), input)
    }
}
