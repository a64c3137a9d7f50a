//! Runs one stage on one level or adapter, on data in memory, for benchmarks and reports.
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

mod adapters;
mod answer;
#[cfg(feature = "gpu")]
mod on_adapter;
mod resident;
mod stages;
mod threads;

use std::time::Duration;

use keymill_kernels::HashSeed;
use keymill_kernels::stage::hash_partition::MOST_PARTITIONS;

use crate::{Error, ErrorKind, Level, Result, TokenRule};
pub use adapters::{Adapter, AdapterLimits, adapters};
pub use answer::Answer;
pub use resident::Resident;
use resident::{Content, Keys};

pub use crate::plan::{AdapterInfo, ShaderVariant};

/// The hash seed of every probe, so that results can be compared between runs.
const SEED: HashSeed = HashSeed(0x6b65_796d_696c_6c00);

/// Information about a SIMD level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelInfo {
    /// The level.
    pub level: Level,
    /// Whether this machine supports it.
    pub is_available: bool,
    /// The CPU features that it needs.
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

/// A stage that can run alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Text to spans of lines.
    Frame,
    /// Text to text in lower case.
    Lowercase,
    /// Text to spans of tokens, chunk by chunk.
    Tokenize(TokenRule),
    /// Keys to row numbers in the order of this number of partitions.
    HashPartition(usize),
    /// Keys, integers or bytes, and values to sums by key.
    ReduceByKey,
    /// Text to counts by token: tokenize and reduce in one.
    Count(TokenRule),
}

impl Stage {
    /// Returns the stage's name, which is the name of its file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Lowercase => "lowercase",
            Self::Tokenize(_) => "tokenize",
            Self::HashPartition(_) => "hash_partition",
            Self::ReduceByKey => "reduce_by_key",
            Self::Count(_) => "count",
        }
    }

    fn refuses(&self) -> Error {
        Error::new(
            ErrorKind::Config,
            format!(
                "the stage `{}` does not support this kind of data",
                self.name()
            ),
        )
    }
}

/// The times of one run. A stage on the CPU has no upload, download or launch.
///
/// On an adapter, `upload`, `readback` and `launch` are measured separately after the run. Other
/// work of the host and the overlap of these times are only in `whole`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The time of the stage itself.
    pub kernel: Duration,
    /// The time to upload the data.
    pub upload: Duration,
    /// The time to download the result.
    pub readback: Duration,
    /// The time to launch a run.
    pub launch: Duration,
    /// The wall-clock time from the input in host memory to the result in host memory.
    pub whole: Duration,
}

/// The result of a stage and the times of its runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probed {
    /// The result, which is the same in every run.
    pub answer: Answer,
    /// The times of the measured runs. The warm-up run is not included.
    pub times: Vec<Times>,
}

impl Probed {
    /// Returns the total time of the stage in all measured runs.
    #[must_use]
    pub fn kernel_time(&self) -> Duration {
        self.times.iter().map(|times| times.kernel).sum()
    }
}

/// Runs a stage `times` times on one thread, after a warm-up run that is not measured.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a level that this machine does not support, or data of the wrong kind;
/// [`ErrorKind::Internal`] if two runs return different results.
pub fn run(stage: &Stage, level: Level, data: &Resident, times: usize) -> Result<Probed> {
    check_level(level)?;
    match (stage, &data.0) {
        (Stage::Frame, Content::Text(text)) => repeat(times, stages::frame(level, text, 0)),
        (Stage::Lowercase, Content::Text(text)) => repeat(times, stages::lowercase(level, text)),
        (Stage::Tokenize(rule), Content::Text(text)) => {
            repeat(times, stages::tokenize(level, rule, text, 0))
        }
        (Stage::Count(rule), Content::Text(text)) => {
            repeat(times, stages::count(level, rule, text))
        }
        (&Stage::HashPartition(partitions), content) => {
            check_partitions(partitions)?;
            let keys = content.keys().ok_or_else(|| stage.refuses())?;
            repeat(times, stages::hash_partition(level, partitions, keys))
        }
        (Stage::ReduceByKey, Content::Rows { keys, values }) => {
            repeat(times, stages::reduce_by_key(level, keys, values))
        }
        (
            Stage::ReduceByKey,
            Content::TextRows {
                text,
                spans,
                values,
            },
        ) => repeat(times, stages::reduce_by_bytes(level, text, spans, values)),
        _ => Err(stage.refuses()),
    }
}

