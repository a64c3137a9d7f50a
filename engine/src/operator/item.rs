//! Groups on their way to batches.

use keymill_kernels::Groups;

use super::partitions::Pieces;
use super::reduce::Reducer;
use crate::Result;
use crate::resources::{MemoryBudget, Reservation};

/// Groups on their way to batches, and the memory they hold.
pub(super) struct Item {
    content: Content,
    memory: Reservation,
}

enum Content {
    /// A partition that may hold a key more than once.
    Part(Pieces),
    /// Distinct groups.
    Reduced(Groups),
}

impl Item {
    /// A partition that may hold a key more than once.
    pub(super) fn part(pieces: Pieces, budget: &MemoryBudget) -> Self {
        let mut memory = budget.reservation();
        memory.set(pieces.bytes());
        let content = Content::Part(pieces);
        Self { content, memory }
    }

    /// Distinct groups.
    pub(super) fn reduced(groups: Groups, budget: &MemoryBudget) -> Self {
        let mut memory = budget.reservation();
        memory.set(groups.bytes());
        let content = Content::Reduced(groups);
        Self { content, memory }
    }

    /// How many groups there are at most.
    pub(super) fn groups(&self) -> usize {
        match &self.content {
            Content::Part(pieces) => pieces.groups(),
            Content::Reduced(groups) => groups.len(),
        }
    }

    /// How many bytes of memory they take when they are loaded.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Part(pieces) => pieces.loaded_bytes(),
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
        mut visit: impl FnMut(&mut Groups) -> Result<()>,
    ) -> Result<()> {
        let Self { content, memory } = self;
        let result = match content {
            Content::Part(pieces) => reducer.reduce(pieces, visit),
            Content::Reduced(mut groups) => visit(&mut groups),
        };
        drop(memory);
        result
    }
}
