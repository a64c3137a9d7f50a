//! A piece of memory that text is read into, again and again.
#![forbid(unsafe_code)]

use crate::MemoryBudget;

/// Memory for the text of one chunk, charged to a budget.
pub(crate) struct Block {
    bytes: Vec<u8>,
    /// Bytes from the front that are the chunk.
    used: usize,
    budget: MemoryBudget,
}

impl Block {
    /// A block with room for so many bytes.
    pub(crate) fn new(room: usize, budget: &MemoryBudget) -> Self {
        budget.take(room);
        Self {
            bytes: vec![0; room],
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

    /// Makes room for `room` bytes, and keeps the first `keep` bytes.
    pub(crate) fn resize(&mut self, room: usize, keep: usize) {
        let before = self.bytes.len();
        self.budget.take(room);
        // Copies what is to be kept alone, where `resize` might copy all.
        let mut bytes = vec![0; room];
        bytes[..keep].copy_from_slice(&self.bytes[..keep]);
        self.bytes = bytes;
        self.budget.give_back(before);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.len());
    }
}
