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

mod byte_values;
mod call;
mod decimal_totals;
mod dyadic;
mod extreme;
mod input;
mod lists;
mod moments;
mod numbers;
mod ordered;
#[cfg(feature = "sql")]
mod parse;

use std::fmt;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::{Error, ErrorKind, Level, Result};

pub use call::AggregateExpr;
#[cfg(feature = "gpu")]
pub(crate) use input::{integer_bits, integer_column_of_bits};
pub(crate) use input::{integer_column, integers_of};

/// Registers aggregates: the file, and the functions that create calls of what it has.
macro_rules! aggregates {
    ($($file:ident: $($function:ident)+;)+) => {
        $(mod $file;)+
        $(pub use $file::{$($function),+};)+

        /// All aggregates.
        static ALL: &[&[Entry]] = &[$($file::ENTRIES),+];
    };
}

aggregates! {
    count: count count_rows;
    sum: sum;
    mean: mean;
    min: min any;
    max: max;
    product: product;
    bits: bit_and bit_or bit_xor;
    variance: var var_pop stddev stddev_pop;
    regression: corr covar covar_pop slope intercept r2;
    quantile: median quantile;
    top: top;
    distinct: count_distinct;
    approx_distinct: approx_distinct;
    first: first last;
    string_agg: string_agg;
}

/// The type of the column of row positions, which aggregates of ordered rows get as their last column.
pub(crate) const POSITION: DataType = DataType::Decimal128(38, 0);

/// What the text form of an aggregate needs.
pub(crate) struct Entry {
    name: &'static str,
    /// How it is written, for messages.
    usage: &'static str,
    /// Number of columns that it takes, at least and at most.
    inputs: (usize, usize),
    /// Number of values after the columns.
    parameters: usize,
    make: fn(&[String]) -> Result<Arc<dyn Aggregate>>,
}

impl Entry {
    /// Describes an aggregate of `inputs` columns, without parameters.
    const fn new(
        name: &'static str,
        usage: &'static str,
        inputs: usize,
        make: fn(&[String]) -> Result<Arc<dyn Aggregate>>,
    ) -> Self {
        Self {
            name,
            usage,
            inputs: (inputs, inputs),
            parameters: 0,
            make,
        }
    }

    /// Sets the number of values after the columns.
    const fn with_parameters(self, parameters: usize) -> Self {
        Self { parameters, ..self }
    }
}

/// Returns the names of all aggregates, each with an example of how it is written.
///
/// # Examples
///
/// ```
/// use keymill::aggregate::names;
///
/// assert!(names().any(|(name, usage)| (name, usage) == ("quantile", "quantile(x, 0.9)")));
/// ```
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    entries().map(|entry| (entry.name, entry.usage))
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    ALL.iter().copied().flatten()
}

/// A function of all values of a group.
///
/// The answer must not depend on how rows are split, and depends on their order only through the position
/// that each row has in the whole input: `merge` is associative and commutative.
pub trait Aggregate: fmt::Debug + Send + Sync {
    /// Returns the name of the function: `sum`.
    fn name(&self) -> &'static str;

    /// Returns what is written after the columns: `0.9` in `quantile(x, 0.9)`.
    fn parameters(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the type of the answers. `inputs` are the types of its columns; none for an aggregate of
    /// rows, like `count(*)`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an unsupported type.
    fn output_type(&self, inputs: &[DataType]) -> Result<DataType>;

    /// Returns the types of its state columns. Their values may be null.
    ///
    /// # Errors
    ///
    /// As for [`Aggregate::output_type`].
    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>>;

    /// Creates an accumulator without groups.
    ///
    /// # Errors
    ///
    /// As for [`Aggregate::output_type`].
    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>>;

    /// Returns whether the answer depends on the order of rows. The accumulator then gets the position of
    /// each row in the input as one more column, of `Decimal128(38, 0)`.
    fn is_ordered(&self) -> bool {
        false
    }

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

    /// Adds a batch: row `i` belongs to group `ids[i]`. Rows with a null value are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for values of another type than the accumulator was made for.
    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()>;

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
        /// Its total, as text.
        total: String,
    },
    /// Anything else.
    Other(Error),
}

impl From<Error> for FinishError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Returns what is known of the aggregate with a name.
///
/// # Errors
///
/// [`ErrorKind::Config`] for an unknown name.
fn entry(name: &str) -> Result<&'static Entry> {
    entries().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<_> = entries().map(|entry| entry.name).collect();
        let names = names.join(", ");
        let message = format!("there is no aggregate `{name}`; there are {names}");
        Error::new(ErrorKind::Config, message)
    })
}

/// Returns the error of an aggregate for unsupported types. `takes` says what it takes.
fn cannot_take(name: &str, takes: &str, inputs: &[DataType]) -> Error {
    let message = match inputs {
        [] => format!("`{name}` needs a column"),
        inputs => {
            let found: Vec<String> = inputs.iter().map(ToString::to_string).collect();
            let found = found.join(" and ");
            format!("`{name}` takes {takes}, and not {found}; cast the column")
        }
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
