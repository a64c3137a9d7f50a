//! Aggregates: what is kept of the values of each group, and what is computed from that.
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

/// Every aggregate that has a name.
static ALL: [fn() -> Arc<dyn Aggregate>; 5] = [
    || Arc::new(count::Count),
    || Arc::new(sum::Sum),
    || Arc::new(min::Min),
    || Arc::new(max::Max),
    || Arc::new(mean::Mean),
];

/// A function of all values of a group.
///
/// The answer must not depend on the order of rows, nor on how they are split: `merge` is
/// associative and commutative.
pub trait Aggregate: fmt::Debug + Send + Sync {
    /// The name of the function: `sum`.
    fn name(&self) -> &'static str;

    /// The type of the answers for a type of values; `None` for an aggregate of rows, as `count(*)`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a type that it cannot take.
    fn output_type(&self, input: Option<&DataType>) -> Result<DataType>;

    /// The types of its state columns. Their values may be null.
    ///
    /// # Errors
    ///
    /// As for [`Aggregate::output_type`].
    fn state_types(&self, input: Option<&DataType>) -> Result<Vec<DataType>>;

    /// Makes an accumulator without groups.
    ///
    /// # Errors
    ///
    /// As for [`Aggregate::output_type`].
    fn accumulator(&self, input: Option<&DataType>, level: Level) -> Result<Box<dyn Accumulator>>;

    /// Which value of its integers each state column holds; `None` if the state does not follow from
    /// these.
    ///
    /// Such an aggregate also runs on the stage `reduce_by_key`, on the processor and on devices.
    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        None
    }
}

/// What `reduce_by_key` computes of the integer values of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntegerValue {
    /// How many values there are, as `UInt64`.
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
    /// Grows to `groups` groups. A new group has no value yet.
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

    /// The state columns of some groups.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] for a state that no column can hold.
    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>>;

    /// The answers of some groups.
    ///
    /// # Errors
    ///
    /// [`FinishError::Overflow`] when the type of the answers cannot hold one of them.
    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError>;

    /// Makes some groups as they were when they were new: without a value. A merge after that replaces
    /// their state.
    fn reset(&mut self, groups: &[u32]);

    /// Forgets all groups, and keeps the memory.
    fn clear(&mut self);

    /// How many bytes of memory it holds.
    fn size(&self) -> usize;
}

/// Why an answer cannot be given.
#[derive(Debug)]
#[non_exhaustive]
pub enum FinishError {
    /// The type of the answers cannot hold the total of a group.
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

/// The aggregate of that name.
///
/// # Errors
///
/// [`ErrorKind::Config`] when there is none.
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

/// The error of an aggregate for a type that it cannot take.
fn cannot_take(name: &str, input: Option<&DataType>) -> Error {
    let message = match input {
        Some(input) => format!("`{name}` takes integers and floats, and not {input}"),
        None => format!("`{name}` needs a column"),
    };
    Error::new(ErrorKind::Config, message)
}

/// The error of state columns that do not belong to an aggregate.
fn not_its_state(name: &str) -> Error {
    let message = format!("these columns are not the state of `{name}`");
    Error::new(ErrorKind::State, message)
}

#[cfg(test)]
mod tests;
