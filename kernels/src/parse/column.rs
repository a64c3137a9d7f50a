//! The numbers of a column of fields, eight at a time where they are short.

use super::Word;
use crate::Level;
use crate::isa::{Isa, Kernel, LANES, dispatch};
use crate::stage::tokenize::Span;

/// Rows whose texts are gathered before they are parsed.
const BATCH: usize = 256;

/// Parses the integers of up to eight bytes, which are appended to `values`. The rows of all others, and a few
/// more, are appended to `missed`: they may be integers too, but their values are unspecified.
///
/// # Panics
///
/// If a span begins after the text.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::tokenize::Span;
/// use keymill_kernels::{Level, parse};
///
/// let spans: Vec<Span> = (0..16).map(|row| Span { start: 3 * row, end: 3 * row + 2 }).collect();
/// let (mut values, mut missed) = (Vec::new(), Vec::new());
/// parse::integers(Level::best(), &b"12,-7,x1,".repeat(6), &spans, &mut values, &mut missed);
/// assert_eq!((values[0], values[1], values.len()), (12, -7, 16));
/// assert!(missed.contains(&2) && !missed.contains(&0));
/// ```
pub fn integers(
    level: Level,
    text: &[u8],
    spans: &[Span],
    values: &mut Vec<i64>,
    missed: &mut Vec<u32>,
) {
    numbers(level, text, spans, values, missed);
}

/// Parses the floats of up to eight bytes without an exponent; see [`integers`].
///
/// # Panics
///
/// If a span begins after the text.
pub fn floats(
    level: Level,
    text: &[u8],
    spans: &[Span],
    values: &mut Vec<f64>,
    missed: &mut Vec<u32>,
) {
    numbers(level, text, spans, values, missed);
}

fn numbers<N: Number>(
    level: Level,
    text: &[u8],
    spans: &[Span],
    values: &mut Vec<N>,
    missed: &mut Vec<u32>,
) {
    let before = values.len();
    values.resize(before + spans.len(), N::default());
    dispatch(
        level,
        Column {
            text,
            spans,
            values: &mut values[before..],
            missed,
        },
    );
}

trait Number: Copy + Default {
    /// Parses texts by the first bytes and the length of each. Returns one bit for each that it does not know.
    fn eight<I: Isa>(
        isa: I,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [Self; LANES],
    ) -> u8;
}

impl Number for i64 {
    #[inline(always)]
    fn eight<I: Isa>(
        isa: I,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [Self; LANES],
    ) -> u8 {
        isa.short_integers(words, lengths, values)
    }
}

impl Number for f64 {
    #[inline(always)]
    fn eight<I: Isa>(
        isa: I,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [Self; LANES],
    ) -> u8 {
        isa.short_floats(words, lengths, values)
    }
}

struct Column<'a, N> {
    text: &'a [u8],
    spans: &'a [Span],
    values: &'a mut [N],
    missed: &'a mut Vec<u32>,
}

impl<N: Number> Kernel for Column<'_, N> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (mut words, mut lengths) = ([0; BATCH], [0; BATCH]);
        let batches = self.spans.chunks(BATCH).zip(self.values.chunks_mut(BATCH));
        for (number, (spans, values)) in batches.enumerate() {
            for ((span, word), length) in spans.iter().zip(&mut words).zip(&mut lengths) {
                *word = first_bytes(self.text, span.start as usize);
                *length = u64::from(span.end.wrapping_sub(span.start));
            }
            let mut row = (number * BATCH) as u32;
            let (eights, rest) = values.as_chunks_mut();
            let (words, lengths) = (words.as_chunks().0, lengths.as_chunks().0);
            for (values, (words, lengths)) in eights.iter_mut().zip(words.iter().zip(lengths)) {
                let unknown = N::eight(isa, words, lengths, values);
                if unknown != 0 {
                    add_rows(row, unknown, self.missed);
                }
                row += LANES as u32;
            }
            self.missed.extend(row..row + rest.len() as u32);
        }
    }
}

/// Returns eight bytes from a place on, the first one lowest; after the text there are zeros.
#[inline(always)]
fn first_bytes(text: &[u8], start: usize) -> u64 {
    match text[start..].first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => last_bytes(&text[start..]),
    }
}

#[cold]
fn last_bytes(text: &[u8]) -> u64 {
    let bytes = text.iter().rev();
    bytes.fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cold]
fn add_rows(first: u32, bits: u8, rows: &mut Vec<u32>) {
    let lanes = (0..LANES as u32).filter(|lane| bits >> lane & 1 != 0);
    rows.extend(lanes.map(|lane| first + lane));
}

/// Parses short integers one by one; see [`Isa::short_integers`].
#[inline(always)]
pub(crate) fn short_integers(
    words: &[u64; LANES],
    lengths: &[u64; LANES],
    values: &mut [i64; LANES],
) -> u8 {
    one_by_one(words, lengths, values, Word::integer)
}

/// Parses short floats one by one; see [`Isa::short_floats`].
#[inline(always)]
pub(crate) fn short_floats(
    words: &[u64; LANES],
    lengths: &[u64; LANES],
    values: &mut [f64; LANES],
) -> u8 {
    one_by_one(words, lengths, values, Word::float)
}

#[inline(always)]
fn one_by_one<N>(
    words: &[u64; LANES],
    lengths: &[u64; LANES],
    values: &mut [N; LANES],
    parse: impl Fn(Word) -> Option<N>,
) -> u8 {
    let mut unknown = 0;
    for (lane, value) in values.iter_mut().enumerate() {
        match Word::first(words[lane], lengths[lane]).and_then(&parse) {
            Some(found) => *value = found,
            None => unknown |= 1 << lane,
        }
    }
    unknown
}

#[cfg(test)]
mod tests;
