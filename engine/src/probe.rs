//! One stage, on one level, on data that is in memory: what benches and reports measure.
//!
//! ```text
//! Resident ─▶ run(stage, level, times) ─▶ Answer, Times ×n
//! ```
//!
//! # Examples
//!
//! ```
//! use keymill::probe::{self, Resident, Stage};
//! use keymill::{Level, TokenRule};
//!
//! let text = Resident::text("to be or not to be");
//! let count = Stage::Count(TokenRule::Whitespace);
//! let probed = probe::run(&count, Level::best(), &text, 3)?;
//! assert_eq!((probed.answer.rows, probed.answer.groups), (6, 4));
//! assert_eq!(probed.times.len(), 3);
//! # Ok::<(), keymill::Error>(())
//! ```
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill_kernels::contract_hash::hash_bytes;
use keymill_kernels::stage::count::Counter;
use keymill_kernels::stage::hash_partition::{HashPartition, MOST_PARTITIONS, Partitioned};
use keymill_kernels::stage::reduce_by_key::{ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::{Span, Tokenizer};
use keymill_kernels::{ContractSeed, Groups, Secret};

use crate::chunk::{Boundary, Slices};
use crate::{Error, ErrorKind, Level, Limits, Result, TokenRule};

/// The seed of every probe, so that answers can be compared between runs.
const SEED: u64 = 0x6b65_796d_696c_6c00;

/// What is known of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelInfo {
    /// The level.
    pub level: Level,
    /// Whether this machine runs it.
    pub is_available: bool,
    /// What it asks of a machine.
    pub requires: &'static str,
}

/// Lists all levels, slowest first.
///
/// # Examples
///
/// ```
/// use keymill::{Level, probe};
///
/// let scalar = probe::levels()[0];
/// assert!(scalar.level == Level::Scalar && scalar.is_available);
/// ```
#[must_use]
pub fn levels() -> Vec<LevelInfo> {
    let info = |level: Level| LevelInfo {
        level,
        is_available: level.is_available(),
        requires: level.requires(),
    };
    Level::ALL.into_iter().map(info).collect()
}

/// A stage that can be run alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Text to spans of tokens, chunk by chunk.
    Tokenize(TokenRule),
    /// Keys to row numbers in the order of so many partitions.
    HashPartition(usize),
    /// Keys and values to sums by key.
    ReduceByKey,
    /// Text to counts by token: tokenize and reduce in one.
    Count(TokenRule),
}

impl Stage {
    /// The stage's name, which is that of its file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tokenize(_) => "tokenize",
            Self::HashPartition(_) => "hash_partition",
            Self::ReduceByKey => "reduce_by_key",
            Self::Count(_) => "count",
        }
    }
}

/// Data in memory, every page of it touched.
#[derive(Clone, Debug)]
pub struct Resident(Content);

#[derive(Clone, Debug)]
enum Content {
    Text(Vec<u8>),
    Rows { keys: Vec<u64>, values: Vec<i64> },
}

impl Resident {
    /// Text, for [`Stage::Tokenize`] and [`Stage::Count`].
    #[must_use]
    pub fn text(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Content::Text(bytes.into()))
    }

    /// Rows, for [`Stage::HashPartition`] and [`Stage::ReduceByKey`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there are not as many values as keys.
    pub fn rows(keys: impl Into<Vec<u64>>, values: impl Into<Vec<i64>>) -> Result<Self> {
        let (keys, values) = (keys.into(), values.into());
        if keys.len() != values.len() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} keys have {} values", keys.len(), values.len()),
            ));
        }
        Ok(Self(Content::Rows { keys, values }))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Content::Text(bytes) => bytes.len(),
            Content::Rows { keys, values } => size_of_val(&keys[..]) + size_of_val(&values[..]),
        }
    }
}

