//! What a job did, stage by stage.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

/// What one stage did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageMetrics {
    /// The stage's name.
    pub name: &'static str,
    /// Bytes that went in: text while reading and counting, tables and partitions after.
    pub bytes: u64,
    /// Rows that came out: cells of a column read, tokens counted, groups merged and drained.
    pub rows: u64,
    /// Time, summed over threads.
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
            "{:<10} {:>15} {:>13} {:>10} {:>9} {:>9}",
            "stage", "bytes", "rows", "time", "chunks", "GB/s"
        )?;
        for stage in &self.stages {
            let seconds = stage.time.as_secs_f64();
            writeln!(
                f,
                "{:<10} {:>15} {:>13} {:>9.3}s {:>9} {:>9.3}",
                stage.name,
                stage.bytes,
                stage.rows,
                seconds,
                stage.chunks,
                stage.bytes as f64 / seconds.max(1e-9) / 1e9,
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
