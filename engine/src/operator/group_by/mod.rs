//! Groups rows by key columns, with any aggregates.
//!
//! ```text
//! batch ─▶ keys, arguments ─▶ one table ──(larger than the cache)──▶ a table per partition ─▶ disk
//!                               └───────────────┬───────────────────────────┴──────────────────┘
//!                                               └─▶ merge by partition ─▶ order ─▶ batches
//! ```
//!
//! The table holds dense group ids and an accumulator for each aggregate. If there are many groups,
//! rows are first partitioned by the stable hash of their keys (`hash_partition`), so that each table
//! stays in the cache. Partitions are also the unit of spilling and of parallel merging.

mod drain;
mod int_reducer;
mod memory_policy;
mod partition_rows;
mod partitions;
mod reduce;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};

use super::guard::Guard;
use super::{Batches, Drain, Input, Merged, Operator, OperatorMetrics, Order};
use crate::BatchLimits;
use crate::aggregate::AggregateExpr;
use crate::expr::Expr;
use crate::read::KeyedRows;
use crate::runtime::{Reservation, Resources, parallel};
use crate::spill::SpillSpace;
use crate::state::GroupShape;
use crate::state::schema::check_version;
use crate::{Error, ErrorKind, Result};
use memory_policy::Sizes;
use partitions::Partitions;

/// The columns, resources and sizes that all parts of an operator share.
#[derive(Clone, Debug)]
struct Context {
    shape: Arc<GroupShape>,
    resources: Resources,
    space: SpillSpace,
    sizes: Sizes,
}

/// Groups the rows of batches by key columns.
///
/// Rows whose keys have equal values are one group; all nulls are equal. The result has the keys and
/// the answer of each aggregate; see [`aggregate`](crate::aggregate).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use keymill::aggregate::{count_rows, sum};
/// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use keymill::{BatchLimits, Drain, GroupBy, Operator, Order, Resources, col};
///
/// let sites: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
/// let visits: ArrayRef = Arc::new(Int64Array::from(vec![3, 5, 4]));
/// let batch = RecordBatch::try_from_iter([("site", sites), ("visits", visits)])?;
///
/// let aggregates = [count_rows(), sum("visits")];
/// let resources = Resources::default();
/// let mut operator = GroupBy::new(&batch.schema(), &[col("site")], &aggregates, &resources)?;
/// operator.push(&batch)?;
/// for batch in operator.drain(Drain::Values, &Order::Key, BatchLimits::default())? {
///     assert_eq!(batch?.num_rows(), 2);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GroupBy {
    context: Context,
    partitions: Partitions,
    /// The position of the next row.
    position: i128,
    reservation: Reservation,
    metrics: OperatorMetrics,
    guard: Guard,
}

