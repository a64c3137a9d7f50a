//! Creates a vocabulary of distinct words with given lengths and scripts.
//!
//! No set of used words is kept. The n-th word of a length is the number n, written with 26 letters
//! and scrambled by invertible steps, so different numbers give different words. Words of different
//! lengths differ, and different scripts have no letter in common (quoted words have quotation
//! marks, plain ones do not).

use std::io;

use crate::rng::Rng;

const LETTERS: u64 = 26;
/// Maximum word length for which the number of words fits in 64 bits.
const COUNTED_LETTERS: u32 = 13;
const LONGEST: u32 = 255;

/// Word lengths in letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Minimum length, at least 1.
    pub min: u32,
    /// Mean length, if there are enough short words (only 26 have one letter). If not, later words
    /// are longer.
    pub mean: u32,
    /// Maximum length, at most 255. Exceeded only if there are too few words of that length.
    pub max: u32,
}

impl Lengths {
    /// Returns an error for impossible lengths.
    pub(crate) fn check(self) -> io::Result<()> {
        let ordered = 1 <= self.min && self.min <= self.mean && self.mean <= self.max;
        if ordered && self.max <= LONGEST {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("word lengths must satisfy 1 <= min <= mean <= max <= {LONGEST}, not {self:?}"),
        ))
    }

    /// Returns the length at a quantile of the distribution; `quantile / 2^32` is from 0 to 1.
    ///
    /// ```text
    ///  even from min to mean      falling from mean to max, so that the mean comes out
    ///  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▆▅▄▃▂▁
    /// min                       mean         max
    /// ```
    fn at(self, quantile: u32) -> u32 {
        let (below, above) = (
            u64::from(self.mean - self.min),
            u64::from(self.max - self.mean),
        );
        // The falling side has mean above·(2·above+1) / (6·(above+1)), the even side lacks below/2.
        let even_share = above * (2 * above + 1);
        let all = even_share + 3 * (above + 1) * below;
        if all == 0 {
            return self.mean;
        }
        let cut = (even_share << 32) / all;
        let quantile = u64::from(quantile);
        if quantile < cut {
            return self.min + (quantile * (below + 1) / cut) as u32;
        }
        let rest = (quantile - cut) as f64 / ((1u64 << 32) - cut) as f64;
        let over = (1.0 - (1.0 - rest).sqrt()) * (above + 1) as f64;
        self.mean + (over as u32).min(above as u32)
    }
}

/// An alphabet of 26 letters at equal distances. None of them is white space.
#[derive(Clone, Copy)]
struct Script {
    first: u32,
    step: u32,
    quoted: bool,
}

const ASCII: Script = Script {
    first: 'a' as u32,
    step: 1,
    quoted: false,
};

/// Scripts with two, three and four bytes per letter. Ogham, Hiragana and the quotation marks begin
/// with the same bytes as U+1680, U+3000 and U+2000, so a tokenizer that checks only one byte takes
/// them for white space.
const MULTI_BYTE: [Script; 8] = [
    Script {
        first: 0x0101,
        step: 2,
        quoted: false,
    },
    Script {
        first: 0x03B0,
        step: 1,
        quoted: false,
    },
    Script {
        first: 0x0430,
        step: 1,
        quoted: false,
    },
    Script {
        first: 0x1681,
        step: 1,
        quoted: false,
    },
    Script {
        first: 0x3042,
        step: 1,
        quoted: false,
    },
    Script {
        first: 0x4E00,
        step: 1,
        quoted: false,
    },
    Script {
        first: 0x1_0428,
        step: 1,
        quoted: false,
    },
    Script {
        first: 'a' as u32,
        step: 1,
        quoted: true,
    },
];

impl Script {
    fn write(self, letters: &[u8], out: &mut Vec<u8>) {
        if self.quoted {
            push_char('“', out);
        }
        for &letter in letters {
            let code = self.first + self.step * u32::from(letter);
            push_char(
                char::from_u32(code).expect("all 26 code points of every script are characters"),
                out,
            );
        }
        if self.quoted {
            push_char('”', out);
        }
    }
}