/// What a stage answered, in short: equal for every level and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Tokens, or rows.
    pub rows: u64,
    /// Distinct keys; for [`Stage::HashPartition`] partitions that are not empty, else 0.
    pub groups: u64,
    /// A sum over all that was answered, the same in every order.
    pub digest: u64,
}

/// What one run took; a stage on the CPU uploads, reads back and launches nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// In the stage itself.
    pub kernel: Duration,
    /// To bring the data to the device.
    pub upload: Duration,
    /// To bring the answer back.
    pub readback: Duration,
    /// To set the device to work.
    pub launch: Duration,
}

/// The answer of a stage, and the times of its runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probed {
    /// What every run answered.
    pub answer: Answer,
    /// Run by run; a first one, before these, is not counted.
    pub times: Vec<Times>,
}

/// Runs a stage some times on one thread, after a first time that is not measured.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a level that this machine lacks, or data that is not the stage's;
/// [`ErrorKind::Internal`] if two runs answer differently.
pub fn run(stage: &Stage, level: Level, data: &Resident, times: usize) -> Result<Probed> {
    if !level.is_available() {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "this machine does not run level `{level}`, which needs {}",
                level.requires()
            ),
        ));
    }
    let limits = Limits::DEFAULT;
    match (stage, &data.0) {
        (Stage::Tokenize(rule), Content::Text(text)) => {
            let mut tokenizer = Tokenizer::new(level, rule, &limits);
            let boundary = Boundary::new(level, rule, false);
            let mut spans = Vec::new();
            repeat(times, || {
                tokenize(&mut tokenizer, &boundary, text, &mut spans)
            })
        }
        (Stage::Count(rule), Content::Text(text)) => {
            repeat(times, || Ok(count(level, rule, &limits, text)))
        }
        (&Stage::HashPartition(partitions), Content::Rows { keys, .. }) => {
            if !(1..=MOST_PARTITIONS).contains(&partitions) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("{partitions} partitions; there are 1 to {MOST_PARTITIONS}"),
                ));
            }
            let mut stage = HashPartition::new(level, ContractSeed(SEED), partitions);
            let mut out = Partitioned::default();
            repeat(times, || Ok(hash_partition(&mut stage, keys, &mut out)))
        }
        (Stage::ReduceByKey, Content::Rows { keys, values }) => {
            repeat(times, || Ok(reduce_by_key(level, &limits, keys, values)))
        }
        (stage, _) => Err(Error::new(
            ErrorKind::Config,
            format!(
                "the stage `{}` does not take this kind of data",
                stage.name()
            ),
        )),
    }
}

/// Runs something once unmeasured and then measured; all runs must answer alike.
fn repeat(times: usize, mut run: impl FnMut() -> Result<(Answer, Duration)>) -> Result<Probed> {
    let (answer, _) = run()?;
    let mut probed = Probed {
        answer,
        times: Vec::with_capacity(times),
    };
    for _ in 0..times {
        let (again, kernel) = run()?;
        if again != answer {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("a stage answered {answer:?}, and then {again:?}"),
            ));
        }
        probed.times.push(Times {
            kernel,
            ..Times::default()
        });
    }
    Ok(probed)
}

fn tokenize(
    tokenizer: &mut Tokenizer,
    boundary: &Boundary,
    text: &[u8],
    spans: &mut Vec<Span>,
) -> Result<(Answer, Duration)> {
    let mut answer = Answer::default();
    let mut kernel = Duration::ZERO;
    for chunk in Slices::new(text, boundary, Limits::DEFAULT.chunk_bytes) {
        let started = Instant::now();
        let done = tokenizer.tokenize(chunk, None, spans).map_err(|cause| {
            Error::new(ErrorKind::Capacity, "a token is too long for spans").with_source(cause)
        })?;
        kernel += started.elapsed();
        answer.rows += done.tokens as u64;
        for span in spans.iter() {
            let length = u64::from(span.end - span.start);
            answer.digest = answer.digest.wrapping_add(length * length);
        }
    }
    Ok((answer, kernel))
}

