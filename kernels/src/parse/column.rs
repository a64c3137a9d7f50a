//! The numbers of a column of fields, several at a time.
//!
//! ```text
//! field      -12.5
//! word       0 0 0 - 1 2 . 5      the eight bytes up to its end, without those before the field
//! digits     0 0 0 0 0 1 2 5      without the sign and the point
//! value      125 / -10
//! ```

use core::ops::Range;

use super::{float_in, integer_in};
use crate::Level;
use crate::isa::{Isa, Kernel, dispatch};

/// Rows that are parsed at a time.
const BATCH: usize = 512;

/// A number that is parsed from a text: an `i64` or an `f64`.
pub trait Number: Copy + Default + Short {
    /// Returns the number of a part of a text.
    ///
    /// # Panics
    ///
    /// If the range is not within the text.
    fn parse_in(text: &[u8], range: Range<usize>) -> Option<Self>;
}

impl Number for i64 {
    fn parse_in(text: &[u8], range: Range<usize>) -> Option<Self> {
        integer_in(text, range)
    }
}

impl Number for f64 {
    fn parse_in(text: &[u8], range: Range<usize>) -> Option<Self> {
        float_in(text, range)
    }
}

/// A number whose text has up to eight bytes.
pub trait Short: Sized {
    /// Whether the text may have a point.
    #[doc(hidden)]
    const HAS_POINT: bool;

    #[doc(hidden)]
    fn of_parts(parts: Parts) -> Self;
}

/// What a short text says.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Parts {
    digits: u64,
    /// The highest bit of the byte of the point in the word, or 0; and the two bits below.
    marks: u64,
}

const NEGATIVE: u64 = 1;
const MISSED: u64 = 2;

impl Short for i64 {
    const HAS_POINT: bool = false;

    #[inline(always)]
    fn of_parts(Parts { digits, marks }: Parts) -> Self {
        let sign = -((marks & NEGATIVE) as Self);
        (digits as Self ^ sign) - sign
    }
}

impl Short for f64 {
    const HAS_POINT: bool = true;

    /// Both are exact, so that the quotient is rounded once. A zero has the sign of the divisor.
    #[inline(always)]
    fn of_parts(Parts { digits, marks }: Parts) -> Self {
        let point = marks & !(NEGATIVE | MISSED);
        let decimals = (point.leading_zeros() / 8) as usize;
        let sign = (marks & NEGATIVE) as usize;
        Self::from(digits as u32) / SIGNED_POWERS[sign][decimals & 0xf]
    }
}

/// Powers of ten by the number of digits after the point. Eight stands for no point.
const SIGNED_POWERS: [[f64; 16]; 2] = {
    let (mut powers, mut power, mut decimals) = ([[1.0; 16], [-1.0; 16]], 1.0, 0);
    while decimals < 8 {
        powers[0][decimals] = power;
        powers[1][decimals] = -power;
        power *= 10.0;
        decimals += 1;
    }
    powers
};

/// Parses the numbers of a column whose texts have up to eight bytes. The rows of all others, which may be
/// numbers too, are added to `missed`; their values are 0.
///
/// # Panics
///
/// If a range ends after the text.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{Level, parse};
///
/// let (mut values, mut missed) = (Vec::new(), Vec::new());
/// let range = |row: usize| [0..4, 5..6, 7..7][row].clone();
/// parse::numbers::<f64>(Level::best(), b"-1.5,x,", 3, range, &mut values, &mut missed);
/// assert_eq!((values, missed), (vec![-1.5, 0.0, 0.0], vec![1, 2]));
/// ```
pub fn numbers<N: Number>(
    level: Level,
    text: &[u8],
    rows: usize,
    range: impl Fn(usize) -> Range<usize>,
    values: &mut Vec<N>,
    missed: &mut Vec<u32>,
) {
    let before = values.len();
    values.resize(before + rows, N::default());
    for first in (0..rows).step_by(BATCH) {
        let some = BATCH.min(rows - first);
        let mut batch = [0; BATCH];
        let column = Column {
            text,
            range: |row| range(first + row),
            values: &mut values[before + first..][..some],
            missed: &mut batch,
        };
        let found = dispatch(level, column);
        let found = batch[..found].iter();
        missed.extend(found.map(|&row| first as u32 + u32::from(row)));
    }
}

