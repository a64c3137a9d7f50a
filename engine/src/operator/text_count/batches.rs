//! The result of a drain: batches that are made on demand.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;

use super::drain_input::DrainInput;
use super::reduce::{OperatorContext, Reducer};
use crate::BatchLimits;
use crate::operator::BatchSource;
use crate::operator::text_count::columns::Batcher;
use crate::operator::text_count::order::{DrainTotals, Range, SortBy, Sorter};
use crate::runtime::Reservation;
use crate::runtime::parallel;
use crate::{Error, ErrorKind, Result};

/// The result of a drain: batches of `key` and `count`, made on demand.
///
/// Dropping it early drops the remaining groups. It uses the threads of the rayon pool in which
/// `next` is called, or only the caller's thread outside of a pool.
pub(crate) struct CountBatches {
    context: OperatorContext,
    source: Source,
    limits: BatchLimits,
    ready: VecDeque<RecordBatch>,
    seen: DrainTotals,
    /// The required final value of `seen.tokens`.
    tokens: Option<u64>,
    /// Bytes that were spilled before the first batch.
    spilled_before: u64,
    /// Workers of the previous wave, with their memory.
    idle: Vec<Worker>,
    _memory: Vec<Reservation>,
}

/// The source of batches.
pub(super) enum Source {
    /// None: all batches are ready.
    Nothing,
    /// Partitions to be reduced, in any order.
    Items(VecDeque<DrainInput>),
    /// Ranges to be sorted, in order.
    Ranges(SortBy, VecDeque<Range>),
}

/// One worker of a wave.
struct Worker {
    reducer: Reducer,
    sorter: Sorter,
    seen: DrainTotals,
    made: Vec<(usize, Vec<RecordBatch>)>,
}

impl fmt::Debug for CountBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountBatches")
            .field("limits", &self.limits)
            .field("groups", &self.seen.groups)
            .finish_non_exhaustive()
    }
}

impl CountBatches {
    pub(super) fn new(context: OperatorContext, source: Source, limits: BatchLimits) -> Self {
        Self {
            spilled_before: context.space.written(),
            context,
            source,
            limits,
            ready: VecDeque::new(),
            seen: DrainTotals::default(),
            tokens: None,
            idle: Vec::new(),
            _memory: Vec::new(),
        }
    }

    /// Sets batches that are ready.
    pub(super) fn with_ready(self, ready: Vec<RecordBatch>) -> Self {
        let ready = ready.into();
        Self { ready, ..self }
    }

    /// Sets the totals of groups that were seen before the first batch.
    pub(super) fn with_seen(self, seen: DrainTotals) -> Self {
        Self { seen, ..self }
    }

    /// Keeps memory reserved until this is dropped.
    pub(super) fn with_memory(self, memory: Vec<Reservation>) -> Self {
        let _memory = memory;
        Self { _memory, ..self }
    }

    /// Sets the expected sum of the counts of all groups.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when all groups were seen and their sum is different.
    pub(super) fn expecting(mut self, tokens: u64) -> Result<Self> {
        self.tokens = Some(tokens);
        match self.source {
            Source::Items(_) => Ok(self),
            _ => self.check_tokens().map(|()| self),
        }
    }

    fn check_tokens(&self) -> Result<()> {
        match self.tokens {
            Some(tokens) if tokens != self.seen.tokens => Err(Error::new(
                ErrorKind::Internal,
                format!(
                    "the counts sum to {} where {tokens} tokens were counted; please report this",
                    self.seen.tokens
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Makes the next batches; `ready` stays empty after the last one.
    fn refill(&mut self) -> Result<()> {
        let resources = &self.context.resources;
        let threads = parallel::available(resources.threads);
        let room = resources.memory.limit() / 16;
        while self.ready.is_empty() {
            self.context.resources.cancel.check()?;
            let limits = self.limits;
            match &mut self.source {
                Source::Items(items) if !items.is_empty() => {
                    let wave = next_wave(items, threads, room, DrainInput::bytes);
                    self.run(wave, |worker, item| worker.reduce(item, &limits))?;
                    if matches!(&self.source, Source::Items(items) if items.is_empty()) {
                        self.check_tokens()?;
                    }
                }
                Source::Ranges(by, ranges) if !ranges.is_empty() => {
                    let by = *by;
                    let wave = next_wave(ranges, threads, room, Range::bytes);
                    self.run(wave, |worker, range| worker.sort(range, by, &limits))?;
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Makes batches of some parts in parallel, and keeps their order.
    fn run<T: Send>(
        &mut self,
        wave: Vec<T>,
        make: impl Fn(&mut Worker, T) -> Result<Vec<RecordBatch>> + Sync,
    ) -> Result<()> {
        let context = &self.context;
        let idle = Mutex::new(std::mem::take(&mut self.idle));
        let start = || {
            let idle = &mut *idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.pop().unwrap_or_else(|| Worker::new(context))
        };
        let numbered = wave.into_iter().enumerate().collect();
        let mut workers = parallel::work(
            context.resources.threads,
            numbered,
            start,
            |worker, (number, part)| {
                context.resources.cancel.check()?;
                let batches = make(worker, part)?;
                worker.made.push((number, batches));
                Ok(())
            },
        )?;
        let mut made = Vec::new();
        for worker in &mut workers {
            self.seen.add(std::mem::take(&mut worker.seen));
            made.append(&mut worker.made);
        }
        made.sort_unstable_by_key(|(number, _)| *number);
        self.ready
            .extend(made.into_iter().flat_map(|(_, batches)| batches));
        self.idle = workers;
        Ok(())
    }
}

impl BatchSource for CountBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.refill()?;
        Ok(self.ready.pop_front())
    }

    fn groups(&self) -> u64 {
        self.seen.groups
    }

    fn spilled_bytes(&self) -> u64 {
        self.context.space.written() - self.spilled_before
    }

    fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

/// Takes parts whose batches are made together: a few for each thread, limited by `room` bytes, but
/// at least one for each thread.
fn next_wave<T>(
    parts: &mut VecDeque<T>,
    threads: usize,
    room: usize,
    bytes: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut taken = 0;
    let fitting = parts.iter().take(8 * threads).take_while(|part| {
        taken += bytes(part);
        taken <= room
    });
    let number = fitting.count().max(threads).min(parts.len());
    parts.drain(..number).collect()
}

impl Worker {
    fn new(context: &OperatorContext) -> Self {
        Self {
            reducer: Reducer::new(context),
            sorter: Sorter::default(),
            seen: DrainTotals::default(),
            made: Vec::new(),
        }
    }

    fn reduce(&mut self, item: DrainInput, limits: &BatchLimits) -> Result<Vec<RecordBatch>> {
        let Self { reducer, seen, .. } = self;
        batches_of(limits, |batcher| {
            item.reduce(reducer, |groups| {
                seen.note(groups);
                batcher.push_groups(groups)
            })
        })
    }

    fn sort(&mut self, range: Range, by: SortBy, limits: &BatchLimits) -> Result<Vec<RecordBatch>> {
        let sorted = range.load(by, &mut self.sorter)?;
        batches_of(limits, |batcher| sorted.write(batcher))
    }
}

/// Collects in batches what `write` writes.
///
/// # Errors
///
/// The errors of `write`.
pub(super) fn batches_of(
    limits: &BatchLimits,
    write: impl FnOnce(&mut Batcher<Vec<RecordBatch>>) -> Result<()>,
) -> Result<Vec<RecordBatch>> {
    let mut batcher = Batcher::new(limits.rows, limits.bytes, Vec::new());
    write(&mut batcher)?;
    batcher.finish()
}
