//! Shared by the benchmarks: sizes, loops to compare with, and a plain read as the upper bound.
#![forbid(unsafe_code)]

pub mod race;

use core::ops::Div;
use std::fmt::Write;
use std::hash::BuildHasher;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use hashbrown::HashMap;
use keymill::prelude::*;
use keymill::probe::{self, Adapter, Answer, Resident, Stage, Times};
use keymill::{BatchLimits, DeviceChoice, Order};
use keymill_kernels::stage::count::Counter;
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{KeyCounts, TokenRule, Tuning};

/// Returns the size of a job's text: 256 MiB when measuring, 1 MiB when benches run as tests.
#[must_use]
pub fn job_bytes() -> usize {
    if std::env::args().any(|arg| arg == "--bench") {
        256 << 20
    } else {
        1 << 20
    }
}

/// Returns the beginning of a data set. The memory is never freed.
#[must_use]
pub fn text_of(name: &str, bytes: usize) -> &'static [u8] {
    let set = keymill_datasets::find(name).expect("the data set is in the registry");
    set.to_vec(bytes).leak()
}

/// Totals that are the same for all ways to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of tokens.
    pub tokens: u64,
    /// Number of distinct tokens.
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

/// Counts with the usual loop: split, hash, look up, add one.
#[must_use]
pub fn rival<S: BuildHasher + Default>(text: &[u8]) -> Totals {
    let text = std::str::from_utf8(text).expect("the data set is UTF-8");
    let mut counts: HashMap<&str, u64, S> = HashMap::default();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    Totals {
        tokens: counts.values().sum(),
        distinct: counts.len() as u64,
    }
}

/// Counts with the kernel, on one core.
#[must_use]
pub fn count_by_kernel(level: Level, text: &[u8]) -> Totals {
    let mut counter = Counter::new(level, &TokenRule::Whitespace, &Tuning::DEFAULT, 1);
    counter.push(text);
    let mut groups = KeyCounts::default();
    counter.drain_into(&mut groups);
    Totals {
        tokens: counter.tokens(),
        distinct: groups.len() as u64,
    }
}

/// Counts with the engine and reads the result as batches.
#[must_use]
pub fn count_by_engine(engine: &Engine, text: &'static [u8], order: Order) -> Totals {
    let job = engine
        .read_bytes(text)
        .tokenize(whitespace())
        .count_by_key();
    let batches = job
        .stream(order, BatchLimits::default())
        .expect("counting text in memory succeeds");
    let mut totals = Totals::default();
    for batch in batches {
        totals.add(&batch.expect("counting text in memory succeeds"));
    }
    totals
}

/// Returns an engine with this number of threads, without devices.
#[must_use]
pub fn engine(threads: usize) -> Engine {
    let builder = Engine::builder().device(DeviceChoice::Cpu);
    let engine = builder.threads(threads).build();
    engine.expect("an engine starts")
}

/// Measures runs of a stage, for `Bencher::iter_custom`. The answer must be `expected` (see
/// [`keymill::probe::expected`]).
pub fn probed<'a>(
    stage: &'a Stage,
    level: Level,
    data: &'a Resident,
    expected: Answer,
) -> impl FnMut(u64) -> Duration + 'a {
    move |times| {
        let times = usize::try_from(times).expect("the number of runs fits in usize");
        let probed = probe::run(stage, level, data, times).expect("the stage takes this data");
        assert_eq!(probed.answer, expected, "{stage:?} {level}");
        probed.kernel_time()
    }
}

/// Measures a part of the time of runs on an adapter, like [`probed`].
pub fn probed_on<'a>(
    adapter: &'a Adapter,
    stage: &'a Stage,
    data: &'a Resident,
    expected: Answer,
    part: fn(&Times) -> Duration,
) -> impl FnMut(u64) -> Duration + 'a {
    move |times| {
        let times = usize::try_from(times).expect("the number of runs fits in usize");
        let probed = adapter.run(stage, data, times);
        let probed = probed.expect("the adapter takes this data");
        assert_eq!(probed.answer, expected, "{stage:?} {adapter:?}");
        probed.times.iter().map(part).sum()
    }
}