struct Column<'a, R, N> {
    text: &'a [u8],
    range: R,
    values: &'a mut [N],
    missed: &'a mut [u16; BATCH],
}

impl<R: Fn(usize) -> Range<usize>, N: Number> Kernel for Column<'_, R, N> {
    /// The number of rows that were missed.
    type Out = usize;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> usize {
        let rows = self.values.len();
        // One array for each part, so that the loops are done by SIMD. The words become digits, and what is kept of
        // them marks.
        let (mut words, mut marks) = ([0; BATCH], [0; BATCH]);
        let (words, marks) = (&mut words[..rows], &mut marks[..rows]);
        for (row, (word, kept)) in words.iter_mut().zip(&mut *marks).enumerate() {
            (*word, *kept) = word_of(self.text, (self.range)(row));
        }
        let mut all_marks = 0;
        for (word, kept) in words.iter_mut().zip(&mut *marks) {
            let Parts { digits, marks } = parts_of::<N>(*word, *kept);
            (*word, *kept) = (digits, marks);
            all_marks |= marks;
        }
        for (value, (&digits, &marks)) in self.values.iter_mut().zip(words.iter().zip(&*marks)) {
            *value = N::of_parts(Parts { digits, marks });
        }
        if all_marks & MISSED == 0 {
            return 0;
        }
        let mut found = 0;
        for (row, (value, marks)) in self.values.iter_mut().zip(&*marks).enumerate() {
            if marks & MISSED != 0 {
                *value = N::default();
                self.missed[found] = row as u16;
                found += 1;
            }
        }
        found
    }
}

/// Returns the eight bytes up to the end of a field, and ones for the bytes of the field; zeros if these are not
/// one to eight.
#[inline(always)]
fn word_of(text: &[u8], Range { start, end }: Range<usize>) -> (u64, u64) {
    let len = end.wrapping_sub(start);
    let kept = match len.wrapping_sub(1) < 8 {
        true => u64::MAX << (64 - 8 * len),
        false => 0,
    };
    let before = &text[..end];
    let bytes = match before.last_chunk() {
        Some(bytes) => *bytes,
        None => first_bytes(before),
    };
    (u64::from_le_bytes(bytes), kept)
}

/// Puts fewer than eight bytes at the end of eight.
#[cold]
fn first_bytes(before: &[u8]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[8 - before.len()..].copy_from_slice(before);
    bytes
}

/// Every byte of a word.
const fn bytes(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Returns the parts of a number, without a branch.
#[inline(always)]
fn parts_of<N: Short>(word: u64, kept: u64) -> Parts {
    let text = (word ^ bytes(b'0')) & kept;
    let first = kept & !(kept << 8);
    let is_negative = text & first == bytes(b'-' ^ b'0') & first;
    let sign = if is_negative { first } else { 0 };
    let (mut digits, mut places, mut point) = (text & !sign, kept & !sign, 0);
    if N::HAS_POINT {
        // The highest bit of each byte that is a point.
        let others = digits ^ bytes(b'.' ^ b'0');
        let points = !(((others & bytes(0x7f)) + bytes(0x7f)) | others | bytes(0x7f));
        point = points & points.wrapping_neg();
        // The bytes before the point move up by one.
        let before = (point >> 7).wrapping_sub(1);
        let after = !(before << 8 | 0xff);
        let has_point = point != 0;
        let without = (digits & before) << 8 | digits & after;
        digits = if has_point { without } else { digits };
        places = if has_point { places << 8 } else { places };
    }
    let others = (digits.wrapping_add(bytes(0x76)) | digits) & bytes(0x80);
    let pairs = (digits.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    let is_missed = (others != 0) | (places == 0);
    Parts {
        digits: fours.wrapping_mul(1 + (10_000 << 32)) >> 32,
        marks: point | u64::from(is_negative) | if is_missed { MISSED } else { 0 },
    }
}