fn count(level: Level, rule: &TokenRule, limits: &Limits, text: &[u8]) -> (Answer, Duration) {
    let mut groups = Groups::default();
    let started = Instant::now();
    let mut counter = Counter::new(level, rule, limits, SEED);
    counter.push(text);
    counter.drain_into(&mut groups);
    let kernel = started.elapsed();
    let mut answer = Answer {
        rows: counter.tokens(),
        groups: groups.len() as u64,
        digest: 0,
    };
    groups.for_each(|key, count| {
        let hash = hash_bytes(ContractSeed(SEED), key);
        answer.digest = answer.digest.wrapping_add(hash.wrapping_mul(count));
    });
    (answer, kernel)
}

fn hash_partition(
    stage: &mut HashPartition,
    keys: &[u64],
    out: &mut Partitioned,
) -> (Answer, Duration) {
    let started = Instant::now();
    stage.u64s(keys, out);
    let kernel = started.elapsed();
    let placed = out.rows().iter().zip(0u64..);
    let answer = Answer {
        rows: out.rows().len() as u64,
        groups: out.histogram().filter(|rows| *rows > 0).count() as u64,
        digest: placed.fold(0, |sum: u64, (row, place)| {
            sum.wrapping_add(u64::from(*row).wrapping_mul(place))
        }),
    };
    (answer, kernel)
}

fn reduce_by_key(
    level: Level,
    limits: &Limits,
    keys: &[u64],
    values: &[i64],
) -> (Answer, Duration) {
    let started = Instant::now();
    let mut reducer: ReduceByKey<u64, Sum> =
        ReduceByKey::new(level, *limits, Secret::from_seed(SEED));
    reducer.update(keys, values);
    let groups = reducer.size();
    let kernel = started.elapsed();
    let mut answer = Answer {
        rows: keys.len() as u64,
        groups: groups as u64,
        digest: 0,
    };
    reducer.for_each(|key, sum| {
        let hash = hash_bytes(ContractSeed(SEED), &key.to_le_bytes());
        answer.digest = answer.digest.wrapping_add(hash.wrapping_mul(sum as u64));
    });
    (answer, kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_answers_alike_and_another_input_otherwise() {
        let words: String = (0..5000).map(|word| format!("w{} ", word % 97)).collect();
        let keys: Vec<u64> = (0..5000).map(|row| row % 97).collect();
        let values: Vec<i64> = (0..5000).collect();
        let data = |last: i64| {
            let values = [&values[..4999], &[last]].concat();
            [
                Resident::text(format!("{words} {last}")),
                Resident::rows(keys.clone(), values).unwrap(),
            ]
        };
        let stages = [
            (Stage::Tokenize(TokenRule::Whitespace), 0),
            (Stage::Count(TokenRule::Whitespace), 0),
            (Stage::ReduceByKey, 1),
            (Stage::HashPartition(16), 1),
        ];
        let (one, other) = (data(7), data(123));
        for (stage, kind) in stages {
            let scalar = run(&stage, Level::Scalar, &one[kind], 1).unwrap().answer;
            assert!(scalar.rows >= 5000 && scalar.digest > 0, "{stage:?}");
            for level in Level::available() {
                assert_eq!(run(&stage, level, &one[kind], 2).unwrap().answer, scalar);
            }
            if stage != Stage::HashPartition(16) {
                let changed = run(&stage, Level::Scalar, &other[kind], 0).unwrap().answer;
                assert_ne!(changed, scalar, "{stage:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let text = Resident::text("to be");
        let rows = Resident::rows([1], [1]).unwrap();
        let tokenize = Stage::Tokenize(TokenRule::Lines);
        for (stage, data) in [
            (&Stage::ReduceByKey, &text),
            (&tokenize, &rows),
            (&Stage::HashPartition(0), &rows),
        ] {
            let error = run(stage, Level::Scalar, data, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        assert!(Resident::rows([1, 2], [1]).is_err());
    }
}
