//! The engine, which starts jobs.
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
    FileSource, IntoBatch, IntoPaths, MemorySource, ReaderSource, RecordBatches, Source, Table,
};
use crate::{DeviceChoice, Level, Resources, Result};

/// The threads, memory, SIMD level and device that jobs share. Clones are the same engine.
///
/// Create it once per process. All calls block until they are done; see the
/// [crate documentation](crate#blocking-and-async) for use in async code.
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
    /// Creates an engine with all of this machine's processors and half of its memory.
    ///
    /// # Errors
    ///
    /// Those of [`EngineBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Returns a builder to set threads, memory, level and other options.
    #[must_use]
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Reads text from one or several paths.
    ///
    /// A path is a file, a pipe, or a pattern such as `logs/*.txt` if no file has that name. gzip and
    /// zstd files are recognized by their first bytes. The end of each file ends a token.
    pub fn read_text(&self, paths: impl IntoPaths) -> TextJob {
        self.read_paths(paths.into_paths())
    }

    /// Reads text from paths like [`Engine::read_text`].
    pub fn read_paths(&self, paths: Vec<PathBuf>) -> TextJob {
        let source = FileSource::from_patterns(&paths);
        self.text(source.map(|source| JobInput::Source(Arc::new(source))))
    }

    /// Reads bytes in memory without copying or decompressing them.
    pub fn read_bytes(&self, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> TextJob {
        self.read_source(MemorySource::new(bytes))
    }

    /// Reads a stream to its end: standard input, a socket, a pipe.
    ///
    /// gzip and zstd streams are recognized by their first bytes. Use [`ReaderSource::as_is`] to read
    /// them without decompressing.
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

    /// Reads files of comma-separated values, whose first line names the columns. The types of columns are
    /// those of the first values.
    ///
    /// [`Table`] has more options, and [`Engine::read_table`] reads it.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::aggregate::{mean, sum};
    /// use keymill::prelude::*;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("visits.csv");
    /// std::fs::write(&path, "site,count\na.org,3\nb.org,5\na.org,4\n")?;
    ///
    /// let totals = Engine::new()?
    ///     .read_csv(&path)
    ///     .group_by(["site"])
    ///     .agg([sum("count"), mean("count")])
    ///     .collect()?;
    /// assert_eq!(totals.num_rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "csv")]
    pub fn read_csv(&self, paths: impl IntoPaths) -> BatchJob {
        self.read_table(Table::new(paths).format(crate::read::TableFormat::Csv))
    }

    /// Reads files of JSON objects, one per line; see [`Engine::read_table`].
    #[cfg(feature = "json")]
    pub fn read_json(&self, paths: impl IntoPaths) -> BatchJob {
        self.read_table(Table::new(paths).format(crate::read::TableFormat::Json))
    }

    /// Reads Parquet files; only the columns that are used are decoded. See [`Engine::read_table`].
    #[cfg(feature = "parquet")]
    pub fn read_parquet(&self, paths: impl IntoPaths) -> BatchJob {
        self.read_table(Table::new(paths).format(crate::read::TableFormat::Parquet))
    }

    /// Reads Arrow IPC files and streams; see [`Engine::read_table`].
    #[cfg(feature = "ipc")]
    pub fn read_arrow(&self, paths: impl IntoPaths) -> BatchJob {
        self.read_table(Table::new(paths).format(crate::read::TableFormat::Arrow))
    }

    /// Reads files of rows, see [`Table`].
    pub fn read_table(&self, table: Table) -> BatchJob {
        let resources = self.0.resources();
        self.read_record_batches(RecordBatches::of_table(table, &resources))
    }

    /// Reads a source epoch by epoch, see [`stream`](crate::stream).
    #[cfg(feature = "stream")]
    pub fn stream(
        &self,
        source: impl Into<Box<dyn crate::stream::StreamSource>>,
    ) -> super::StreamJob {
        super::StreamJob::new(self.clone(), source)
    }

    /// Reads everything that a source has now.
    pub fn read_source(&self, source: impl Source) -> TextJob {
        self.text(Ok(JobInput::Source(Arc::new(source))))
    }

    /// Returns the resources for operators of a new query, with their own memory budget.
    #[must_use]
    pub fn resources(&self) -> Resources {
        self.0.resources()
    }

    /// Returns the SIMD level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.level
    }

    /// Returns the maximum number of threads of a job.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// Returns the memory budget of a job in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.memory
    }

    /// Returns where jobs run.
    #[must_use]
    pub fn device(&self) -> &DeviceChoice {
        &self.0.device
    }

    /// Describes where jobs run and why. It opens the requested device, if any.
    #[must_use]
    pub fn explain_device(&self) -> String {
        describe_placement(&self.0, None)
    }

    /// Returns the measured costs of devices.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn costs(&self) -> &Arc<CostCache> {
        &self.0.costs
    }

    /// Replaces the device, for tests. The engine must not be cloned yet.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_shared_device(mut self, shared_device: SharedDevice) -> Self {
        Arc::get_mut(&mut self.0)
            .expect("no clone was made")
            .shared_device = shared_device;
        self
    }

    /// Replaces the memory budget, for tests. The engine must not be cloned yet.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_memory(mut self, memory: usize) -> Self {
        Arc::get_mut(&mut self.0).expect("no clone was made").memory = memory;
        self
    }

    /// Replaces the costs of devices, for tests. The engine must not be cloned yet.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_costs(mut self, costs: CostCache) -> Self {
        Arc::get_mut(&mut self.0).expect("no clone was made").costs = Arc::new(costs);
        self
    }

    /// Replaces the tuning, for tests. The engine must not be cloned yet.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn with_tuning(mut self, tuning: Tuning) -> Self {
        Arc::get_mut(&mut self.0).expect("no clone was made").tuning = tuning;
        self
    }

    /// Returns the folder for spill files; `None` is the system's temporary folder.
    #[must_use]
    pub fn spill_dir(&self) -> Option<&Path> {
        self.0.spill_dir.as_deref()
    }

    /// Runs a function on the engine's threads, for example a writer that formats in parallel.
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
