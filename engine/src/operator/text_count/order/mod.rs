//! Ordered output, in memory or on disk: groups are partitioned to ranges of the order, and the
//! ranges are sorted one after the other.
//!
//! ```text
//! reduced partitions ─▶ sample ─▶ splitters
//!         │                          │
//!         └──────▶ partition ◀───────┘
//!                     │ range 0 │ range 1 │ …    (in memory, or segments on disk)
//!                     ▼
//!                 sort one range at a time ─▶ batches
//! ```
//!
//! Partitions are made by a hash, so the first one is a random sample of all keys, and ranges
//! between its quantiles have about equal size. A range on disk is read when it is sorted, so no
//! merge of sorted files is needed.
#![forbid(unsafe_code)]

mod chunk_arena;
mod entry;
mod prefix_index;
mod range;
mod range_partition;
mod sort;
mod splitters;
mod top;

pub(crate) use entry::SortBy;
pub(crate) use range::Range;
pub(crate) use range_partition::{DrainTotals, RangePartitioner, range_count};
pub(crate) use sort::Sorter;
pub(crate) use splitters::Splitters;
pub(crate) use top::Top;
