//! Builds a stream query.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};

use super::{Engine, KeyedStream};
use crate::aggregate::AggregateExpr;
use crate::exec::TextCountJob;
use crate::expr::{Expr, RowSteps};
use crate::stream::{
    Distinct, FilterRows, FlatMapRows, Join, JoinKind, Keyed, QueryPlan, Row, RowTransform, Rows,
    StaticTable, StreamSource, Trigger, Value,
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
    /// What removes duplicates, and how many steps come before it.
    distinct: Option<(Distinct, usize)>,
    trigger: Trigger,
}

impl StreamJob {
    pub(super) fn new(engine: Engine, source: impl Into<Box<dyn StreamSource>>) -> Self {
        Self {
            engine,
            sources: vec![source.into()],
            transforms: Vec::new(),
            distinct: None,
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

    /// Leaves out rows whose values of these columns have come before: of all rows with the same values the
    /// first one stays. Call it after all other steps over rows.
    ///
    /// With a window that has a watermark, values are remembered as long as a row of the same time is not
    /// late, and at least for the delay of the watermark. Without one they are remembered for ever; see
    /// [`StreamJob::drop_duplicates_within`]. Late rows are left out before.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::prelude::*;
    /// use keymill::arrow::schema::DataType;
    /// use keymill::stream::{MemorySink, MemoryStream, RowSource, Trigger, sum};
    ///
    /// let (source, input) = MemoryStream::new();
    /// input.push("1,a\n2,a\n1,a\n");
    /// input.push("2,a\n3,b\n");
    /// let results = MemorySink::new();
    /// Engine::new()?
    ///     .stream(RowSource::csv(source, [("id", DataType::Int64), ("site", DataType::Utf8)])?)
    ///     .trigger(Trigger::AvailableNow)
    ///     .drop_duplicates(["id"])
    ///     .group_by(["site"], ["count".parse()?])
    ///     .update_state(sum())
    ///     .sink(results.clone())
    ///     .run()?;
    /// // The second epoch has one new row, of `b`.
    /// assert_eq!(results.epochs()[1].1[0].num_rows(), 1);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn drop_duplicates<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        self.distinct_on(columns, None)
    }

    /// Leaves out rows whose values of these columns have come before within a time: values are forgotten
    /// when this time has passed since the epoch of their first row, or up to a sixteenth later.
    pub fn drop_duplicates_within<C: Into<String>>(
        self,
        columns: impl IntoIterator<Item = C>,
        time: Duration,
    ) -> Self {
        self.distinct_on(columns, Some(time))
    }

    fn distinct_on<C: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = C>,
        within: Option<Duration>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.distinct = Some((Distinct { columns, within }, self.transforms.len()));
        self
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
            plan.distinct = self.distinct;
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
