//! Builds a stream query.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::aggregate::AggregateExpr;
use crate::exec::TextCountJob;
use crate::expr::{Expr, RowSteps};
use crate::operator::Order;
use crate::stream::{
    Delivery, Faults, Keyed, KillPoint, OutputMode, QueryPlan, Sink, StateUpdate, StreamProgress,
    StreamQuery, StreamSource, Trigger,
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
    trigger: Trigger,
    steps: RowSteps,
}

impl StreamJob {
    pub(super) fn new(engine: Engine, source: impl Into<Box<dyn StreamSource>>) -> Self {
        Self {
            engine,
            sources: vec![source.into()],
            trigger: Trigger::AsFastAsPossible,
            steps: RowSteps::default(),
        }
    }

    /// Keeps the rows for which a condition is true, and not null.
    pub fn filter(mut self, condition: impl Into<Expr>) -> Self {
        self.steps.filter(condition.into());
        self
    }

    /// Replaces the columns of rows. Steps after this one see the new columns only.
    pub fn select<I>(mut self, columns: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Expr>,
    {
        let columns = columns.into_iter().map(Into::into);
        self.steps.select(columns.collect());
        self
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
        let steps = self.steps.clone();
        self.keyed(Ok(Keyed::Rows {
            steps,
            keys: keys.into_iter().map(Into::into).collect(),
            aggregates: aggregates.into_iter().collect(),
        }))
    }

    fn keyed(self, keyed: Result<Keyed>) -> KeyedStream {
        let env = Arc::clone(&self.engine.0);
        KeyedStream(keyed.map(|keyed| {
            let mut plan = QueryPlan::new(env, self.sources, keyed);
            plan.trigger = self.trigger;
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
            if !self.stream.steps.is_empty() {
                let message = "a stream of text has no columns to filter or select";
                return Err(crate::Error::new(crate::ErrorKind::Config, message));
            }
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

    /// Sets which groups an epoch writes. The default is those that changed.
    pub fn mode(self, mode: OutputMode) -> Self {
        self.with(|plan| plan.mode = Some(mode))
    }

    /// Sets the order of the rows of an epoch. The default is by count for tokens, and by key for rows.
    pub fn order_by(self, order: Order) -> Self {
        self.with(|plan| plan.order = Some(order))
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
