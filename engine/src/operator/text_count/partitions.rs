//! KeyCounts that left the tables, by partition of the stable hash, in memory and on disk.

use keymill_kernels::KeyCounts;
use keymill_kernels::stage::count::Counter;

use crate::Result;
use crate::spill::{Segment, SpillSpace};

/// KeyCounts of one partition; a key may stand in several pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) memory: Vec<KeyCounts>,
    pub(super) spilled: Vec<Segment>,
}

impl Pieces {
    /// Tells whether there are no groups.
    pub(super) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.spilled.is_empty()
    }

    /// How many bytes of memory are held.
    pub(super) fn bytes(&self) -> usize {
        self.memory.iter().map(KeyCounts::bytes).sum()
    }

    /// How many bytes of memory all groups would take.
    pub(super) fn loaded_bytes(&self) -> usize {
        self.bytes() + self.spilled.iter().map(Segment::memory).sum::<usize>()
    }

    /// How many groups there are at most: a key may be there more than once.
    pub(super) fn groups(&self) -> usize {
        let memory: usize = self.memory.iter().map(KeyCounts::len).sum();
        memory + self.spilled.iter().map(Segment::groups).sum::<usize>()
    }

    pub(super) fn push(&mut self, groups: KeyCounts) {
        if !groups.is_empty() {
            self.memory.push(groups);
        }
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.memory.append(&mut other.memory);
        self.spilled.append(&mut other.spilled);
    }

    /// Moves what is in memory to disk.
    ///
    /// # Errors
    ///
    /// Those of spilling.
    pub(super) fn spill(&mut self, space: &SpillSpace) -> Result<()> {
        if self.memory.is_empty() {
            return Ok(());
        }
        let memory = std::mem::take(&mut self.memory);
        let segment = space.store(|writer| {
            memory
                .iter()
                .try_for_each(|groups| writer.push_groups(groups))
        })?;
        self.spilled.push(segment);
        Ok(())
    }
}

/// One partition: what was drained before and is kept, and what came since.
#[derive(Debug, Default)]
pub(super) struct PartitionState {
    pub(super) totals: Pieces,
    pub(super) fresh: Pieces,
}

impl PartitionState {
    /// A partition of groups that have not been drained yet.
    pub(super) fn fresh(fresh: Pieces) -> Self {
        Self {
            fresh,
            totals: Pieces::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.totals.is_empty() && self.fresh.is_empty()
    }

    pub(super) fn loaded_bytes(&self) -> usize {
        self.totals.loaded_bytes() + self.fresh.loaded_bytes()
    }

    pub(super) fn bytes(&self) -> usize {
        self.totals.bytes() + self.fresh.bytes()
    }

    /// Everything, whether it was drained before or not.
    pub(super) fn into_pieces(mut self) -> Pieces {
        self.totals.append(&mut self.fresh);
        self.totals
    }

    pub(super) fn spill(&mut self, space: &SpillSpace) -> Result<()> {
        self.totals.spill(space)?;
        self.fresh.spill(space)
    }
}

/// All partitions; none until the first flush.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    pub(super) parts: Vec<PartitionState>,
    /// One per partition: flushed groups are appended here, until there are enough for a piece.
    open: Vec<KeyCounts>,
    bytes: usize,
    /// Bytes at which they are folded again.
    pub(super) compact_at: usize,
}

impl Partitions {
    /// Tells whether nothing was ever flushed.
    pub(super) fn is_unused(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many bytes of memory are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many groups there are at most: a key may be there more than once.
    pub(super) fn groups(&self) -> usize {
        let open: usize = self.open.iter().map(KeyCounts::len).sum();
        let parts = self.parts.iter();
        let closed: usize = parts
            .map(|part| part.totals.groups() + part.fresh.groups())
            .sum();
        open + closed
    }

    /// Moves a counter's groups to `count` partitions, in pieces of about `piece` bytes.
    pub(super) fn take_from(&mut self, counter: &mut Counter, count: usize, piece: usize) {
        if self.parts.is_empty() {
            self.parts.resize_with(count, PartitionState::default);
        }
        self.open.resize_with(self.parts.len(), KeyCounts::default);
        counter.flush(&mut self.open);
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            if open.bytes() >= piece {
                part.fresh.push(std::mem::take(open));
            }
        }
        self.measure();
    }

    /// Takes all partitions of another operator, of which everything is news here.
    pub(super) fn absorb(&mut self, other: Self) {
        let others = other.into_parts();
        self.close();
        self.parts
            .resize_with(self.parts.len().max(others.len()), PartitionState::default);
        for (part, other) in self.parts.iter_mut().zip(others) {
            part.fresh.append(&mut other.into_pieces());
        }
        self.measure();
    }

    /// Moves everything to disk.
    ///
    /// # Errors
    ///
    /// Those of spilling.
    pub(super) fn spill(&mut self, space: &SpillSpace) -> Result<()> {
        self.close();
        self.open = Vec::new();
        for part in &mut self.parts {
            part.spill(space)?;
        }
        self.measure();
        self.compact_at = 0;
        Ok(())
    }

    /// The partitions, in order.
    pub(super) fn into_parts(mut self) -> Vec<PartitionState> {
        self.close();
        self.parts
    }

    /// Partitions that were drained.
    pub(super) fn from_parts(parts: Vec<PartitionState>) -> Self {
        let mut partitions = Self {
            parts,
            ..Self::default()
        };
        partitions.measure();
        partitions
    }

    /// Makes pieces of what there is not enough of for one.
    pub(super) fn close(&mut self) {
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            part.fresh.push(std::mem::take(open));
        }
    }

    /// Takes note of the memory that is held.
    pub(super) fn measure(&mut self) {
        let open: usize = self.open.iter().map(KeyCounts::bytes).sum();
        self.bytes = open + self.parts.iter().map(PartitionState::bytes).sum::<usize>();
    }
}
