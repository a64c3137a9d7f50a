//! Integers as decimal digits.
#![forbid(unsafe_code)]

/// Maximum number of digits of a `u64`.
pub(super) const MOST_DIGITS: usize = 20;

const PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
}

/// Writes a number at the start of `out`, which has room for [`MOST_DIGITS`], and returns its length.
#[inline]
pub(super) fn put(number: u64, out: &mut [u8]) -> usize {
    // Most counts have one or two digits, so these branches are predicted well.
    if number < 10 {
        out[0] = b'0' + number as u8;
        return 1;
    }
    if number < 100 {
        out[..2].copy_from_slice(&PAIRS[number as usize]);
        return 2;
    }
    put_many(number, out)
}

fn put_many(mut number: u64, out: &mut [u8]) -> usize {
    let mut digits = [0; MOST_DIGITS];
    let mut start = MOST_DIGITS;
    while number >= 100 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    start -= 2;
    digits[start..start + 2].copy_from_slice(&PAIRS[number as usize]);
    start += usize::from(number < 10);
    let length = MOST_DIGITS - start;
    out[..length].copy_from_slice(&digits[start..]);
    length
}

/// Formats a number with a comma between groups of three digits: `1,234,567`.
///
/// # Examples
///
/// ```
/// assert_eq!(keymill::write::grouped(1_234_567), "1,234,567");
/// ```
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_equal_the_standard_library_s() {
        let powers = (0..20).map(|power| 10u64.pow(power));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1, power.wrapping_mul(7)]);
        for number in edges.chain(0..2000).chain([u64::MAX]) {
            let mut out = [0; MOST_DIGITS];
            let length = put(number, &mut out);
            assert_eq!(out[..length], *number.to_string().as_bytes());
        }
    }
}
