//! The answer of a drain: batches that are made when they are asked for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;

use super::drain::BatchLimits;
use super::drain_input::DrainInput;
use super::reduce::{OperatorContext, Reducer};
use crate::operator::text_count::columns::Batcher;
use crate::operator::text_count::order::{By, DrainTotals, Range, Sorter};
use crate::runtime::Reservation;
use crate::runtime::parallel;
use crate::{Error, ErrorKind, Result};

/// The answer of a drain: batches of `key` and `count`, each made when it is asked for.
///
/// Dropping it early drops the groups that have not left. It uses the threads of the rayon pool
/// in which `next` is called, and the caller's thread alone outside of one.
pub struct Batches {
    context: OperatorContext,
    source: Source,
    limits: BatchLimits,
    ready: VecDeque<RecordBatch>,
    /// Rows that may still leave.
    left: usize,
    seen: DrainTotals,
    /// What `seen.tokens` must be once everything was seen.
    tokens: Option<u64>,
    /// Bytes that had been spilled when the first batch was still to be made.
    spilled_before: u64,
    /// Workers of the wave before, with their memory.
    idle: Vec<Worker>,
    failed: bool,
    _memory: Vec<Reservation>,
}

/// Where batches come from.
pub(super) enum Source {
    /// From nowhere: all are ready.
    Nothing,
    /// Partitions to be reduced; they leave in any order.
    Items(VecDeque<DrainInput>),
    /// Ranges to be sorted, in order.
    Ranges(By, VecDeque<Range>),
}

/// One worker of a wave.
struct Worker {
    reducer: Reducer,
    sorter: Sorter,
    seen: DrainTotals,
    made: Vec<(usize, Vec<RecordBatch>)>,
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("limits", &self.limits)
            .field("groups", &self.seen.groups)
            .finish_non_exhaustive()
    }
}

impl Batches {
    pub(super) fn new(context: OperatorContext, source: Source, limits: BatchLimits) -> Self {
        Self {
            spilled_before: context.space.written(),
            context,
            source,
            limits,
            ready: VecDeque::new(),
            left: limits.top.unwrap_or(usize::MAX),
            seen: DrainTotals::default(),
            tokens: None,
            idle: Vec::new(),
            failed: false,
            _memory: Vec::new(),
        }
    }

    /// Batches that are ready to leave.
    pub(super) fn with_ready(self, ready: Vec<RecordBatch>) -> Self {
        let ready = ready.into();
        Self { ready, ..self }
    }

    /// What was seen before the first batch leaves.
    pub(super) fn with_seen(self, seen: DrainTotals) -> Self {
        Self { seen, ..self }
    }

    /// Memory that is held until the last batch has left.
    pub(super) fn with_memory(self, memory: Vec<Reservation>) -> Self {
        let _memory = memory;
        Self { _memory, ..self }
    }

    /// Expects the counts of all groups to have this sum.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when they were all seen and have another.
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

    /// How many distinct keys were found: all of them from the start when they leave in order, and
    /// once the last batch has left when they do not.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.seen.groups
    }

    /// How many bytes were spilled to make the batches up to now.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.context.space.written() - self.spilled_before
    }

    /// Tells whether the next batch is made already.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Makes the next few batches; none are left when it leaves `ready` empty.
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

    /// Makes batches of a few parts side by side, and keeps their order.
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

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.left == 0 {
            return None;
        }
        if let Err(error) = self.refill() {
            self.failed = true;
            return Some(Err(error));
        }
        let mut batch = self.ready.pop_front()?;
        if batch.num_rows() > self.left {
            batch = batch.slice(0, self.left);
        }
        self.left -= batch.num_rows();
        Some(Ok(batch))
    }
}

/// Takes parts that are made into batches together: a few for each thread, but for the first not
/// more than there is room for.
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

    fn sort(&mut self, range: Range, by: By, limits: &BatchLimits) -> Result<Vec<RecordBatch>> {
        let sorted = range.load(by, &mut self.sorter)?;
        batches_of(limits, |batcher| sorted.write(batcher))
    }
}

/// Collects what `write` writes in batches.
///
/// # Errors
///
/// What `write` returns.
pub(super) fn batches_of(
    limits: &BatchLimits,
    write: impl FnOnce(&mut Batcher<Vec<RecordBatch>>) -> Result<()>,
) -> Result<Vec<RecordBatch>> {
    let mut batcher = Batcher::new(limits.rows, limits.bytes, Vec::new());
    write(&mut batcher)?;
    batcher.finish()
}
