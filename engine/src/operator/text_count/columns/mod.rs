//! State columns: groups as Arrow arrays, the one form for results, spill files and partial results.
//!
//! ```text
//! key    BinaryView   the bytes of the key
//! count  UInt64       how often it was counted
//! ```
//!
//! The schema's metadata names the aggregate and the version of this form.
#![forbid(unsafe_code)]

mod batcher;
mod build;
mod read;
mod segment;

use std::sync::LazyLock;

use arrow_schema::{DataType, Field, SchemaRef};

use crate::state::schema::state_schema;

pub(crate) use batcher::{Batcher, TakeBatch};
pub(crate) use build::ColumnBuilder;
pub(crate) use read::for_each_group;
#[cfg(feature = "gpu")]
pub(crate) use read::for_each_value;
pub(crate) use segment::{GroupWriter, store_groups};

/// The name of the aggregate in the schema's metadata.
const AGGREGATE: &str = "count";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = vec![
        Field::new("key", DataType::BinaryView, false),
        Field::new("count", DataType::UInt64, false),
    ];
    state_schema(fields, AGGREGATE)
});

/// The schema of every batch of counts: `key` BinaryView, `count` UInt64, neither ever null.
///
/// # Examples
///
/// ```
/// let schema = keymill::count_schema();
/// assert_eq!(schema.fields().len(), 2);
/// assert_eq!(schema.metadata()["keymill.version"], "1");
/// ```
#[must_use]
pub fn count_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The inline form that sorts as its bytes do: a key without a NUL, the first byte highest.
///
/// The empty key is zero; keys longer than 16 bytes give their first 16.
pub(crate) fn big_endian_prefix(key: &[u8]) -> u128 {
    match key.first_chunk::<16>() {
        Some(first) => u128::from_be_bytes(*first),
        None => {
            let mut bytes = [0; 16];
            bytes[..key.len()].copy_from_slice(key);
            u128::from_be_bytes(bytes)
        }
    }
}

/// The sortable form of a short key, whose first byte is lowest.
#[inline]
pub(crate) const fn sortable_short(key: u64) -> u128 {
    (key.swap_bytes() as u128) << 64
}

/// The sortable form of a mid key, whose first byte is lowest.
#[inline]
pub(crate) const fn sortable_mid([first, second]: [u64; 2]) -> u128 {
    (first.swap_bytes() as u128) << 64 | second.swap_bytes() as u128
}

#[cfg(test)]
mod tests;
