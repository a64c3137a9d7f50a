//! Finds where a reader may cut a stream of bytes without changing any token.
//!
//! ```text
//! block   t h e ␣ q u i c k ␣ f o        white space: cut after the last separator
//! chunk   t h e ␣ q u i c k ␣            ─▶ tokenize
//! rest                        f o        ─▶ before the next block
//!
//! block   1 , 2 , 3                      split at ",": the separator is dropped
//! chunk   1 , 2        rest  3
//! ```
//!
//! A separator at the end of a chunk would mean an empty token after it. So a cut at a separator
//! drops it, and needs bytes on both sides, and no line end before it.

use core::ops::ControlFlow;

use crate::isa::{BLOCK, Isa, Kernel, dispatch};
use crate::stage::tokenize::{unicode_spaces, word_bytes};
use crate::unicode::{decode, is_word, unfinished};
use crate::{Level, TokenRule};

/// A place where bytes may be cut: `bytes[..end]` is one text, `bytes[next..]` begins another.
///
/// The tokens of both texts together are the tokens of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Where the first text ends.
    pub end: usize,
    /// Where the second text begins: at `end`, or after the separator there.
    pub next: usize,
}

/// Finds the last place where a block of bytes may be cut under a rule, if there is one.
///
/// `bytes` must begin at the beginning of a text. A cut is never inside a character or a CRLF.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::frame::last_boundary;
/// use keymill_kernels::{Level, TokenRule};
///
/// let block = b"the quick fo";
/// let cut = last_boundary(Level::best(), &TokenRule::Whitespace, block).expect("it has spaces");
/// assert_eq!((&block[..cut.end], &block[cut.next..]), (&b"the quick "[..], &b"fo"[..]));
/// ```
#[must_use]
pub fn last_boundary(level: Level, rule: &TokenRule, bytes: &[u8]) -> Option<Boundary> {
    search(level, rule, bytes, Direction::Backward)
}

/// Finds the first place where bytes may be cut under a rule, if there is one.
///
/// For a token that is longer than its block: append the next block to it, and search again with
/// `searched`, the length that had no boundary before (0 at first).
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::frame::first_boundary;
/// use keymill_kernels::{Level, TokenRule};
///
/// let mut token = b"giga".to_vec();
/// assert_eq!(first_boundary(Level::best(), &TokenRule::Whitespace, &token, 0), None);
/// token.extend(b"ntic and more");
/// let cut = first_boundary(Level::best(), &TokenRule::Whitespace, &token, 4);
/// assert_eq!(cut.map(|cut| cut.end), Some(9));
/// ```
#[must_use]
pub fn first_boundary(
    level: Level,
    rule: &TokenRule,
    bytes: &[u8],
    searched: usize,
) -> Option<Boundary> {
    let searched = searched.min(bytes.len());
    search(level, rule, bytes, Direction::Forward { searched })
}

#[derive(Clone, Copy)]
enum Direction {
    Backward,
    Forward { searched: usize },
}

fn search(level: Level, rule: &TokenRule, bytes: &[u8], direction: Direction) -> Option<Boundary> {
    fn run(level: Level, places: impl Places, bytes: &[u8], way: Direction) -> Option<Boundary> {
        dispatch(level, Search { places, bytes, way })
    }
    match rule {
        TokenRule::Whitespace => run(level, Spaces, bytes, direction),
        TokenRule::Words => {
            let complete = bytes.len() - unfinished(bytes);
            run(level, NonWords { complete }, bytes, direction)
        }
        TokenRule::Split(separator) if is_cuttable(separator) => {
            run(level, Separators(separator), bytes, direction)
        }
        TokenRule::Split(_) | TokenRule::Lines | TokenRule::Field { .. } => {
            run(level, LineEnds, bytes, direction)
        }
    }
}

/// Returns whether lines are split at every occurrence of a separator.
///
/// For a separator that can overlap itself (`,,` in `,,,`), this depends on earlier bytes. A
/// separator with an LF is in no line.
fn is_cuttable(separator: &[u8]) -> bool {
    let overlaps = |by: usize| separator.starts_with(&separator[by..]);
    !separator.is_empty() && !separator.contains(&b'\n') && !(1..separator.len()).any(overlaps)
}

/// A kind of boundaries.
trait Places {
    /// Marks candidates among the bytes of the first block of `bytes`.
    fn mark<I: Isa>(&self, isa: I, block: I::Block, bytes: &[u8]) -> u64;

    /// Returns the boundary at a candidate, if it is one.
    fn boundary(&self, bytes: &[u8], at: usize) -> Option<Boundary>;

    /// Returns where the search continues when `searched` has no boundary.
    fn resume(&self, searched: &[u8]) -> usize;
}

struct Search<'a, P> {
    places: P,
    bytes: &'a [u8],
    way: Direction,
}

