//! Accumulators: running values of an aggregate, one array indexed by group id.
//!
//! ```text
//! ids     0  1  0  2        (from a key table)
//! values  5  7  1  –        sum.update(ids, values)
//! sum     6  7  null        sum.total(id)
//! ```
//!
//! Every accumulator is used in the same way: `resize` to the number of groups, then `update` with
//! the ids and values of a batch, then read by id. `update_valid` skips the rows that are null, and
//! a group all of whose rows were null has no value. All answers are exact, so they do not depend on
//! the order of rows, on how they were split, or on the order of merges.
#![forbid(unsafe_code)]

mod count;
mod extreme;
mod float_sum;
mod seen;
mod sum;
mod validity;

pub use count::Count;
pub use extreme::{Choice, Extreme, Larger, Max, Min, Ordered, Smaller};
pub use float_sum::{BrokenState, FloatSum, FloatWindow};
pub use sum::{Sum, SumInput, SumOverflow};
pub use validity::Validity;

#[cfg(test)]
mod tests;
