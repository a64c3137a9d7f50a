//! Keeps an operator within its memory: when tables go to partitions, and partitions to disk.
#![forbid(unsafe_code)]

use keymill_kernels::stage::count::Counter;

use super::{FEW, MOST, TextCount, too_many};
use crate::operator::Operator;
use crate::runtime::Resources;
use crate::{Result, TokenRule, Tuning};

/// Bytes of partitions that are left as they are: a small job is over sooner.
const LARGEST_UNFOLDED: usize = 64 << 20;

/// When an operator flushes, folds and spills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Bytes of a counter without groups.
    pub(super) fresh: usize,
    /// Bytes of text between two looks at the budget.
    pub(super) look: usize,
    /// Bytes of groups that make a piece of a partition.
    pub(super) piece: usize,
    /// Bytes of tables from which groups go to partitions.
    pub(super) flush: usize,
    /// Bytes of partitions from which it is tried to make them smaller.
    pub(super) compact: usize,
    /// Bytes from which an operator spills though others may have room.
    pub(super) share: usize,
}

impl Sizes {
    /// Budgets below a few fresh tables count as that much: less would spill with every token.
    pub(super) fn new(resources: &Resources, fresh: usize) -> Self {
        let limit = resources.memory.limit() / resources.threads.max(1);
        let share = (limit / 4 * 3).max(8 * fresh);
        let flush = resources.tuning.flush_bytes.min(share / 4).max(2 * fresh);
        Self {
            fresh,
            look: resources.tuning.check_bytes.max(1),
            flush,
            piece: flush / resources.tuning.partitions.max(1) / 2,
            compact: (share / 4).min(LARGEST_UNFOLDED),
            share,
        }
    }
}

impl TextCount {
    pub(super) fn check_memory_when_due(&mut self) -> Result<()> {
        match self.unchecked >= self.sizes.look {
            true => self.check_memory(),
            false => Ok(()),
        }
    }

    /// Brings the metrics up to date, and the memory within its bounds.
    pub(super) fn check_memory(&mut self) -> Result<()> {
        self.unchecked = 0;
        self.context.resources.cancel.check()?;
        self.observe()?;
        if self.counter.bytes() > self.sizes.flush {
            self.flush();
            self.compact_when_due()?;
        }
        self.reservation.set(self.size());
        let memory = &self.context.resources.memory;
        let tight = memory.is_tight(0) && self.size() > self.sizes.share / 4;
        if self.size() > self.sizes.share || tight {
            self.spill_all()?;
        }
        Ok(())
    }

    /// Notes what the counter has seen.
    pub(super) fn observe(&mut self) -> Result<()> {
        let (tokens, rejected) = (self.counter.tokens(), self.counter.rejected());
        let news = tokens - self.seen.0;
        self.metrics.tokens += news;
        self.metrics.rejected += rejected - self.seen.1;
        self.seen = (tokens, rejected);
        self.hold(news)
    }

    /// Notes that so many more tokens are held.
    pub(super) fn hold(&mut self, tokens: u64) -> Result<()> {
        let held = self.held.checked_add(tokens).filter(|&held| held <= MOST);
        self.held = held.ok_or_else(too_many)?;
        Ok(())
    }

    /// Starts with a fresh counter, and answers with the old one.
    pub(super) fn replace_counter(&mut self) -> Counter {
        let fresh = new_counter(&self.rule, &self.context.resources, self.sizes.flush);
        self.seen = (0, 0);
        std::mem::replace(&mut self.counter, fresh)
    }

    /// Moves the tables' groups to partitions.
    pub(super) fn flush(&mut self) {
        let count = self.context.resources.tuning.partitions.max(1);
        self.partitions
            .take_from(&mut self.counter, count, self.sizes.piece);
    }

    pub(super) fn spill_all(&mut self) -> Result<()> {
        self.observe()?;
        self.flush();
        self.partitions.spill(&self.context.space)?;
        if self.counter.bytes() > self.sizes.fresh {
            self.replace_counter();
        }
        self.reservation.set(self.size());
        Ok(())
    }

    /// Tells whether all groups are in tables, and few.
    pub(super) fn is_small(&self) -> bool {
        self.partitions.is_unused() && self.counter.len() <= FEW
    }
}

/// A counter that flushes at so many bytes.
pub(super) fn new_counter(rule: &TokenRule, resources: &Resources, flush_bytes: usize) -> Counter {
    let limits = Tuning {
        flush_bytes,
        bypass_bytes: resources.tuning.bypass_bytes.min(flush_bytes / 2),
        ..resources.tuning
    };
    Counter::new(resources.level, rule, &limits, resources.seed)
}
