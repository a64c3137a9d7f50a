//! Builds a stream query.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};

use super::Engine;
use crate::aggregate::AggregateExpr;
use crate::exec::TextCountJob;
use crate::expr::{Expr, RowSteps};
use crate::operator::Order;
use crate::stream::{
    Delivery, Faults, FilterRows, FlatMapRows, Join, JoinKind, Keyed, KillPoint, OutputMode,
    QueryPlan, Row, RowTransform, Rows, Sink, StateFunction, StateUpdate, StaticTable,
    StreamProgress, StreamQuery, StreamSource, Trigger, Value, Window,
};
use crate::{IntoTokenRule, Result, TokenRule};

/// A stream of records. Call [`StreamJob::tokenize`] or [`StreamJob::group_by`] next.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
/// use keymill::stream::{MemoryStream, MemorySink, Trigger, sum};
///
/// let (source, input) = MemoryStream::new();
/// let results = MemorySink::new();
/// input.push("to be or");
/// input.push("not to be");
/// Engine::new()?
///     .stream(source)
///     .trigger(Trigger::AvailableNow)
///     .tokenize(whitespace())
///     .count_by_key()
///     .update_state(sum())
///     .sink(results.clone())
///     .run()?;
/// let epochs = results.epochs();
/// assert_eq!(epochs.len(), 2);
/// // `not`, and the new totals of `to` and `be`.
/// assert_eq!(epochs[1].1[0].num_rows(), 3);
/// # Ok::<(), keymill::Error>(())
/// ```
#[must_use = "a stream does nothing before it is started"]
pub struct StreamJob {
    engine: Engine,
    sources: Vec<Box<dyn StreamSource>>,
    transforms: Vec<Box<dyn RowTransform>>,
    trigger: Trigger,
}

impl StreamJob {
    pub(super) fn new(engine: Engine, source: impl Into<Box<dyn StreamSource>>) -> Self {
        Self {
            engine,
            sources: vec![source.into()],
            transforms: Vec::new(),
            trigger: Trigger::AsFastAsPossible,
        }
    }

    /// Keeps the rows for which a condition is true, and not null.
    pub fn filter(self, condition: impl Into<Expr>) -> Self {
        let mut step = RowSteps::default();
        step.filter(condition.into());
        self.then(step)
    }

