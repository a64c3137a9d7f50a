//! One stage, on one level or adapter, on data that is in memory: what benches and reports measure.
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
pub use adapters::{Adapter, AdapterInfo, AdapterLimits, adapters};
pub use answer::Answer;
pub use resident::Resident;
use resident::{Content, Keys};

pub use crate::plan::ShaderVariant;

/// The seed of every probe, so that answers can be compared between runs.
const SEED: HashSeed = HashSeed(0x6b65_796d_696c_6c00);

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
    /// Text to spans of lines.
    Frame,
    /// Text to text in lower case.
    Lowercase,
    /// Text to spans of tokens, chunk by chunk.
    Tokenize(TokenRule),
    /// Keys to row numbers in the order of so many partitions.
    HashPartition(usize),
    /// Keys, integers or bytes, and values to sums by key.
    ReduceByKey,
    /// Text to counts by token: tokenize and reduce in one.
    Count(TokenRule),
}

impl Stage {
    /// The stage's name, which is that of its file.
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
                "the stage `{}` does not take this kind of data",
                self.name()
            ),
        )
    }
}

/// What one run took; a stage on the CPU uploads, reads back and launches nothing.
///
/// On an adapter, `upload`, `readback` and `launch` are measured alone, behind the run; what the
/// host does besides, and what of them overlaps, is in `whole` only.
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
    /// From the data in the host's memory to the answer there, by the clock on the wall.
    pub whole: Duration,
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

impl Probed {
    /// What all measured runs took together in the stage itself.
    #[must_use]
    pub fn kernel_time(&self) -> Duration {
        self.times.iter().map(|times| times.kernel).sum()
    }
}

/// Runs a stage some times on one thread, after a first time that is not measured.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a level that this machine lacks, or data that is not the stage's;
/// [`ErrorKind::Internal`] if two runs answer differently.
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

/// Runs a stage some times on so many threads, each with a part of the data, after a first time that is
/// not measured; the time is that of the slowest.
///
/// The threads of a count share a job, which [`crate::Engine`] runs.
///
/// # Errors
///
/// As [`run`], and [`ErrorKind::Config`] for no threads, and for stages that are not shared out here:
/// the count, and lower case.
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

/// What a stage must answer, by its oracle: slow, and obviously right.
///
/// # Errors
///
/// [`ErrorKind::Config`] for data that is not the stage's.
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
        format!("{partitions} partitions; there are 1 to {MOST_PARTITIONS}"),
    ))
}

/// Runs something on the processor once unmeasured and then measured.
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

/// Runs something once unmeasured and then measured; all runs must answer alike.
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
                format!("a stage answered {answer:?}, and then {again:?}"),
            ));
        }
        probed.times.push(times);
    }
    Ok(probed)
}

#[cfg(test)]
mod tests;
