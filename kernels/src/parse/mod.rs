//! Numbers and dates from their decimal text.
#![forbid(unsafe_code)]

pub(crate) mod column;
mod decimal;
mod timestamp;

use core::ops::Range;

pub use column::{floats, integers};
pub use decimal::decimal;
pub use timestamp::timestamp;

/// Digits that always fit in an `i64`.
const SAFE_DIGITS: usize = 18;

/// The powers of ten that are exact in an `f64`.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Returns the integer of a text: an optional sign and decimal digits.
///
/// # Examples
///
/// ```
/// use keymill_kernels::parse::integer;
///
/// assert_eq!((integer(b"-42"), integer(b"4.2"), integer(b"")), (Some(-42), None, None));
/// ```
#[must_use]
#[inline]
pub fn integer(text: &[u8]) -> Option<i64> {
    Word::of(text)
        .and_then(Word::integer)
        .or_else(|| long_integer(text))
}

/// Returns the integer of a part of a text: [`integer`], but faster.
///
/// # Panics
///
/// If the range is not within the text.
#[must_use]
#[inline]
pub fn integer_in(text: &[u8], range: Range<usize>) -> Option<i64> {
    let word = Word::within(text, &range).and_then(Word::integer);
    word.or_else(|| long_integer(&text[range]))
}

#[inline]
fn long_integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = signed(text);
    if digits.len() > SAFE_DIGITS {
        return core::str::from_utf8(text).ok()?.parse().ok();
    }
    let mut value = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    if digits.is_empty() {
        return None;
    }
    Some(if is_negative { -value } else { value })
}

/// Returns the float that is nearest to a decimal text, as `str::parse` does.
///
/// # Examples
///
/// ```
/// use keymill_kernels::parse::float;
///
/// assert_eq!((float(b"-1.5"), float(b"2e3"), float(b"x")), (Some(-1.5), Some(2000.0), None));
/// ```
#[must_use]
#[inline]
pub fn float(text: &[u8]) -> Option<f64> {
    Word::of(text)
        .and_then(Word::float)
        .or_else(|| long_float(text))
}

/// Returns the float of a part of a text: [`float`], but faster.
///
/// # Panics
///
/// If the range is not within the text.
#[must_use]
#[inline]
pub fn float_in(text: &[u8], range: Range<usize>) -> Option<f64> {
    let word = Word::within(text, &range).and_then(Word::float);
    word.or_else(|| long_float(&text[range]))
}

#[inline]
fn long_float(text: &[u8]) -> Option<f64> {
    short_float(text).or_else(|| core::str::from_utf8(text).ok()?.parse().ok())
}

/// A text of 1 to 8 bytes without its minus sign: the first byte is the lowest one.
#[derive(Clone, Copy)]
struct Word {
    bytes: u64,
    len: u32,
    is_negative: bool,
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);

impl Word {
    #[inline]
    fn of(text: &[u8]) -> Option<Self> {
        let len = text.len();
        // Both loads may have some of the same bytes.
        let bytes = match len {
            4..=8 => {
                let low = u64::from(u32::from_le_bytes(*text.first_chunk()?));
                let high = u64::from(u32::from_le_bytes(*text.last_chunk()?));
                low | high << (8 * (len - 4))
            }
            1..=3 => {
                let byte = |at: usize| u64::from(text[at]) << (8 * at);
                byte(0) | byte(len / 2) | byte(len - 1)
            }
            _ => return None,
        };
        Some(Self::signed(bytes, len as u32))
    }

    /// Reads a part of a text. It reads eight bytes at once where the text has them, so that there is no branch
    /// for each length.
    #[inline]
    fn within(text: &[u8], range: &Range<usize>) -> Option<Self> {
        match text.get(range.start..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => Self::first(u64::from_le_bytes(*bytes), range.len() as u64),
            None => Self::of(text.get(range.clone())?),
        }
    }

    /// Takes the first one to eight bytes of a word.
    #[inline(always)]
    fn first(bytes: u64, len: u64) -> Option<Self> {
        if len.wrapping_sub(1) >= 8 {
            return None;
        }
        let unused = 64 - 8 * len as u32;
        Some(Self::signed(bytes << unused >> unused, len as u32))
    }

    /// Takes the minus sign off.
    #[inline]
    fn signed(bytes: u64, len: u32) -> Self {
        let is_negative = bytes as u8 == b'-';
        let sign = u32::from(is_negative);
        Self {
            bytes: bytes >> (8 * sign),
            len: len - sign,
            is_negative,
        }
    }

    #[inline]
    fn integer(self) -> Option<i64> {
        let value = self.digits()? as i64;
        Some(if self.is_negative { -value } else { value })
    }

