//! KeyCounts on their way to batches.

use std::sync::Arc;

use keymill_kernels::KeyCounts;

use super::multi_table::Tables;
use super::partitions::Pieces;
use super::reduce::Reducer;
use crate::Result;
use crate::runtime::{MemoryBudget, Reservation};

/// KeyCounts on their way to batches, and the memory they hold.
pub(super) struct DrainInput {
    content: Content,
    memory: Reservation,
}

enum Content {
    /// A partition that may hold a key more than once.
    Partition(Pieces),
    /// A slice of tables, which may hold a key more than once too.
    Slice(Arc<Tables>, usize),
    /// Distinct groups.
    Reduced(KeyCounts),
}

impl DrainInput {
    /// A partition that may hold a key more than once.
    pub(super) fn part(pieces: Pieces, budget: &MemoryBudget) -> Self {
        let mut memory = budget.reservation();
        memory.set(pieces.bytes());
        let content = Content::Partition(pieces);
        Self { content, memory }
    }

    /// A slice of tables, which hold their memory themselves.
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

    /// How many groups there are, about: a key may be there more than once.
    pub(super) fn groups(&self) -> usize {
        match &self.content {
            Content::Partition(pieces) => pieces.groups(),
            Content::Slice(tables, _) => tables.share().0,
            Content::Reduced(groups) => groups.len(),
        }
    }

    /// How many bytes of memory they take when they are loaded, about.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Partition(pieces) => pieces.loaded_bytes(),
            Content::Slice(tables, _) => tables.share().1,
            Content::Reduced(groups) => groups.bytes(),
        }
    }

    /// Gives `visit` the distinct groups, in one part or several.
    ///
    /// # Errors
    ///
    /// Those of reducing, and what `visit` returns.
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
