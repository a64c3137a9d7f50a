//! Memory for the groups of many ranges at a time: chunks of fixed size, out of large allocations.

use std::fmt;

use keymill_kernels::HugeVec;

/// Bytes of a chunk; small, as every range has one that is not full.
pub(super) const CHUNK: usize = 6 << 10;
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

/// One large allocation.
enum Slab {
    /// Made for this; large ones lie on huge pages, where a thousand chunks can be written to in
    /// turn without a page walk for each.
    Fresh(HugeVec<u8>),
    /// What held groups before. Fresh pages cost more than anything else that is done with them.
    Used(Vec<u8>),
}

impl Slab {
    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Fresh(bytes) => bytes,
            Self::Used(bytes) => bytes,
        }
    }

    #[inline(always)]
    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Fresh(bytes) => bytes,
            Self::Used(bytes) => bytes,
        }
    }

    fn whole_chunks(&self) -> usize {
        self.bytes().len() / CHUNK
    }
}

/// Chunks that are given out one by one and all taken back at once.
#[derive(Default)]
pub(super) struct Slabs {
    slabs: Vec<Slab>,
    /// The slab that chunks are given out of.
    current: usize,
    /// How many of its chunks are given out.
    given: usize,
    /// How many chunks are given out in all.
    chunks: usize,
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
        while self.current < self.slabs.len() && self.is_given_out() {
            self.current += 1;
            self.given = 0;
        }
        if self.current == self.slabs.len() {
            let chunks = (FIRST << self.current.min(16)).min(LARGEST);
            self.slabs.push(Slab::Fresh(HugeVec::new(chunks * CHUNK)));
        }
        let place = Place {
            slab: self.current as u32,
            start: (self.given * CHUNK) as u32,
        };
        self.given += 1;
        self.chunks += 1;
        place
    }

    fn is_given_out(&self) -> bool {
        self.given == self.slabs[self.current].whole_chunks()
    }

    /// Takes memory that is no longer needed for what it held.
    pub(super) fn reuse(&mut self, memory: Vec<u8>) {
        if memory.len() >= FIRST * CHUNK && u32::try_from(memory.len()).is_ok() {
            self.slabs.push(Slab::Used(memory));
        }
    }

    /// Writes bytes of a chunk.
    #[inline(always)]
    pub(super) fn write<const N: usize>(&mut self, place: Place, at: usize, bytes: [u8; N]) {
        let start = place.start as usize + at;
        self.slabs[place.slab as usize].bytes_mut()[start..start + N].copy_from_slice(&bytes);
    }

    /// The first bytes of a chunk.
    pub(super) fn read(&self, place: Place, bytes: usize) -> &[u8] {
        &self.slabs[place.slab as usize].bytes()[place.start as usize..][..bytes]
    }

    /// How many bytes of memory are given out.
    pub(super) fn bytes(&self) -> usize {
        self.chunks * CHUNK
    }

    /// Takes all chunks back; what was made for them is kept.
    pub(super) fn clear(&mut self) {
        self.slabs.retain(|slab| matches!(slab, Slab::Fresh(_)));
        (self.current, self.given, self.chunks) = (0, 0, 0);
    }
}
