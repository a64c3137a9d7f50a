//! Groups that left the tables, by partition of the contract hash, in memory and on disk.

use keymill_kernels::Groups;
use keymill_kernels::stage::count::Counter;

use crate::Result;
use crate::spill::{Segment, SpillSpace};

/// Groups of one partition; a key may stand in several pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) memory: Vec<Groups>,
    pub(super) spilled: Vec<Segment>,
}

impl Pieces {
    /// Tells whether there are no groups.
    pub(super) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.spilled.is_empty()
    }

    /// How many bytes of memory are held.
    pub(super) fn bytes(&self) -> usize {
        self.memory.iter().map(Groups::bytes).sum()
    }

    /// How many bytes of memory all groups would take.
    pub(super) fn loaded_bytes(&self) -> usize {
        self.bytes() + self.spilled.iter().map(Segment::memory).sum::<usize>()
    }

    /// How many groups there are at most: a key may be there more than once.
    pub(super) fn groups(&self) -> usize {
        let memory: usize = self.memory.iter().map(Groups::len).sum();
        memory + self.spilled.iter().map(Segment::groups).sum::<usize>()
    }

    pub(super) fn push(&mut self, groups: Groups) {
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
pub(super) struct Part {
    pub(super) totals: Pieces,
    pub(super) fresh: Pieces,
}

impl Part {
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
    pub(super) parts: Vec<Part>,
    /// One per partition: flushed groups are appended here, until there are enough for a piece.
    open: Vec<Groups>,
    bytes: usize,
    /// Bytes at which they are folded again.
    pub(super) fold_at: usize,
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
        let open: usize = self.open.iter().map(Groups::len).sum();
        let parts = self.parts.iter();
        let closed: usize = parts
            .map(|part| part.totals.groups() + part.fresh.groups())
            .sum();
        open + closed
    }

    /// Moves a counter's groups to `count` partitions, in pieces of about `piece` bytes.
    pub(super) fn take_from(&mut self, counter: &mut Counter, count: usize, piece: usize) {
        if self.parts.is_empty() {
            self.parts.resize_with(count, Part::default);
        }
        self.open.resize_with(self.parts.len(), Groups::default);
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
            .resize_with(self.parts.len().max(others.len()), Part::default);
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
        self.fold_at = 0;
        Ok(())
    }

    /// The partitions, in order.
    pub(super) fn into_parts(mut self) -> Vec<Part> {
        self.close();
        self.parts
    }

    /// Partitions that were drained.
    pub(super) fn from_parts(parts: Vec<Part>) -> Self {
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
        let open: usize = self.open.iter().map(Groups::bytes).sum();
        self.bytes = open + self.parts.iter().map(Part::bytes).sum::<usize>();
    }
}
