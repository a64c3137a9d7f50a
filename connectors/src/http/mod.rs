//! HTTP: a server as a source, requests as a sink.
//!
//! ```text
//! source: POST /ingest ─▶ lines ─▶ log, fsync ─▶ 200 ─▶ next epoch ─▶ commit ─▶ removed from the log
//! sink:   epoch ─▶ NDJSON in parts ─▶ POST with Idempotency-Key: QUERY-EPOCH-PART ─▶ 2xx
//! ```
#![forbid(unsafe_code)]

mod body;
mod budget;
mod log;
mod segment;
mod server;
mod sink;
mod source;
mod tls;

pub use sink::HttpSink;
pub use source::HttpSource;
