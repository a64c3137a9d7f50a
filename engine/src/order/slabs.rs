//! Memory for entries of many ranges at a time: chunks of fixed size, out of large allocations.

use std::fmt;

use keymill_kernels::HugeVec;

use super::entry::Entry;

/// Entries of a chunk; small, as every range has one that is not full.
pub(super) const CHUNK: usize = 256;
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
    slabs: Vec<HugeVec<[u64; 3]>>,
    /// The slab that chunks are given out of.
    current: usize,
    /// How many of its entries are given out.
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
            let chunks = FIRST.checked_shl(self.current as u32).unwrap_or(LARGEST);
            self.slabs.push(HugeVec::new(chunks.min(LARGEST) * CHUNK));
        }
        let place = Place {
            slab: self.current as u32,
            start: self.given as u32,
        };
        self.given += CHUNK;
        place
    }

    /// Writes an entry of a chunk.
    #[inline(always)]
    pub(super) fn write(&mut self, place: Place, number: usize, Entry(words): Entry) {
        self.slabs[place.slab as usize][place.start as usize + number] = words;
    }

    /// The first entries of a chunk.
    pub(super) fn read(&self, place: Place, number: usize) -> &[[u64; 3]] {
        &self.slabs[place.slab as usize][place.start as usize..][..number]
    }

    /// How many bytes of memory chunks have been given out of.
    pub(super) fn bytes(&self) -> usize {
        let entries: usize = self.slabs[..self.current.min(self.slabs.len())]
            .iter()
            .map(|slab| slab.len())
            .sum();
        (entries + self.given) * size_of::<Entry>()
    }

    /// Takes all chunks back.
    pub(super) fn clear(&mut self) {
        self.current = 0;
        self.given = 0;
    }
}
