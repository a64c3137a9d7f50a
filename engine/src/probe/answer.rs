//! Digests of the results of stages, from the oracle or from the stage itself.
#![forbid(unsafe_code)]

use keymill_kernels::oracle;
use keymill_kernels::stable_hash::hash_bytes;
use keymill_kernels::stage::tokenize::Span;

use super::{Keys, SEED};
use crate::TokenRule;

/// A digest of the result of a stage. It is equal for every level and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The number of lines, tokens, rows, or bytes of lower-case text.
    pub rows: u64,
    /// The number of distinct keys or of non-empty partitions; 0 for stages without either.
    pub groups: u64,
    /// A checksum of all results with their positions, which does not depend on the order. For
    /// lower-case text it is a hash.
    pub digest: u64,
}

impl Answer {
    /// Adds a span of the whole text.
    pub(super) fn span(&mut self, start: u64, end: u64) {
        self.rows += 1;
        self.note(start, end);
    }

    /// Adds a row and its position in the order of the partitions.
    pub(super) fn placed(&mut self, row: u32, place: u64) {
        self.rows += 1;
        self.note(u64::from(row), place);
    }

    /// Adds a group.
    pub(super) fn group(&mut self, key: &[u8], value: u64) {
        self.groups += 1;
        self.note(hash_bytes(SEED, key), value);
    }

    /// Sets the digest of a whole text.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.rows = text.len() as u64;
        self.digest = hash_bytes(SEED, text);
    }

    /// Adds a key and its count, in any order. With it the result of a whole job can be compared
    /// with that of [`super::Stage::Count`].
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::TokenRule;
    /// use keymill::probe::{self, Answer, Resident, Stage};
    ///
    /// let mut answer = Answer::default();
    /// answer.counted(b"to", 2);
    /// answer.counted(b"be", 1);
    /// let stage = Stage::Count(TokenRule::Whitespace);
    /// assert_eq!(answer, probe::expected(&stage, &Resident::text("to be to"))?);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn counted(&mut self, key: &[u8], count: u64) {
        self.group(key, count);
        self.rows += count;
    }

    /// Adds a key and the sum of its values, in any order; [`Answer::rows`] stays as it is. With it the
    /// result of a whole job can be compared with that of [`super::Stage::ReduceByKey`].
    pub fn summed(&mut self, key: &[u8], sum: i64) {
        self.group(key, sum as u64);
    }

    /// Adds the digest of another part of the same data.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.groups += other.groups;
        self.digest = self.digest.wrapping_add(other.digest);
    }

    fn note(&mut self, one: u64, other: u64) {
        let both = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other.rotate_left(32);
        let mixed = (both ^ both >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.digest = self.digest.wrapping_add(mixed ^ mixed >> 32);
    }

    /// Returns the digest of slices of a text.
    fn slices(text: &[u8], slices: &[&[u8]]) -> Self {
        let mut answer = Self::default();
        for slice in slices {
            let start = (slice.as_ptr() as usize - text.as_ptr() as usize) as u64;
            answer.span(start, start + slice.len() as u64);
        }
        answer
    }
}

pub(super) fn of_frame(text: &[u8]) -> Answer {
    Answer::slices(text, &oracle::frame(text))
}

pub(super) fn of_lowercase(text: &[u8]) -> Answer {
    let mut answer = Answer::default();
    answer.text(&oracle::lowercase(text));
    answer
}

pub(super) fn of_tokenize(rule: &TokenRule, text: &[u8]) -> Answer {
    Answer::slices(text, &oracle::tokenize(rule, text))
}

pub(super) fn of_count(rule: &TokenRule, text: &[u8]) -> Answer {
    let mut answer = Answer::default();
    for (key, count) in oracle::count(rule, text) {
        answer.counted(&key, count);
    }
    answer
}

pub(super) fn of_hash_partition(partitions: usize, keys: Keys<'_>) -> Answer {
    let parts = oracle::hash_partition(&keys.hashes(), partitions);
    let mut answer = Answer::default();
    for (&row, place) in parts.iter().flatten().zip(0..) {
        answer.placed(row, place);
    }
    answer.groups = parts.iter().filter(|rows| !rows.is_empty()).count() as u64;
    answer
}

pub(super) fn of_reduce_by_key(keys: &[u64], values: &[i64]) -> Answer {
    of_reduced(keys, values, |key| key.to_le_bytes())
}

pub(super) fn of_reduce_by_bytes(text: &[u8], spans: &[Span], values: &[i64]) -> Answer {
    let keys: Vec<&[u8]> = spans.iter().map(|span| span.of(text)).collect();
    of_reduced(&keys, values, |key| key)
}

fn of_reduced<K: Ord + Copy, B: AsRef<[u8]>>(
    keys: &[K],
    values: &[i64],
    bytes_of: impl Fn(K) -> B,
) -> Answer {
    let mut answer = Answer {
        rows: keys.len() as u64,
        ..Answer::default()
    };
    for (key, reduced) in oracle::reduce_by_key(keys, values) {
        answer.group(bytes_of(key).as_ref(), reduced.sum as u64);
    }
    answer
}
