//! Keys that mostly occur only once.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::registry::Generator;
use crate::rng::Rng;

/// Four of five tokens are new.
const ROUND: u64 = 5;
const TOKENS_PER_LINE: u64 = 10;
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Key lengths, selected by the low three bits of the key's number: 9.75 letters on average.
const LENGTHS: [u32; 8] = [8, 9, 9, 10, 10, 10, 11, 11];

/// Tokens of 8 to 11 letters. Four of five are new, and the fifth repeats any earlier token.
///
/// No keys are stored: the n-th key is the number n, scrambled and written with 32 letters. So
/// memory use is small and constant. 256 MiB contain 25 million tokens with 20 million distinct
/// keys.
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Unique};
/// use std::collections::HashSet;
///
/// let mut out = Vec::new();
/// Unique { seed: 1 }.write_to(10_000, &mut out)?;
/// let text = String::from_utf8_lossy(&out);
/// let tokens: Vec<&str> = text.split_whitespace().collect();
/// let distinct: HashSet<_> = tokens.iter().collect();
/// assert_eq!((tokens.len() * 4).div_ceil(5), distinct.len());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unique {
    /// Seed of the keys and repetitions.
    pub seed: u64,
}

impl Generator for Unique {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let mut rng = Rng::new(self.seed);
        let salt = rng.next_u64();
        let mut blocks = Blocks::new(bytes, out);
        let mut known = 0;
        for token in 0u64.. {
            let number = if token % ROUND == ROUND - 1 {
                rng.below(known)
            } else {
                known += 1;
                known - 1
            };
            let end_of_line = token % TOKENS_PER_LINE == TOKENS_PER_LINE - 1;
            let (record, length) = spell(number, salt, if end_of_line { b'\n' } else { b' ' });
            if !blocks.push(&record[..length])? {
                break;
            }
        }
        blocks.finish()
    }
}

/// Returns a key's letters and a separator after them, and their length.
#[inline]
fn spell(number: u64, salt: u64, separator: u8) -> ([u8; 16], usize) {
    let length = LENGTHS[(number % 8) as usize];
    let mut scrambled = scramble(number, salt, 5 * length);
    let mut record = [0; 16];
    for letter in &mut record[..length as usize] {
        *letter = LETTERS[(scrambled % 32) as usize];
        scrambled /= 32;
    }
    record[length as usize] = separator;
    (record, length as usize + 1)
}

/// Scrambles a number of `width` bits by invertible steps, so that different numbers stay
/// different.
#[inline]
fn scramble(number: u64, salt: u64, width: u32) -> u64 {
    let mask = (1 << width) - 1;
    let half = width / 2;
    let mut mixed = (number ^ salt) & mask;
    mixed = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask;
    mixed ^= mixed >> half;
    mixed = mixed.wrapping_mul(0xD134_2543_DE82_EF95) & mask;
    mixed ^ (mixed >> half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn scrambled_numbers_stay_distinct_and_within_their_width() {
        let all: HashSet<u64> = (0..1 << 12).map(|n| scramble(n, 0xABCD, 12)).collect();
        assert_eq!(all.len(), 1 << 12);
        assert!(all.iter().all(|&n| n < 1 << 12));
    }

    #[test]
    fn a_large_set_has_the_documented_number_of_tokens() {
        let mut out = Vec::new();
        Unique { seed: 1 }.write_to(1 << 20, &mut out).unwrap();
        let tokens = String::from_utf8(out).unwrap().split_whitespace().count() as u64;
        let in_256_mib = tokens * 256;
        assert!(in_256_mib.abs_diff(25_000_000) < 100_000, "{in_256_mib}");
    }
}
