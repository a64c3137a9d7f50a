//! Collects records into blocks, so that the writer is called once per 64 KiB and little memory is
//! used.

use std::io::{self, Write};

const BLOCK: usize = 64 * 1024;

/// The result of a generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Number of written bytes: at most the requested size, and less than one record below it.
    pub bytes: u64,
}

/// Writes whole records and never more bytes than its budget.
pub(crate) struct Blocks<'a> {
    out: &'a mut dyn Write,
    block: Vec<u8>,
    /// Unused bytes of the budget.
    left: u64,
    flushed: u64,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(budget: u64, out: &'a mut dyn Write) -> Self {
        Self {
            out,
            block: Vec::with_capacity(BLOCK),
            left: budget,
            flushed: 0,
        }
    }

    /// Adds a record. Returns `false` if it does not fit in the budget.
    #[inline]
    pub(crate) fn push(&mut self, record: &[u8]) -> io::Result<bool> {
        self.push_parts(record, &[])
    }

    /// Adds a record made of two parts. Returns `false` if it does not fit in the budget.
    #[inline]
    pub(crate) fn push_parts(&mut self, head: &[u8], tail: &[u8]) -> io::Result<bool> {
        let length = head.len() + tail.len();
        if length as u64 > self.left {
            return Ok(false);
        }
        if self.block.len() + length > BLOCK {
            self.flush()?;
        }
        self.left -= length as u64;
        self.block.extend_from_slice(head);
        self.block.extend_from_slice(tail);
        Ok(true)
    }

    /// Replaces a final blank by a line feed, and writes the remaining bytes.
    ///
    /// A block is flushed only before the next record is added, so the last record is still in it.
    pub(crate) fn finish(mut self) -> io::Result<Written> {
        if let Some(last @ b' ') = self.block.last_mut() {
            *last = b'\n';
        }
        self.flush()?;
        Ok(Written {
            bytes: self.flushed,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.block)?;
        self.flushed += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_whole_within_the_budget() -> io::Result<()> {
        let mut out = Vec::new();
        let mut blocks = Blocks::new(10, &mut out);
        assert!(blocks.push(b"four ")?);
        assert!(blocks.push_parts(b"for", b" ")?);
        assert!(!blocks.push(b"x ")?);
        assert_eq!(blocks.finish()?, Written { bytes: 9 });
        assert_eq!(out, b"four for\n");
        Ok(())
    }

    #[test]
    fn many_blocks_form_one_text() -> io::Result<()> {
        let mut out = Vec::new();
        let mut blocks = Blocks::new(u64::MAX, &mut out);
        for _ in 0..40_000 {
            assert!(blocks.push(b"1234567 ")?);
        }
        blocks.finish()?;
        let mut expected = b"1234567 ".repeat(40_000);
        *expected.last_mut().unwrap() = b'\n';
        assert!(out == expected);
        Ok(())
    }

    #[test]
    fn a_failing_writer_is_reported() {
        let mut full: &mut [u8] = &mut [0; 3];
        let mut blocks = Blocks::new(10, &mut full);
        assert!(blocks.push(b"four ").unwrap());
        assert!(blocks.finish().is_err());
    }
}
