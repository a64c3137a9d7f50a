//! Says what a query keeps and writes, and starts it.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field};

use crate::operator::Order;
use crate::stream::{
    Delivery, Faults, KillPoint, OutputMode, QueryPlan, Row, Sink, StateFunction, StateUpdate,
    StreamProgress, StreamQuery, Value, Window,
};
use crate::{Error, ErrorKind, Result, shown_name};

/// A stream of groups: each epoch has its own, unless [`KeyedStream::update_state`] keeps them.
#[must_use = "a stream does nothing before it is started"]
pub struct KeyedStream(pub(super) Result<QueryPlan>);

impl KeyedStream {
    fn with(mut self, change: impl FnOnce(&mut QueryPlan)) -> Self {
        if let Ok(plan) = &mut self.0 {
            change(plan);
        }
        self
    }

    /// Keeps the groups of all epochs, and changes them by those of each epoch. The columns of the
    /// results are then running totals.
    pub fn update_state(self, update: StateUpdate) -> Self {
        self.with(|plan| plan.update = Some(update))
    }

    /// Keeps a state for each key that a function changes: it gets the aggregates of the epoch and the state
    /// before it, and returns the new state, a value for each of these columns, or `None` to remove it.
    ///
    /// It runs on the CPU, and must return the same for the same values at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::prelude::*;
    /// use keymill::arrow::schema::DataType;
    /// use keymill::stream::{MemorySink, MemoryStream, Trigger};
    ///
    /// let (source, input) = MemoryStream::new();
    /// input.push("a a b");
    /// input.push("a end");
    /// let results = MemorySink::new();
    /// Engine::new()?
    ///     .stream(source)
    ///     .trigger(Trigger::AvailableNow)
    ///     .tokenize(whitespace())
    ///     .count_by_key()
    ///     // How often a word came, and in how many epochs.
    ///     .update_state_with([("total", DataType::Int64), ("epochs", DataType::Int64)], |new, old| {
    ///         let before = |column| old.and_then(|old| old.int(column)).unwrap_or(0);
    ///         Some([(before("total") + new.int("count")?).into(), (before("epochs") + 1).into()])
    ///     })
    ///     .sink(results.clone())
    ///     .run()?;
    /// // `a` and `end` changed in the second epoch.
    /// assert_eq!(results.epochs()[1].1[0].num_rows(), 2);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn update_state_with<V>(
        self,
        columns: impl IntoIterator<Item = (&'static str, DataType)>,
        run: impl Fn(Row<'_>, Option<Row<'_>>) -> Option<V> + Send + Sync + 'static,
    ) -> Self
    where
        V: IntoIterator<Item = Value>,
    {
        let fields = columns.into_iter();
        let columns = fields
            .map(|(name, of)| Field::new(name, of, true))
            .collect();
        let run = move |new: Row<'_>, old: Option<Row<'_>>| {
            run(new, old).map(|values| values.into_iter().collect::<Vec<_>>())
        };
        let run = Arc::new(run);
        self.with(|plan| plan.function = Some(StateFunction { columns, run }))
    }

