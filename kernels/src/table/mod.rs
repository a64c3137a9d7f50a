//! The key table: one probe by key bytes, in three classes of key length.
//!
//! ```text
//! 1..=8 bytes   InlineTable<u64>       slot = key u64   | number u64
//! 9..=16 bytes  InlineTable<[u64; 2]>  slot = key 2×u64 | number u64
//! the others    LongTable              slot = place of a record: number, hash, length, key
//! ```
//!
//! Keys that were seen once each in many places need no slot of their own: `Singles` looks for those
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
mod inline;
pub(crate) mod int;
mod key_table;
mod long;
mod secret;
mod singles;

pub(crate) use count_table::CountTable;
pub(crate) use inline::InlineKey;
use inline::InlineTable;
pub use key_table::KeyTable;
use long::LongTable;
pub use secret::Secret;
pub(crate) use singles::Singles;

/// Asks for the cache line of a slot that is probed soon.
#[inline(always)]
fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is allowed; SSE is part of x86-64.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
