//! The report: measurements and conclusions.
//!
//! Times are whole nanoseconds and rates whole bytes per second, so that a report stays equal when it
//! is written and read. The published schema, [`crate::SCHEMA`], describes the same fields.

mod machine;
mod measure;
mod since;

use serde::{Deserialize, Serialize};

pub use self::machine::{Adapter, AdapterLimits, Cache, Machine, MemoryRead};
pub use self::measure::{Measure, MeasureName, Unit};
pub use self::since::{Change, Since};

/// The value of `format` in every report.
pub const FORMAT: &str = "keymill-report";

/// The version of the report's format. It is increased by a change that readers must handle.
pub const VERSION: u32 = 5;

/// The results of one comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The command that made the report.
    pub command: String,
    /// `quick` or `full`.
    pub plan: String,
    /// The start time in UTC.
    pub started: String,
    /// The duration of the comparison.
    pub took_ms: u64,
    /// Whether the comparison was stopped before its end. The report has what was measured until then.
    pub interrupted: bool,
    /// The average number of programs that ran or waited in the minute before the start, in hundredths;
    /// null if the system does not tell it.
    pub load_before: Option<u32>,
    /// The machine.
    pub machine: Machine,
    /// The rate of reading memory.
    pub memory_read: MemoryRead,
    /// The time of a fixed loop on one core, before and after all measurements, in nanoseconds. It is
    /// the same in every version of keymill, so that two reports can be compared by it.
    pub reference: Spread,
    /// The adapters of the machine, software included.
    pub adapters: Vec<Adapter>,
    /// The rule that splits text into tokens.
    pub tokens: String,
    /// The data that was measured.
    pub data: Vec<Data>,
    /// The measurements.
    pub cases: Vec<Case>,
    /// Measurements of data that is resident on an adapter, in chunks of maximum size.
    pub resident: Vec<Case>,
    /// Each stage on each adapter with each variant of its shaders. The ways have the names of the
    /// variants.
    pub variants: Vec<Case>,
    /// The latency of small batches.
    pub latency: Vec<Latency>,
    /// What a GPU would have to reach to be as fast as the CPU.
    pub needed: Vec<Needed>,
    /// The figures with targets for a GPU, as far as they were measured.
    pub measures: Vec<Measure>,
    /// Whether all ways gave the same answer, and that of the oracle where it was computed.
    pub answers_agree: bool,
    /// Each disagreement in words.
    pub disagreements: Vec<String>,
    /// The failures.
    pub failures: Vec<Failure>,
    /// The sizes from which adapters are faster than the CPU.
    pub crossovers: Vec<Crossover>,
    /// Each place where a GPU took longer than the CPU, in words.
    pub gpu_lost: Vec<String>,
    /// Why some figures are doubtful, in words.
    pub doubts: Vec<String>,
    /// What was left out, and other remarks.
    pub notes: Vec<String>,
    /// What to use for this data.
    pub recommendations: Vec<Recommendation>,
    /// What changed since an earlier report; null if none was at hand.
    pub since: Option<Since>,
}

impl Report {
    /// Returns whether the figures are reliable: all answers agree and no way on the CPU failed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.answers_agree && self.failures.iter().all(|it| it.adapter.is_some())
    }

    /// Returns the adapter with a number.
    #[must_use]
    pub fn adapter(&self, number: u32) -> Option<&Adapter> {
        self.adapters.get(number as usize)
    }
}

/// The median and the range of some figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The median.
    pub median: u64,
    /// The minimum.
    pub min: u64,
    /// The maximum.
    pub max: u64,
    /// The number of figures.
    pub runs: u32,
}

impl Spread {
    /// Computes the spread of at least one figure.
    #[must_use]
    pub fn of(mut figures: Vec<u64>) -> Option<Self> {
        figures.sort_unstable();
        let (&min, &max) = (figures.first()?, figures.last()?);
        Some(Self {
            median: figures[(figures.len() - 1) / 2],
            min,
            max,
            runs: u32::try_from(figures.len()).unwrap_or(u32::MAX),
        })
    }
}

/// The kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text that is split into lines and tokens.
    Text,
    /// 64-bit keys with 64-bit values.
    Rows,
    /// Text keys with 64-bit values.
    TextRows,
    /// 32-bit keys of rows, with row numbers.
    Keys,
    /// A table as comma-separated values.
    Csv,
}

/// Data that was measured. Cases refer to it by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The name of the file or of the seeded set.
    pub name: String,
    /// Text, rows or keys.
    pub kind: Kind,
    /// A description in one line.
    pub description: String,
    /// Whether it is the caller's own data.
    pub is_given: bool,
    /// The maximum of bytes that were measured.
    pub bytes: u64,
}

/// The work that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Text to lines.
    Frame,
    /// Text to tokens.
    Tokenize,
    /// Keys to partitions.
    HashPartition,
    /// Keys and values to sums.
    ReduceByKey,
    /// The word count: text to counts by token.
    Count,
    /// A table in CSV: the number of rows, the minimum, the mean and the maximum by a text key.
    GroupByCsv,
}

