//! Spans of `tracing` for the steps of an epoch; without the feature `tracing` they are nothing.

/// Enters the span of a step until the value is dropped.
#[cfg(feature = "tracing")]
macro_rules! step {
    ($name:literal, $epoch:expr) => {
        tracing::info_span!(target: "keymill::stream", $name, epoch = $epoch).entered()
    };
}

/// Nothing.
#[cfg(not(feature = "tracing"))]
macro_rules! step {
    ($name:literal, $epoch:expr) => {{
        let _: u64 = $epoch;
        trace::NoSpan
    }};
}

/// What stands for a span.
#[cfg(not(feature = "tracing"))]
#[derive(Debug)]
pub(super) struct NoSpan;

pub(super) use step;

/// Leaves a span.
pub(super) fn end<T>(_span: T) {}
