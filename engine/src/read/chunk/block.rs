//! A piece of memory that text is read into, again and again.
#![forbid(unsafe_code)]

use keymill_kernels::HugeVec;

use crate::{Error, ErrorKind, MemoryBudget, Result};

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
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] where there is not the memory.
    pub(crate) fn renew(&mut self, room: usize) -> Result<()> {
        self.budget.give_back(self.bytes.len());
        // Before the new ones are there.
        self.bytes = HugeVec::default();
        self.bytes = HugeVec::try_new(room).ok_or_else(|| too_long(room))?;
        self.budget.take(room);
        Ok(())
    }

    /// Makes room for `room` bytes, and keeps those that are there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] where there is not the memory.
    pub(crate) fn grow_to(&mut self, room: usize) -> Result<()> {
        let before = self.bytes.len();
        if !self.bytes.try_grow_to(room) {
            return Err(too_long(room));
        }
        self.budget.take(room.saturating_sub(before));
        Ok(())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.len());
    }
}

/// The error of a token that memory does not hold; a smaller room is never asked for.
fn too_long(room: usize) -> Error {
    let message = format!(
        "there is no memory for {room} bytes, which a long token needs; allow this process more"
    );
    Error::new(ErrorKind::Capacity, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let budget = MemoryBudget::new(1 << 20);
        let mut block = Block::new(64, &budget);
        let most = isize::MAX as usize / 2;
        assert_eq!(block.grow_to(most).unwrap_err().kind(), ErrorKind::Capacity);
        assert_eq!(budget.taken(), 64);
        assert_eq!(block.renew(most).unwrap_err().kind(), ErrorKind::Capacity);
        block.renew(32).unwrap();
        assert_eq!((block.room().len(), budget.taken()), (32, 32));
    }
}
