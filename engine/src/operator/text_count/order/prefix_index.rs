//! An index that shortens the binary search of a word among ascending ones.

use std::hint::select_unpredictable;

/// A range of indices of ascending words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The start of the search for a word in a run, by its first bits.
///
/// Keys are text, whose first two bytes have some hundred values: with this start, one or two of
/// ten search steps are enough.
#[derive(Debug)]
pub(super) struct PrefixIndex {
    pub(super) run: Run,
    /// The first word of the run, and the shift of a word's distance from it.
    least: u64,
    shift: u32,
    /// For each shifted distance, the number of words below it; the last element is for larger
    /// distances.
    starts: Vec<u32>,
    /// Maximum number of words with the same shifted distance.
    most: usize,
}

/// Number of bits of a shifted distance.
const BITS: u32 = 16;

impl Default for PrefixIndex {
    /// Makes an index of an empty run.
    fn default() -> Self {
        Self {
            run: Run::default(),
            least: 0,
            shift: 0,
            starts: vec![0],
            most: 0,
        }
    }
}

impl PrefixIndex {
    /// Makes an index of a run of `words`, which must not be empty.
    pub(super) fn into(run: Run, words: &[u64]) -> Self {
        let range = run.start as usize..run.end as usize;
        let (least, greatest) = (words[range.start], words[range.end - 1]);
        let bits = u64::BITS - (greatest - least).leading_zeros();
        let mut prefix_index = Self {
            run,
            least,
            shift: bits.saturating_sub(BITS),
            starts: Vec::new(),
            most: 0,
        };
        for (place, &word) in words[range].iter().enumerate() {
            let step = prefix_index.step(word, usize::MAX);
            let start = run.start + place as u32;
            if step >= prefix_index.starts.len() {
                prefix_index.starts.resize(step + 1, start);
            }
            let alike = start + 1 - prefix_index.starts[step];
            prefix_index.most = prefix_index.most.max(alike as usize);
        }
        prefix_index.starts.push(run.end);
        prefix_index
    }

    /// Returns the shifted distance of a word from the first one, at most `most`.
    #[inline(always)]
    fn step(&self, word: u64, most: usize) -> usize {
        let step = word.saturating_sub(self.least) >> self.shift;
        step.min(most as u64) as usize
    }

    /// Returns the number of all words below `word`, which must be above all words before the run.
    #[inline(always)]
    pub(super) fn below(&self, words: &[u64], word: u64) -> usize {
        let step = self.step(word, self.starts.len() - 1);
        let start = self.starts[step] as usize;
        // The same number of steps for every word, so that it is predicted.
        let end = (start + self.most).min(self.run.end as usize);
        start + below(&words[start..end], word)
    }
}

/// Returns the number of ascending words below `word`, without an unpredictable branch.
#[inline(always)]
pub(super) fn below(words: &[u64], word: u64) -> usize {
    let (mut base, mut size) = (0, words.len());
    if size == 0 {
        return 0;
    }
    while size > 1 {
        let half = size / 2;
        let middle = base + half;
        base = select_unpredictable(words[middle] < word, middle, base);
        size -= half;
    }
    base + usize::from(words[base] < word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[u64]) {
        for (start, end) in [
            (0, words.len()),
            (1, words.len()),
            (0, 1),
            (2, words.len() - 1),
        ] {
            if start >= end {
                continue;
            }
            let run = Run {
                start: start as u32,
                end: end as u32,
            };
            let prefix_index = PrefixIndex::into(run, words);
            let around = words.iter().flat_map(|&word| {
                [
                    word.wrapping_sub(1),
                    word,
                    word.wrapping_add(1),
                    word ^ (1 << 40),
                ]
            });
            for word in around.chain([0, 1, u64::MAX, u64::MAX / 3]) {
                let expected = words[start..end].partition_point(|&other| other < word);
                assert_eq!(
                    prefix_index.below(words, word),
                    start + expected,
                    "{word:#x} in {words:x?}"
                );
                assert_eq!(below(&words[start..end], word), expected);
            }
        }
    }

    #[test]
    fn a_word_is_found_at_its_position() {
        check(&[5, 5, 5]);
        check(&[0, 1, 2, 3, u64::MAX]);
        check(&[7, 8, 8, 8, 1 << 62, 1 << 63]);
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state >> 8
        };
        for (number, below) in [(30, 1 << 56), (500, 1 << 56), (300, 1 << 20), (400, 90)] {
            let mut words: Vec<u64> = (0..number).map(|_| (1 << 60) + next() % below).collect();
            words.sort_unstable();
            check(&words);
        }
        // Text: half of its words have the same first bits.
        let text = |i: u64| {
            let text = format!("{:04}word", i * i / 2);
            let first = text.as_bytes().first_chunk().expect("eight bytes");
            u64::from_be_bytes(*first)
        };
        check(&(0..140).map(text).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_run_has_no_words_below() {
        assert_eq!(PrefixIndex::default().below(&[], 9), 0);
    }
}
