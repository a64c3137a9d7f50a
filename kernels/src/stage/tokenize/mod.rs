//! Finds the spans of tokens in text, by any [`TokenRule`].
//!
//! ```text
//! text   t h e · q u i c k · f o x
//! spans  0..3    4..9        10..13
//! ```
//!
//! A rule works tile by tile ([`Tuning::tile_bytes`]). The fused count reads tokens from tiles, and
//! [`Tokenizer`] converts them to [`Span`]s of the whole text.
#![forbid(unsafe_code)]

#[cfg(test)]
pub(crate) mod alphabet;
mod cutter;
mod error;
mod feed;
mod field;
mod records;
mod separator;
mod split;
mod tile;
mod whitespace;
mod words;

pub use error::InputError;
pub(crate) use feed::{Feeder, TokenSink};
pub use records::Records;
pub(crate) use tile::Tile;
pub(crate) use whitespace::unicode_spaces;
pub(crate) use words::word_bytes;

use crate::isa::Isa;
use crate::{Level, TokenRule, Tuning};
use records::StagedRecord;

/// The position of a token in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Span {
    /// The index of its first byte.
    pub start: u32,
    /// The index after its last byte.
    pub end: u32,
}

impl Span {
    /// Returns the bytes of the span.
    ///
    /// # Panics
    ///
    /// When the span is not within the text.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::stage::tokenize::Span;
    ///
    /// assert_eq!(Span { start: 4, end: 7 }.of(b"the fox"), b"fox");
    /// ```
    #[must_use]
    #[inline]
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    /// Checks that spans are within a text; they may be in any order.
    ///
    /// # Errors
    ///
    /// [`InputError::SpanBeyondText`] with the first span that is not.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::stage::tokenize::Span;
    ///
    /// let spans = [Span { start: 4, end: 7 }, Span { start: 0, end: 3 }];
    /// assert!(Span::check_all(&spans, b"the fox").is_ok());
    /// assert!(Span::check_all(&spans, b"the fo").is_err());
    /// ```
    pub fn check_all(spans: &[Self], text: &[u8]) -> Result<(), InputError> {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let is_within = |it: &Self| (it.start <= it.end) & (it.end <= len);
        // Without an early end, so that it is done by SIMD.
        if spans.iter().fold(true, |all, it| all & is_within(it)) {
            return Ok(());
        }
        let span = spans.iter().take_while(|it| is_within(it)).count();
        let bytes = text.len();
        Err(InputError::SpanBeyondText { span, bytes })
    }
}

/// The result of [`Tokenizer::tokenize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenized {
    /// Number of tokens.
    pub tokens: usize,
    /// Number of lines without the field ([`TokenRule::Field`] only).
    pub rejected: u64,
    /// The level that ran.
    pub level: Level,
}

/// Finds the tokens of texts by one rule; its memory is reused for each text.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::tokenize::{Records, Tokenizer};
/// use keymill_kernels::{Level, Tuning, TokenRule};
///
/// let mut tokenizer = Tokenizer::new(Level::best(), &TokenRule::Whitespace, &Tuning::DEFAULT);
/// let mut spans = Vec::new();
///
/// let text = b"to be or not";
/// let done = tokenizer.tokenize(text, None, &mut spans)?;
/// assert_eq!(done.tokens, 4);
/// assert_eq!(spans[2].of(text), b"or");
///
/// // Two cells of a column: `foo` and `bar`, never `foobar`.
/// let cells = Records::from_i32(&[0, 3, 6])?;
/// tokenizer.tokenize(b"foobar", Some(cells), &mut spans)?;
/// assert_eq!(spans.len(), 2);
/// # Ok::<(), keymill_kernels::stage::tokenize::InputError>(())
/// ```
pub struct Tokenizer {
    feeder: Feeder,
}

impl Tokenizer {
    /// Makes a tokenizer for one rule; a level that is not available runs as scalar.
    #[must_use]
    pub fn new(level: Level, rule: &TokenRule, tuning: &Tuning) -> Self {
        Self {
            feeder: Feeder::new(level, rule, &tuning.fitting()),
        }
    }

    /// Replaces `out` by the spans of the tokens of a text, in ascending order.
    ///
    /// The end of the text ends a token and a line, and so does the end of each of the `records`.
    /// There is at most one token per byte, and one more for each text or record.
    ///
    /// # Errors
    ///
    /// [`InputError::TextTooLong`] for more than `u32::MAX` bytes, and
    /// [`InputError::OffsetsBeyondText`] when a record ends after the text. `out` is unchanged.
    pub fn tokenize(
        &mut self,
        text: &[u8],
        records: Option<Records<'_>>,
        out: &mut Vec<Span>,
    ) -> Result<Tokenized, InputError> {
        if u32::try_from(text.len()).is_err() {
            return Err(InputError::TextTooLong { bytes: text.len() });
        }
        if let Some(records) = &records {
            records.check(text)?;
        }
        let mut spans = Spans {
            out,
            tokens: 0,
            piece_start: 0,
            piece_tokens: 0,
        };
        let (rejected, level) = self.feeder.feed(text, records, &mut spans);
        let tokens = spans.tokens;
        out.truncate(tokens);
        Ok(Tokenized {
            tokens,
            rejected,
            level,
        })
    }
}

/// Collects spans; elements of `out` after `tokens` are from an earlier text, and are overwritten.
struct Spans<'a> {
    out: &'a mut Vec<Span>,
    tokens: usize,
    /// The start of the piece in the text.
    piece_start: usize,
    /// Number of tokens before the piece.
    piece_tokens: usize,
}

impl Spans<'_> {
    /// Returns room for more spans after the present ones.
    #[inline(always)]
    fn room(&mut self, tokens: usize) -> &mut [Span] {
        let end = self.tokens + tokens;
        if self.out.len() < end {
            self.out.resize(end, Span::default());
        }
        let room = &mut self.out[self.tokens..end];
        self.tokens = end;
        room
    }
}

impl TokenSink for Spans<'_> {
    #[inline(always)]
    fn begin(&mut self, start: usize) {
        self.piece_start = start;
        self.piece_tokens = self.tokens;
    }

    #[inline(always)]
    fn tile<I: Isa>(&mut self, _: I, _: &[u8], at: usize, tile: &Tile, _: usize) {
        let base = (self.piece_start + at) as u32;
        let spans = tile.spans();
        let edges: &[u16] = bytemuck::cast_slice(spans);
        let wide: &mut [u32] = bytemuck::cast_slice_mut(self.room(spans.len()));
        for (wide, &edge) in wide.iter_mut().zip(edges) {
            *wide = base + u32::from(edge);
        }
    }

    fn long_token(&mut self, token: &[u8], at: usize) {
        let start = self.piece_start + at;
        let end = start + token.len();
        self.room(1)[0] = Span {
            start: start as u32,
            end: end as u32,
        };
    }

    fn end(&mut self, staged_records: &[StagedRecord]) {
        let mut staged_records = staged_records.iter();
        let mut record = StagedRecord { end: 0, shift: 0 };
        for span in &mut self.out[self.piece_tokens..self.tokens] {
            while span.start as usize >= record.end {
                let Some(&next) = staged_records.next() else {
                    return;
                };
                record = next;
            }
            span.start = span.start.wrapping_add(record.shift as u32);
            span.end = span.end.wrapping_add(record.shift as u32);
        }
    }
}

#[cfg(test)]
mod tests;
