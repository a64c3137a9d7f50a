//! Metrics of a job and its stages.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::read::LeftOut;

/// The metrics of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StageMetrics {
    /// The stage's name.
    pub name: &'static str,
    /// Bytes of text read or counted; 0 for the stages that merge and drain groups.
    pub bytes: u64,
    /// Rows: cells of a column read, tokens counted, groups before the merge, groups drained.
    pub rows: u64,
    /// Time, summed over all threads.
    pub time: Duration,
    /// Number of chunks or batches.
    pub chunks: u64,
}

/// The metrics of a job.
///
/// `Display` writes them for people. The last line is `chunks: cpu N, gpu 0`, or
/// `chunks: cpu N, gpu M (ADAPTER)` if an adapter counted some. With the feature `serde` it implements
/// `serde::Serialize`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct JobMetrics {
    /// The stages, in the order of the pipeline.
    pub stages: Vec<StageMetrics>,
    /// Wall-clock time from the first byte to the last group.
    pub elapsed: Duration,
    /// Tokens counted.
    pub tokens: u64,
    /// Lines without the requested field, and rows that could not be read.
    pub rejected: u64,
    /// Rows of tables and batches before any filter, without rejected ones; 0 for texts.
    pub rows_read: u64,
    /// What was not read of Parquet files.
    pub left_out: LeftOut,
    /// Distinct keys.
    pub groups: u64,
    /// Bytes written to spill files.
    pub spilled_bytes: u64,
    /// Chunks counted on the CPU.
    pub cpu_chunks: u64,
    /// Chunks counted on a GPU.
    pub gpu_chunks: u64,
    /// The adapter that counted them.
    pub adapter: Option<String>,
    /// Where chunks were counted and why, with the predicted and measured time of a device.
    pub decisions: Vec<String>,
    /// Remarks about devices: a lost device, chunks that a device refused.
    pub remarks: Vec<String>,
}

impl StageMetrics {
    /// Returns the bytes per second of one thread.
    fn rate(&self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Returns the text of a table cell: `-` if the value is 0.
fn shown(measured: u64, cell: String) -> String {
    match measured {
        0 => "-".to_owned(),
        _ => cell,
    }
}

impl JobMetrics {
    /// Returns the stage with a name.
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
        if self.rows_read > 0 {
            writeln!(f, "rows: {} read, {} kept", self.rows_read, self.tokens)?;
        }
        let LeftOut {
            row_groups,
            of_row_groups,
            pages,
            of_pages,
        } = self.left_out;
        if row_groups + pages > 0 {
            writeln!(
                f,
                "left out by statistics: row groups {row_groups} of {of_row_groups}, pages {pages} of {of_pages}"
            )?;
        }
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

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_serialized_with_their_field_names() {
        let read = StageMetrics {
            name: "read",
            bytes: 7,
            ..StageMetrics::default()
        };
        let metrics = JobMetrics {
            stages: vec![read],
            tokens: 3,
            ..JobMetrics::default()
        };
        let value = serde_json::to_value(&metrics).unwrap();
        assert_eq!(value["tokens"], 3);
        assert_eq!(value["stages"][0]["name"], "read");
        assert_eq!(value["stages"][0]["bytes"], 7);
    }
}
