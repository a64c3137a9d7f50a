//! The public API: the engine, its jobs and their results.
//!
//! ```text
//! Engine ─ read_text ──▶ TextJob ─ tokenize ─▶ TokenJob ─ count_by_key ─▶ CountJob ─ collect ─▶ Counts
//!        │                 ▲ column                                          └─ stream ─▶ ResultStream
//!        └ read_batches ─▶ BatchJob ─ group_by ─▶ GroupByKeys ─ agg ─▶ AggregateJob ─ collect ─▶ Groups
//! ```
#![forbid(unsafe_code)]

mod batch_job;
mod builder;
mod count_job;
mod counts;
mod engine;
mod explain;
mod groups;
#[cfg(feature = "stream")]
mod keyed_stream;
mod result_stream;
mod row_job;
#[cfg(feature = "sql")]
mod sql_job;
#[cfg(feature = "stream")]
mod stream_job;
mod text_job;

pub use batch_job::{AggregateJob, BatchJob, GroupByKeys};
pub use builder::EngineBuilder;
pub use count_job::CountJob;
pub use counts::{Counts, Key, Utf8};
pub use engine::Engine;
pub use groups::Groups;
#[cfg(feature = "stream")]
pub use keyed_stream::KeyedStream;
pub use result_stream::ResultStream;
#[cfg(feature = "sql")]
pub use sql_job::{SqlJob, table_of_sql};
#[cfg(feature = "stream")]
pub use stream_job::{StreamJob, StreamTokens};
pub use text_job::{TextJob, TokenJob};