impl Subject {
    /// Returns the name in reports, which is that of the stage if there is one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Tokenize => "tokenize",
            Self::HashPartition => "hash_partition",
            Self::ReduceByKey => "reduce_by_key",
            Self::Count => "count",
            Self::GroupByCsv => "group_by_csv",
        }
    }
}

/// One subject on one size of one set of data, in all ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The work.
    pub subject: Subject,
    /// The name of the data.
    pub data: String,
    /// The bytes of data.
    pub bytes: u64,
    /// The oracle's answer; null where it was not computed.
    pub expected: Option<Answer>,
    /// The ways, those on the CPU first.
    pub ways: Vec<Way>,
}

/// The answer that all ways of a case must give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Lines, tokens or rows.
    pub rows: u64,
    /// Distinct keys, or partitions that are not empty.
    pub groups: u64,
    /// A checksum of the answer, in hexadecimal digits.
    pub digest: String,
}

/// The part that runs: one stage, or the whole job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One stage on data in memory.
    Stage,
    /// The engine's job, from data in memory to unordered result batches, on the CPU or on one
    /// adapter.
    Job,
    /// The same job with the device `auto`.
    Auto,
}

/// A way of doing a case's work, and its times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// A short name.
    pub name: String,
    /// A stage or a job.
    pub part: Part,
    /// The SIMD level; null on an adapter, where a job uses the best one.
    pub level: Option<String>,
    /// Number of CPU threads; null on an adapter.
    pub threads: Option<u32>,
    /// The number of the adapter in the report's list, from 0; null on the CPU.
    pub adapter: Option<u32>,
    /// From data in memory to the answer in memory.
    pub end_to_end: Spread,
    /// The kernels; null on the CPU, where they are the whole, and for jobs.
    pub kernel: Option<Spread>,
    /// The copy to the adapter; null on the CPU and for jobs.
    pub upload: Option<Spread>,
    /// The copy of the answer from the adapter; null on the CPU and for jobs.
    pub readback: Option<Spread>,
    /// The launch; null on the CPU and for jobs.
    pub launch: Option<Spread>,
    /// The answer.
    pub answer: Answer,
}

/// A way that ended in an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The subject, the data and the way.
    pub what: String,
    /// The error.
    pub error: String,
    /// The number of the adapter; null on the CPU.
    pub adapter: Option<u32>,
}

/// The times of many runs on one small batch, end to end, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The name of the way.
    pub way: String,
    /// The number of the adapter; null on the CPU.
    pub adapter: Option<u32>,
    /// The name of the data.
    pub data: String,
    /// The bytes of the batch.
    pub bytes: u64,
    /// Half of the runs took at most this long.
    pub p50: u64,
    /// 90 % of the runs took at most this long.
    pub p90: u64,
    /// 99 % of the runs took at most this long.
    pub p99: u64,
    /// The longest run.
    pub max: u64,
    /// The number of runs.
    pub runs: u32,
}

/// What the kernel of a GPU behind a bus would have to reach to be as fast as the CPU, if upload and
/// kernel do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needed {
    /// The name of the data.
    pub data: String,
    /// The bytes of data.
    pub bytes: u64,
    /// The rate of the best way on the CPU, in bytes per second.
    pub cpu: u64,
    /// The bus.
    pub bus: String,
    /// The usual rate of copies over this bus, in bytes per second.
    pub bus_rate: u64,
    /// The rate that the kernel needs, in bytes per second; null if the copy alone takes longer than the
    /// CPU.
    pub kernel: Option<u64>,
}

/// The size from which an adapter is faster than the best way on the CPU, end to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossover {
    /// The work.
    pub subject: Subject,
    /// The name of the data.
    pub data: String,
    /// The number of the adapter.
    pub adapter: u32,
    /// The adapter is faster from this size to the largest; null if it is slower at the largest.
    pub bytes: Option<u64>,
    /// The smallest size that was measured.
    pub from_bytes: u64,
    /// The largest size that was measured.
    pub up_to_bytes: u64,
}

/// A recommendation for some data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    /// The name of the data.
    pub data: String,
    /// `cpu`, `gpu`, or `by_size`: the CPU below a size and a GPU above.
    pub choice: Choice,
    /// The recommendation in words.
    pub text: String,
}

/// The choice of a recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The CPU, at every size.
    Cpu,
    /// A GPU, at every size.
    Gpu,
    /// The CPU below a size, a GPU above.
    BySize,
    /// Nothing, because the answers disagree.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_median_minimum_and_maximum() {
        let spread = Spread::of(vec![9, 1, 4]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1, 4, 9));
        assert_eq!(spread.runs, 3);
        assert_eq!(Spread::of(vec![3, 2]).unwrap().median, 2);
        assert_eq!(Spread::of(vec![]), None);
    }
}
