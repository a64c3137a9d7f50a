//! Exact counts and sums by key, from bytes.
//!
//! ```
//! # std::env::set_current_dir(std::env::temp_dir())?;
//! # std::fs::write("book.txt", "to be or not to be")?;
//! use keymill::prelude::*;
//!
//! fn main() -> keymill::Result<()> {
//!     let engine = Engine::new()?;
//!     let counts = engine.read_text("book.txt").tokenize(whitespace()).count_by_key().collect()?;
//!     for (word, n) in counts.top(10) {
//!         println!("{n:>8} {word}");
//!     }
//!     Ok(())
//! }
//! # main()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod chunk;
mod columns;
mod driver;
mod engine;
mod error;
pub mod format;
mod job;
mod operator;
mod order;
mod parallel;
pub mod prelude;
pub mod probe;
mod resources;
pub mod sink;
pub mod source;
mod spill;

pub use columns::count_schema;
pub use engine::{Engine, EngineBuilder};
pub use error::{Error, ErrorKind, Result};
pub use job::{
    CountJob, CountStream, Counts, JobMetrics, Key, Progress, Separator, StageMetrics, TextJob,
    TokenJob, Utf8,
};
#[cfg(feature = "oracle")]
pub use keymill_kernels::oracle;
pub use keymill_kernels::{Level, Limits, TokenRule};
pub use operator::{BatchLimits, Batches, CountOperator, Drain, Metrics, Order};
pub use resources::{Cancel, MemoryBudget, Reservation, Resources};
