//! Exact counts and sums by key, from bytes.
#![forbid(unsafe_code)]

mod error;
mod resources;

pub use error::{Error, ErrorKind, Result};
pub use keymill_kernels::{Level, Limits, TokenRule};
pub use resources::{Cancel, MemoryBudget, Resources};
