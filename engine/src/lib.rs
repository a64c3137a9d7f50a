//! Exact counts and sums by key, from bytes, by SIMD or on a GPU, in bounded memory.
//!
//! ```text
//! source ─▶ chunks ─▶ tokenize ─▶ hash_partition ─▶ reduce_by_key ─▶ merge ─▶ batches
//! [`source`]          [`TokenRule`]         [`CountOperator`]              [`CountStream`]
//! ```
//!
//! ```standalone_crate
//! use keymill::prelude::*;
//!
//! fn main() -> keymill::Result<()> {
//!     # let folder = tempfile::tempdir().expect("a folder");
//!     # std::env::set_current_dir(folder.path()).expect("it is there");
//!     # std::fs::write("book.txt", "to be or not to be").expect("it can be written to");
//!     let engine = Engine::new()?;
//!     let counts = engine.read_text("book.txt").tokenize(whitespace()).count_by_key().collect()?;
//!     for (word, n) in counts.top(10) {
//!         println!("{n:>8} {word}");
//!     }
//!     # assert_eq!((counts.len(), counts.get("be")), (4, Some(2)));
//!     Ok(())
//! }
//! ```
//!
//! An [`Engine`] is made once and shared; its jobs read files, streams, memory or Arrow columns.
//! Programs with threads and clocks of their own drive the [`CountOperator`] beneath it. The
//! answers are the same for every level, thread count, chunk size and memory budget.
#![deny(unsafe_code)]

mod choice;
mod chunk;
mod columns;
#[cfg(feature = "gpu")]
mod device;
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
mod shaders;
pub mod sink;
pub mod source;
mod spill;

pub use choice::{DeviceChoice, UnknownDevice};
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
pub use operator::{BatchLimits, Batches, CountOperator, Drain, OperatorMetrics, Order};
pub use resources::{Cancel, MemoryBudget, Reservation, Resources};
pub use shaders::{Shaders, UnknownShaders};
