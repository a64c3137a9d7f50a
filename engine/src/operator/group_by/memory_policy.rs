//! Keeps an operator within its memory: decides when one table is split into partitions, and when
//! partitions are spilled.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};

use super::GroupBy;
use crate::Result;
use crate::runtime::Resources;

/// Rows that are added to a table at a time: their ids and values stay in the first-level cache.
const ROWS_AT_ONCE: usize = 4096;
/// Rows that are partitioned at a time: they stay in the second-level cache.
const PARTITIONED_AT_ONCE: usize = 1 << 16;
/// Maximum bytes of pending rows: the offsets of a column end at 2 GiB.
const MOST_PENDING: usize = 1 << 30;
/// Maximum bytes of rows that are added at a time, unless a single row is larger.
const BYTES_AT_ONCE: usize = 4 << 20;

/// The sizes at which an operator partitions and spills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Rows that are added to a table at a time.
    pub(super) rows_at_once: usize,
    /// Rows that are partitioned at a time.
    pub(super) partitioned_at_once: usize,
    /// Bytes from which one table is split into partitions.
    pub(super) split_bytes: usize,
    /// Bytes from which pending rows are added to the tables of their partitions.
    pub(super) pending_bytes: usize,
    /// Bytes from which an operator spills, even if the budget has free memory.
    pub(super) spill_bytes: usize,
    /// Maximum bytes of a partition while it is reduced.
    pub(super) partition_bytes: usize,
}

impl Sizes {
    pub(super) fn new(resources: &Resources) -> Self {
        let tuning = &resources.tuning;
        let limit = resources.memory.limit() / resources.threads.max(1);
        // The rest is for new rows, for freed memory that the allocator keeps, and for sorting.
        let spill_bytes = limit / 2;
        Self {
            rows_at_once: ROWS_AT_ONCE.min(tuning.tile_bytes).max(1),
            partitioned_at_once: PARTITIONED_AT_ONCE.min(4 * tuning.tile_bytes).max(1),
            split_bytes: (tuning.flush_bytes / 4).min(spill_bytes / 4).max(1),
            pending_bytes: (tuning.flush_bytes.saturating_mul(8))
                .min(spill_bytes / 4)
                .min(MOST_PENDING),
            spill_bytes,
            partition_bytes: (limit / 8).max(1),
        }
    }

    /// Splits columns of `rows` rows into ranges that are added at a time.
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
            max_rows: (BYTES_AT_ONCE / row.max(1)).max(1),
            rows_at_once: self.rows_at_once,
            partitioned_at_once: self.partitioned_at_once,
        }
    }
}

/// Ranges of the rows of a batch.
pub(super) struct Steps {
    next: usize,
    rows: usize,
    /// Rows of [`BYTES_AT_ONCE`] bytes.
    max_rows: usize,
    rows_at_once: usize,
    partitioned_at_once: usize,
}

impl Steps {
    /// Returns the next range. It is longer if the rows are partitioned.
    pub(super) fn next(&mut self, is_split: bool) -> Option<Range<usize>> {
        let rows = match is_split {
            true => self.partitioned_at_once,
            false => self.rows_at_once,
        };
        let first = self.next;
        self.next = (first + rows.min(self.max_rows)).min(self.rows);
        (first < self.rows).then_some(first..self.next)
    }
}

impl GroupBy {
    /// Splits or spills the groups if they exceed the limits.
    pub(super) fn check_memory(&mut self) -> Result<()> {
        self.context.resources.cancel.check()?;
        let sizes = self.context.sizes;
        if self.partitions.is_one_table() && self.partitions.size() > sizes.split_bytes {
            self.partitions.split(&self.context)?;
        }
        self.reservation.set(self.partitions.size());
        let tight = self.context.resources.memory.is_tight(0)
            && self.partitions.size() > sizes.spill_bytes / 4;
        if self.partitions.size() > sizes.spill_bytes || tight {
            self.spill_all()?;
        }
        Ok(())
    }

    /// Spills all groups if `more` bytes would exceed the budget that all operators share.
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
