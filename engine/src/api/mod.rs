//! Jobs: text, then tokens of it, then counts of those.
//!
//! ```text
//! TextJob ─ tokenize ─▶ TokenJob ─ count_by_key ─▶ CountJob ─ collect ─▶ Counts
//!                          └ lowercase                └─ stream ─▶ record batches
//! ```
#![forbid(unsafe_code)]

mod count_job;
mod count_stream;
mod counts;
pub(crate) mod engine;
mod explain;
mod text_job;

pub use count_job::CountJob;
pub use count_stream::CountStream;
pub(crate) use count_stream::StreamParts;
pub use counts::{Counts, Key, Utf8};
pub use engine::{Engine, EngineBuilder};
pub(crate) use text_job::{Input, Options};
pub use text_job::{TextJob, TokenJob};
