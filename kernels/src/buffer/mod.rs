//! Types for memory that the hot loops read and write without bounds checks.
#![allow(
    unsafe_code,
    reason = "huge pages are mapped without the allocator; text is read unchecked at token starts"
)]

mod block;
mod huge;
mod rows;
mod window;

pub use block::Block;
pub use huge::{HugeVec, extend_hugely};
pub(crate) use rows::{PartitionRows, Row};
pub(crate) use window::{Window, WindowScratch};

/// Prefetches the cache line of any address.
#[inline(always)]
pub(crate) fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is allowed; SSE is part of x86-64.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
