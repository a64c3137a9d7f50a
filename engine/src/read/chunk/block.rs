//! A piece of memory that text is read into, again and again.
#![forbid(unsafe_code)]

use keymill_kernels::HugeVec;

use crate::MemoryBudget;

/// Memory for the text of one chunk, charged to a budget.
pub(crate) struct Block {
    bytes: HugeVec<u8>,
    /// Bytes from the front that are the chunk.
    used: usize,
    budget: MemoryBudget,
}

impl Block {
    /// A block with room for so many bytes.
    pub(crate) fn new(room: usize, budget: &MemoryBudget) -> Self {
        budget.take(room);
        Self {
            bytes: HugeVec::new(room),
            used: 0,
            budget: budget.clone(),
        }
    }

    /// The chunk.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Says how much of the room is the chunk.
    pub(crate) fn set_used(&mut self, used: usize) {
        self.used = used;
    }

    /// All of the room.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Has room for `room` bytes from now on, and keeps none of those that are there.
    pub(crate) fn renew(&mut self, room: usize) {
        *self = Self::new(room, &self.budget);
    }

    /// Makes room for `room` bytes, and keeps those that are there.
    pub(crate) fn grow_to(&mut self, room: usize) {
        self.budget.take(room.saturating_sub(self.bytes.len()));
        self.bytes.grow_to(room);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.len());
    }
}
