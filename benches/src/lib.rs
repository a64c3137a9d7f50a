//! What the benchmarks share: sizes, rivals and the memory's roof.
#![forbid(unsafe_code)]

pub mod race;

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

/// Bytes of text for a job: 256 MiB when measuring, 1 MiB when benches run as tests.
#[must_use]
pub fn job_bytes() -> usize {
    if std::env::args().any(|arg| arg == "--bench") {
        256 << 20
    } else {
        1 << 20
    }
}

/// The beginning of a data set, for as long as the program runs.
#[must_use]
pub fn text_of(name: &str, bytes: usize) -> &'static [u8] {
    let set = keymill_datasets::find(name).expect("the data set is in the registry");
    set.to_vec(bytes).leak()
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

/// What the kernel counts, on one core.
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

/// What the engine counts, with its groups handed out as batches.
#[must_use]
pub fn count_by_engine(engine: &Engine, text: &'static [u8], order: Order) -> Totals {
    let job = engine
        .read_bytes(text)
        .tokenize(whitespace())
        .count_by_key();
    let batches = job
        .stream(order, BatchLimits::default())
        .expect("text in memory counts");
    let mut totals = Totals::default();
    for batch in batches {
        totals.add(&batch.expect("text in memory counts"));
    }
    totals
}

/// An engine of so many threads, without devices.
#[must_use]
pub fn engine(threads: usize) -> Engine {
    let builder = Engine::builder().device(DeviceChoice::Cpu);
    let engine = builder.threads(threads).build();
    engine.expect("an engine starts")
}

/// What a stage takes for so many runs, for `Bencher::iter_custom`; every run must answer what is
/// expected, which [`keymill::probe::expected`] knows.
pub fn probed<'a>(
    stage: &'a Stage,
    level: Level,
    data: &'a Resident,
    expected: Answer,
) -> impl FnMut(u64) -> Duration + 'a {
    move |times| {
        let times = usize::try_from(times).expect("few enough runs");
        let probed = probe::run(stage, level, data, times).expect("the stage takes this data");
        assert_eq!(probed.answer, expected, "{stage:?} {level}");
        probed.kernel_time()
    }
}

/// The same on an adapter, of which a part is measured.
pub fn probed_on<'a>(
    adapter: &'a Adapter,
    stage: &'a Stage,
    data: &'a Resident,
    expected: Answer,
    part: fn(&Times) -> Duration,
) -> impl FnMut(u64) -> Duration + 'a {
    move |times| {
        let times = usize::try_from(times).expect("few enough runs");
        let probed = adapter.run(stage, data, times);
        let probed = probed.expect("the adapter takes this data");
        assert_eq!(probed.answer, expected, "{stage:?} {adapter:?}");
        probed.times.iter().map(part).sum()
    }
}

/// Rows of an integer key and an integer value.
#[derive(Debug)]
pub struct Rows {
    /// The keys.
    pub keys: Vec<u64>,
    /// As many values.
    pub values: Vec<i64>,
}

impl Rows {
    /// Uniformly random keys; those that are not dense are spread over all 64 bits.
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

    /// The sums that everybody's loop makes.
    #[must_use]
    pub fn rival<S: BuildHasher + Default>(&self) -> HashMap<u64, i64, S> {
        let mut sums = HashMap::default();
        self.rival_into(&mut sums);
        sums
    }

    /// The same, added to sums that are there.
    pub fn rival_into<S: BuildHasher>(&self, sums: &mut HashMap<u64, i64, S>) {
        for (&key, &value) in self.keys.iter().zip(&self.values) {
            *sums.entry(key).or_insert(0) += value;
        }
    }
}

/// Rows of a key that is bytes of a text, and an integer value.
#[derive(Debug)]
pub struct TextRows {
    /// All keys.
    pub text: Vec<u8>,
    /// Where each row's lies.
    pub spans: Vec<Span>,
    /// As many values.
    pub values: Vec<i64>,
}

impl TextRows {
    /// The same rows, with keys in hexadecimal digits: up to 16 bytes, those of dense keys fewer.
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

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| span.of(&self.text))
    }

    /// The rows as a probe takes them.
    #[must_use]
    pub fn resident(&self) -> Resident {
        let keyed = Resident::keyed(self.keys(), &self.values[..]);
        keyed.expect("as many values as keys")
    }

    /// The sums that everybody's loop makes.
    #[must_use]
    pub fn rival<S: BuildHasher + Default>(&self) -> HashMap<&[u8], i64, S> {
        let mut sums = HashMap::default();
        for (key, &value) in self.keys().zip(&self.values) {
            *sums.entry(key).or_insert(0) += value;
        }
        sums
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
    fn the_rival_and_keymill_agree() {
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
