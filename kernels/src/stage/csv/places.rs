//! A list of numbers that grows by up to 64 at a time.

use core::ops::Deref;

use crate::isa::BLOCK;

/// The numbers, in memory that is reused.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The numbers in use, and then any numbers.
    numbers: Vec<u32>,
    used: usize,
}

impl Places {
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.numbers.capacity()
    }

    pub(super) fn push(&mut self, number: u32) {
        self.free()[0] = number;
        self.add(1);
    }

    /// Returns memory after the last number, to which any number of numbers is written and then [`Places::add`]ed.
    #[inline(always)]
    pub(super) fn free(&mut self) -> &mut [u32; BLOCK] {
        if self.numbers.len() < self.used + BLOCK {
            self.grow();
        }
        let free = self.numbers[self.used..].first_chunk_mut();
        free.expect("there is memory for a block")
    }

    /// Adds the first numbers of the memory after the last one.
    #[inline(always)]
    pub(super) fn add(&mut self, count: usize) {
        self.used += count;
    }

    #[cold]
    fn grow(&mut self) {
        let least = self.used + BLOCK;
        self.numbers.resize((2 * self.used).max(least), 0);
    }
}

impl Deref for Places {
    type Target = [u32];

    #[inline(always)]
    fn deref(&self) -> &[u32] {
        &self.numbers[..self.used]
    }
}
