//! State by key: groups and their accumulators.
//!
//! ```text
//! key columns ─▶ KeyIds ─▶ dense group ids ─▶ accumulators       (a GroupTable)
//!                                   │
//!                                   └▶ state columns: keys, then the state of each aggregate
//! ```
#![forbid(unsafe_code)]

#[cfg(test)]
pub(crate) mod fixtures;
mod group_table;
pub(crate) mod schema;
mod shape;
mod store;

pub(crate) use group_table::{GroupTable, answers_of};
pub(crate) use shape::{GroupShape, ONE_GROUP};
pub use store::{Delta, Snapshot, StateStore, StateStoreBuilder};

#[cfg(test)]
mod tests;
