//! Exact counts and sums by key, from bytes.
#![forbid(unsafe_code)]

mod columns;
mod error;
pub mod format;
mod operator;
mod order;
mod parallel;
mod resources;
pub mod sink;
mod spill;

pub use columns::count_schema;
pub use error::{Error, ErrorKind, Result};
pub use keymill_kernels::{Level, Limits, TokenRule};
pub use operator::{BatchLimits, Batches, CountOperator, Drain, Metrics, Order};
pub use resources::{Cancel, MemoryBudget, Reservation, Resources};
