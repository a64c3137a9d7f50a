//! The input of a drain: groups that are reduced and written to batches.

use std::sync::Arc;

use keymill_kernels::KeyCounts;

use super::multi_table::Tables;
use super::partitions::PartitionGroups;
use super::reduce::Reducer;
use crate::Result;
use crate::runtime::{MemoryBudget, Reservation};

/// A part of the groups of a drain, and its reserved memory.
pub(super) struct DrainInput {
    content: Content,
    memory: Reservation,
}

enum Content {
    /// A partition, which may hold a key more than once.
    Partition(PartitionGroups),
    /// A slice of tables, which may hold a key more than once.
    Slice(Arc<Tables>, usize),
    /// Distinct groups.
    Reduced(KeyCounts),
}

impl DrainInput {
    /// A partition, which may hold a key more than once.
    pub(super) fn part(pieces: PartitionGroups, budget: &MemoryBudget) -> Self {
        let mut memory = budget.reservation();
        memory.set(pieces.bytes());
        let content = Content::Partition(pieces);
        Self { content, memory }
    }

    /// A slice of tables, whose memory is reserved elsewhere.
    pub(super) fn slice(tables: Arc<Tables>, slice: usize, budget: &MemoryBudget) -> Self {
        let memory = budget.reservation();
        let content = Content::Slice(tables, slice);
        Self { content, memory }
    }

    /// Distinct groups.
    pub(super) fn reduced(groups: KeyCounts, budget: &MemoryBudget) -> Self {
        let mut memory = budget.reservation();
        memory.set(groups.bytes());
        let content = Content::Reduced(groups);
        Self { content, memory }
    }

    /// Returns about the number of groups: a key may be counted more than once.
    pub(super) fn groups(&self) -> usize {
        match &self.content {
            Content::Partition(pieces) => pieces.groups(),
            Content::Slice(tables, _) => tables.share().0,
            Content::Reduced(groups) => groups.len(),
        }
    }

    /// Returns about the bytes of memory of the groups when they are loaded.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Partition(pieces) => pieces.loaded_bytes(),
            Content::Slice(tables, _) => tables.share().1,
            Content::Reduced(groups) => groups.bytes(),
        }
    }

    /// Passes the distinct groups to `visit`, in one part or several.
    ///
    /// # Errors
    ///
    /// Those of reducing, and the errors of `visit`.
    pub(super) fn reduce(
        self,
        reducer: &mut Reducer,
        mut visit: impl FnMut(&mut KeyCounts) -> Result<()>,
    ) -> Result<()> {
        let Self { content, memory } = self;
        let result = match content {
            Content::Partition(pieces) => reducer.reduce(pieces, visit),
            Content::Slice(tables, slice) => {
                reducer.reduce_slice(|groups| tables.copy_to(slice, groups), visit)
            }
            Content::Reduced(mut groups) => visit(&mut groups),
        };
        drop(memory);
        result
    }
}