    /// Returns the number of a text of digits alone.
    #[inline]
    fn digits(self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        // Moves the last digit to the highest byte. The bytes below are then leading zeros.
        let free = 64 - 8 * self.len;
        let digits = (self.bytes << free) ^ (ONES * 0x30) << free;
        let is_wrong = (digits.wrapping_add(ONES * 0x76) | digits) & (ONES * 0x80);
        if is_wrong != 0 {
            return None;
        }
        let pairs = (digits.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
        Some(fours.wrapping_mul(1 + (10_000 << 32)) >> 32)
    }

    /// Returns the number of digits with at most one point.
    #[inline]
    fn float(self) -> Option<f64> {
        let points = self.bytes ^ (ONES * u64::from(b'.'));
        let zeros = points.wrapping_sub(ONES) & !points & (ONES * 0x80);
        let (digits, decimals) = match zeros {
            0 => (self, 0),
            _ => {
                let at = zeros.trailing_zeros() / 8;
                let before = (1 << (8 * at)) - 1;
                let bytes = (self.bytes & before) | (self.bytes >> 8 & !before);
                let len = self.len - 1;
                (Self { bytes, len, ..self }, len - at)
            }
        };
        let value = digits.digits()? as f64 / EXACT_POWERS[decimals as usize];
        Some(with_sign(value, self.is_negative))
    }
}

/// Returns the float of up to 15 digits with an optional point: both the digits and the power of ten are
/// exact, so that the quotient is rounded once.
#[inline]
fn short_float(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = signed(text);
    if digits.len() > 16 {
        return None;
    }
    let (mut value, mut decimals, mut step, mut count) = (0u64, 0usize, 0usize, 0usize);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
            decimals += step;
            count += 1;
        } else if byte == b'.' && step == 0 {
            step = 1;
        } else {
            return None;
        }
    }
    if count == 0 || count > 15 {
        return None;
    }
    let value = value as f64 / EXACT_POWERS[decimals];
    Some(with_sign(value, is_negative))
}

/// Negates a positive number without a branch, because signs may be in any order.
#[inline]
fn with_sign(value: f64, is_negative: bool) -> f64 {
    f64::from_bits(value.to_bits() | u64::from(is_negative) << 63)
}

/// Returns the days since 1970-01-01 of a date `YYYY-MM-DD` of the Gregorian calendar.
///
/// # Examples
///
/// ```
/// use keymill_kernels::parse::date;
///
/// assert_eq!((date(b"1970-01-02"), date(b"2023-02-29"), date(b"2023-2-1")), (Some(1), None, None));
/// ```
#[must_use]
#[inline]
pub fn date(text: &[u8]) -> Option<i32> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0i32, |value, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit <= 9).then_some(value * 10 + i32::from(digit))
        })
    };
    let (year, month, day) = (
        number(&[y0, y1, y2, y3])?,
        number(&[m0, m1])?,
        number(&[d0, d1])?,
    );
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    Some(days_before(year, month) + day - 1)
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i32, month: i32) -> i32 {
    match month {
        2 => 28 + i32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01 to the first of a month. Years begin in March here, so that the leap
/// day is the last one.
fn days_before(year: i32, month: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: i32 = 719_468;
    days + (153 * month + 2) / 5 - EPOCH
}

#[inline]
fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_those_of_the_standard_library(text in "[-+]?[0-9]{0,21}x?|[-+.:/0-9]{0,9}") {
            prop_assert_eq!(integer(text.as_bytes()), text.parse().ok());
            for (around, range) in within(&text) {
                prop_assert_eq!(integer_in(around.as_bytes(), range), text.parse().ok());
            }
        }

        #[test]
        fn floats_are_those_of_the_standard_library(
            text in "[-+]?[0-9]{0,12}(\\.[0-9]{0,10})?(e-?[0-9]{1,3})?|nan|inf|-|\\.|1_0|[-+.:/0-9]{0,9}"
        ) {
            let expected = text.parse::<f64>().ok().map(f64::to_bits);
            prop_assert_eq!(float(text.as_bytes()).map(f64::to_bits), expected);
            for (around, range) in within(&text) {
                let found = float_in(around.as_bytes(), range).map(f64::to_bits);
                prop_assert_eq!(found, expected);
            }
        }
    }

    /// Longer texts with digits and points around a text, and where it is in them.
    fn within(text: &str) -> impl Iterator<Item = (String, Range<usize>)> {
        let after = ["", "1", ".5,77", "-123456789"];
        after.into_iter().flat_map(move |after| {
            let around = |before: &str| {
                let range = before.len()..before.len() + text.len();
                (format!("{before}{text}{after}"), range)
            };
            [around(""), around("9.")]
        })
    }

    #[test]
    fn every_day_has_the_next_number() {
        let mut next = date(b"0000-01-01").unwrap();
        assert_eq!(next, -719_528);
        for year in 0..10_000 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    if day > days_of(year, month) {
                        assert_eq!(date(text.as_bytes()), None);
                    } else if day % 9 == 1 || day > 27 {
                        assert_eq!(date(text.as_bytes()), Some(next + day - 1), "{text}");
                    }
                }
                next += days_of(year, month);
            }
        }
        assert_eq!(date(b"1970-01-01"), Some(0));
        assert_eq!(date(b"2000-02-29"), Some(11_016));
    }
}
