//! Memory for the groups of many ranges at a time: chunks of fixed size, several to a block.

use std::fmt;

use keymill_kernels::Block;

/// Bytes of a chunk: whole keys and whole entries; small, as every range has one that is not full.
pub(super) const CHUNK: usize = 136 * 48;

/// Chunks of a large block.
const CHUNKS: usize = Block::LARGEST / CHUNK;

/// The first chunks have blocks of their own: a small job pays for no huge page.
const SINGLE: usize = 16;

/// Where a chunk begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    block: u32,
    start: u32,
}

impl Place {
    /// Where nothing is written.
    pub(super) const NOWHERE: Self = Self { block: 0, start: 0 };
}

/// Chunks that are given out one by one and all taken back at once.
#[derive(Default)]
pub(super) struct ChunkArena {
    blocks: Vec<Block>,
    /// How many chunks are given out.
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
    /// Gives out a chunk.
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

    /// Writes bytes of a chunk.
    #[inline(always)]
    pub(super) fn write<const N: usize>(&mut self, place: Place, at: usize, bytes: [u8; N]) {
        let start = place.start as usize + at;
        self.blocks[place.block as usize][start..start + N].copy_from_slice(&bytes);
    }

    /// The first bytes of a chunk.
    pub(super) fn read(&self, place: Place, bytes: usize) -> &[u8] {
        &self.blocks[place.block as usize][place.start as usize..][..bytes]
    }

    /// How many bytes of memory are given out.
    pub(super) fn bytes(&self) -> usize {
        self.chunks * CHUNK
    }

    /// Takes all chunks back.
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.chunks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_apart_and_come_back_at_once() {
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