impl<P: Places> Kernel for Search<'_, P> {
    type Out = Option<Boundary>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Option<Boundary> {
        let found = match self.way {
            Direction::Backward => (0..self.bytes.len())
                .step_by(BLOCK)
                .rev()
                .try_for_each(|base| self.search_block(isa, base)),
            Direction::Forward { searched } => (self.places.resume(&self.bytes[..searched])
                ..self.bytes.len())
                .step_by(BLOCK)
                .try_for_each(|base| self.search_block(isa, base)),
        };
        found.break_value()
    }
}

impl<P: Places> Search<'_, P> {
    /// Searches one block, in the given direction.
    #[inline(always)]
    fn search_block<I: Isa>(&self, isa: I, base: usize) -> ControlFlow<Boundary> {
        let rest = &self.bytes[base..];
        let mut padded = [0; BLOCK];
        let (bytes, valid) = match rest.first_chunk() {
            Some(bytes) => (bytes, u64::MAX),
            None => {
                padded[..rest.len()].copy_from_slice(rest);
                (&padded, (1 << rest.len()) - 1)
            }
        };
        let mut marks = self.places.mark(isa, isa.load(bytes), rest) & valid;
        while marks != 0 {
            let bit = match self.way {
                Direction::Backward => 63 - marks.leading_zeros(),
                Direction::Forward { .. } => marks.trailing_zeros(),
            };
            marks ^= 1 << bit;
            if let Some(found) = self.places.boundary(self.bytes, base + bit as usize) {
                return ControlFlow::Break(found);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns a boundary that drops no bytes.
fn cut_after(end: usize) -> Option<Boundary> {
    Some(Boundary { end, next: end })
}

/// Boundaries after white space.
struct Spaces;

impl Places for Spaces {
    #[inline(always)]
    fn mark<I: Isa>(&self, isa: I, block: I::Block, bytes: &[u8]) -> u64 {
        let mut spaces = isa.ascii_space(block);
        if isa.has_non_ascii(block) {
            spaces |= unicode_spaces(isa, block, bytes).0;
        }
        spaces
    }

    #[inline(always)]
    fn boundary(&self, bytes: &[u8], at: usize) -> Option<Boundary> {
        // Whole characters are marked; the first byte of each determines its length.
        match bytes[at] {
            0x80..=0xbf => None,
            0xc2 => cut_after(at + 2),
            0xe1..=0xe3 => cut_after(at + 3),
            _ => cut_after(at + 1),
        }
    }

    fn resume(&self, searched: &[u8]) -> usize {
        searched.len().saturating_sub(2)
    }
}

/// Boundaries after anything that is not part of a word.
struct NonWords {
    /// Bytes from here on may be the beginning of an incomplete character.
    complete: usize,
}

impl Places for NonWords {
    #[inline(always)]
    fn mark<I: Isa>(&self, isa: I, _: I::Block, bytes: &[u8]) -> u64 {
        !word_bytes(isa, bytes, &mut 0)
    }

    #[inline(always)]
    fn boundary(&self, bytes: &[u8], at: usize) -> Option<Boundary> {
        // The marks do not include characters that begin in the previous block.
        let in_word = |back: usize| {
            let start = at.checked_sub(back)?;
            let (point, length) = decode(&bytes[start..])?;
            Some(length > back && is_word(point))
        };
        let is_tail = bytes[at] & 0xc0 == 0x80;
        if at >= self.complete || is_tail && (1..=3).any(|back| in_word(back) == Some(true)) {
            return None;
        }
        let length = decode(&bytes[at..]).map_or(1, |(_, length)| length);
        cut_after(at + length)
    }

    fn resume(&self, searched: &[u8]) -> usize {
        searched.len() - unfinished(searched)
    }
}

/// Boundaries after LF.
struct LineEnds;

impl Places for LineEnds {
    #[inline(always)]
    fn mark<I: Isa>(&self, isa: I, block: I::Block, _: &[u8]) -> u64 {
        isa.equal(block, b'\n')
    }

    #[inline(always)]
    fn boundary(&self, _: &[u8], at: usize) -> Option<Boundary> {
        cut_after(at + 1)
    }

    fn resume(&self, searched: &[u8]) -> usize {
        searched.len()
    }
}

/// Boundaries after LF, or at a separator within a line.
struct Separators<'a>(&'a [u8]);

impl Places for Separators<'_> {
    #[inline(always)]
    fn mark<I: Isa>(&self, isa: I, block: I::Block, _: &[u8]) -> u64 {
        isa.equal(block, b'\n') | isa.equal(block, self.0[0])
    }

    #[inline(always)]
    fn boundary(&self, bytes: &[u8], at: usize) -> Option<Boundary> {
        if bytes[at] == b'\n' {
            return cut_after(at + 1);
        }
        let next = at + self.0.len();
        let ends_line = self.0.last() == Some(&b'\r') && bytes.get(next) == Some(&b'\n');
        let splits = bytes[at..].starts_with(self.0) && !ends_line;
        let has_sides = at > 0 && bytes[at - 1] != b'\n' && next < bytes.len();
        (splits && has_sides).then_some(Boundary { end: at, next })
    }

    fn resume(&self, searched: &[u8]) -> usize {
        searched.len().saturating_sub(self.0.len())
    }
}
