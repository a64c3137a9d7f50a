//! Hash tables from keys to counts, group ids or states.
//!
//! ```text
//! 1..=8 bytes   InlineTable<u64>       slot = key u64   | number u64
//! 9..=16 bytes  InlineTable<[u64; 2]>  slot = key 2×u64 | number u64
//! other keys    LongTable              slot = place of a record: number, hash, length, key
//! ```
//!
//! The number is a count in `CountTable`, and a dense group id in [`KeyTable`], whose accumulators
//! are columns indexed by that id. Keys that were seen once each in many places need no slot:
//! `Dedup` finds those that repeat. `int` holds the tables of integer keys.
//!
//! An inline key is padded with zeros. So that this is unambiguous, a key that holds a NUL byte is
//! *long* whatever its length; `key_counts::class_of` decides this.
//!
//! A word on its way through the fused count:
//!
//! ```text
//! tile of spans ─▶ 1..=8 bytes ─▶ slot of 16 bytes: key, count      home slot, without a branch;
//!               ├▶ 9..=16      ─▶ slot of 24 bytes: key, count      misses go to a list, then next
//!               └▶ other       ─▶ slot of 8 bytes ─▶ record:        two slots, then one by one
//!                                 count, hash, length, key          slots, records, prefetched
//!
//! bypass, where new tokens never end (stage/count/bypass_policy.rs):
//!               stable hash ─▶ partition ─▶ length and bytes, packed (key_counts/packed_*.rs)
//!                                             in blocks of huge pages (buffer/block.rs)
//!               drain: hash ─▶ slot of 4 bytes: bits of the hash, place of the key (dedup.rs)
//!                   a repeated key ─▶ the tables above; any other stays where it was written
//! ```
//!
//! Table hashes decide only where a probe starts: keys are always compared by their bytes. They are
//! faster than the stable hash, and keyed per query.
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
mod key_words;
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
