//! Runs a job that does not group: filters and selects rows, in their order.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use arrow_array::RecordBatch;

use super::{JobOptions, Output, RowCounts, RuntimeEnv, Stats};
use crate::operator::{BatchSource, Batches, OperatorMetrics};
use crate::read::RecordBatches;
use crate::runtime::parallel;
use crate::{Progress, Resources, Result};

/// The number of batches that are computed at a time, for each thread.
const BATCHES_PER_THREAD: usize = 2;

/// Starts a job that returns the rows of batches.
pub(crate) fn run_rows(
    env: &RuntimeEnv,
    mut batches: RecordBatches,
    options: &JobOptions,
) -> Result<Output> {
    let started = Instant::now();
    let mut resources = env.resources();
    resources.cancel = options.cancel.clone();
    resources.threads = env.pool.threads();
    options.progress.expect(batches.total());
    env.pool.start_for(u64::MAX);
    let schema = batches.schema()?;
    let rows = Arc::<RowCounts>::default();
    let source = RowSource {
        batches,
        ready: VecDeque::new(),
        resources: resources.clone(),
        progress: options.progress.clone(),
        rows: 0,
        last: 0,
        counts: rows.clone(),
        ended: false,
    };
    Ok(Output {
        batches: Batches::new(schema, source, None),
        resources,
        seen: OperatorMetrics::default(),
        stats: Stats::default(),
        rows,
        started,
    })
}

/// Computes several batches in parallel, and returns them in order.
struct RowSource {
    batches: RecordBatches,
    /// Batches, each with the number of its piece.
    ready: VecDeque<(u64, RecordBatch)>,
    resources: Resources,
    progress: Progress,
    rows: u64,
    /// The piece of the last batch that was returned.
    last: u64,
    counts: Arc<RowCounts>,
    ended: bool,
}

impl RowSource {
    fn compute(&mut self) -> Result<bool> {
        self.resources.cancel.check()?;
        let most = BATCHES_PER_THREAD * self.resources.threads.max(1);
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(rows) = self.batches.next_rows(&self.resources)
        {
            taken.push(rows?);
        }
        if taken.is_empty() {
            self.finish(u64::MAX)?;
            return Ok(false);
        }
        let done = parallel::map(self.resources.threads, taken, |rows| {
            let (bytes, number) = (rows.bytes().unwrap_or(0), rows.number());
            let mut batches = Vec::new();
            rows.decode(&mut |batch: RecordBatch| {
                self.counts.rows.fetch_add(batch.num_rows() as u64, Relaxed);
                batches.push((number, batch));
                Ok(())
            })?;
            self.counts.bytes.fetch_add(bytes, Relaxed);
            self.counts.pieces.fetch_add(1, Relaxed);
            self.progress.add(bytes);
            Ok(batches)
        })?;
        let rows = done.into_iter().flatten();
        self.ready
            .extend(rows.filter(|(_, batch)| batch.num_rows() > 0));
        Ok(true)
    }

    /// Ends the input after a piece. A bad row of a later piece is no error.
    fn finish(&mut self, last: u64) -> Result<()> {
        if !std::mem::replace(&mut self.ended, true) {
            let rejected = self.batches.finish(last)?;
            self.counts.rejected.store(rejected, Relaxed);
        }
        Ok(())
    }
}

impl BatchSource for RowSource {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.ready.is_empty() {
            if !self.compute()? {
                return Ok(None);
            }
        }
        let Some((piece, batch)) = self.ready.pop_front() else {
            return Ok(None);
        };
        self.last = piece;
        self.rows += batch.num_rows() as u64;
        Ok(Some(batch))
    }

    fn end(&mut self) -> Result<()> {
        self.finish(self.last)
    }

    fn groups(&self) -> u64 {
        self.rows
    }

    fn spilled_bytes(&self) -> u64 {
        0
    }

    fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}
