//! Ordered output: sorts batches of any schema by any columns, in memory or on disk.
//!
//! ```text
//! worker ─ batches ─▶ SortBuffer ─▶ runs, in memory or as segments on disk ┐
//! worker ─ batches ─▶ SortBuffer ─▶ runs ──────────────────────────────────┴▶ SortedBatches
//! ```
//!
//! Rows are compared by the bytes that `arrow-row` encodes the key columns as. Floats are ordered
//! −∞ … 0.0 … +∞, NaN; −0.0 equals 0.0, as in expressions and keys. The order of rows that are equal in
//! all keys is not defined, so callers pass enough columns for a total order.
#![forbid(unsafe_code)]

mod block;
mod buffer;
mod context;
mod cursor;
mod floats;
mod gather;
mod held_bytes;
mod joined;
mod merge;
mod row_order;
mod row_sizes;

pub(crate) use buffer::SortBuffer;
#[cfg(test)]
pub(crate) use cursor::Run;
pub(crate) use floats::canonical_floats;
pub(crate) use merge::SortedBatches;

/// A column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    /// The number of the column.
    pub(crate) column: usize,
    /// Whether large values come first.
    pub(crate) descending: bool,
    /// Whether nulls come before all values, in either direction.
    pub(crate) nulls_first: bool,
}

impl SortKey {
    /// Creates an ascending key with nulls last.
    pub(crate) fn ascending(column: usize) -> Self {
        Self {
            column,
            descending: false,
            nulls_first: false,
        }
    }

    /// Creates a descending key with nulls last.
    pub(crate) fn descending(column: usize) -> Self {
        Self {
            descending: true,
            ..Self::ascending(column)
        }
    }
}

#[cfg(test)]
mod tests;
