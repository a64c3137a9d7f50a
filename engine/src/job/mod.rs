//! Jobs: text, then tokens of it, then counts of those.
//!
//! ```text
//! TextJob ─ tokenize ─▶ TokenJob ─ count_by_key ─▶ CountJob ─ collect ─▶ Counts
//!                          └ lowercase                └─ stream ─▶ record batches
//! ```
#![forbid(unsafe_code)]

mod count;
mod counts;
mod explain;
mod metrics;
mod progress;
mod result_stream;
mod text;
pub(crate) mod tokens;

pub use count::CountJob;
pub use counts::{Counts, Key, Utf8};
pub use metrics::{JobMetrics, StageMetrics};
pub use progress::Progress;
pub use result_stream::CountStream;
pub use text::{TextJob, TokenJob};
pub use tokens::Separator;

pub(crate) use result_stream::StreamParts;
pub(crate) use text::{Input, Options};
