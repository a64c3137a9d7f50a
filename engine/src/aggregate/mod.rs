//! Aggregates: the state that is kept for each group, and the answer that is computed from it.
//!
//! ```text
//! update(group ids, values) ─▶ accumulator ─▶ finish ─▶ one value a group
//!                                 ▲    └───── state ──▶ state columns: spill, merge, checkpoint
//!                                 └───────── merge ◀──┘
//! ```
//!
//! An aggregate is one file here, and one line in the list `ALL`.
#![forbid(unsafe_code)]

mod call;
mod count;
mod extreme;
mod input;
mod max;
mod mean;
mod min;
#[cfg(feature = "sql")]
mod parse;
mod sum;

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::{Error, ErrorKind, Level, Result};

pub use call::AggregateExpr;
pub use count::{count, count_rows};
#[cfg(feature = "gpu")]
pub(crate) use input::{integer_bits, integer_column_of_bits};
pub(crate) use input::{integer_column, integers_of};
pub use max::max;
pub use mean::mean;
pub use min::min;
pub use sum::sum;

/// All aggregates.
static ALL: [fn() -> Arc<dyn Aggregate>; 5] = [
    || Arc::new(count::Count),
    || Arc::new(sum::Sum),
    || Arc::new(min::Min),
    || Arc::new(max::Max),
    || Arc::new(mean::Mean),
];

/// A function of all values of a group.
///
/// The answer must not depend on the order of rows or on how they are split: `merge` is associative
/// and commutative.
pub trait Aggregate: fmt::Debug + Send + Sync {
    /// Returns the name of the function: `sum`.
    fn name(&self) -> &'static str;

    /// Returns the type of the answers. `input` is the type of the values; `None` for an aggregate of
    /// rows, like `count(*)`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an unsupported type.
    fn output_type(&self, input: Option<&DataType>) -> Result<DataType>;

    /// Returns the types of its state columns. Their values may be null.
    ///
    /// # Errors
    ///
    /// As for [`Aggregate::output_type`].
    fn state_types(&self, input: Option<&DataType>) -> Result<Vec<DataType>>;

    /// Creates an accumulator without groups.
    ///
    /// # Errors
    ///
    /// As for [`Aggregate::output_type`].
    fn accumulator(&self, input: Option<&DataType>, level: Level) -> Result<Box<dyn Accumulator>>;

    /// Returns which value of integers each state column holds; `None` if the state cannot be computed
    /// from these values.
    ///
    /// An aggregate with an integer form also runs on the stage `reduce_by_key`, on the CPU and on devices.
    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        None
    }
}

/// A value that `reduce_by_key` computes from the integers of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntegerValue {
    /// The number of values, as `UInt64`.
    Count,
    /// Their exact sum, as `Decimal128(38, 0)`.
    Sum,
    /// The smallest value, in the type of the values.
    Min,
    /// The largest value, in the type of the values.
    Max,
}

/// The running values of one aggregate, indexed by group id.
pub trait Accumulator: Send + Sync {
    /// Grows to `groups` groups. New groups have no values.
    fn resize(&mut self, groups: usize);

    /// Adds a batch: row `i` belongs to group `ids[i]`. Null values are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for values of another type than the accumulator was made for.
    fn update(&mut self, ids: &[u32], values: Option<&dyn Array>) -> Result<()>;

    /// Merges the state of other groups: row `i` of the state columns belongs to group `ids[i]`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] for columns that are not the state of this aggregate.
    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()>;

    /// Returns the state columns of some groups.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] for a state that does not fit in a column.
    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>>;

    /// Returns the answers of some groups.
    ///
    /// # Errors
    ///
    /// [`FinishError::Overflow`] for an answer that does not fit its type.
    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError>;

    /// Resets some groups to no values. A merge then replaces their state.
    fn reset(&mut self, groups: &[u32]);

    /// Removes all groups and keeps the memory.
    fn clear(&mut self);

    /// Returns the bytes of memory that it uses.
    fn size(&self) -> usize;
}

/// The error of an answer that cannot be computed.
#[derive(Debug)]
#[non_exhaustive]
pub enum FinishError {
    /// The total of a group does not fit in the type of the answers.
    Overflow {
        /// The group.
        group: u32,
        /// Its total.
        total: i128,
    },
    /// Anything else.
    Other(Error),
}

impl From<Error> for FinishError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Returns the aggregate with a name.
///
/// # Errors
///
/// [`ErrorKind::Config`] for an unknown name.
pub(crate) fn by_name(name: &str) -> Result<Arc<dyn Aggregate>> {
    let mut all = ALL.iter().map(|make| make());
    all.find(|aggregate| aggregate.name() == name)
        .ok_or_else(|| {
            let names: Vec<_> = ALL.iter().map(|make| make().name()).collect();
            let names = names.join(", ");
            let message = format!("there is no aggregate `{name}`; there are {names}");
            Error::new(ErrorKind::Config, message)
        })
}

/// Returns the error of an aggregate for an unsupported type.
fn cannot_take(name: &str, input: Option<&DataType>) -> Error {
    let message = match input {
        Some(input) => format!("`{name}` takes integers and floats, and not {input}"),
        None => format!("`{name}` needs a column"),
    };
    Error::new(ErrorKind::Config, message)
}

/// Returns the error for state columns that do not belong to an aggregate.
fn not_its_state(name: &str) -> Error {
    let message = format!("these columns are not the state of `{name}`");
    Error::new(ErrorKind::State, message)
}

#[cfg(test)]
mod tests;
