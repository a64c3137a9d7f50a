//! The key table: one probe by key bytes, in three classes of key length.
//!
//! ```text
//! 1..=8 bytes   InlineTable<u64>       slot = key u64   | number u64
//! 9..=16 bytes  InlineTable<[u64; 2]>  slot = key 2×u64 | number u64
//! the others    LongTable              slot = place of a record: number, hash, length, key
//! ```
//!
//! Keys that were seen once each in many places need no slot of their own: `Dedup` looks for those
//! that come again.
//!
//! The number is a count in `CountTable`, and a dense group id in [`KeyTable`], beside which
//! accumulators stand as columns.
//!
//! A key that holds a NUL byte is *long* whatever its length: the inline forms are padded with
//! zeros, and so stay unambiguous.
#![allow(
    unsafe_code,
    reason = "slots are read by an index that is in bounds by construction"
)]

mod count_table;
mod dedup;
mod dense_ids;
mod few_ids;
mod hash_key;
mod ids;
mod inline;
pub(crate) mod int;
mod int_key_table;
mod intern_error;
mod key_table;
mod long;
mod pair_key_table;

pub(crate) use count_table::CountTable;
pub(crate) use dedup::Dedup;
pub use hash_key::HashKey;
pub(crate) use inline::InlineKey;
use inline::InlineTable;
pub use int_key_table::IntKeyTable;
pub use intern_error::InternError;
pub use key_table::KeyTable;
use long::LongTable;
pub use pair_key_table::PairKeyTable;

use crate::buffer::prefetch;