    /// Replaces the columns of rows. Steps after this one see the new columns only.
    pub fn select<I>(self, columns: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Expr>,
    {
        let columns = columns.into_iter().map(Into::into);
        let mut step = RowSteps::default();
        step.select(columns.collect());
        self.then(step)
    }

    /// Reads another source, too. All sources must give text, or rows of the same columns.
    pub fn union(mut self, source: impl Into<Box<dyn StreamSource>>) -> Self {
        self.sources.push(source.into());
        self
    }

    /// Runs an epoch at every multiple of an interval, of at least 10 ms.
    pub fn every(self, interval: Duration) -> Self {
        self.trigger(Trigger::Every(interval))
    }

    /// Sets when an epoch begins. By default it is as soon as there is something to read.
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    /// Keeps the rows for which a function returns true. It runs on the CPU, and must return the same for
    /// the same row at any time.
    pub fn filter_rows(self, keep: impl Fn(Row<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.then(FilterRows(keep))
    }

    /// Makes a row from each row: a function returns a value for each of these columns. It runs on the
    /// CPU, and must return the same for the same row at any time.
    pub fn map_rows<V>(
        self,
        columns: impl IntoIterator<Item = (&'static str, DataType)>,
        run: impl Fn(Row<'_>) -> V + Send + Sync + 'static,
    ) -> Self
    where
        V: IntoIterator<Item = Value>,
    {
        self.flat_map_rows(columns, move |row, rows| rows.push(run(row)))
    }

    /// Makes any number of rows from each row. It runs on the CPU, and must make the same of the same row
    /// at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::prelude::*;
    /// use keymill::arrow::schema::DataType;
    /// use keymill::stream::{MemorySink, MemoryStream, RowSource, Trigger};
    ///
    /// let (source, input) = MemoryStream::new();
    /// input.push("red green\ngreen\n");
    /// let results = MemorySink::new();
    /// Engine::new()?
    ///     .stream(RowSource::csv(source, [("tags", DataType::Utf8)])?)
    ///     .trigger(Trigger::AvailableNow)
    ///     .flat_map_rows([("tag", DataType::Utf8)], |row, rows| {
    ///         for tag in row.text("tags").unwrap_or("").split(' ') {
    ///             rows.push([tag.into()]);
    ///         }
    ///     })
    ///     .group_by(["tag"], ["count".parse()?])
    ///     .sink(results.clone())
    ///     .run()?;
    /// assert_eq!(results.epochs()[0].1[0].num_rows(), 2);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn flat_map_rows(
        self,
        columns: impl IntoIterator<Item = (&'static str, DataType)>,
        run: impl Fn(Row<'_>, &mut Rows) + Send + Sync + 'static,
    ) -> Self {
        let fields = columns.into_iter();
        let fields: Vec<Field> = fields
            .map(|(name, of)| Field::new(name, of, true))
            .collect();
        let schema = Schema::new(fields).into();
        self.then(FlatMapRows { schema, run })
    }

    /// Joins rows with a table in memory, by pairs of columns that must be equal: one of the stream, one of
    /// the table. The rows get the other columns of the table.
    pub fn join<S: Into<String>, T: Into<String>>(
        self,
        table: StaticTable,
        kind: JoinKind,
        on: impl IntoIterator<Item = (S, T)>,
    ) -> Self {
        let on = on
            .into_iter()
            .map(|(stream, table)| (stream.into(), table.into()));
        let on = on.collect();
        self.then(Join { table, kind, on })
    }

    fn then(mut self, step: impl RowTransform + 'static) -> Self {
        self.transforms.push(Box::new(step));
        self
    }

    /// Splits texts into tokens.
    pub fn tokenize(self, rule: impl IntoTokenRule) -> StreamTokens {
        StreamTokens {
            stream: self,
            rule: rule.into_token_rule(),
            lowercase: false,
        }
    }

    /// Groups rows by key columns, and computes aggregates of each group.
    pub fn group_by<I>(
        self,
        keys: I,
        aggregates: impl IntoIterator<Item = AggregateExpr>,
    ) -> KeyedStream
    where
        I: IntoIterator,
        I::Item: Into<Expr>,
    {
        self.keyed(Ok(Keyed::Rows {
            keys: keys.into_iter().map(Into::into).collect(),
            aggregates: aggregates.into_iter().collect(),
        }))
    }

    fn keyed(self, keyed: Result<Keyed>) -> KeyedStream {
        let env = Arc::clone(&self.engine.0);
        KeyedStream(keyed.map(|keyed| {
            let mut plan = QueryPlan::new(env, self.sources, keyed);
            plan.trigger = self.trigger;
            plan.transforms = self.transforms;
            plan
        }))
    }
}

/// A stream of tokens. Call [`StreamTokens::count_by_key`] next.
#[must_use = "a stream does nothing before it is started"]
pub struct StreamTokens {
    stream: StreamJob,
    rule: Result<TokenRule>,
    lowercase: bool,
}

impl StreamTokens {
    /// Maps every character to lower case first.
    pub fn lowercase(mut self) -> Self {
        self.lowercase = true;
        self
    }

    /// Counts equal tokens.
    pub fn count_by_key(self) -> KeyedStream {
        let lowercase = self.lowercase;
        let keyed = self.rule.and_then(|rule| {
            rule.check()?;
            Ok(Keyed::Tokens(TextCountJob { rule, lowercase }))
        });
        self.stream.keyed(keyed)
    }
}

/// A stream of groups: each epoch has its own, unless [`KeyedStream::update_state`] keeps them.
#[must_use = "a stream does nothing before it is started"]
pub struct KeyedStream(Result<QueryPlan>);

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
