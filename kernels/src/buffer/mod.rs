//! Memory that the hot loops read and write without bounds checks, and the types that make it safe.
#![allow(
    unsafe_code,
    reason = "huge pages come from beneath the allocator; text is read at token starts unchecked"
)]

mod block;
mod huge;
mod rows;
mod window;

pub use block::Block;
pub use huge::{HugeVec, extend_hugely};
pub(crate) use rows::{PartitionRows, Row};
pub(crate) use window::{Window, WindowScratch};
