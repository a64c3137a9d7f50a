//! Text with Zipf-distributed words.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::ranks::{Ranks, Skew};
use crate::registry::Generator;
use crate::rng::Rng;
use crate::words::{Lengths, Span, Words};

/// Number of words that are drawn before they are written.
const AHEAD: usize = 64;

/// Text of Zipf-distributed words, with `words_per_line` words per line.
///
/// ```text
/// ek kcv a uyl ek e znbt a\n
/// a rrs ek …
/// ```
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Lengths, Skew, Zipf};
///
/// let skew = Skew::nearest(1.25);
/// let text = Zipf { vocabulary: 100, skew, multi_byte: 100, ..Zipf::DEFAULT };
/// let mut out = Vec::new();
/// let written = text.write_to(5000, &mut out)?;
/// assert_eq!(written.bytes, out.len() as u64);
/// assert!(std::str::from_utf8(&out).is_ok_and(|text| text.ends_with('\n')));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zipf {
    /// Seed of the words and their order.
    pub seed: u64,
    /// Number of different words, at least 1.
    pub vocabulary: u32,
    /// How much more frequent the first words are than the last.
    pub skew: Skew,
    /// Word lengths in letters.
    pub lengths: Lengths,
    /// Number of words with multi-byte letters, per thousand.
    pub multi_byte: u32,
    /// Words per line, at least 1.
    pub words_per_line: u32,
}

impl Zipf {
    /// 30,000 ASCII words of 1 to 18 letters, 12 words per line.
    pub const DEFAULT: Self = Self {
        seed: 1,
        vocabulary: 30_000,
        skew: Skew::ONE,
        lengths: Lengths {
            min: 1,
            mean: 5,
            max: 18,
        },
        multi_byte: 0,
        words_per_line: 12,
    };

    fn check(&self) -> io::Result<()> {
        if self.vocabulary >= 1 && self.words_per_line >= 1 && self.multi_byte <= 1000 {
            return self.lengths.check();
        }
        let problem = "Zipf text needs a vocabulary and words_per_line of at least 1, \
                       and multi_byte of at most 1000";
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}

impl Default for Zipf {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Generator for Zipf {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        self.check()?;
        let words = Words::new(
            self.seed,
            self.vocabulary,
            self.lengths,
            self.multi_byte,
            b" ",
        )?;
        let ranks = Ranks::zipf(self.vocabulary, self.skew);
        let mut rng = Rng::new(self.seed ^ 0x7A69_7066);
        let mut blocks = Blocks::new(bytes, out);
        let mut in_line = 0;
        loop {
            for span in draw_ahead(&words, &ranks, &mut rng) {
                let word = words.at(span);
                in_line += 1;
                let fits = if in_line == self.words_per_line {
                    in_line = 0;
                    blocks.push_parts(&word[..word.len() - 1], b"\n")?
                } else {
                    blocks.push(word)?
                };
                if !fits {
                    return blocks.finish();
                }
            }
        }
    }
}

/// Draws the next words and finds their places, step by step for all words at once. A large
/// vocabulary is not in the cache, so the processor waits for many words in parallel.
#[inline]
fn draw_ahead(words: &Words, ranks: &Ranks, rng: &mut Rng) -> [Span; AHEAD] {
    let drawn: [usize; AHEAD] = std::array::from_fn(|_| ranks.draw(rng));
    let spans = drawn.map(|rank| words.span(rank));
    // The first byte is read to load the word into the cache; the value is not used.
    let touched = spans.iter().fold(0, |t, &span| t ^ words.at(span)[0]);
    std::hint::black_box(touched);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(zipf: Zipf, bytes: u64) -> String {
        let mut out = Vec::new();
        zipf.write_to(bytes, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_have_the_requested_number_of_words() {
        let text = text(
            Zipf {
                words_per_line: 7,
                ..Zipf::DEFAULT
            },
            10_000,
        );
        let lines: Vec<usize> = text.lines().map(|line| line.split(' ').count()).collect();
        let (last, full) = lines.split_last().unwrap();
        assert!(full.iter().all(|&words| words == 7) && *last <= 7);
    }

    #[test]
    fn a_longer_text_begins_with_the_shorter_one() {
        let (short, long) = (text(Zipf::DEFAULT, 5000), text(Zipf::DEFAULT, 200_000));
        assert_eq!(&long[..short.len() - 1], &short[..short.len() - 1]);
    }

    #[test]
    fn seeds_change_the_text() {
        assert_ne!(
            text(
                Zipf {
                    seed: 2,
                    ..Zipf::DEFAULT
                },
                1000
            ),
            text(Zipf::DEFAULT, 1000)
        );
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        let bad = [
            Zipf {
                vocabulary: 0,
                ..Zipf::DEFAULT
            },
            Zipf {
                words_per_line: 0,
                ..Zipf::DEFAULT
            },
            Zipf {
                multi_byte: 1001,
                ..Zipf::DEFAULT
            },
            Zipf {
                lengths: Lengths {
                    min: 0,
                    mean: 1,
                    max: 1,
                },
                ..Zipf::DEFAULT
            },
        ];
        for zipf in bad {
            let error = zipf.write_to(10, &mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