fn push_char(letter: char, out: &mut Vec<u8>) {
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Words in one buffer, most frequent first.
pub(crate) struct Words {
    bytes: Vec<u8>,
    /// End of each word, after a 0 for the start of the first word.
    ends: Vec<usize>,
}

/// Start and end of a word.
pub(crate) type Span = (usize, usize);

impl Words {
    /// Creates `count` distinct words with `suffix` after each. About `multi_byte` in a thousand
    /// are not ASCII.
    pub(crate) fn new(
        seed: u64,
        count: u32,
        lengths: Lengths,
        multi_byte: u32,
        suffix: &[u8],
    ) -> io::Result<Self> {
        lengths.check()?;
        let mut words = Self {
            bytes: Vec::new(),
            ends: Vec::with_capacity(count as usize + 1),
        };
        words.ends.push(0);
        let mut rng = Rng::new(seed);
        let mut spelling = Spelling::new(&mut rng);
        // Multiples of the golden ratio are evenly spread over any range of ranks, so the frequent
        // words have the right mean too.
        let (mut length_at, mut script_at) = (rng.next_u64(), rng.next_u64());
        for _ in 0..count {
            length_at = length_at.wrapping_add(0x9E37_79B9_7F4A_7C15);
            script_at = script_at.wrapping_add(0x6A09_E667_F3BC_C909);
            let script = pick_script((script_at >> 32) as u32, multi_byte);
            spelling.next_word(
                script,
                lengths.at((length_at >> 32) as u32),
                &mut rng,
                &mut words.bytes,
            );
            words.bytes.extend_from_slice(suffix);
            words.ends.push(words.bytes.len());
        }
        Ok(words)
    }

    #[inline]
    pub(crate) fn get(&self, rank: usize) -> &[u8] {
        self.at(self.span(rank))
    }

    #[inline]
    pub(crate) fn span(&self, rank: usize) -> Span {
        (self.ends[rank], self.ends[rank + 1])
    }

    #[inline]
    pub(crate) fn at(&self, (start, end): Span) -> &[u8] {
        &self.bytes[start..end]
    }
}

/// Returns the number of a script: 0 is ASCII, then those of `MULTI_BYTE`.
fn pick_script(quantile: u32, multi_byte: u32) -> usize {
    let thousand_fold = u64::from(quantile) * 1000;
    let cut = u64::from(multi_byte.min(1000)) << 32;
    if thousand_fold >= cut {
        return 0;
    }
    1 + (thousand_fold * MULTI_BYTE.len() as u64 / cut) as usize
}

/// Creates the next unused word of a script and a length.
struct Spelling {
    next: Vec<[u64; LONGEST as usize + 1]>,
    shift: [u8; LETTERS as usize],
    letters: Vec<u8>,
}

impl Spelling {
    fn new(rng: &mut Rng) -> Self {
        Self {
            next: vec![[0; LONGEST as usize + 1]; 1 + MULTI_BYTE.len()],
            shift: std::array::from_fn(|_| rng.below(LETTERS) as u8),
            letters: Vec::new(),
        }
    }

    fn next_word(&mut self, script: usize, wanted: u32, rng: &mut Rng, out: &mut Vec<u8>) {
        let mut length = wanted;
        while self.next[script][length as usize] >= words_of(length) {
            length += 1;
        }
        let number = self.next[script][length as usize];
        self.next[script][length as usize] += 1;
        self.set_letters(number, length, rng);
        let alphabet = if script == 0 {
            ASCII
        } else {
            MULTI_BYTE[script - 1]
        };
        alphabet.write(&self.letters, out);
    }

    /// Writes a number with 26 letters and scrambles them. Letters after the 13th are random.
    fn set_letters(&mut self, mut number: u64, length: u32, rng: &mut Rng) {
        self.letters.clear();
        for _ in 0..length.min(COUNTED_LETTERS) {
            self.letters.push((number % LETTERS) as u8);
            number /= LETTERS;
        }
        self.scramble();
        for _ in COUNTED_LETTERS..length {
            self.letters.push(rng.below(LETTERS) as u8);
        }
    }

    /// Makes each letter depend on all others. Each step can be undone by a subtraction, so
    /// different numbers stay different.
    fn scramble(&mut self) {
        for _ in 0..2 {
            for i in 1..self.letters.len() {
                self.move_letter(i, i - 1);
            }
            for i in (1..self.letters.len()).rev() {
                self.move_letter(i - 1, i);
            }
        }
    }

    fn move_letter(&mut self, at: usize, by: usize) {
        let shift = self.shift[self.letters[by] as usize];
        self.letters[at] = (self.letters[at] + shift) % LETTERS as u8;
    }
}

fn words_of(length: u32) -> u64 {
    LETTERS.pow(length.min(COUNTED_LETTERS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const USUAL: Lengths = Lengths {
        min: 1,
        mean: 5,
        max: 18,
    };

    fn all(words: &Words) -> Vec<&[u8]> {
        (1..words.ends.len())
            .map(|end| words.get(end - 1))
            .collect()
    }

    #[test]
    fn words_are_distinct_even_if_short_words_run_out() {
        let words = Words::new(
            3,
            100_000,
            Lengths {
                min: 1,
                mean: 2,
                max: 3,
            },
            300,
            b"",
        )
        .unwrap();
        let distinct: HashSet<_> = all(&words).into_iter().collect();
        assert_eq!(distinct.len(), 100_000);
    }

    #[test]
    fn words_are_valid_utf8_without_white_space() {
        let words = Words::new(4, 20_000, USUAL, 1000, b"").unwrap();
        for word in all(&words) {
            let text = std::str::from_utf8(word).unwrap();
            assert!(
                !text.contains(char::is_whitespace) && !text.is_ascii(),
                "{text}"
            );
        }
    }

    #[test]
    fn the_share_of_multi_byte_words_is_right() {
        for share in [0, 10, 300, 1000] {
            let words = Words::new(5, 10_000, USUAL, share, b"").unwrap();
            let found = all(&words).iter().filter(|word| !word.is_ascii()).count();
            assert!(
                found.abs_diff(share as usize * 10) <= 20,
                "{found} of 10,000 words, wanted {share} in a thousand"
            );
        }
    }

    #[test]
    fn lengths_have_their_bounds_and_mean() {
        for lengths in [
            USUAL,
            Lengths {
                min: 3,
                mean: 8,
                max: 25,
            },
            Lengths {
                min: 4,
                mean: 4,
                max: 4,
            },
        ] {
            let places = 100_000u32;
            let drawn: Vec<u32> = (0..places).map(|i| lengths.at(i * 42_949)).collect();
            assert_eq!(drawn.iter().min(), Some(&lengths.min));
            assert_eq!(drawn.iter().max(), Some(&lengths.max));
            let sum: u64 = drawn.iter().map(|&n| u64::from(n)).sum();
            let hundredths = sum * 100 / u64::from(places);
            assert!(
                hundredths.abs_diff(u64::from(lengths.mean) * 100) <= 2,
                "{lengths:?}: {hundredths}"
            );
        }
    }

    #[test]
    fn impossible_lengths_are_rejected() {
        for (min, mean, max) in [(0, 1, 2), (3, 2, 4), (1, 5, 4), (1, 5, 256)] {
            assert!(Lengths { min, mean, max }.check().is_err());
        }
    }

    #[test]
    fn a_suffix_follows_every_word() {
        let words = Words::new(6, 100, USUAL, 0, b",").unwrap();
        assert!(all(&words).iter().all(|word| word.ends_with(b",")));
    }
}