    /// Computes the results for windows of time, and keeps them until they are closed. The results begin
    /// with the columns `window_start` and `window_end`.
    ///
    /// The mode [`Update`](OutputMode::Update), the default, writes windows that changed;
    /// [`Append`](OutputMode::Append) writes each window once, when it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use keymill::arrow::schema::DataType;
    /// use keymill::prelude::*;
    /// use keymill::stream::{MemorySink, MemoryStream, OutputMode, RowSource, Trigger, tumbling};
    ///
    /// let (source, input) = MemoryStream::new();
    /// input.push("1,oslo\n3,oslo\n12,rome\n");
    /// input.push("25,oslo\n");
    /// let window = tumbling(Duration::from_secs(10)).on("ts").watermark(Duration::from_secs(2));
    /// let results = MemorySink::new();
    /// Engine::new()?
    ///     .stream(RowSource::csv(source, [("ts", DataType::Int64), ("station", DataType::Utf8)])?)
    ///     .trigger(Trigger::AvailableNow)
    ///     .group_by(["station"], ["count".parse()?])
    ///     .window(window)
    ///     .mode(OutputMode::Append)
    ///     .sink(results.clone())
    ///     .run()?;
    /// // The watermark is 23 at the end: two windows are closed.
    /// let rows: usize = results.epochs().iter().flat_map(|it| &it.1).map(|it| it.num_rows()).sum();
    /// assert_eq!(rows, 2);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn window(self, window: Window) -> Self {
        self.with(|plan| plan.window = Some(window))
    }

    /// Writes the windows that are open when the input has ended, and closes them; with
    /// [`Trigger::Once`](crate::stream::Trigger::Once) and
    /// [`AvailableNow`](crate::stream::Trigger::AvailableNow) when what was there is read. It is for windows
    /// in the mode [`Append`](OutputMode::Append). A query that is stopped keeps its windows.
    ///
    /// The watermark is then the end of the last window, so that no window is ever written twice.
    pub fn flush_windows(self) -> Self {
        self.with(|plan| plan.flushes = true)
    }

    /// Writes the rows that come after their windows were closed to a sink: the columns that were grouped, in
    /// the order of the input, by the protocol of results. An epoch without late rows writes nothing.
    pub fn late_rows_to(self, sink: impl Into<Box<dyn Sink>>) -> Self {
        self.with(|plan| plan.late_sinks.push(sink.into()))
    }

    /// Sets which groups an epoch writes. The default is those that changed.
    pub fn mode(self, mode: OutputMode) -> Self {
        self.with(|plan| plan.mode = Some(mode))
    }

    /// Sets the order of the rows of an epoch. The default is by count for tokens, and by key for rows.
    pub fn order_by(self, order: Order) -> Self {
        self.with(|plan| plan.order = Some(order))
    }

    /// Removes a group from the state when no row of it has come for this time, or for up to a sixteenth
    /// more. If its key comes again, it begins anew. Only epochs remove groups.
    pub fn state_ttl(self, time: Duration) -> Self {
        self.with(|plan| plan.ttl = Some(time))
    }

    /// Writes only the first rows of an epoch; of windows, the first rows of each window.
    pub fn top(self, rows: usize) -> Self {
        self.with(|plan| plan.top = Some(rows))
    }

    /// Sets the maximum bytes that an epoch reads, rounded to whole records or files.
    pub fn max_bytes_per_epoch(self, bytes: u64) -> Self {
        self.with(|plan| plan.limits.bytes = Some(bytes.max(1)))
    }

    /// Sets the maximum files that an epoch reads.
    pub fn max_files_per_epoch(self, files: usize) -> Self {
        self.with(|plan| plan.limits.files = Some(files.max(1)))
    }

    /// Sets the maximum rows of an epoch, for sources that make rows.
    pub fn max_rows_per_epoch(self, rows: u64) -> Self {
        self.with(|plan| plan.limits.rows = Some(rows.max(1)))
    }

    /// Writes the results to a sink. It can be called several times.
    pub fn sink(self, sink: impl Into<Box<dyn Sink>>) -> Self {
        self.with(|plan| plan.sinks.push(sink.into()))
    }

    /// Calls a function with every epoch and its results; see
    /// [`CallbackSink`](crate::stream::CallbackSink).
    pub fn for_each_batch(
        self,
        run: impl FnMut(u64, &[crate::arrow::array::RecordBatch]) -> Result<()> + Send + 'static,
    ) -> Self {
        self.sink(crate::stream::CallbackSink::new(run))
    }

    /// Keeps what a restart needs in a folder. A query that is started with a checkpoint continues
    /// after the last committed epoch of it; a new checkpoint is created.
    pub fn checkpoint(self, folder: impl Into<PathBuf>) -> Self {
        self.with(|plan| plan.checkpoint = Some(folder.into()))
    }

    /// Writes a snapshot of the state to the checkpoint at least once per this number of epochs. The default is
    /// 1000, and whenever the changes since the last snapshot have as many bytes as it has.
    pub fn snapshot_every(self, epochs: u64) -> Self {
        self.with(|plan| plan.snapshot_epochs = epochs.max(1))
    }

    /// Refuses to start unless results arrive at least as often as this says.
    pub fn require(self, delivery: Delivery) -> Self {
        self.with(|plan| plan.required = Some(delivery))
    }

    /// Names the query in reports.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.with(|plan| plan.name = Some(name.into()))
    }

    /// Calls a function with the report of every epoch.
    pub fn on_progress(self, run: impl FnMut(&StreamProgress) + Send + 'static) -> Self {
        self.with(|plan| plan.listeners.push(Box::new(run)))
    }

    /// Calls a function at every step of the protocol, for tests that kill the process there.
    #[doc(hidden)]
    pub fn fault_hook(self, hook: impl Fn(KillPoint, u64) + Send + Sync + 'static) -> Self {
        self.with(|plan| plan.faults = Faults::new(hook))
    }

    /// The steps that [`KeyedStream::fault_hook`] is called at.
    #[doc(hidden)]
    #[must_use]
    pub fn kill_points() -> &'static [KillPoint] {
        &Faults::POINTS
    }

    /// Says what the query will do, and how often its results arrive.
    #[must_use]
    pub fn explain(&self) -> String {
        match &self.0 {
            Ok(plan) => plan.explain(),
            Err(error) => error.to_string(),
        }
    }

    /// Checks what can be checked without opening anything, and says what the query will do.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a query that makes no sense.
    pub fn validate(self) -> Result<String> {
        self.0?.validate()
    }

    /// Starts the query on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a query that makes no sense,
    /// [`Checkpoint`](crate::ErrorKind::Checkpoint) for a checkpoint that is in use, damaged or of
    /// another query, [`Source`](crate::ErrorKind::Source) and [`Sink`](crate::ErrorKind::Sink) for what
    /// cannot be read or written.
    pub fn start(self) -> Result<StreamQuery> {
        self.0?.start()
    }

    /// Starts the query and waits until it has ended.
    ///
    /// # Errors
    ///
    /// Those of [`KeyedStream::start`], and the error that ended the query.
    pub fn run(self) -> Result<()> {
        self.start()?.await_termination()
    }
}

