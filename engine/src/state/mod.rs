//! State by key: which groups there are, and the accumulators of each.
//!
//! ```text
//! key columns ─▶ KeyIds ─▶ dense group ids ─▶ accumulators       (a GroupTable)
//!                                   │
//!                                   └▶ state columns: keys, then the state of each aggregate
//! ```
#![forbid(unsafe_code)]

mod group_table;
mod keys;
mod partition;
pub(crate) mod schema;
mod shape;

pub(crate) use group_table::GroupTable;
pub(crate) use partition::hash_keys;
pub(crate) use shape::GroupShape;
