//! Tables from 64-bit keys to states of any type: an array, and a hash table.

mod buckets;
mod dense;
mod hash;
mod places;

pub(crate) use buckets::{BucketTable, TableSizes};
pub(crate) use dense::{DenseTable, least_and_most};
pub(crate) use hash::IntHash;

/// Prefetch distance in rows.
const AHEAD: usize = 48;
