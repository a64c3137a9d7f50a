//! Keyed aggregations: pushed to, merged, spilled and drained.
//!
//! ```text
//! text, batches ─ push ─▶ ┐                       ┌─ drain ─▶ values, in any order
//!                         ├▶ operator ─ merge_all ┤
//! state columns ─ push ─▶ ┘     │                 └─ drain ─▶ state columns
//!                               └─ spill ─▶ state columns on disk
//! ```
//!
//! There are two: [`TextCount`] and [`GroupBy`]. The code that runs them uses only the trait.
#![forbid(unsafe_code)]

pub(crate) mod arrange;
mod batches;
mod drain;
mod group_by;
mod guard;
mod metrics;
pub(crate) mod ordering;
mod sort_columns;
pub(crate) mod text_count;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{BatchLimits, Result};

pub use batches::Batches;
pub(crate) use batches::{BatchReader, BatchSource};
pub use drain::{Drain, Order, OrderBy};
pub use group_by::GroupBy;
pub use metrics::OperatorMetrics;
pub use text_count::TextCount;

/// Input of an operator.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A text, whose end is the end of a record.
    Text(&'a [u8]),
    /// Rows of columns.
    Batch(&'a RecordBatch),
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self::Text(text)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Input<'a> {
    fn from(text: &'a [u8; N]) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Vec<u8>> for Input<'a> {
    fn from(text: &'a Vec<u8>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a str> for Input<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.as_bytes())
    }
}

impl<'a> From<&'a RecordBatch> for Input<'a> {
    fn from(batch: &'a RecordBatch) -> Self {
        Self::Batch(batch)
    }
}

/// A keyed aggregation.
///
/// It is `Send`, has no clock and starts no threads. Its memory is taken from
/// [`Resources::memory`](crate::Resources::memory), which operators share. If that is exceeded, groups
/// are spilled to an unlinked file in [`Resources::spill_dir`](crate::Resources::spill_dir). The answer
/// is the same for every budget, thread count, order of merges and split of the input.
///
/// After an error of the kinds [`Format`](crate::ErrorKind::Format) and
/// [`Config`](crate::ErrorKind::Config) the operator is as it was before the call. After any other
/// error it is incomplete, and refuses every further call with the kind
/// [`State`](crate::ErrorKind::State).
pub trait Operator: Send + Sized {
    /// Several operators of this kind that are drained together.
    type Merged: Merged;

    /// Returns the schema of the values.
    fn schema(&self) -> SchemaRef;

    /// Returns the schema of the state columns. Its metadata has their version.
    fn state_schema(&self) -> SchemaRef;

    /// Adds a text or a batch.
    ///
    /// # Errors
    ///
    /// [`Format`](crate::ErrorKind::Format) for unsupported input,
    /// [`Cancelled`](crate::ErrorKind::Cancelled), [`Capacity`](crate::ErrorKind::Capacity) and
    /// [`State`](crate::ErrorKind::State) from spilling.
    fn push<'a>(&mut self, input: impl Into<Input<'a>>) -> Result<()>;

    /// Sets the position of the next row that is pushed; later rows follow it. A new operator starts at 0.
    ///
    /// Only aggregates that depend on the order of rows use it, such as `first`. Operators that are merged
    /// later need it if each gets a part of one input: otherwise rows of both have equal positions.
    fn at_row(&mut self, _position: i128) {}

    /// Merges state columns that an operator of the same kind has drained.
    ///
    /// # Errors
    ///
    /// [`Format`](crate::ErrorKind::Format) for other columns, [`State`](crate::ErrorKind::State) for
    /// a version that this release does not read, and those of [`Operator::push`].
    fn push_state(&mut self, states: &RecordBatch) -> Result<()>;

    /// Moves all groups of another operator here. The other operator is then empty.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) if the other one was made for another job, or with other
    /// [`Resources`](crate::Resources) than a clone of the same; both are then unchanged. And those of
    /// [`Operator::push`].
    fn merge(&mut self, other: &mut Self) -> Result<()>;

    /// Merges the operators of several workers.
    ///
    /// # Errors
    ///
    /// Those of [`Operator::merge`], and [`Config`](crate::ErrorKind::Config) without an operator.
    fn merge_all(operators: Vec<Self>) -> Result<Self::Merged>;

    /// Returns the bytes of memory of the groups.
    fn size(&self) -> usize;

    /// Moves all groups to disk, and returns the number of bytes written.
    ///
    /// # Errors
    ///
    /// [`Capacity`](crate::ErrorKind::Capacity) when the spill folder is full,
    /// [`State`](crate::ErrorKind::State) when it cannot be written to, and
    /// [`Cancelled`](crate::ErrorKind::Cancelled).
    fn spill(&mut self) -> Result<u64>;

    /// Drains all groups. The operator is then empty.
    ///
    /// Reducing and sorting use the threads of the rayon pool that this, and then
    /// [`Batches::next`], are called in, up to [`Resources::threads`](crate::Resources::threads);
    /// outside of a pool they use only the caller's thread.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for an order by an unknown column, and those of
    /// [`Operator::spill`].
    fn drain(&mut self, drain: Drain, order: &Order, limits: BatchLimits) -> Result<Batches>;

    /// Returns the metrics of the operator, and of those that were merged into it.
    fn metrics(&self) -> OperatorMetrics;
}

/// Operators of several workers that are drained together.
pub trait Merged: Send {
    /// Returns an upper bound of the number of groups: a key of several operators counts several times.
    fn groups_at_most(&self) -> usize;

    /// Returns the sum of the metrics of all operators.
    fn metrics(&self) -> OperatorMetrics;

    /// Drains all groups; see [`Operator::drain`].
    ///
    /// # Errors
    ///
    /// Those of [`Operator::drain`].
    fn drain(&mut self, drain: Drain, order: &Order, limits: BatchLimits) -> Result<Batches>;
}
