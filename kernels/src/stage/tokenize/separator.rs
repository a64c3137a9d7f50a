//! Finds line ends and separators within lines, block by block.
//!
//! ```text
//! text    a , b c \r \n d      with the separator ","
//! firsts  0 1 0 0 1  0  0      the first byte after a token
//! lasts   0 1 0 0 0  1  0      the last byte before the next token
//! ```
//!
//! Every separator and every line end has one bit in each mask, in the same order.

use crate::isa::{BLOCK, Isa};

/// A separator of tokens within a line.
pub(crate) trait Separator {
    /// Returns its length in bytes.
    fn length(&self) -> usize;

    /// Marks the first and last bytes of separators that begin at a `free` byte of a block.
    ///
    /// `base` is the start of the block in `text`, `open` the last separator of earlier blocks.
    fn find<I: Isa>(
        &self,
        isa: I,
        block: I::Block,
        free: u64,
        text: &[u8],
        base: usize,
        open: &mut Open,
    ) -> (u64, u64);
}

/// The last separator found, which may end in a later block.
#[derive(Clone, Copy, Default)]
pub(crate) struct Open {
    /// The index after its last byte; 0 without a separator.
    end: usize,
}

/// A separator of one byte.
pub(crate) struct OneByte(u8);

impl OneByte {
    /// A separator that no line has: each line is one token.
    pub(crate) const LINES: Self = Self(b'\n');

    /// Converts a separator of one byte, or one that no line can have.
    pub(crate) fn of(separator: &[u8]) -> Option<Self> {
        match separator {
            [byte] => Some(Self(*byte)),
            [] => Some(Self::LINES),
            _ if separator.contains(&b'\n') => Some(Self::LINES),
            _ => None,
        }
    }
}

impl Separator for OneByte {
    #[inline(always)]
    fn length(&self) -> usize {
        1
    }

    #[inline(always)]
    fn find<I: Isa>(
        &self,
        isa: I,
        block: I::Block,
        free: u64,
        _: &[u8],
        _: usize,
        _: &mut Open,
    ) -> (u64, u64) {
        let found = isa.equal(block, self.0) & free;
        (found, found)
    }
}

/// A separator of two bytes or more, none of them LF.
pub(crate) struct ManyBytes {
    bytes: Box<[u8]>,
    first: u8,
    last: u8,
}

impl ManyBytes {
    pub(crate) fn new(separator: &[u8]) -> Self {
        Self {
            bytes: separator.into(),
            first: separator.first().copied().unwrap_or_default(),
            last: separator.last().copied().unwrap_or_default(),
        }
    }

    /// Marks positions where the first and the last byte of the separator match.
    #[inline(always)]
    fn candidates<I: Isa>(&self, isa: I, block: I::Block, text: &[u8], base: usize) -> u64 {
        let first = isa.equal(block, self.first);
        let Some(ends) = text.get(base + self.bytes.len() - 1..) else {
            return 0;
        };
        match ends.first_chunk() {
            Some(ends) if first != 0 => first & isa.equal(isa.load(ends), self.last),
            _ => first,
        }
    }

    /// Returns whether the separator is at a position and does not cross a line end.
    #[inline(always)]
    fn is_at(&self, text: &[u8], at: usize) -> bool {
        let end = at + self.bytes.len();
        let crosses = self.last == b'\r' && text.get(end) == Some(&b'\n');
        !crosses && text[at..].starts_with(&self.bytes)
    }
}

impl Separator for ManyBytes {
    #[inline(always)]
    fn length(&self) -> usize {
        self.bytes.len()
    }

    #[inline(always)]
    fn find<I: Isa>(
        &self,
        isa: I,
        block: I::Block,
        free: u64,
        text: &[u8],
        base: usize,
        open: &mut Open,
    ) -> (u64, u64) {
        let (mut firsts, mut lasts) = (0, 0);
        if (base + 1..=base + BLOCK).contains(&open.end) {
            lasts |= 1 << (open.end - 1 - base);
        }
        let mut candidates = self.candidates(isa, block, text, base) & free;
        while candidates != 0 {
            let bit = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let at = base + bit;
            if at < open.end || !self.is_at(text, at) {
                continue;
            }
            firsts |= 1 << bit;
            open.end = at + self.bytes.len();
            if open.end <= base + BLOCK {
                lasts |= 1 << (open.end - 1 - base);
            }
        }
        (firsts, lasts)
    }
}

