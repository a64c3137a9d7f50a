//! Memory for the groups of many ranges: chunks of fixed size, several per block.

use std::fmt;

use keymill_kernels::Block;

/// Bytes of a chunk: a multiple of the sizes of keys and of entries. It is small, as every range
/// has one chunk that is not full.
pub(super) const CHUNK: usize = 136 * 48;

/// Number of chunks of a large block.
const CHUNKS: usize = Block::LARGEST / CHUNK;

/// Number of first chunks with separate blocks, so that a small job needs no huge page.
const SINGLE: usize = 16;

/// The start of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    block: u32,
    start: u32,
}

impl Place {
    /// The place of no chunk.
    pub(super) const NOWHERE: Self = Self { block: 0, start: 0 };
}

/// Chunks that are allocated one by one and freed together.
#[derive(Default)]
pub(super) struct ChunkArena {
    blocks: Vec<Block>,
    /// Number of allocated chunks.
    chunks: usize,
}

impl fmt::Debug for ChunkArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkArena")
            .field("blocks", &self.blocks.len())
            .finish_non_exhaustive()
    }
}

impl ChunkArena {
    /// Allocates a chunk.
    pub(super) fn open(&mut self) -> Place {
        let (block, chunk, bytes) = match self.chunks.checked_sub(SINGLE) {
            None => (self.chunks, 0, CHUNK),
            Some(chunk) => (SINGLE + chunk / CHUNKS, chunk % CHUNKS, Block::LARGEST),
        };
        if block == self.blocks.len() {
            self.blocks.push(Block::new(bytes));
        }
        self.chunks += 1;
        Place {
            block: block as u32,
            start: (chunk * CHUNK) as u32,
        }
    }

    /// Writes bytes to a chunk.
    #[inline(always)]
    pub(super) fn write<const N: usize>(&mut self, place: Place, at: usize, bytes: [u8; N]) {
        let start = place.start as usize + at;
        self.blocks[place.block as usize][start..start + N].copy_from_slice(&bytes);
    }

    /// Returns the first bytes of a chunk.
    pub(super) fn read(&self, place: Place, bytes: usize) -> &[u8] {
        &self.blocks[place.block as usize][place.start as usize..][..bytes]
    }

    /// Returns the bytes of the allocated chunks.
    pub(super) fn bytes(&self) -> usize {
        self.chunks * CHUNK
    }

    /// Frees all chunks.
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.chunks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_separate_and_freed_together() {
        let mut arena = ChunkArena::default();
        for _ in 0..2 {
            let places: Vec<_> = (0..SINGLE + 3 * CHUNKS + 1).map(|_| arena.open()).collect();
            for (i, &place) in places.iter().enumerate() {
                (0..CHUNK / 16).for_each(|at| arena.write(place, 16 * at, [i as u8; 16]));
            }
            for (i, &place) in places.iter().enumerate() {
                assert!(arena.read(place, CHUNK).iter().all(|&byte| byte == i as u8));
            }
            assert_eq!(arena.bytes(), places.len() * CHUNK);
            arena.clear();
            assert_eq!(arena.bytes(), 0);
        }
    }
}
