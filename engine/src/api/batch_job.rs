//! Jobs over Arrow batches.
#![forbid(unsafe_code)]

use std::collections::HashSet;

use super::explain::AggregatePlan;
use super::{Engine, Groups, ResultStream, TextJob};
use crate::aggregate::{AggregateExpr, count_rows};
use crate::exec::{self, GroupByJob, Job, JobInput, JobOptions};
use crate::expr::{Expr, RowSteps, col, lit};
use crate::operator::arrange::{Arrangement, arrange, or_else};
use crate::operator::{Drain, Order};
use crate::read::RecordBatches;
use crate::state::{GroupShape, ONE_GROUP};
use crate::{BatchLimits, Cancel, Progress, Result};

/// A job over Arrow batches. Call [`BatchJob::group_by`] or [`BatchJob::column`] next, or
/// [`BatchJob::collect`] for its rows.
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct BatchJob {
    pub(super) engine: Engine,
    pub(super) batches: RecordBatches,
    pub(super) steps: RowSteps,
    pub(super) options: JobOptions,
}

impl BatchJob {
    pub(super) fn new(engine: Engine, batches: RecordBatches) -> Self {
        Self {
            engine,
            batches,
            steps: RowSteps::default(),
            options: JobOptions::default(),
        }
    }

    /// Sets a flag that stops the job within a tenth of a second.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel = cancel.clone();
        self
    }

    /// Sets the progress object that the job updates. Keep a clone to read it.
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.options.progress = progress.clone();
        self
    }

    /// The columns of the rows, after all steps.
    #[cfg(feature = "sql")]
    pub(super) fn schema(&mut self) -> Result<arrow_schema::SchemaRef> {
        let schema = self.batches.schema()?;
        Ok(self.steps.bind(&schema)?.schema().clone())
    }

    /// Keeps the rows for which a condition is true, and not null.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    /// use keymill::aggregate::sum;
    /// use keymill::prelude::*;
    ///
    /// let sites: ArrayRef = Arc::new(StringArray::from(vec!["a.org", "b.com", "a.org"]));
    /// let visits: ArrayRef = Arc::new(Int64Array::from(vec![3, 5, 0]));
    /// let batch = RecordBatch::try_from_iter([("site", sites), ("visits", visits)])?;
    ///
    /// let totals = Engine::new()?
    ///     .read_batches([batch])
    ///     .filter(col("visits").gt(lit(0)))
    ///     .group_by([col("site").upper()])
    ///     .agg([sum(col("visits") * lit(2)).alias("twice")])
    ///     .having(col("twice").lt(lit(10)))
    ///     .collect()?;
    /// assert_eq!(totals.num_rows(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(mut self, condition: impl Into<Expr>) -> Self {
        self.steps.filter(condition.into());
        self
    }

    /// Replaces the columns. Steps after this one see the new columns only.
    pub fn select<I>(mut self, columns: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Expr>,
    {
        let columns = columns.into_iter().map(Into::into);
        self.steps.select(columns.collect());
        self
    }

    /// Reads a column of strings or binaries as text. Each row is a record, and its end ends a token.
    pub fn column(self, column: impl Into<Expr>) -> TextJob {
        let batches = self.batches.with_steps(&self.steps, None);
        let input = batches.map(|batches| JobInput::Batches(batches.project(column.into())));
        TextJob::new(self.engine, input).with_options(self.options)
    }

    /// Computes aggregates of all rows: a result of one row, also without input.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keymill::aggregate::{count_rows, sum};
    /// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use keymill::prelude::*;
    ///
    /// let visits: ArrayRef = Arc::new(Int64Array::from(vec![3, 5, 4]));
    /// let batch = RecordBatch::try_from_iter([("visits", visits)])?;
    /// let total = Engine::new()?.read_batches([batch]).agg([sum("visits"), count_rows()]).collect()?;
    /// assert_eq!((total.num_rows(), total.schema().fields().len()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn agg(self, aggregates: impl IntoIterator<Item = AggregateExpr>) -> AggregateJob {
        let job = self.group_by([lit(true).alias(ONE_GROUP)]).agg(aggregates);
        let names = job.aggregates.iter().map(|it| col(it.output_name()));
        let names = names.collect::<Vec<_>>();
        AggregateJob {
            one_group: true,
            ..job.select(names)
        }
    }

    /// Groups rows by key columns. Rows with equal values form a group; null is equal to null.
    pub fn group_by<I>(self, keys: I) -> GroupByKeys
    where
        I: IntoIterator,
        I::Item: Into<Expr>,
    {
        GroupByKeys {
            keys: keys.into_iter().map(Into::into).collect(),
            input: self,
        }
    }
}

/// A job with groups. Call [`GroupByKeys::agg`] next.
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct GroupByKeys {
    input: BatchJob,
    keys: Vec<Expr>,
}

impl GroupByKeys {
    /// Computes aggregates of each group, see [`aggregate`](crate::aggregate).
    pub fn agg(self, aggregates: impl IntoIterator<Item = AggregateExpr>) -> AggregateJob {
        AggregateJob {
            aggregates: aggregates.into_iter().collect(),
            keys: self.keys,
            input: self.input,
            arrangement: Arrangement::default(),
            one_group: false,
        }
    }

    /// Counts the rows of each group.
    pub fn count(self) -> AggregateJob {
        self.agg([count_rows()])
    }
}

