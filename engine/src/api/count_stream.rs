//! Counts, batch by batch.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::api::Engine;
use crate::exec::Stats;
use crate::operator::text_count::columns::count_schema;
use crate::operator::{Batches, OperatorMetrics};
use crate::{JobMetrics, StageMetrics};
use crate::{Resources, Result};

/// The counts of a job as batches of `key` (binary view) and `count` (`u64`).
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
pub struct CountStream {
    parts: StreamParts,
    ended: bool,
    rows: u64,
    batches: u64,
    drain_time: Duration,
    elapsed: Duration,
}

/// What a stream is made of.
pub(crate) struct StreamParts {
    pub(crate) engine: Engine,
    pub(crate) resources: Resources,
    pub(crate) batches: Batches,
    pub(crate) counted: OperatorMetrics,
    pub(crate) stats: Stats,
    pub(crate) started: Instant,
}

impl CountStream {
    pub(crate) fn new(parts: StreamParts) -> Self {
        Self {
            ended: false,
            rows: 0,
            batches: 0,
            drain_time: Duration::ZERO,
            elapsed: parts.started.elapsed(),
            parts,
        }
    }

    /// The columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        count_schema()
    }

    /// What the job did up to now.
    #[must_use]
    pub fn metrics(&self) -> JobMetrics {
        let StreamParts { stats, counted, .. } = &self.parts;
        JobMetrics {
            stages: self.stages(),
            elapsed: self.elapsed,
            tokens: counted.tokens,
            rejected: counted.rejected,
            groups: self.parts.batches.groups(),
            spilled_bytes: counted.spilled_bytes + self.parts.batches.spilled_bytes(),
            cpu_chunks: stats.cpu_chunks,
            gpu_chunks: stats.gpu_chunks,
            adapter: stats.device.clone(),
            decisions: stats.decisions.clone(),
            remarks: stats.remarks.clone(),
        }
    }

    /// Stage by stage, in the order of the river.
    fn stages(&self) -> Vec<StageMetrics> {
        let StreamParts { stats, counted, .. } = &self.parts;
        let stage = |name, bytes, rows, time, chunks| StageMetrics {
            name,
            bytes,
            rows,
            time,
            chunks,
        };
        let (bytes, chunks) = (stats.bytes, stats.chunks);
        let draining = stats.drain_time + self.drain_time;
        vec![
            stage("read", bytes, stats.rows, stats.read_time, chunks),
            stage("count", bytes, counted.tokens, stats.count_time, chunks),
            stage("merge", 0, stats.merged_groups, stats.merge_time, 1),
            stage("drain", 0, self.rows, draining, self.batches),
        ]
    }

    fn pull(&mut self) -> Option<Result<RecordBatch>> {
        if let Err(error) = self.parts.resources.cancel.check() {
            return Some(Err(error));
        }
        let StreamParts {
            engine, batches, ..
        } = &mut self.parts;
        // Waking a thread of the pool costs more than handing out a batch that is there.
        match batches.has_ready() {
            true => batches.next(),
            false => engine.pool().install(|| batches.next()),
        }
    }
}

impl Iterator for CountStream {
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
        self.elapsed = self.parts.started.elapsed();
        batch
    }
}