impl std::fmt::Debug for GroupBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupBy")
            .field("schema", self.context.shape.schema())
            .field("size", &self.size())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl GroupBy {
    /// Creates an empty operator for batches of the schema `input`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a column that does not exist or has an unsupported type, for two
    /// columns with the same name, without keys, and for a level that this machine lacks.
    pub fn new(
        input: &Schema,
        keys: &[Expr],
        aggregates: &[AggregateExpr],
        resources: &Resources,
    ) -> Result<Self> {
        let shape = GroupShape::new(input, keys, aggregates)?;
        Self::with_shape(Arc::new(shape), resources)
    }

    /// Creates an empty operator.
    pub(crate) fn with_shape(shape: Arc<GroupShape>, resources: &Resources) -> Result<Self> {
        resources.check_level()?;
        let resources = Resources {
            tuning: resources.tuning.fitting(),
            ..resources.clone()
        };
        let context = Context {
            sizes: Sizes::new(&resources),
            space: SpillSpace::new(resources.spill_dir.clone()),
            shape,
            resources,
        };
        Ok(Self {
            partitions: Partitions::new(&context)?,
            position: 0,
            reservation: context.resources.memory.reservation(),
            metrics: OperatorMetrics::default(),
            guard: Guard::default(),
            context,
        })
    }

    /// Limits the bytes written to disk; above the limit, the disk counts as full.
    pub fn limit_spill(&mut self, bytes: u64) {
        self.context.space.limit(bytes);
    }

    /// Runs a step. If it fails halfway, all later steps are refused.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.guard.begin(&self.context.resources.cancel)?;
        let result = step(self);
        self.guard.end(result)
    }

    fn push_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = self.context.shape.keys_of(batch)?;
        let arguments = self.context.shape.arguments_of(batch, self.position)?;
        let rows = batch.num_rows();
        self.position += rows as i128;
        self.metrics.rows += rows as u64;
        self.metrics.tokens += rows as u64;
        let columns = keys.iter().chain(&arguments);
        let mut left = self.context.sizes.steps(rows, columns);
        while let Some(some) = left.next(self.partitions.is_split()) {
            let slice = |column: &ArrayRef| column.slice(some.start, some.len());
            let keys: Vec<_> = keys.iter().map(slice).collect();
            let arguments: Vec<_> = arguments.iter().map(slice).collect();
            self.partitions.update(&self.context, keys, arguments)?;
            self.check_memory()?;
        }
        Ok(())
    }

    /// Returns whether it takes rows whose key is still in the text.
    pub(crate) fn takes_keyed(&self) -> bool {
        self.partitions.takes_spans()
    }

    /// Adds rows whose key is still in the text. Returns false, and adds none, if they must come as a batch.
    pub(crate) fn push_keyed(&mut self, rows: &KeyedRows<'_>) -> Result<bool> {
        self.guarded(|operator| {
            let Self {
                context,
                partitions,
                ..
            } = operator;
            let arguments = context
                .shape
                .arguments_of(&rows.others, operator.position)?;
            let taken = partitions.update_spans(context, rows.text, rows.keys, &arguments)?;
            if taken {
                operator.position += rows.keys.len() as i128;
                operator.metrics.rows += rows.keys.len() as u64;
                operator.metrics.tokens += rows.keys.len() as u64;
                operator.check_memory()?;
            }
            Ok(taken)
        })
    }

    /// Adds the state columns that a device computed from `rows` rows.
    #[cfg(feature = "gpu")]
    pub(crate) fn push_reduced(&mut self, states: &RecordBatch, rows: u64) -> Result<()> {
        self.guarded(|operator| {
            operator.check_state_columns(states)?;
            operator.metrics.rows += rows;
            operator.metrics.tokens += rows;
            operator.merge_states(states)
        })
    }

    fn push_states(&mut self, states: &RecordBatch) -> Result<()> {
        check_version(&states.schema(), "group_by")?;
        self.check_state_columns(states)?;
        self.metrics.state_rows += states.num_rows() as u64;
        self.merge_states(states)
    }

    fn merge_states(&mut self, states: &RecordBatch) -> Result<()> {
        let columns = states.columns().iter();
        let mut left = self.context.sizes.steps(states.num_rows(), columns);
        while let Some(some) = left.next(self.partitions.is_split()) {
            let states = states.slice(some.start, some.len());
            self.partitions.merge_states(&self.context, &states)?;
            self.check_memory()?;
        }
        Ok(())
    }

    fn check_state_columns(&self, states: &RecordBatch) -> Result<()> {
        let columns = |schema: &Schema| -> Vec<String> {
            let fields = schema.fields().iter();
            fields
                .map(|field| format!("{} {}", field.name(), field.data_type()))
                .collect()
        };
        let expected = columns(self.context.shape.state_schema());
        let found = columns(&states.schema());
        if expected == found {
            return Ok(());
        }
        let [expected, found] = [expected, found].map(|columns| columns.join(", "));
        let message =
            format!("state columns ({found}) were pushed where ({expected}) were expected");
        Err(Error::new(ErrorKind::Format, message))
    }

    fn is_like(&self, other: &Self) -> bool {
        let of = |one: &Self| {
            let Resources { seed, tuning, .. } = &one.context.resources;
            (*seed, tuning.partitions)
        };
        self.context.shape.is_like(&other.context.shape) && of(self) == of(other)
    }

    fn take_over(&mut self, other: &mut Self) -> Result<()> {
        if !self.is_like(other) || other.guard.is_incomplete() {
            return Err(Error::new(
                ErrorKind::Config,
                "merged operators must have the same columns and seed, and no earlier error; make them \
                with clones of one `Resources`",
            ));
        }
        self.metrics = self.metrics.plus(&other.metrics());
        let theirs = std::mem::replace(&mut other.partitions, Partitions::new(&other.context)?);
        self.partitions.absorb(&self.context, theirs)?;
        other.metrics = OperatorMetrics::default();
        // The spill file of the other operator belongs to this one now.
        other.context.space = other.context.space.another();
        other.reservation.set(other.size());
        self.check_budget(0)
    }
}

