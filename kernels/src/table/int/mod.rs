//! Tables from 64-bit keys to a state of any kind: dense, and by hash.

mod buckets;
mod dense;
mod hash;
mod places;

pub(crate) use buckets::{BucketTable, TableSizes};
pub(crate) use dense::{DenseTable, least_and_most};
pub(crate) use hash::IntHash;

/// Rows ahead of the one that is worked on whose slot is prefetched.
const AHEAD: usize = 48;
