//! A list of numbers that grows by up to 64 at a time.

use core::ops::Deref;

use crate::isa::BLOCK;

/// Numbers that are written at once.
const GROUP: usize = 16;

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

    #[inline(always)]
    pub(super) fn push(&mut self, number: u32) {
        self.append(number, &[0; BLOCK], 1);
    }

    /// Appends the first `count` of `places`, each increased by `base`. It writes whole groups, which takes
    /// less time than the exact number.
    #[inline(always)]
    pub(super) fn append(&mut self, base: u32, places: &[u16; BLOCK], count: usize) {
        if self.numbers.len() < self.used + BLOCK {
            self.grow();
        }
        let (free, _) = self.numbers[self.used..].as_chunks_mut::<GROUP>();
        let (places, _) = places.as_chunks::<GROUP>();
        for (to, from) in free.iter_mut().zip(places).take(count.div_ceil(GROUP)) {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = base.wrapping_add(from.into());
            }
        }
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
