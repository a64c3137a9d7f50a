//! Exact aggregates by key, from text and Arrow columns, with SIMD or on a GPU, in bounded memory.
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
//! Create one [`Engine`] and share it. Its jobs read files, streams, memory or Arrow batches. The
//! answer is the same for every SIMD level, device, number of threads and memory budget.
//!
//! | to | use |
//! |---|---|
//! | count words, fields or lines | [`Engine::read_text`], [`TextJob::tokenize`], [`TokenJob::count_by_key`] |
//! | group rows and compute sums, minima and means | [`Engine::read_batches`], [`BatchJob::group_by`], [`aggregate`] |
//! | the same for CSV, NDJSON, Parquet and Arrow files | [`Engine::read_csv`], [`Engine::read_table`], [`read::Table`] |
//! | get all results, or a stream of batches | `collect`, `stream` ([`ResultStream`]) |
//! | write results as TSV, CSV, JSON, Parquet or Arrow | [`write::Format`] |
//! | aggregate in your own threads and loops | [`Operator`], [`TextCount`], [`GroupBy`], [`StateStore`] |
//! | stop a job, or show its progress | [`Cancel`], [`Progress`] |
//!
//! # Features
//!
//! | feature | default | enables |
//! |---|---|---|
//! | `gpu` | yes | devices through Vulkan, Metal or Direct3D 12; no driver is opened before it is needed |
//! | `parallel` | yes | several threads; without it jobs run on the caller's thread |
//! | `gzip`, `zstd` | yes | reading and writing compressed files |
//! | `parquet` | no | Parquet files: `Engine::read_parquet`, [`write::Format::Parquet`] |
//! | `ipc` | no | Arrow IPC files: `Engine::read_arrow`, [`write::Format::Arrow`] |
//! | `table` | no | [`write::Format::Table`] |
//! | `stream` | yes | [`stream`]: micro-batches, state, checkpoints |
//! | `csv`, `json` | yes | CSV and NDJSON files: [`Engine::read_csv`], `Engine::read_json`; lines of them as rows of streams: [`read::RowLines`] |
//! | `sql` | yes | expressions as text: `"count > 0".parse::<Expr>()`, and SQL over one table |
//! | `serde` | no | `serde::Serialize` for [`JobMetrics`], [`StageMetrics`] and [`OperatorMetrics`] |
//! | `oracle` | no | the plain implementations that tests compare with |
//!
//! # Arrow
//!
//! Batches are those of the `arrow-*` crates, version 59. They are re-exported as [`arrow`].
//!
//! # Blocking and async
//!
//! All calls block the calling thread until they are done. In async code, run jobs with the runtime's
//! function for blocking work, for example `tokio::task::spawn_blocking`. [`Engine`] is `Send`, `Sync`
//! and cheap to clone.
//!
//! # Environment
//!
//! The library reads no environment variables of its own and writes only to the paths that it is given.
//! Spill files are the exception: without [`EngineBuilder::spill_dir`] they are in the system's
//! temporary folder.
#![deny(unsafe_code)]

pub mod aggregate;
mod api;
#[cfg(feature = "gpu")]
mod device;
mod error;
mod exec;
#[cfg_attr(
    not(feature = "sql"),
    allow(dead_code, reason = "only the parser makes some expressions")
)]
mod expr;
mod keys;
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
#[cfg(feature = "sql")]
mod sql;
mod state;
#[cfg(feature = "stream")]
pub mod stream;
pub mod write;

pub use api::{
    AggregateJob, BatchJob, CountJob, Counts, Engine, EngineBuilder, GroupByKeys, Groups, Key,
    ResultStream, TextJob, TokenJob, Utf8,
};
#[cfg(feature = "stream")]
pub use api::{KeyedStream, StreamJob, StreamTokens};
/// The Arrow crates that appear in this library's API, in the version that it is built with.
pub mod arrow {
    pub use arrow_array as array;
    pub use arrow_buffer as buffer;
    pub use arrow_ipc as ipc;
    pub use arrow_schema as schema;
}

#[cfg(feature = "sql")]
pub use api::{SqlJob, table_of_sql};
pub use error::{Error, ErrorKind, Result};
pub use exec::{JobMetrics, Progress, StageMetrics};
#[cfg(any(test, feature = "oracle"))]
#[doc(hidden)]
pub use expr::check_expression;
pub use expr::{Case, Expr, Literal, coalesce, col, concat, lit, when};
#[doc(hidden)]
pub use keymill_kernels::Tuning;
#[cfg(feature = "oracle")]
pub use keymill_kernels::oracle;
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
