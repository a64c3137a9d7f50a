//! Keeps an operator within its memory: decides when tables are flushed to partitions, and
//! partitions to disk.
#![forbid(unsafe_code)]

use keymill_kernels::stage::count::Counter;

use super::{MAX_TOKENS, SMALL_TABLE_GROUPS, TextCount, too_many};
use crate::operator::Operator;
use crate::runtime::Resources;
use crate::{Result, TokenRule, Tuning};

/// Maximum of [`Sizes::compact`]: partitions of small jobs are not compacted.
const MIN_COMPACT_BYTES: usize = 64 << 20;

/// The sizes at which an operator flushes, compacts and spills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Bytes of a counter without groups.
    pub(super) fresh: usize,
    /// Bytes of text between two checks of the memory budget.
    pub(super) check_interval: usize,
    /// Bytes of groups from which they become a part of a partition.
    pub(super) piece: usize,
    /// Bytes of tables from which groups are flushed to partitions.
    pub(super) flush: usize,
    /// Bytes of partitions from which compaction is tried.
    pub(super) compact: usize,
    /// Bytes from which an operator spills, even if the budget has free memory.
    pub(super) share: usize,
}

impl Sizes {
    /// Computes the sizes. Budgets below a few new tables are raised, as they would spill with
    /// every token.
    pub(super) fn new(resources: &Resources, fresh: usize) -> Self {
        let limit = resources.memory.limit() / resources.threads.max(1);
        let share = (limit / 4 * 3).max(8 * fresh);
        let flush = resources.tuning.flush_bytes.min(share / 4).max(2 * fresh);
        Self {
            fresh,
            check_interval: resources.tuning.check_bytes.max(1),
            flush,
            piece: flush / resources.tuning.partitions.max(1) / 2,
            compact: (share / 4).min(MIN_COMPACT_BYTES),
            share,
        }
    }
}

impl TextCount {
    pub(super) fn check_memory_when_due(&mut self) -> Result<()> {
        match self.bytes_since_check >= self.sizes.check_interval {
            true => self.check_memory(),
            false => Ok(()),
        }
    }

    /// Updates the metrics, and flushes or spills if there is too little memory.
    pub(super) fn check_memory(&mut self) -> Result<()> {
        self.bytes_since_check = 0;
        self.context.resources.cancel.check()?;
        self.update_metrics()?;
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

    /// Updates the metrics by the tokens of the counter.
    pub(super) fn update_metrics(&mut self) -> Result<()> {
        let (tokens, rejected) = (self.counter.tokens(), self.counter.rejected());
        let new_tokens = tokens - self.seen.0;
        self.metrics.tokens += new_tokens;
        self.metrics.rejected += rejected - self.seen.1;
        self.seen = (tokens, rejected);
        self.add_held(new_tokens)
    }

    /// Adds to the number of held tokens.
    pub(super) fn add_held(&mut self, tokens: u64) -> Result<()> {
        let held = self
            .held
            .checked_add(tokens)
            .filter(|&held| held <= MAX_TOKENS);
        self.held = held.ok_or_else(too_many)?;
        Ok(())
    }

    /// Replaces the counter by a new one, and returns the old one.
    pub(super) fn replace_counter(&mut self) -> Counter {
        let fresh = new_counter(&self.rule, &self.context.resources, self.sizes.flush);
        self.seen = (0, 0);
        std::mem::replace(&mut self.counter, fresh)
    }

    /// Flushes the tables to partitions.
    pub(super) fn flush(&mut self) {
        let count = self.context.resources.tuning.partitions.max(1);
        self.partitions
            .flush_counter(&mut self.counter, count, self.sizes.piece);
    }

    pub(super) fn spill_all(&mut self) -> Result<()> {
        self.update_metrics()?;
        self.flush();
        self.partitions.spill(&self.context.space)?;
        if self.counter.bytes() > self.sizes.fresh {
            self.replace_counter();
        }
        self.reservation.set(self.size());
        Ok(())
    }

    /// Returns whether all groups are in tables, and few.
    pub(super) fn is_small(&self) -> bool {
        self.partitions.is_unused() && self.counter.len() <= SMALL_TABLE_GROUPS
    }
}

/// Makes a counter that flushes at `flush_bytes`.
pub(super) fn new_counter(rule: &TokenRule, resources: &Resources, flush_bytes: usize) -> Counter {
    let limits = Tuning {
        flush_bytes,
        bypass_bytes: resources.tuning.bypass_bytes.min(flush_bytes / 2),
        ..resources.tuning
    };
    Counter::new(resources.level, rule, &limits, resources.seed)
}