/// First and last bytes of the separators and line ends of a block.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    pub(super) firsts: u64,
    pub(super) lasts: u64,
}

/// Iterates over the blocks of a text whose first byte begins a token.
pub(super) struct Walk<'a, I: Isa, S> {
    isa: I,
    separator: &'a S,
    text: &'a [u8],
    open: Open,
    /// Bit 0: the byte before the block is the CR of a line end.
    before: u64,
    zeros: I::Zeros,
}

impl<'a, I: Isa, S: Separator> Walk<'a, I, S> {
    #[inline(always)]
    pub(super) fn new(isa: I, separator: &'a S, text: &'a [u8]) -> Self {
        Self {
            isa,
            separator,
            text,
            open: Open::default(),
            before: 0,
            zeros: isa.no_zeros(),
        }
    }

    /// Marks the block that begins at `base`; only the last one of the text may be short.
    #[inline(always)]
    pub(super) fn step(&mut self, base: usize) -> Marks {
        let rest = &self.text[base..];
        match rest.first_chunk() {
            Some(bytes) => self.mark(bytes, u64::MAX, base),
            None => {
                let mut padded = [b' '; BLOCK];
                padded[..rest.len()].copy_from_slice(rest);
                self.mark(&padded, (1 << rest.len()) - 1, base)
            }
        }
    }

    #[inline(always)]
    fn mark(&mut self, bytes: &[u8; BLOCK], valid: u64, base: usize) -> Marks {
        let isa = self.isa;
        let block = isa.load(bytes);
        self.zeros = isa.note_zeros(self.zeros, block);
        let feed = isa.equal(block, b'\n') & valid;
        let feed_after = u64::from(self.text.get(base + BLOCK) == Some(&b'\n'));
        let returns = isa.equal(block, b'\r') & (feed >> 1 | feed_after << 63);
        let free = valid & !(feed | returns);
        let (firsts, lasts) =
            self.separator
                .find(isa, block, free, self.text, base, &mut self.open);
        let marks = Marks {
            firsts: firsts | returns | feed & !(returns << 1 | self.before),
            lasts: lasts | feed,
        };
        self.before = returns >> 63;
        marks
    }

    /// Returns the start of the token after the separator or line end that crosses the last block's
    /// end.
    #[inline(always)]
    pub(super) fn next_token_start(&self, size: usize) -> usize {
        // Either a separator, or a CR whose LF is the next byte.
        self.open.end.max(size + 1)
    }

    /// Returns whether the last block ended between the CR and the LF of a line end.
    #[inline(always)]
    pub(super) fn is_in_line_end(&self) -> bool {
        self.before != 0
    }

    #[inline(always)]
    pub(super) fn has_nul(&self) -> bool {
        self.isa.any_zeros(self.zeros)
    }
}

/// A separator or line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Its start, which is the end of the token.
    pub(super) start: usize,
    /// Its end, which is the start of the next token.
    pub(super) end: usize,
    /// Whether it ends the line.
    pub(super) ends_line: bool,
}

/// Finds the first delimiter of a text.
#[inline(always)]
pub(super) fn first_delimiter<I: Isa, S: Separator>(
    isa: I,
    separator: &S,
    text: &[u8],
) -> Option<Delimiter> {
    let mut walk = Walk::new(isa, separator, text);
    for base in (0..text.len()).step_by(BLOCK) {
        let Marks { firsts, .. } = walk.step(base);
        if firsts != 0 {
            let start = base + firsts.trailing_zeros() as usize;
            let (length, ends_line) = match text[start..] {
                [b'\n', ..] => (1, true),
                [b'\r', b'\n', ..] => (2, true),
                _ => (separator.length(), false),
            };
            return Some(Delimiter {
                start,
                end: start + length,
                ends_line,
            });
        }
    }
    None
}
