//! Ordered output, in memory or beyond it: groups are dealt to ranges of the order, and each range
//! is sorted when its turn comes.
//!
//! ```text
//! reduced partitions ─▶ sample ─▶ splitters
//!         │                          │
//!         └────────▶ deal ◀──────────┘
//!                     │ range 0 │ range 1 │ …    (in memory, or segments on disk)
//!                     ▼
//!                 sort a range at a time ─▶ batches
//! ```
//!
//! Partitions are cut by a hash, so the first of them is a fair sample of all keys, and ranges cut
//! by its quantiles hold about the same number each. A range that was written to disk is read back
//! when it is its turn, so beyond memory nothing has to be merged.
#![forbid(unsafe_code)]

mod chunk_arena;
mod entry;
mod prefix_index;
mod range;
mod range_partition;
mod sort;
mod splitters;
mod top;

pub(crate) use entry::By;
pub(crate) use range::Range;
pub(crate) use range_partition::{DrainTotals, RangePartitioner, range_count};
pub(crate) use sort::Sorter;
pub(crate) use splitters::Splitters;
pub(crate) use top::Top;
