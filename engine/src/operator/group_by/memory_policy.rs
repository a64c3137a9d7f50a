//! Keeps an operator within its memory: when one table becomes partitions, and when these are spilled.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};

use super::GroupBy;
use crate::Result;
use crate::runtime::Resources;

/// Rows that a table takes at a time: their ids and values stay in the first cache.
const ROWS_AT_ONCE: usize = 4096;
/// Rows that are dealt to partitions at a time: they stay in the second cache.
const DEALT_ROWS: usize = 1 << 16;
/// Bytes of rows that wait for their tables at most: the offsets of a column end at 2 GiB.
const MOST_PENDING: usize = 1 << 30;
/// Bytes of rows that are taken at a time, unless a single row is larger.
const BYTES_AT_ONCE: usize = 4 << 20;

/// When an operator partitions and spills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Rows that a table takes at a time.
    pub(super) rows_at_once: usize,
    /// Rows that are dealt to partitions at a time.
    pub(super) dealt_rows: usize,
    /// Bytes of the one table from which groups go to partitions.
    pub(super) partition: usize,
    /// Bytes of rows that wait for the table of their partition.
    pub(super) pending: usize,
    /// Bytes from which an operator spills though others may have room.
    pub(super) share: usize,
    /// Bytes that a partition may take while it is reduced.
    pub(super) part: usize,
}

impl Sizes {
    pub(super) fn new(resources: &Resources) -> Self {
        let tuning = &resources.tuning;
        let limit = resources.memory.limit() / resources.threads.max(1);
        // The rest is for rows that come, for what the allocator holds, and for sorting.
        let share = limit / 2;
        Self {
            rows_at_once: ROWS_AT_ONCE.min(tuning.tile_bytes).max(1),
            dealt_rows: DEALT_ROWS.min(4 * tuning.tile_bytes).max(1),
            partition: (tuning.flush_bytes / 4).min(share / 4).max(1),
            pending: (tuning.flush_bytes.saturating_mul(8))
                .min(share / 4)
                .min(MOST_PENDING),
            share,
            part: (limit / 8).max(1),
        }
    }

    /// Cuts columns of so many rows into what is taken at a time.
    pub(super) fn steps<'a>(
        &self,
        rows: usize,
        columns: impl Iterator<Item = &'a ArrayRef>,
    ) -> Steps {
        let sizes = columns.map(|it| it.to_data().get_slice_memory_size().unwrap_or(0));
        let row = sizes.sum::<usize>() / rows.max(1);
        Steps {
            next: 0,
            rows,
            most: (BYTES_AT_ONCE / row.max(1)).max(1),
            rows_at_once: self.rows_at_once,
            dealt_rows: self.dealt_rows,
        }
    }
}

/// The rows of a batch, some at a time.
pub(super) struct Steps {
    next: usize,
    rows: usize,
    /// Rows of as many bytes as are taken at a time.
    most: usize,
    rows_at_once: usize,
    dealt_rows: usize,
}

impl Steps {
    /// The next rows: more of them where they are dealt to partitions.
    pub(super) fn next(&mut self, is_split: bool) -> Option<Range<usize>> {
        let some = match is_split {
            true => self.dealt_rows,
            false => self.rows_at_once,
        };
        let first = self.next;
        self.next = (first + some.min(self.most)).min(self.rows);
        (first < self.rows).then_some(first..self.next)
    }
}

impl GroupBy {
    /// Brings the memory within its bounds.
    pub(super) fn check_memory(&mut self) -> Result<()> {
        self.context.resources.cancel.check()?;
        let sizes = self.context.sizes;
        if self.partitions.is_whole() && self.partitions.size() > sizes.partition {
            self.partitions.split(&self.context)?;
        }
        self.reservation.set(self.partitions.size());
        let tight =
            self.context.resources.memory.is_tight(0) && self.partitions.size() > sizes.share / 4;
        if self.partitions.size() > sizes.share || tight {
            self.spill_all()?;
        }
        Ok(())
    }

    /// Brings the memory within the budget of all operators, where this one holds what several had.
    pub(super) fn check_budget(&mut self, more: usize) -> Result<()> {
        self.reservation.set(self.partitions.size());
        match self.context.resources.memory.is_tight(more) {
            true => self.spill_all(),
            false => Ok(()),
        }
    }

    /// Moves all groups to disk.
    pub(super) fn spill_all(&mut self) -> Result<()> {
        self.partitions.spill(&self.context)?;
        self.reservation.set(self.partitions.size());
        Ok(())
    }
}
