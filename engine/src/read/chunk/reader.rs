//! Reads bytes into blocks and cuts them at token boundaries.
#![forbid(unsafe_code)]

use super::{Block, Boundary, Cut};
use crate::Result;

/// Cuts a stream into chunks. The bytes after the last cut begin the next chunk.
pub(crate) struct BlockReader<'a> {
    boundary: &'a Boundary,
    chunk_bytes: usize,
    carry: Vec<u8>,
    at_end: bool,
}

impl<'a> BlockReader<'a> {
    pub(crate) fn new(boundary: &'a Boundary, chunk_bytes: usize) -> Self {
        Self {
            boundary,
            chunk_bytes: chunk_bytes.max(1),
            carry: Vec::new(),
            at_end: false,
        }
    }

    /// Fills a block with the next chunk. Returns false at the end of the stream.
    ///
    /// `read` returns 0 at the end, which is a token boundary.
    pub(crate) fn next(
        &mut self,
        block: &mut Block,
        mut read: impl FnMut(&mut [u8]) -> Result<usize>,
    ) -> Result<bool> {
        let mut filled = self.begin(block)?;
        filled = self.fill(block, filled, &mut read)?;
        let mut cut = match self.at_end {
            true => None,
            false => self.boundary.last(&block.room()[..filled]),
        };
        while cut.is_none() && !self.at_end {
            // The token is longer than the block: grow the block until the token fits.
            let searched = filled;
            let room = block.room().len();
            block.grow_to(room.saturating_mul(2))?;
            filled = self.fill(block, filled, &mut read)?;
            cut = self.boundary.first(&block.room()[..filled], searched);
        }
        let cut = cut.unwrap_or(Cut {
            end: filled,
            next: filled,
        });
        self.carry
            .extend_from_slice(&block.room()[cut.next..filled]);
        block.set_used(cut.end);
        Ok(cut.end > 0 || !self.at_end)
    }

    /// Copies the carried bytes to the front of a block and returns their number.
    fn begin(&mut self, block: &mut Block) -> Result<usize> {
        let carried = self.carry.len();
        let room = block.room().len();
        if room <= carried || room > 4 * self.chunk_bytes.max(carried) {
            block.renew(self.chunk_bytes.max(2 * carried))?;
        }
        block.room()[..carried].copy_from_slice(&self.carry);
        self.carry.clear();
        Ok(carried)
    }

    fn fill(
        &mut self,
        block: &mut Block,
        mut filled: usize,
        read: &mut impl FnMut(&mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        let room = block.room();
        while filled < room.len() && !self.at_end {
            match read(&mut room[filled..])? {
                0 => self.at_end = true,
                bytes => filled += bytes,
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, MemoryBudget, TokenRule};

    fn chunks(text: &[u8], chunk_bytes: usize, step: usize) -> Vec<Vec<u8>> {
        let boundary = Boundary::new(Level::Scalar, &TokenRule::Whitespace, false);
        let budget = MemoryBudget::new(1 << 20);
        let mut block = Block::new(chunk_bytes, &budget);
        let mut reader = BlockReader::new(&boundary, chunk_bytes);
        let mut rest = text;
        let mut read = |into: &mut [u8]| {
            let bytes = into.len().min(step).min(rest.len());
            into[..bytes].copy_from_slice(&rest[..bytes]);
            rest = &rest[bytes..];
            Ok(bytes)
        };
        let mut found = Vec::new();
        while reader.next(&mut block, &mut read).unwrap() {
            found.push(block.text().to_vec());
        }
        drop(block);
        assert_eq!(budget.taken(), 0);
        found
    }

    #[test]
    fn no_chunk_ends_within_a_token() {
        let long = "x".repeat(300);
        let text = format!("to be or not {long} to be ");
        for chunk_bytes in [1, 2, 3, 7, 64, 1000] {
            for step in [1, 5, 1000] {
                let chunks = chunks(text.as_bytes(), chunk_bytes, step);
                assert_eq!(chunks.concat(), text.as_bytes());
                assert!(chunks.iter().all(|chunk| chunk.ends_with(b" ")));
            }
        }
    }

    #[test]
    fn a_block_shrinks_after_a_giant_token() {
        let boundary = Boundary::new(Level::Scalar, &TokenRule::Whitespace, false);
        let budget = MemoryBudget::new(1 << 20);
        let mut block = Block::new(64, &budget);
        let mut reader = BlockReader::new(&boundary, 64);
        let text = format!("{} {}", "x".repeat(9000), "to be ".repeat(40));
        let mut rest = text.as_bytes();
        let mut next = |block: &mut Block| {
            let more = reader.next(block, |into| {
                Ok(std::io::Read::read(&mut rest, into).unwrap())
            });
            more.unwrap().then(|| block.room().len())
        };
        assert!(next(&mut block) > Some(9000));
        let last = std::iter::from_fn(|| next(&mut block)).last().unwrap();
        assert!(last < 1000, "{last}");
        assert_eq!(budget.taken(), block.room().len());
    }

    #[test]
    fn an_empty_stream_has_no_chunk() {
        assert!(chunks(b"", 8, 8).is_empty());
    }
}