/// Runs a stage `times` times on several threads, each with a part of the data, after a warm-up run
/// that is not measured. The time is that of the slowest thread.
///
/// A count on several threads is a job: run it with [`crate::Engine`].
///
/// # Errors
///
/// As [`run`], and [`ErrorKind::Config`] for 0 threads and for stages that do not run in parts
/// here: the count and lower case.
///
/// # Examples
///
/// ```
/// use keymill::Level;
/// use keymill::probe::{self, Resident, Stage};
///
/// let text = Resident::text("to be\nor not\nto be\n");
/// let two = probe::run_on_threads(&Stage::Frame, Level::best(), &text, 2, 1)?;
/// assert_eq!(two.answer, probe::expected(&Stage::Frame, &text)?);
/// # Ok::<(), keymill::Error>(())
/// ```
pub fn run_on_threads(
    stage: &Stage,
    level: Level,
    data: &Resident,
    threads: usize,
    times: usize,
) -> Result<Probed> {
    check_level(level)?;
    let threads = threads::checked(threads)?;
    match (stage, &data.0) {
        (Stage::Frame, Content::Text(text)) => repeat(times, threads::frame(level, text, threads)),
        (Stage::Tokenize(rule), Content::Text(text)) => {
            repeat(times, threads::tokenize(level, rule, text, threads))
        }
        (&Stage::HashPartition(partitions), content) => {
            check_partitions(partitions)?;
            let keys = content.keys().ok_or_else(|| stage.refuses())?;
            let run = threads::hash_partition(level, partitions, keys, threads);
            repeat(times, run)
        }
        (Stage::ReduceByKey, Content::Rows { keys, values }) => {
            let rows = threads::IntRows { keys, values };
            repeat(times, threads::reduce_by_key(level, rows, threads))
        }
        (
            Stage::ReduceByKey,
            Content::TextRows {
                text,
                spans,
                values,
            },
        ) => {
            let rows = threads::TextRows {
                text,
                spans,
                values,
            };
            repeat(times, threads::reduce_by_key(level, rows, threads))
        }
        _ => Err(stage.refuses()),
    }
}

fn check_level(level: Level) -> Result<()> {
    if level.is_available() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "this machine does not run level `{level}`, which needs {}",
            level.requires()
        ),
    ))
}

/// Returns the expected result of a stage, computed by its oracle, which is slow and simple.
///
/// # Errors
///
/// [`ErrorKind::Config`] for data of the wrong kind.
///
/// # Examples
///
/// ```
/// use keymill::probe::{self, Resident, Stage};
/// use keymill::Level;
///
/// let text = Resident::text("to be\nor not\n");
/// let probed = probe::run(&Stage::Frame, Level::best(), &text, 0)?;
/// assert_eq!(probed.answer, probe::expected(&Stage::Frame, &text)?);
/// # Ok::<(), keymill::Error>(())
/// ```
pub fn expected(stage: &Stage, data: &Resident) -> Result<Answer> {
    match (stage, &data.0) {
        (Stage::Frame, Content::Text(text)) => Ok(answer::of_frame(text)),
        (Stage::Lowercase, Content::Text(text)) => Ok(answer::of_lowercase(text)),
        (Stage::Tokenize(rule), Content::Text(text)) => Ok(answer::of_tokenize(rule, text)),
        (Stage::Count(rule), Content::Text(text)) => Ok(answer::of_count(rule, text)),
        (&Stage::HashPartition(partitions), content) => {
            check_partitions(partitions)?;
            let keys = content.keys().ok_or_else(|| stage.refuses())?;
            Ok(answer::of_hash_partition(partitions, keys))
        }
        (Stage::ReduceByKey, Content::Rows { keys, values }) => {
            Ok(answer::of_reduce_by_key(keys, values))
        }
        (
            Stage::ReduceByKey,
            Content::TextRows {
                text,
                spans,
                values,
            },
        ) => Ok(answer::of_reduce_by_bytes(text, spans, values)),
        _ => Err(stage.refuses()),
    }
}

fn check_partitions(partitions: usize) -> Result<()> {
    if (1..=MOST_PARTITIONS).contains(&partitions) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!("{partitions} partitions; the number must be from 1 to {MOST_PARTITIONS}"),
    ))
}

/// Runs a stage on the CPU: a warm-up run, then `times` measured runs.
fn repeat(times: usize, mut run: impl FnMut() -> Result<(Answer, Duration)>) -> Result<Probed> {
    repeat_timed(times, || {
        let (answer, kernel) = run()?;
        let times = Times {
            kernel,
            whole: kernel,
            ..Times::default()
        };
        Ok((answer, times))
    })
}

/// Runs a stage: a warm-up run, then `times` measured runs, which must return the same result.
fn repeat_timed(times: usize, mut run: impl FnMut() -> Result<(Answer, Times)>) -> Result<Probed> {
    let (answer, _) = run()?;
    let mut probed = Probed {
        answer,
        times: Vec::with_capacity(times),
    };
    for _ in 0..times {
        let (again, times) = run()?;
        if again != answer {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("two runs of a stage returned different results: {answer:?} and {again:?}"),
            ));
        }
        probed.times.push(times);
    }
    Ok(probed)
}

#[cfg(test)]
mod tests;
