//! Merges runs into ordered batches.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::SortKey;
use super::context::SortContext;
use super::cursor::{Content, Cursor, Run};
use super::gather::Gather;
use crate::Result;
use crate::runtime::{BatchLimits, Resources};
use crate::spill::{BATCH_BYTES, BATCH_ROWS, SpillSpace};

/// The rows of all runs in order. Each batch is made when it is needed.
///
/// The iterator ends after an error. A batch has fewer rows than the limits allow if a dictionary
/// would have more values than its key type can count.
pub(crate) struct SortedBatches {
    context: Arc<SortContext>,
    cursors: Vec<Cursor>,
    /// A binary heap of the numbers of cursors; the one with the first row is on top.
    heap: Vec<usize>,
    gather: Gather,
    ready: VecDeque<RecordBatch>,
    /// Maximum number of further rows.
    left: usize,
}

impl SortedBatches {
    /// Merges the runs of one or several buffers ([`super::SortBuffer::finish`]). `schema` and `keys`
    /// are those of the buffers. If there are too many spilled runs for the memory, they are first
    /// merged to fewer, longer ones.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Config`] for keys that cannot be sorted, a cancellation, and those of
    /// spill files.
    pub(crate) fn new(
        schema: &SchemaRef,
        keys: &[SortKey],
        runs: Vec<Run>,
        limits: BatchLimits,
        resources: &Resources,
        space: &SpillSpace,
    ) -> Result<Self> {
        let context = SortContext::new(schema, keys, resources, space)?;
        let runs = reduce_runs(&context, runs, limits.top)?;
        Self::merge(&context, runs, limits)
    }

    pub(super) fn merge(
        context: &Arc<SortContext>,
        runs: Vec<Run>,
        limits: BatchLimits,
    ) -> Result<Self> {
        let is_compared = runs.len() > 1;
        let mut cursors = Vec::with_capacity(runs.len());
        for run in runs {
            cursors.extend(Cursor::open(run, context, is_compared)?);
        }
        let mut batches = Self {
            context: context.clone(),
            heap: (0..cursors.len()).collect(),
            cursors,
            gather: Gather::new(limits.rows, limits.bytes),
            ready: VecDeque::new(),
            left: limits.top.unwrap_or(usize::MAX),
        };
        for place in (0..batches.heap.len() / 2).rev() {
            batches.sift_down(place);
        }
        Ok(batches)
    }

    /// Makes the next batch, if there are more rows.
    fn fill(&mut self) -> Result<()> {
        if self.heap.is_empty() {
            return Ok(());
        }
        self.context.resources.cancel.check()?;
        while self.left > 0
            && let Some(&first) = self.heap.first()
        {
            let cursor = &mut self.cursors[first];
            if !cursor.give(&mut self.gather) {
                break;
            }
            self.left -= 1;
            if !cursor.advance(&self.context)? {
                self.heap.swap_remove(0);
            }
            self.sift_down(0);
        }
        match self.gather.is_empty() {
            true => Ok(()),
            false => self.gather.finish(&mut self.ready),
        }
    }

    /// Moves a cursor down the heap until no row below it comes before its own.
    #[inline]
    fn sift_down(&mut self, mut place: usize) {
        loop {
            let mut first = place;
            for child in [2 * place + 1, 2 * place + 2] {
                if child < self.heap.len() && self.is_before(child, first) {
                    first = child;
                }
            }
            if first == place {
                return;
            }
            self.heap.swap(place, first);
            place = first;
        }
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        let key = |place: usize| self.cursors[self.heap[place]].key();
        key(a) < key(b)
    }

    fn end(&mut self) {
        self.heap.clear();
        self.cursors.clear();
    }
}

impl Iterator for SortedBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(error) = self.fill()
        {
            self.end();
            return Some(Err(error));
        }
        let batch = self.ready.pop_front();
        if batch.is_none() {
            self.end();
        }
        batch.map(Ok)
    }
}

/// Merges at most `top` rows of one or several runs into batches for a segment.
pub(super) fn merge_small(
    context: &Arc<SortContext>,
    runs: Vec<Run>,
    top: Option<usize>,
) -> Result<SortedBatches> {
    let limits = BatchLimits {
        rows: BATCH_ROWS,
        bytes: BATCH_BYTES,
        top,
    };
    SortedBatches::merge(context, runs, limits)
}

/// Merges runs into one run on disk.
pub(super) fn spill(context: &Arc<SortContext>, runs: Vec<Run>, top: Option<usize>) -> Result<Run> {
    let mut batches = merge_small(context, runs, top)?;
    let segment = context.space.store(&context.schema, |writer| {
        batches.try_for_each(|batch| writer.write(&batch?))
    })?;
    Ok(Run(Content::Spilled(segment)))
}

/// Merges spilled runs until one batch of each fits in memory.
fn reduce_runs(context: &Arc<SortContext>, runs: Vec<Run>, top: Option<usize>) -> Result<Vec<Run>> {
    let (mut spilled, mut runs): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(Run::is_spilled);
    loop {
        let most = most_runs(&spilled, context.resources.memory.limit());
        if spilled.len() <= most {
            break;
        }
        // Merges the shortest runs, and no more than necessary.
        spilled.sort_by_key(|run| std::cmp::Reverse(run.rows()));
        let merged = most.min(spilled.len() - most + 1);
        let shortest = spilled.split_off(spilled.len() - merged);
        spilled.push(spill(context, shortest, top)?);
    }
    runs.append(&mut spilled);
    Ok(runs)
}

/// Returns how many spilled runs can be merged at a time: one batch of each, with its encoded keys,
/// must fit in a quarter of the memory.
fn most_runs(spilled: &[Run], limit: usize) -> usize {
    let largest = spilled.iter().map(|run| match &run.0 {
        Content::Spilled(segment) => segment.largest_batch(),
        Content::Memory(_) => 0,
    });
    let largest = largest.chain(iter::once(1)).max().unwrap_or(1);
    (limit / 4 / (2 * largest)).max(2)
}
