//! Keeps an operator within its memory: when one table becomes partitions, and when these are spilled.

use super::{GroupBy, ROWS_AT_ONCE};
use crate::Result;
use crate::runtime::Resources;

/// Bytes of a row that is held until its partition takes it, for sizes that are stated in bytes.
const ROW_BYTES: usize = 16;

/// When an operator partitions and spills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Rows that a table takes at a time.
    pub(super) rows_at_once: usize,
    /// Rows between two checks of the memory.
    pub(super) check_rows: usize,
    /// Bytes of the one table from which groups go to partitions.
    pub(super) partition: usize,
    /// Rows that are gathered before they are dealt to partitions.
    pub(super) pending_rows: usize,
    /// Bytes from which an operator spills though others may have room.
    pub(super) share: usize,
    /// Bytes that a partition may take while it is reduced.
    pub(super) part: usize,
}

impl Sizes {
    pub(super) fn new(resources: &Resources) -> Self {
        let tuning = &resources.tuning;
        let limit = resources.memory.limit() / resources.threads.max(1);
        let share = limit / 4 * 3;
        Self {
            rows_at_once: ROWS_AT_ONCE.min(tuning.tile_bytes).max(1),
            check_rows: (tuning.look_bytes / ROW_BYTES).max(1),
            partition: (tuning.flush_bytes / 4).min(share / 4).max(1),
            pending_rows: (tuning.flush_bytes / 8 / ROW_BYTES)
                .min(share / 16 / ROW_BYTES)
                .max(1),
            share,
            part: (limit / 8).max(1),
        }
    }
}

impl GroupBy {
    /// Notes that rows came, and checks the memory when it is time to.
    pub(super) fn check_memory_after(&mut self, rows: usize) -> Result<()> {
        self.unchecked += rows;
        match self.unchecked >= self.context.sizes.check_rows {
            true => self.check_memory(),
            false => Ok(()),
        }
    }

    /// Brings the memory within its bounds.
    pub(super) fn check_memory(&mut self) -> Result<()> {
        self.unchecked = 0;
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

    /// Moves all groups to disk.
    pub(super) fn spill_all(&mut self) -> Result<()> {
        self.partitions.spill(&self.context)?;
        self.reservation.set(self.partitions.size());
        Ok(())
    }
}
