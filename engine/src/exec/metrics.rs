//! What a job did, stage by stage.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

/// What one stage did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageMetrics {
    /// The stage's name.
    pub name: &'static str,
    /// Bytes of text that were read and counted; what is merged and drained is groups, not text.
    pub bytes: u64,
    /// Rows: cells of a column read, tokens counted, groups before they were merged, groups drained.
    pub rows: u64,
    /// Time, summed over threads: of one that two threads share both count.
    pub time: Duration,
    /// Chunks, or batches, that it took.
    pub chunks: u64,
}

/// What a job did; `Display` writes it for people, the last line being `chunks: cpu N, gpu 0`, and
/// `chunks: cpu N, gpu M (ADAPTER)` where an adapter took some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobMetrics {
    /// Stage by stage, in the order of the river.
    pub stages: Vec<StageMetrics>,
    /// From the first byte to the last group, by the clock on the wall.
    pub elapsed: Duration,
    /// Tokens counted.
    pub tokens: u64,
    /// Lines without the field that was asked for.
    pub rejected: u64,
    /// Distinct keys.
    pub groups: u64,
    /// Bytes written to spill files.
    pub spilled_bytes: u64,
    /// Chunks that the CPU took.
    pub cpu_chunks: u64,
    /// Chunks that a GPU took.
    pub gpu_chunks: u64,
    /// The adapter that took them.
    pub adapter: Option<String>,
    /// Where chunks were counted, and why: what was predicted of a device, and what was measured.
    pub decisions: Vec<String>,
    /// What whoever runs the job should know of its devices: a loss, chunks that they did not take.
    pub remarks: Vec<String>,
}

impl StageMetrics {
    /// Bytes a second of one thread.
    fn rate(&self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// What stands in a cell: nothing where there is nothing to be measured.
fn shown(measured: u64, cell: String) -> String {
    match measured {
        0 => "-".to_owned(),
        _ => cell,
    }
}

impl JobMetrics {
    /// A stage by its name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageMetrics> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl fmt::Display for JobMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>15} {:>13} {:>12} {:>9} {:>12}",
            "stage", "bytes", "rows", "thread time", "chunks", "GB/s/thread"
        )?;
        for stage in &self.stages {
            writeln!(
                f,
                "{:<10} {:>15} {:>13} {:>11.3}s {:>9} {:>12}",
                stage.name,
                shown(stage.bytes, stage.bytes.to_string()),
                shown(stage.rows, stage.rows.to_string()),
                stage.time.as_secs_f64(),
                stage.chunks,
                shown(stage.bytes, format!("{:.3}", stage.rate() / 1e9)),
            )?;
        }
        writeln!(
            f,
            "tokens: {}, groups: {}, rejected: {}",
            self.tokens, self.groups, self.rejected
        )?;
        writeln!(
            f,
            "elapsed: {:.3}s, spilled: {} bytes",
            self.elapsed.as_secs_f64(),
            self.spilled_bytes
        )?;
        for decision in &self.decisions {
            writeln!(f, "device: {decision}")?;
        }
        write!(
            f,
            "chunks: cpu {}, gpu {}",
            self.cpu_chunks, self.gpu_chunks
        )?;
        match &self.adapter {
            Some(adapter) => write!(f, " ({adapter})"),
            None => Ok(()),
        }
    }
}
