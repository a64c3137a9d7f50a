//! What the benchmarks share: sizes, rivals and the memory's roof.
#![forbid(unsafe_code)]

use std::hash::BuildHasher;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use hashbrown::HashMap;

/// Bytes of text for a job: 256 MiB when measuring, 1 MiB when benches run as tests.
#[must_use]
pub fn job_bytes() -> usize {
    if std::env::args().any(|arg| arg == "--bench") {
        256 << 20
    } else {
        1 << 20
    }
}

/// What every way of counting has to agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many tokens there are.
    pub tokens: u64,
    /// How many of them differ.
    pub distinct: u64,
}

impl Totals {
    /// Adds a batch of distinct keys and their counts.
    pub fn add(&mut self, batch: &RecordBatch) {
        let counts = batch.column(1).as_primitive::<UInt64Type>();
        self.tokens += counts.values().iter().sum::<u64>();
        self.distinct += batch.num_rows() as u64;
    }
}

/// The loop that everybody writes: split, hash, look up, add one.
#[must_use]
pub fn rival<S: BuildHasher + Default>(text: &[u8]) -> Totals {
    let text = std::str::from_utf8(text).expect("the data sets that are raced are UTF-8");
    let mut counts: HashMap<&str, u64, S> = HashMap::default();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    Totals {
        tokens: counts.values().sum(),
        distinct: counts.len() as u64,
    }
}

/// Reads all of the text once and adds it up: no way of counting can be faster.
#[must_use]
pub fn read_all(text: &[u8]) -> u64 {
    let (words, _) = text.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rival_counts_words() {
        let totals = rival::<foldhash::fast::RandomState>(b"to be or not to be");
        assert_eq!(
            totals,
            Totals {
                tokens: 6,
                distinct: 4
            }
        );
    }
}
