//! A reusable buffer that text is read into.
#![forbid(unsafe_code)]

use keymill_kernels::HugeVec;

use crate::{Error, ErrorKind, MemoryBudget, Result};

/// A buffer for the text of one chunk. Its size is charged to a memory budget.
pub(crate) struct Block {
    bytes: HugeVec<u8>,
    /// Length of the chunk, from the front of the buffer.
    used: usize,
    budget: MemoryBudget,
}

impl Block {
    /// Creates a block with room for `room` bytes.
    pub(crate) fn new(room: usize, budget: &MemoryBudget) -> Self {
        budget.take(room);
        Self {
            bytes: HugeVec::new(room),
            used: 0,
            budget: budget.clone(),
        }
    }

    /// Returns the chunk.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Sets the length of the chunk.
    pub(crate) fn set_used(&mut self, used: usize) {
        self.used = used;
    }

    /// Returns the whole buffer.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Replaces the buffer by one of `room` bytes, without keeping its content.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] if there is not enough memory.
    pub(crate) fn renew(&mut self, room: usize) -> Result<()> {
        self.budget.give_back(self.bytes.len());
        // Frees the old buffer before the new one is allocated.
        self.bytes = HugeVec::default();
        self.bytes = HugeVec::try_new(room).ok_or_else(|| too_long(room))?;
        self.budget.take(room);
        Ok(())
    }

    /// Grows the buffer to `room` bytes and keeps its content.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] if there is not enough memory.
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

/// Returns the error for a token that does not fit into memory. Only a long token needs a buffer so
/// large that its allocation fails.
fn too_long(room: usize) -> Error {
    let message = format!(
        "not enough memory for {room} bytes, which a long token needs; allow this process more"
    );
    Error::new(ErrorKind::Capacity, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_allocation_is_an_error() {
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
