//! Runs the workers of one work queue and collects their results.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::chunk_sink::ChunkSink;
use super::context::JobContext;
use super::job::Job;
use super::stats::Stats;
use super::work_queue::WorkQueue;
use super::worker::Worker;
use crate::Result;
use crate::runtime::parallel::caught;

/// The operators and the statistics of all workers.
pub(super) type WorkerOutputs<J> = (Vec<<J as Job>::Operator>, Stats);

/// The index, the operator and the statistics of one worker.
type WorkerOutput<J> = (usize, <J as Job>::Operator, Stats);

/// The same work for several workers, which may start at any time on any thread.
pub(super) struct WorkerPool<'s, 'b, J: Job, W> {
    context: &'s JobContext<'s, J>,
    work_queue: &'s WorkQueue<'b>,
    /// Maximum number of workers.
    takers: usize,
    work: W,
    outputs: Mutex<Vec<WorkerOutput<J>>>,
}

impl<'s, 'b, J, W> WorkerPool<'s, 'b, J, W>
where
    J: Job,
    W: Fn(&mut Worker<'_, J>) -> Result<()> + Sync,
{
    pub(super) fn new(
        context: &'s JobContext<'s, J>,
        work_queue: &'s WorkQueue<'b>,
        takers: usize,
        work: W,
    ) -> Self {
        Self {
            context,
            work_queue,
            takers,
            work,
            outputs: Mutex::new(Vec::with_capacity(takers)),
        }
    }

    /// Runs one worker until the queue is empty. An error or a panic ends the job for all workers.
    pub(super) fn join(
        &self,
        index: usize,
        chunk_sink: Option<Box<dyn ChunkSink<J::Operator> + '_>>,
    ) {
        // After a panic the worker's state is not used again.
        match caught(|| self.count(index, chunk_sink)) {
            Ok(part) => self
                .outputs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(part),
            Err(error) => self.work_queue.fail(error),
        }
    }

    fn count(
        &self,
        index: usize,
        chunk_sink: Option<Box<dyn ChunkSink<J::Operator> + '_>>,
    ) -> Result<Option<WorkerOutput<J>>> {
        let operator = self.context.job.operator(self.context.resources)?;
        let mut worker = Worker::new(self.context, operator, self.takers, chunk_sink);
        (self.work)(&mut worker)?;
        if self.work_queue.has_failed() {
            // The counts of a device are not needed.
            return Ok(None);
        }
        let (operator, stats) = worker.finish()?;
        Ok(Some((index, operator, stats)))
    }

    /// Returns the operators in the order of their indices, and the statistics with the decision.
    pub(super) fn end(self, decision: Option<String>) -> WorkerOutputs<J> {
        let parts = self.outputs.into_inner();
        let mut parts = parts.unwrap_or_else(PoisonError::into_inner);
        parts.sort_by_key(|(index, ..)| *index);
        let mut stats = Stats {
            decisions: decision.into_iter().collect(),
            ..Stats::default()
        };
        let operators = parts.into_iter().map(|(_, operator, part)| {
            stats += part;
            operator
        });
        (operators.collect(), stats)
    }
}