impl StreamQuery {
    /// Starts the query that `build` returns: from a checkpoint if the folder has one, and anew otherwise. It is
    /// Spark's `StreamingContext.getOrCreate`, but `build` always runs, because a checkpoint has the state of a
    /// query, not its code. [`StreamQuery::first_epoch`] tells which it was.
    ///
    /// # Errors
    ///
    /// That of `build`, those of [`KeyedStream::start`], and [`Config`](ErrorKind::Config) if the query has
    /// another checkpoint.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::prelude::*;
    /// use keymill::stream::{FolderSource, MemorySink, StreamQuery, Trigger, sum};
    ///
    /// let place = tempfile::tempdir()?;
    /// let input = place.path().join("in");
    /// std::fs::create_dir(&input)?;
    /// let start = || {
    ///     StreamQuery::get_or_create(place.path().join("checkpoint"), || {
    ///         let words = Engine::new()?.stream(FolderSource::new(&input)).trigger(Trigger::Once);
    ///         let totals = words.tokenize(whitespace()).count_by_key().update_state(sum());
    ///         Ok(totals.sink(MemorySink::new()))
    ///     })
    /// };
    /// std::fs::write(input.join("monday"), "to be or not to be")?;
    /// let mut query = start()?;
    /// assert_eq!(query.first_epoch(), 0);
    /// query.await_termination()?;
    /// std::fs::write(input.join("tuesday"), "to do")?;
    /// let mut query = start()?;
    /// assert_eq!(query.first_epoch(), 1);
    /// query.await_termination()?;
    /// // `to`, `be`, `or`, `not`, `do`.
    /// assert_eq!(query.state()?.len(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_or_create(
        checkpoint: impl Into<PathBuf>,
        build: impl FnOnce() -> Result<KeyedStream>,
    ) -> Result<Self> {
        let folder = checkpoint.into();
        let mut plan = build()?.0?;
        match plan.checkpoint.replace(folder.clone()) {
            Some(other) if other != folder => {
                let message = format!(
                    "the query has the checkpoint `{}`, and `{}` was asked for; name one of them",
                    shown_name(other),
                    shown_name(folder)
                );
                Err(Error::new(ErrorKind::Config, message))
            }
            _ => plan.start(),
        }
    }
}