impl Operator for GroupBy {
    type Merged = MergedGroups;

    fn schema(&self) -> SchemaRef {
        self.context.shape.schema().clone()
    }

    fn state_schema(&self) -> SchemaRef {
        self.context.shape.state_schema().clone()
    }

    fn push<'a>(&mut self, input: impl Into<Input<'a>>) -> Result<()> {
        let input = input.into();
        self.guarded(|operator| match input {
            Input::Batch(batch) => operator.push_batch(batch),
            Input::Text(_) => Err(Error::new(
                ErrorKind::Config,
                "a group-by takes batches and no text; count the tokens of a text with a text count",
            )),
        })
    }

    fn at_row(&mut self, position: i128) {
        self.position = position;
    }

    fn push_state(&mut self, states: &RecordBatch) -> Result<()> {
        self.guarded(|operator| operator.push_states(states))
    }

    fn merge(&mut self, other: &mut Self) -> Result<()> {
        self.guarded(|operator| operator.take_over(other))
    }

    fn merge_all(operators: Vec<Self>) -> Result<MergedGroups> {
        let threads = operators.len();
        let operators = parallel::map(threads, operators, |mut operator| {
            operator.partitions.count_groups();
            Ok(operator)
        })?;
        let all_small = threads == 1 || operators.iter().all(|one| one.partitions.is_small());
        let mut operators = parallel::map(threads, operators, |mut operator| {
            if !all_small {
                operator.guarded(|one| one.partitions.split(&one.context))?;
            }
            Ok(operator)
        })?
        .into_iter();
        let mut whole = operators
            .next()
            .ok_or_else(|| Error::new(ErrorKind::Config, "there is no operator to merge"))?;
        operators.try_for_each(|mut other| whole.merge(&mut other))?;
        Ok(MergedGroups(whole))
    }

    fn size(&self) -> usize {
        self.partitions.size()
    }

    fn spill(&mut self) -> Result<u64> {
        self.guarded(|operator| {
            let before = operator.context.space.written();
            operator.spill_all()?;
            Ok(operator.context.space.written() - before)
        })
    }

    fn drain(&mut self, drain: Drain, order: &Order, limits: BatchLimits) -> Result<Batches> {
        self.guarded(|operator| operator.drain_all(drain, order, limits))
    }

    fn metrics(&self) -> OperatorMetrics {
        OperatorMetrics {
            spilled_bytes: self.metrics.spilled_bytes + self.context.space.written(),
            ..self.metrics
        }
    }
}

/// The groups of several workers, by partition; each partition is merged when it is drained.
#[derive(Debug)]
pub struct MergedGroups(GroupBy);

impl Merged for MergedGroups {
    fn groups_at_most(&self) -> usize {
        self.0.partitions.groups_at_most()
    }

    fn metrics(&self) -> OperatorMetrics {
        self.0.metrics()
    }

    fn drain(&mut self, drain: Drain, order: &Order, limits: BatchLimits) -> Result<Batches> {
        self.0.drain(drain, order, limits)
    }
}
