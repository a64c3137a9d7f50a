//! Streams: epochs, state, checkpoints, sources and sinks, by the public interface.
#![cfg(feature = "stream")]
#![forbid(unsafe_code)]

#[cfg(feature = "csv")]
#[path = "streams/distinct.rs"]
mod distinct;
#[cfg(feature = "csv")]
#[path = "streams/expressions.rs"]
mod expressions;
#[path = "streams/fixtures.rs"]
mod fixtures;
#[path = "streams/inspection.rs"]
mod inspection;
#[path = "streams/large_state.rs"]
mod large_state;
#[path = "streams/metrics.rs"]
mod metrics;
#[path = "streams/modes.rs"]
mod modes;
#[path = "streams/overlap.rs"]
mod overlap;
#[path = "streams/recovery.rs"]
mod recovery;
#[cfg(feature = "csv")]
#[path = "streams/sessions.rs"]
mod sessions;
#[path = "streams/sources.rs"]
mod sources;
#[path = "streams/state.rs"]
mod state;
#[path = "streams/tail.rs"]
mod tail;
#[cfg(feature = "tracing")]
#[path = "streams/traces.rs"]
mod traces;
#[cfg(any(feature = "csv", feature = "json"))]
#[cfg(feature = "csv")]
#[path = "streams/windows.rs"]
mod windows;
