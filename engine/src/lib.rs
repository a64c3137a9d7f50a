//! Exact aggregates by key, from bytes and columns, by SIMD or on a GPU, in bounded memory.
//!
//! ```text
//! text    ─▶ chunks ─▶ tokenize ─┐
//! batches ─▶ keys, arguments ────┴─▶ hash_partition ─▶ reduce_by_key ─▶ merge ─▶ ordered batches
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

pub mod aggregate;
mod api;
#[cfg(feature = "gpu")]
mod device;
mod error;
mod exec;
mod expr;
mod operator;
mod plan;
pub mod prelude;
#[doc(hidden)]
pub mod probe;
pub mod read;
mod runtime;
mod shown_name;
mod sort;
mod spill;
mod state;
pub mod write;

pub use api::{
    AggregateJob, BatchJob, CountJob, Counts, Engine, EngineBuilder, GroupByKeys, Groups, Key,
    ResultStream, TextJob, TokenJob, Utf8,
};
/// The Arrow crates that appear in this library's interface, of the version that it is built with.
pub mod arrow {
    pub use arrow_array as array;
    pub use arrow_buffer as buffer;
    pub use arrow_ipc as ipc;
    pub use arrow_schema as schema;
}

pub use error::{Error, ErrorKind, Result};
pub use exec::{JobMetrics, Progress, StageMetrics};
pub use expr::{Expr, col};
#[cfg(feature = "oracle")]
pub use keymill_kernels::oracle;
#[doc(hidden)]
pub use keymill_kernels::Tuning;
pub use keymill_kernels::{Level, TokenRule};
pub use operator::text_count::columns::count_schema;
pub use operator::{
    Batches, Drain, GroupBy, Input, Merged, Operator, OperatorMetrics, Order, OrderBy, TextCount,
};
pub use plan::{DeviceChoice, IntoTokenRule, Separator, Shaders};
pub use runtime::{BatchLimits, Cancel, MemoryBudget, Reservation, Resources};
#[doc(hidden)]
pub use shown_name::shown_name;
pub use state::{Delta, Snapshot, StateStore, StateStoreBuilder};
