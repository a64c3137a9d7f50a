//! Accumulators: the running values of an aggregate, as arrays indexed by group id.
//!
//! ```text
//! ids     0  1  0  2        (from a key table)
//! values  5  7  1  –        sum.update(ids, values)
//! sum     6  7  null        sum.total(id)
//! ```
//!
//! All accumulators are used in the same way: `resize` to the number of groups, `update` with the
//! ids and values of a batch, then read by id. `update_valid` skips rows that are null; a group
//! with only null rows has no value. All results are exact, so they do not depend on the order of
//! rows, on how rows were split, or on the order of merges.
#![forbid(unsafe_code)]

mod count;
mod extreme;
mod float_sum;
mod product_sum;
mod seen;
mod sum;
mod validity;

pub use count::Count;
pub use extreme::{Choice, Extreme, Larger, Max, Min, Ordered, Smaller};
pub use float_sum::{BrokenState, FloatSum, FloatWindow, nearest};
pub use product_sum::{ExactTotal, Factor, ProductSum};
pub use sum::{Sum, SumInput, SumOverflow};
pub use validity::Validity;

#[cfg(test)]
mod tests;
