//! Memory for the groups of many ranges at a time: chunks of fixed size, out of large allocations.

use std::fmt;

use keymill_kernels::HugeVec;

/// Words of a chunk; small, as every range has one that is not full.
pub(super) const CHUNK: usize = 768;
/// Chunks of the first slab, and of the largest.
const FIRST: usize = 16;
const LARGEST: usize = 1 << 11;

/// Where a chunk begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    slab: u32,
    start: u32,
}

impl Place {
    /// Where nothing is written.
    pub(super) const NOWHERE: Self = Self { slab: 0, start: 0 };
}

/// Chunks that are given out one by one and all taken back at once.
///
/// Large slabs lie on huge pages: fresh memory costs less there, and chunks of a thousand ranges
/// can be written to in turn without a page walk for each.
#[derive(Default)]
pub(super) struct Slabs {
    slabs: Vec<HugeVec<u64>>,
    /// The slab that chunks are given out of.
    current: usize,
    /// How many of its words are given out.
    given: usize,
}

impl fmt::Debug for Slabs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slabs")
            .field("slabs", &self.slabs.len())
            .finish_non_exhaustive()
    }
}

impl Slabs {
    /// Gives out a chunk.
    pub(super) fn open(&mut self) -> Place {
        let is_full = |slab: &HugeVec<_>| self.given == slab.len();
        if self.slabs.get(self.current).is_some_and(is_full) {
            self.current += 1;
            self.given = 0;
        }
        if self.current == self.slabs.len() {
            let chunks = FIRST << self.current.min(16);
            self.slabs.push(HugeVec::new(chunks.min(LARGEST) * CHUNK));
        }
        let place = Place {
            slab: self.current as u32,
            start: self.given as u32,
        };
        self.given += CHUNK;
        place
    }

    /// Writes words of a chunk.
    #[inline(always)]
    pub(super) fn write<const N: usize>(&mut self, place: Place, at: usize, words: [u64; N]) {
        let start = place.start as usize + at;
        self.slabs[place.slab as usize][start..start + N].copy_from_slice(&words);
    }

    /// The first words of a chunk.
    pub(super) fn read(&self, place: Place, words: usize) -> &[u64] {
        &self.slabs[place.slab as usize][place.start as usize..][..words]
    }

    /// How many bytes of memory chunks have been given out of.
    pub(super) fn bytes(&self) -> usize {
        let before = self.slabs.iter().take(self.current);
        let words: usize = before.map(|slab| slab.len()).sum();
        (words + self.given) * size_of::<u64>()
    }

    /// Takes all chunks back.
    pub(super) fn clear(&mut self) {
        self.current = 0;
        self.given = 0;
    }
}