/// The number of rows or groups of a benchmark: a hundredth when it only checks its answers.
#[must_use]
pub fn scaled<N: Ord + From<u8> + Div<Output = N>>(number: N) -> N {
    match std::env::args().any(|arg| arg == "--bench") {
        true => number,
        false => (number / N::from(100)).max(N::from(2)),
    }
}

/// Rows of an integer key and an integer value.
#[derive(Debug)]
pub struct Rows {
    /// The keys.
    pub keys: Vec<u64>,
    /// The values, one per key.
    pub values: Vec<i64>,
}

impl Rows {
    /// Returns uniformly random rows. Keys that are not dense are spread over all 64 bits.
    #[must_use]
    pub fn random(count: usize, groups: u64, dense: bool) -> Self {
        let mut state = 1u64;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let key = ((state >> 32) * groups) >> 32;
            let spread = if dense { 1 } else { 0x9e37_79b9_7f4a_7c15 };
            (key.wrapping_mul(spread), (state & 1023) as i64 - 512)
        };
        let (keys, values) = (0..count).map(|_| draw()).unzip();
        Self { keys, values }
    }

    /// Returns the sums of the usual hashbrown loop.
    #[must_use]
    pub fn rival<S: BuildHasher + Default>(&self) -> HashMap<u64, i64, S> {
        let mut sums = HashMap::default();
        self.rival_into(&mut sums);
        sums
    }

    /// Adds the sums of the usual hashbrown loop to `sums`.
    pub fn rival_into<S: BuildHasher>(&self, sums: &mut HashMap<u64, i64, S>) {
        for (&key, &value) in self.keys.iter().zip(&self.values) {
            *sums.entry(key).or_insert(0) += value;
        }
    }
}

/// Rows of a key of bytes and an integer value.
#[derive(Debug)]
pub struct TextRows {
    /// The text with all keys.
    pub text: Vec<u8>,
    /// Start and end of each row's key.
    pub spans: Vec<Span>,
    /// The values, one per key.
    pub values: Vec<i64>,
}

impl TextRows {
    /// Returns the same rows, with keys in hexadecimal digits: up to 16 bytes, fewer for dense
    /// keys.
    #[must_use]
    pub fn spelled(rows: &Rows) -> Self {
        let (mut text, mut spans) = (String::new(), Vec::with_capacity(rows.keys.len()));
        for key in &rows.keys {
            let start = text.len() as u32;
            write!(text, "{key:x}").expect("a string grows");
            let end = text.len() as u32;
            spans.push(Span { start, end });
        }
        Self {
            text: text.into_bytes(),
            spans,
            values: rows.values.clone(),
        }
    }

    /// Returns the same rows, with keys of 8 to 12 bytes.
    #[must_use]
    pub fn mid_sized(rows: &Rows) -> Self {
        let (mut text, mut spans) = (String::new(), Vec::with_capacity(rows.keys.len()));
        for key in &rows.keys {
            let number = key % 100_000_000;
            let start = text.len() as u32;
            let width = 6 + (key % 5) as usize;
            write!(text, "k_{number:0width$}").expect("a string grows");
            let end = text.len() as u32;
            spans.push(Span { start, end });
        }
        Self {
            text: text.into_bytes(),
            spans,
            values: rows.values.clone(),
        }
    }

    /// Returns the keys.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| span.of(&self.text))
    }

    /// Returns the rows as data for a probe.
    #[must_use]
    pub fn resident(&self) -> Resident {
        let keyed = Resident::keyed(self.keys(), &self.values[..]);
        keyed.expect("there are as many values as keys")
    }

    /// Returns the sums of the usual hashbrown loop.
    #[must_use]
    pub fn rival<S: BuildHasher + Default>(&self) -> HashMap<&[u8], i64, S> {
        let mut sums = HashMap::default();
        for (key, &value) in self.keys().zip(&self.values) {
            *sums.entry(key).or_insert(0) += value;
        }
        sums
    }
}

/// Reads the whole text once and returns a sum of it: the upper bound of all ways to count.
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
    fn the_hashbrown_loop_and_keymill_agree() {
        let text = b"to be or not to be";
        let expected = Totals {
            tokens: 6,
            distinct: 4,
        };
        assert_eq!(rival::<foldhash::fast::RandomState>(text), expected);
        assert_eq!(count_by_kernel(Level::best(), text), expected);
        assert_eq!(count_by_engine(&engine(2), text, Order::Key), expected);
    }
}
