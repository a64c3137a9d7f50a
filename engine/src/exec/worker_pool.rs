//! The work of all workers on one board, and what they leave behind.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::chunk_sink::ChunkSink;
use super::context::JobContext;
use super::stats::Stats;
use super::work_queue::WorkQueue;
use super::worker::Worker;
use crate::Result;
use crate::operator::CountOperator;
use crate::runtime::parallel::caught;

/// What the workers leave behind.
pub(super) type Counted = (Vec<CountOperator>, Stats);

/// What one worker leaves behind, with its number.
type Part = (usize, CountOperator, Stats);

/// The same work for several workers, who begin when and where they like.
pub(super) struct WorkerPool<'s, 'b, W> {
    context: &'s JobContext<'s>,
    work_queue: &'s WorkQueue<'b>,
    /// How many workers there may be.
    takers: usize,
    work: W,
    parts: Mutex<Vec<Part>>,
}

impl<'s, 'b, W: Fn(&mut Worker<'_>) -> Result<()> + Sync> WorkerPool<'s, 'b, W> {
    pub(super) fn new(
        context: &'s JobContext<'s>,
        work_queue: &'s WorkQueue<'b>,
        takers: usize,
        work: W,
    ) -> Self {
        Self {
            context,
            work_queue,
            takers,
            work,
            parts: Mutex::new(Vec::with_capacity(takers)),
        }
    }

    /// Is one worker until nothing is left; an error or a panic ends the job for all.
    pub(super) fn join(&self, index: usize, chunk_sink: Option<Box<dyn ChunkSink + '_>>) {
        // After a panic nothing of the worker is looked at again.
        match caught(|| self.count(index, chunk_sink)) {
            Ok(part) => self
                .parts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(part),
            Err(error) => self.work_queue.fail(error),
        }
    }

    fn count(
        &self,
        index: usize,
        chunk_sink: Option<Box<dyn ChunkSink + '_>>,
    ) -> Result<Option<Part>> {
        let operator = CountOperator::new(self.context.rule, self.context.resources)?;
        let mut worker = Worker::new(self.context, operator, self.takers, chunk_sink);
        (self.work)(&mut worker)?;
        if self.work_queue.has_failed() {
            // What a device has is of no use any more.
            return Ok(None);
        }
        let (operator, stats) = worker.finish()?;
        Ok(Some((index, operator, stats)))
    }

    /// What all have counted, in the order of their numbers, and why there.
    pub(super) fn end(self, decision: Option<String>) -> Counted {
        let parts = self.parts.into_inner();
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
