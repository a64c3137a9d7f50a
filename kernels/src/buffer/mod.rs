//! Memory that the hot loops read and write without bounds checks, and the types that make it safe.
#![allow(
    unsafe_code,
    reason = "huge pages come from the system, beneath the allocator"
)]

mod huge;

pub(crate) use huge::HugeVec;
