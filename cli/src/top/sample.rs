//! What was read of a stream at one moment.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

/// The metrics and the last report of a stream.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) taken: Instant,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) progress: Value,
    pub(super) is_healthy: bool,
    /// What the stream does.
    pub(super) status: String,
}

impl Sample {
    pub(super) fn metric(&self, series: &str) -> Option<f64> {
        self.metrics.get(series).copied()
    }

    /// A field of the report, by a path such as `/sources/0/description`.
    pub(super) fn text(&self, pointer: &str) -> &str {
        let value = self.progress.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(&self, pointer: &str) -> f64 {
        let value = self.progress.pointer(pointer);
        value.and_then(Value::as_f64).unwrap_or(0.0)
    }

    /// The entries of a list of the report.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        let list = self.progress.get(name).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// How much a counter grew per second since an earlier sample of the same run.
    pub(super) fn rate(&self, counter: &str, before: Option<&Self>) -> Option<f64> {
        let before = before.filter(|it| it.text("/runId") == self.text("/runId"))?;
        let seconds = (self.taken - before.taken).as_secs_f64();
        let grown = self.metric(counter)? - before.metric(counter)?;
        (seconds > 0.0 && grown >= 0.0).then(|| grown / seconds)
    }
}
