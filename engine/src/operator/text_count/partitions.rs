//! Groups that were flushed from the tables, by partition of the stable hash, in memory and on
//! disk.

use keymill_kernels::KeyCounts;
use keymill_kernels::stage::count::Counter;

use super::columns::store_groups;
use crate::Result;
use crate::spill::{Segment, SpillSpace};

/// The groups of one partition; a key may occur in several of its parts.
#[derive(Debug, Default)]
pub(super) struct PartitionGroups {
    pub(super) memory: Vec<KeyCounts>,
    pub(super) spilled: Vec<Segment>,
}

impl PartitionGroups {
    /// Returns whether there are no groups.
    pub(super) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.spilled.is_empty()
    }

    /// Returns the bytes of memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.memory.iter().map(KeyCounts::bytes).sum()
    }

    /// Returns the bytes of memory of all groups when they are loaded.
    pub(super) fn loaded_bytes(&self) -> usize {
        self.bytes() + self.spilled.iter().map(Segment::memory).sum::<usize>()
    }

    /// Returns an upper bound of the number of groups: a key may be counted more than once.
    pub(super) fn groups(&self) -> usize {
        let memory: usize = self.memory.iter().map(KeyCounts::len).sum();
        memory + self.spilled.iter().map(Segment::rows).sum::<usize>()
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

    /// Moves the groups in memory to disk.
    ///
    /// # Errors
    ///
    /// Those of spilling.
    pub(super) fn spill(&mut self, space: &SpillSpace) -> Result<()> {
        if self.memory.is_empty() {
            return Ok(());
        }
        let memory = std::mem::take(&mut self.memory);
        let segment = store_groups(space, |writer| {
            memory
                .iter()
                .try_for_each(|groups| writer.push_groups(groups))
        })?;
        self.spilled.push(segment);
        Ok(())
    }
}

/// All partitions; empty until the first flush.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    pub(super) parts: Vec<PartitionGroups>,
    /// One per partition: flushed groups are collected here, up to `piece` bytes.
    open: Vec<KeyCounts>,
    bytes: usize,
    /// Bytes from which the partitions are compacted again.
    pub(super) compact_at: usize,
}

impl Partitions {
    /// Returns whether nothing was flushed yet.
    pub(super) fn is_unused(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns the bytes of memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns an upper bound of the number of groups: a key may be counted more than once.
    pub(super) fn groups(&self) -> usize {
        let open: usize = self.open.iter().map(KeyCounts::len).sum();
        let parts = self.parts.iter();
        open + parts.map(PartitionGroups::groups).sum::<usize>()
    }

    /// Moves a counter's groups to `count` partitions, in parts of about `piece` bytes.
    pub(super) fn flush_counter(&mut self, counter: &mut Counter, count: usize, piece: usize) {
        if self.parts.is_empty() {
            self.parts.resize_with(count, PartitionGroups::default);
        }
        self.open.resize_with(self.parts.len(), KeyCounts::default);
        counter.flush(&mut self.open);
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            if open.bytes() >= piece {
                part.push(std::mem::take(open));
            }
        }
        self.measure();
    }

    /// Adds all partitions of another operator.
    pub(super) fn absorb(&mut self, other: Self) {
        let others = other.into_parts();
        self.close();
        self.parts
            .resize_with(self.parts.len().max(others.len()), PartitionGroups::default);
        for (part, mut other) in self.parts.iter_mut().zip(others) {
            part.append(&mut other);
        }
        self.measure();
    }

    /// Moves all groups to disk.
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

    /// Returns the partitions, in order.
    pub(super) fn into_parts(mut self) -> Vec<PartitionGroups> {
        self.close();
        self.parts
    }

    /// Moves the collected groups to their partitions, even if they are few.
    pub(super) fn close(&mut self) {
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            part.push(std::mem::take(open));
        }
    }

    /// Updates the number of bytes in use.
    pub(super) fn measure(&mut self) {
        let open: usize = self.open.iter().map(KeyCounts::bytes).sum();
        self.bytes = open + self.parts.iter().map(PartitionGroups::bytes).sum::<usize>();
    }
}
