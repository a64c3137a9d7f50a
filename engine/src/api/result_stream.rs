//! The result of a job as a stream of batches.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::SchemaRef;

use super::Engine;
use crate::exec::{Output, RowCounts};
use crate::operator::BatchReader;
use crate::read::ReadCounts;
use crate::{JobMetrics, Result, StageMetrics};

/// The groups of a job, as a stream of batches with key columns and aggregates.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
///
/// let job = Engine::new()?.read_bytes("to be or not to be").tokenize(whitespace()).count_by_key();
/// let mut stream = job.stream(Order::Count, BatchLimits::default())?;
/// let rows = stream.by_ref().map(|batch| batch.map(|batch| batch.num_rows()));
/// assert_eq!(rows.sum::<keymill::Result<usize>>()?, 4);
/// assert_eq!(stream.metrics().tokens, 6);
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct ResultStream {
    engine: Engine,
    output: Output,
    ended: bool,
    rows: u64,
    batches: u64,
    drain_time: Duration,
    elapsed: Duration,
    /// Counts the rows that are read.
    read: Arc<ReadCounts>,
    /// What was counted before this job, in one whose rows it reads.
    before: Option<RowsBefore>,
}

/// The rows of a job whose result is the input of another one.
pub(super) struct RowsBefore {
    rejected: u64,
    rows: Arc<RowCounts>,
    read: Arc<ReadCounts>,
}

impl ResultStream {
    pub(super) fn new(engine: Engine, output: Output, read: Arc<ReadCounts>) -> Self {
        Self {
            read,
            before: None,
            engine,
            ended: false,
            rows: 0,
            batches: 0,
            drain_time: Duration::ZERO,
            elapsed: output.started.elapsed(),
            output,
        }
    }

    /// What is counted of the input, for a job that reads the rows of this one.
    #[cfg(feature = "sql")]
    pub(super) fn counts(&self) -> RowsBefore {
        RowsBefore {
            rejected: self.output.seen.rejected + self.output.stats.rejected,
            rows: self.output.rows.clone(),
            read: self.read.clone(),
        }
    }

    #[cfg(feature = "sql")]
    pub(super) fn after(mut self, before: RowsBefore) -> Self {
        self.before = Some(before);
        self
    }

    fn rejected(&self) -> u64 {
        let Output {
            stats, seen, rows, ..
        } = &self.output;
        let own = seen.rejected + stats.rejected + rows.rejected.load(Relaxed);
        let before = self.before.as_ref();
        own + before.map_or(0, |it| it.rejected + it.rows.rejected.load(Relaxed))
    }

    /// What was read by the first job.
    fn read(&self) -> &ReadCounts {
        let before = self.before.as_ref();
        before.map_or(&self.read, |it| &it.read)
    }

    /// Returns the schema of all batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.output.batches.schema()
    }

    /// Converts the stream to an Arrow reader.
    #[must_use]
    pub fn into_reader(self) -> impl RecordBatchReader + Send {
        BatchReader {
            schema: self.schema(),
            batches: self,
        }
    }

    /// Returns the metrics of the job until now.
    #[must_use]
    pub fn metrics(&self) -> JobMetrics {
        let Output { stats, seen, .. } = &self.output;
        JobMetrics {
            stages: self.stages(),
            elapsed: self.elapsed,
            tokens: seen.tokens + self.output.rows.rows.load(Relaxed),
            rejected: self.rejected(),
            rows_read: self.read().rows(),
            left_out: self.read().left_out(),
            groups: self.output.batches.groups(),
            spilled_bytes: seen.spilled_bytes + self.output.batches.spilled_bytes(),
            cpu_chunks: stats.cpu_chunks,
            gpu_chunks: stats.gpu_chunks,
            adapter: stats.device.clone(),
            decisions: stats.decisions.clone(),
            remarks: stats.remarks.clone(),
        }
    }

    /// Returns the metrics of the stages, in the order of the pipeline.
    fn stages(&self) -> Vec<StageMetrics> {
        let Output {
            stats, seen, rows, ..
        } = &self.output;
        let stage = |name, bytes, rows, time, chunks| StageMetrics {
            name,
            bytes,
            rows,
            time,
            chunks,
        };
        let bytes = stats.bytes + rows.bytes.load(Relaxed);
        let chunks = stats.chunks + rows.pieces.load(Relaxed);
        let read = stats.rows + rows.rows.load(Relaxed);
        let draining = stats.drain_time + self.drain_time;
        vec![
            stage("read", bytes, read, stats.read_time, chunks),
            stage(
                "count",
                stats.bytes,
                seen.tokens,
                stats.count_time,
                stats.chunks,
            ),
            stage("merge", 0, stats.merged_groups, stats.merge_time, 1),
            stage("drain", 0, self.rows, draining, self.batches),
        ]
    }

    fn pull(&mut self) -> Option<Result<RecordBatch>> {
        if let Err(error) = self.output.resources.cancel.check() {
            return Some(Err(error));
        }
        let batches = &mut self.output.batches;
        // Waking a thread of the pool costs more than returning a batch that is ready.
        match batches.has_ready() {
            true => batches.next(),
            false => self.engine.env().pool.install(|| batches.next()),
        }
    }
}

impl Iterator for ResultStream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let started = Instant::now();
        let batch = self.pull();
        if let Some(Ok(batch)) = &batch {
            self.rows += batch.num_rows() as u64;
            self.batches += 1;
        } else {
            self.ended = true;
        }
        self.drain_time += started.elapsed();
        self.elapsed = self.output.started.elapsed();
        batch
    }
}
