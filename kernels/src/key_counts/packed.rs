//! Records of bytes in blocks.
#![forbid(unsafe_code)]

use crate::buffer::Block;

/// Bytes of the first block; each further one has the size of all blocks before it.
const FIRST: usize = 512;

/// Blocks of records; no record crosses two blocks.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// The blocks before the open one, and how many of their bytes are used.
    full: Vec<(Block, usize)>,
    open: Block,
    filled: usize,
    records: usize,
    /// Bytes of all blocks.
    held: usize,
}

impl Packed {
    /// Returns the number of records.
    pub(super) fn len(&self) -> usize {
        self.records
    }

    /// Returns room for `bytes` bytes, at most [`Block::LARGEST`]; [`Packed::fill`] makes them a
    /// record.
    #[inline(always)]
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.filled + bytes > self.open.len() {
            self.open_next(bytes);
        }
        &mut self.open[self.filled..][..bytes]
    }

    /// Makes the first `bytes` bytes of the room a record.
    #[inline(always)]
    pub(super) fn fill(&mut self, bytes: usize) {
        self.filled += bytes;
        self.records += 1;
        debug_assert!(self.filled <= self.open.len());
    }

    #[cold]
    #[inline(never)]
    fn open_next(&mut self, room: usize) {
        let bytes = self.held.clamp(FIRST, Block::LARGEST);
        let bytes = bytes.max(room.next_power_of_two());
        self.replace_open(Block::new(bytes), 0);
        self.held += bytes;
    }

    fn replace_open(&mut self, block: Block, filled: usize) {
        let full = core::mem::replace(&mut self.open, block);
        let filled = core::mem::replace(&mut self.filled, filled);
        if filled > 0 {
            self.full.push((full, filled));
        } else {
            self.held -= full.len();
        }
    }

    /// Returns each block, and how many of its bytes are used.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let full = self
            .full
            .iter()
            .map(|(block, filled)| (&block[..], *filled));
        full.chain([(&self.open[..], self.filled)])
    }

    /// Returns access to the records by place, or `None` if places would exceed `most`.
    pub(super) fn places(&mut self, most: usize) -> Option<Places<'_>> {
        if self.full.len() >= most >> PLACE_BITS {
            return None;
        }
        let full = self.full.iter_mut();
        let full = full.map(|(block, filled)| (&mut block[..], *filled));
        let blocks = full.chain([(&mut self.open[..], self.filled)]).collect();
        Some(Places { blocks })
    }

    /// Returns the bytes of memory that are used.
    pub(super) fn bytes(&self) -> usize {
        self.held + self.full.capacity() * size_of::<(Block, usize)>()
    }

    /// Moves the records of `other` here; readers may read `read` bytes from the start of each
    /// record.
    pub(super) fn append(&mut self, other: &mut Self, read: usize) {
        let mut other = core::mem::take(other);
        if other.records == 0 {
            return;
        }
        self.records += other.records;
        if other.full.is_empty() && other.filled + read <= self.open.len() - self.filled {
            let end = self.filled + other.filled;
            self.open[self.filled..end].copy_from_slice(&other.open[..other.filled]);
            self.filled = end;
            return;
        }
        self.held += other.held;
        self.replace_open(Block::default(), 0);
        self.full.append(&mut other.full);
        self.replace_open(other.open, other.filled);
    }

    /// Removes all records, and keeps one block.
    pub(super) fn clear(&mut self) {
        self.full.clear();
        (self.filled, self.records, self.held) = (0, 0, self.open.len());
    }
}

/// The shift from a block's number to the place of its first byte.
const PLACE_BITS: u32 = Block::LARGEST.ilog2();

/// Access to the bytes of blocks by place: the block's number, then the index of the byte.
pub(super) struct Places<'a> {
    blocks: Vec<(&'a mut [u8], usize)>,
}

impl Places<'_> {
    /// Returns an exclusive upper bound of all places.
    pub(super) fn end(&self) -> usize {
        self.blocks.len() << PLACE_BITS
    }

    /// Returns the place of a block's first byte, its bytes, and how many of them are used.
    #[inline(always)]
    pub(super) fn block(&self, number: usize) -> Option<(usize, &[u8], usize)> {
        let (block, filled) = self.blocks.get(number)?;
        Some((number << PLACE_BITS, block, *filled))
    }

    /// Returns the block of a place, and the index within the block.
    #[inline(always)]
    pub(super) fn find(&self, place: usize) -> (&[u8], usize) {
        let at = place % Block::LARGEST;
        (self.blocks[place >> PLACE_BITS].0, at)
    }

    #[inline(always)]
    pub(super) fn byte_mut(&mut self, place: usize) -> &mut u8 {
        &mut self.blocks[place >> PLACE_BITS].0[place % Block::LARGEST]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(records: &[Vec<u8>]) -> Packed {
        let mut packed = Packed::default();
        for record in records {
            packed.room(record.len()).copy_from_slice(record);
            packed.fill(record.len());
        }
        packed
    }

    fn content(packed: &Packed) -> Vec<u8> {
        let blocks = packed.blocks();
        let blocks: Vec<_> = blocks.map(|(block, filled)| &block[..filled]).collect();
        blocks.concat()
    }

    #[test]
    fn records_come_back_in_order_and_all_memory_is_counted() {
        let most = if cfg!(miri) { 3 } else { 5 };
        let sizes = [0, 1, 30, 400, 4000];
        let some = |number: usize, from: usize| -> Vec<Vec<u8>> {
            (0..number)
                .map(|i| vec![(from + i) as u8; sizes[(from + i) % most]])
                .collect()
        };
        let numbers = [0, 1, 7, 100];
        let numbers = &numbers[..if cfg!(miri) { 3 } else { 4 }];
        for &first in numbers {
            for &second in numbers {
                let mut one = packed(&some(first, 0));
                let mut other = packed(&some(second, first));
                one.append(&mut other, 16);
                assert_eq!((content(&other).len(), other.bytes()), (0, 0));
                let expected = some(first + second, 0).concat();
                assert_eq!(content(&one), expected, "{first} and {second}");
                assert_eq!((one.len(), other.len()), (first + second, 0));
                let held = one.full.iter().map(|(block, _)| block.len()).sum::<usize>();
                assert_eq!(one.held, held + one.open.len());
                one.clear();
                assert!(content(&one).is_empty() && one.bytes() <= held + one.open.len() + 4096);
            }
        }
    }

    #[test]
    fn a_record_may_be_as_large_as_a_block() {
        let records = [vec![1; 3], vec![2; Block::LARGEST], vec![3; 5]];
        assert_eq!(content(&packed(&records)), records.concat());
    }
}
