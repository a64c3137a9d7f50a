//! Runs a job that does not group: filters and selects rows, in their order.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Instant;

use arrow_array::RecordBatch;

use super::{JobOptions, Output, RuntimeEnv, Stats};
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
    let source = RowSource {
        batches,
        ready: VecDeque::new(),
        resources: resources.clone(),
        progress: options.progress.clone(),
        rows: 0,
    };
    Ok(Output {
        batches: Batches::new(schema, source, None),
        resources,
        seen: OperatorMetrics::default(),
        stats: Stats::default(),
        started,
    })
}

/// Computes several batches in parallel, and returns them in order.
struct RowSource {
    batches: RecordBatches,
    ready: VecDeque<RecordBatch>,
    resources: Resources,
    progress: Progress,
    rows: u64,
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
            self.batches.finish()?;
            return Ok(false);
        }
        let done = parallel::map(self.resources.threads, taken, |rows| {
            let (bytes, mut batches) = (rows.bytes(), Vec::new());
            rows.decode(&mut |batch| {
                batches.push(batch);
                Ok(())
            })?;
            self.progress.add(bytes.unwrap_or(0));
            Ok(batches)
        })?;
        let rows = done.into_iter().flatten();
        self.ready.extend(rows.filter(|batch| batch.num_rows() > 0));
        Ok(true)
    }
}

impl BatchSource for RowSource {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.ready.is_empty() {
            if !self.compute()? {
                return Ok(None);
            }
        }
        let batch = self.ready.pop_front();
        self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
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