/// A job that groups rows and computes aggregates.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use keymill::aggregate::{count_rows, sum};
/// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use keymill::prelude::*;
///
/// let sites: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
/// let visits: ArrayRef = Arc::new(Int64Array::from(vec![3, 5, 4]));
/// let batch = RecordBatch::try_from_iter([("site", sites), ("visits", visits)])?;
///
/// let job = Engine::new()?.read_batches([batch]).group_by(["site"]);
/// let job = job.agg([sum("visits").alias("total"), count_rows()]);
/// let by_total = Order::Columns(vec![OrderBy::new("total").descending()]);
/// for batch in job.stream(by_total, BatchLimits::default().top(10))? {
///     assert_eq!(batch?.num_columns(), 3);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct AggregateJob {
    pub(super) input: BatchJob,
    pub(super) keys: Vec<Expr>,
    pub(super) aggregates: Vec<AggregateExpr>,
    pub(super) arrangement: Arrangement,
    /// Whether there is a group even without rows: all keys are constants.
    pub(super) one_group: bool,
}

impl AggregateJob {
    /// Keeps the groups for which a condition over keys and answers is true, and not null.
    pub fn having(mut self, condition: impl Into<Expr>) -> Self {
        let condition = condition.into();
        self.arrangement.having = Some(match self.arrangement.having.take() {
            Some(before) => before.and(condition),
            None => condition,
        });
        self
    }

    /// Replaces the columns of the result by expressions over keys and answers.
    pub fn select<I>(mut self, columns: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Expr>,
    {
        let columns = columns.into_iter().map(Into::into);
        self.arrangement.select = Some(columns.collect());
        self
    }

    /// Runs the job and returns all groups in memory, ordered by key.
    ///
    /// # Errors
    ///
    /// Those of [`AggregateJob::stream`].
    pub fn collect(self) -> Result<Groups> {
        Groups::collect(self.stream(Order::Key, BatchLimits::default())?)
    }

    /// Runs the job and returns a stream of group batches, in bounded memory.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for columns that do not exist or have unsupported types,
    /// [`Device`](crate::ErrorKind::Device) where a GPU was requested and none can be used,
    /// [`Source`](crate::ErrorKind::Source) for batches that cannot be read,
    /// [`Format`](crate::ErrorKind::Format) for batches with another schema than the first one,
    /// [`Capacity`](crate::ErrorKind::Capacity) for a sum that does not fit its type and for a full spill
    /// disk, and [`Cancelled`](crate::ErrorKind::Cancelled).
    pub fn stream(self, order: Order, limits: BatchLimits) -> Result<ResultStream> {
        let Self {
            input,
            keys,
            aggregates,
            arrangement,
            one_group,
        } = self;
        let used = columns_of(&keys, &aggregates);
        let mut batches = input.batches.with_steps(&input.steps, Some(used))?;
        let shape = GroupShape::new(&*batches.schema()?, &keys, &aggregates)?;
        let arranged = arrangement.over_groups(&shape, &order)?;
        let (of_groups, most) = match arranged {
            Some(_) => (Order::None, BatchLimits::default()),
            None => (order, limits),
        };
        let empty = match one_group {
            true => Some(shape.group_without_rows(input.engine.level())?),
            false => None,
        };
        let job = GroupByJob::new(shape);
        let counts = batches.counts();
        let mut output = exec::run(
            input.engine.env(),
            &job,
            JobInput::Batches(batches),
            &input.options,
            Drain::Values,
            &of_groups,
            most,
        )?;
        if let Some(empty) = empty {
            output.batches = or_else(output.batches, empty);
        }
        if let Some(arrangement) = arranged {
            output.batches = arrange(output.batches, &arrangement, limits, &output.resources)?;
        }
        Ok(ResultStream::new(input.engine, output, counts))
    }

    /// Says what the job will do, where, and why. It groups nothing, and reads the first batch where the
    /// columns are not known otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use keymill::prelude::*;
    ///
    /// let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
    /// let batch = RecordBatch::try_from_iter([("id", ids)])?;
    /// let mut job = Engine::new()?.read_batches([batch]).group_by(["id"]).count();
    /// assert!(job.explain().contains("aggregates  count(*)"));
    /// assert_eq!(job.collect()?.num_rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn explain(&mut self) -> String {
        let job = self.shape().map(GroupByJob::new);
        self.input.batches.keep_rows(&self.input.steps);
        let rows = self.input.batches.estimate();
        let key = job.as_ref().ok().and_then(GroupByJob::text_key);
        let key = key.filter(|_| self.input.steps.is_empty());
        let keys_stay = key.is_some_and(|key| self.input.batches.group_by(key));
        AggregatePlan::new(self, rows, keys_stay, &job).to_string()
    }

    /// The columns of the job; the error says why they are not known.
    fn shape(&mut self) -> std::result::Result<GroupShape, String> {
        let schema = self.input.batches.peek_schema()?;
        let steps = self.input.steps.bind(&schema);
        let schema = steps.map_err(|error| error.to_string())?.schema().clone();
        let shape = GroupShape::new(&schema, &self.keys, &self.aggregates);
        shape.map_err(|error| error.to_string())
    }
}

/// The columns that keys and aggregates use.
fn columns_of(keys: &[Expr], aggregates: &[AggregateExpr]) -> HashSet<String> {
    let inputs = aggregates.iter().flat_map(AggregateExpr::inputs);
    let mut used = HashSet::new();
    for expr in keys.iter().chain(inputs) {
        expr.each_column(&mut |name| used.extend([name.to_owned()]));
    }
    used
}
