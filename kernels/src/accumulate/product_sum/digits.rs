//! Digits of 32 bits of exact numbers.

use super::INTEGER;

/// Returns the digits of the magnitude of an integer, from the one that has the position of a product of integers.
pub(super) fn digits_of_integer(integer: i128) -> [u32; 9] {
    let magnitude = integer.unsigned_abs();
    shifted(
        [magnitude as u64, (magnitude >> 64) as u64, 0, 0],
        INTEGER % 32,
    )
}

/// Returns the integer that digits are; `None` for a number that is none, or is too large.
pub(super) fn integer_of_digits(digits: &[u32], first: u32) -> Option<i128> {
    let mut shift = first.checked_sub(INTEGER / 32)? * 32;
    let mut integer = 0;
    for &digit in digits {
        let fraction = INTEGER % 32;
        let digit = u128::from(digit);
        let part = match shift {
            0 if digit % (1 << fraction) != 0 => return None,
            0 => digit >> fraction,
            shift if shift - fraction > 96 => return None,
            shift => digit << (shift - fraction),
        };
        integer |= part;
        shift += 32;
    }
    i128::try_from(integer).ok()
}

/// Adds digits of a number, or subtracts them.
pub(super) fn add_digits(all: &mut [i128], digits: &[u32], negative: bool) {
    for (sum, &digit) in all.iter_mut().zip(digits) {
        let digit = i128::from(digit);
        *sum += if negative { -digit } else { digit };
    }
}

pub(super) fn negated(words: [u64; 4]) -> [u64; 4] {
    let mut carry = true;
    words.map(|word| {
        let (word, more) = (!word).overflowing_add(u64::from(carry));
        carry = more;
        word
    })
}

/// Returns 256 bits, moved up by less than 32 bits, as digits of 32 bits.
pub(super) fn shifted(words: [u64; 4], shift: u32) -> [u32; 9] {
    let mut digits = [0; 9];
    let mut carry = 0u64;
    for (number, digit) in digits.iter_mut().enumerate() {
        let word = words.get(number / 2).copied().unwrap_or(0);
        let half = word >> (32 * (number % 2)) & u64::from(u32::MAX);
        let moved = half << shift | carry;
        *digit = moved as u32;
        carry = moved >> 32;
    }
    digits
}
