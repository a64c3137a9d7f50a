//! The work queue: splits, ranges of large splits, and blocks of streams.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::read::ReadAt;
use crate::read::chunk::{Block, Ranges};
use crate::{Error, Result};

/// A split that is large enough for several workers.
pub(super) struct OpenSplit<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: OpenBytes<'a>,
    pub(super) ranges: Ranges,
}

/// The bytes of an open split.
pub(super) enum OpenBytes<'a> {
    Memory(&'a [u8]),
    At(Box<dyn ReadAt + 'a>),
}

/// The next work of a worker.
pub(super) enum Work<'a> {
    /// Count a block that another worker has read.
    Block(Block),
    /// Count a range of a split.
    Range(Arc<OpenSplit<'a>>, usize),
    /// Open a split; the worker then calls [`WorkQueue::opened`].
    Split(usize),
    /// The queue is empty, or the job has failed.
    Done,
}

/// The queue that the workers of a job share.
pub(super) struct WorkQueue<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    splits: usize,
    /// Maximum number of full blocks in the queue.
    most_blocks: usize,
}

struct State<'a> {
    next_split: usize,
    open: VecDeque<(Arc<OpenSplit<'a>>, usize)>,
    full: VecDeque<Block>,
    free: Vec<Block>,
    /// Number of workers that may still add work.
    openers: usize,
    error: Option<Error>,
}

impl<'a> WorkQueue<'a> {
    /// Creates a queue of `splits` splits.
    pub(super) fn new(splits: usize, workers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                next_split: 0,
                open: VecDeque::new(),
                full: VecDeque::new(),
                free: Vec::new(),
                openers: 0,
                error: None,
            }),
            changed: Condvar::new(),
            splits,
            most_blocks: 2 * (workers - 1),
        }
    }

    /// Takes work. Waits while the queue is empty and other workers may still add work.
    pub(super) fn take(&self) -> Work<'a> {
        let mut state = self.lock();
        loop {
            if state.error.is_some() {
                return Work::Done;
            }
            if let Some(work) = state.take(self.splits) {
                return work;
            }
            if state.openers == 0 {
                return Work::Done;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Records that the opener of a split adds no more work.
    pub(super) fn opened(&self) {
        self.lock().openers -= 1;
        self.changed.notify_all();
    }

    /// Adds the ranges of a split.
    pub(super) fn push_split(&self, split: Arc<OpenSplit<'a>>) {
        self.lock().open.push_back((split, 0));
        self.changed.notify_all();
    }

    /// Adds a full block and returns an empty one, or returns the full block if the queue is full.
    pub(super) fn hand_over(&self, block: Block, make: impl FnOnce() -> Block) -> HandOver {
        let mut state = self.lock();
        if state.full.len() >= self.most_blocks {
            return HandOver::Kept(block);
        }
        state.full.push_back(block);
        let free = state.free.pop();
        drop(state);
        self.changed.notify_one();
        HandOver::Given(free.unwrap_or_else(make))
    }

    /// Returns an empty block for reuse.
    pub(super) fn recycle(&self, block: Block) {
        self.lock().free.push(block);
    }

    /// Ends the job for all workers. The first error is kept.
    pub(super) fn fail(&self, error: Error) {
        self.lock().error.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Returns whether the job has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().error.is_some()
    }

    /// Returns the job's first error, if there is one.
    pub(super) fn finish(self) -> Result<()> {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        state.error.map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of [`WorkQueue::hand_over`].
pub(super) enum HandOver {
    /// Another worker counts the block. This is an empty one.
    Given(Block),
    /// The queue is full. The caller must count the block itself.
    Kept(Block),
}

impl<'a> State<'a> {
    /// Takes blocks first, because they hold memory; then ranges of open splits, because they hold
    /// files; then splits.
    fn take(&mut self, splits: usize) -> Option<Work<'a>> {
        if let Some(block) = self.full.pop_front() {
            return Some(Work::Block(block));
        }
        if let Some((split, next)) = self.open.front_mut() {
            let (split, index) = (Arc::clone(split), *next);
            *next += 1;
            if *next == split.ranges.len() {
                self.open.pop_front();
            }
            return Some(Work::Range(split, index));
        }
        if self.next_split < splits {
            self.next_split += 1;
            self.openers += 1;
            return Some(Work::Split(self.next_split - 1));
        }
        None
    }
}
