//! The report as a value: what is measured, and what is concluded from it.
//!
//! Times are whole nanoseconds and rates whole bytes a second, so that a report that was written
//! and read again is equal to itself. The published schema, [`crate::SCHEMA`], describes the same.

use serde::{Deserialize, Serialize};

/// What `format` says in every report.
pub const FORMAT: &str = "keymill-report";

/// The version of the report's form; a change that readers have to know of raises it.
pub const VERSION: u32 = 2;

/// Everything that one run of the comparison found.
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
    /// When it began, in UTC.
    pub started: String,
    /// How long all of it took.
    pub took_ms: u64,
    /// Where it ran.
    pub machine: Machine,
    /// How fast memory is read.
    pub memory_read: MemoryRead,
    /// The adapters of the machine, software included.
    pub adapters: Vec<Adapter>,
    /// The rule that cut text into tokens.
    pub tokens: String,
    /// What was worked on.
    pub data: Vec<Data>,
    /// What was measured.
    pub cases: Vec<Case>,
    /// What was measured on data that lies on an adapter, in chunks as large as it takes.
    pub resident: Vec<Case>,
    /// Each stage on each adapter with each variant of its shaders, which the ways are named by.
    pub variants: Vec<Case>,
    /// What is asked of a GPU, measure by measure, as far as cases tell it.
    pub measures: Vec<Measure>,
    /// Whether all ways agreed with each other, and with the oracle where it was asked.
    pub answers_agree: bool,
    /// Each disagreement in words.
    pub disagreements: Vec<String>,
    /// What failed while it ran.
    pub failures: Vec<Failure>,
    /// From which size on an adapter is faster than the CPU.
    pub crossovers: Vec<Crossover>,
    /// Each place where a GPU took longer than the CPU, in words.
    pub gpu_lost: Vec<String>,
    /// What was left out, and what else a reader should know.
    pub notes: Vec<String>,
    /// What to use for this data.
    pub recommendations: Vec<Recommendation>,
}

impl Report {
    /// Tells whether the figures can be relied on: all answers agree and no way on the CPU failed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.answers_agree && self.failures.iter().all(|it| it.adapter.is_some())
    }

    /// The adapter of that number.
    #[must_use]
    pub fn adapter(&self, number: u32) -> Option<&Adapter> {
        self.adapters.get(number as usize)
    }
}

/// The fingerprint of a machine; what cannot be found out is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// A hash of the other fields, so that reports of one machine and build find each other.
    pub fingerprint: String,
    /// What the processor calls itself.
    pub processor: Option<String>,
    /// Processors that this process may use.
    pub cores: u32,
    /// The caches that hold data of the first processor, smallest first.
    pub caches: Vec<Cache>,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
    /// The operating system and its release.
    pub system: String,
    /// The version of its kernel.
    pub kernel: Option<String>,
    /// The instruction set.
    pub architecture: String,
    /// SIMD levels that this machine runs, slowest first.
    pub levels: Vec<String>,
    /// The version of keymill.
    pub keymill: String,
    /// `release`, or `debug`, whose times mean nothing.
    pub build: String,
}

/// A cache of the processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// `L1`, `L2` and so on.
    pub name: String,
    /// How much it holds.
    pub bytes: u64,
}

/// The middle of some figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Half of the figures are at most this.
    pub median: u64,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// How many there are.
    pub runs: u32,
}

impl Spread {
    /// Of at least one figure.
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

/// How fast memory is read by adding up a buffer that no cache holds, in bytes a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRead {
    /// The size of the buffer.
    pub buffer_bytes: u64,
    /// By one thread.
    pub one_core: Spread,
    /// By all threads at once, each a part of its own.
    pub all_cores: Spread,
    /// How many threads those were.
    pub threads: u32,
}

/// An adapter, and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// What its driver calls it.
    pub name: String,
    /// `GPU`, `software Vulkan` or `software`.
    pub label: String,
    /// Whether it is software on the processor, which is never counted as a GPU.
    pub is_software: bool,
    /// `vulkan`, `metal` or `dx12`.
    pub interface: String,
    /// The driver and its version.
    pub driver: String,
    /// The most bytes of a buffer that a shader sees at once.
    pub binding_bytes: u64,
    /// Why it has no figures; null if it has.
    pub not_measured: Option<String>,
    /// What bounds every stage on it; null if it was not measured.
    pub limits: Option<AdapterLimits>,
}

/// What bounds every stage on an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterLimits {
    /// To the adapter, in bytes a second.
    pub upload: Spread,
    /// To the adapter from memory of the host that it reads by itself, in bytes a second: no way of
    /// giving it bytes is faster.
    pub pinned: Spread,
    /// From the adapter, in bytes a second.
    pub readback: Spread,
    /// From a launch to the end of work that does nothing, in nanoseconds.
    pub launch_ns: Spread,
}

/// What kind of data is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bytes to be cut into lines and tokens.
    Text,
    /// 64-bit keys with 64-bit values.
    Rows,
    /// Keys that are texts, with 64-bit values.
    TextRows,
    /// 32-bit keys of rows, whose numbers stand for all else that they have.
    Keys,
}

/// What was worked on; cases name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The name of the file or of the seeded set.
    pub name: String,
    /// Text, rows or keys.
    pub kind: Kind,
    /// In a line.
    pub description: String,
    /// Whether it is the caller's own data.
    pub is_given: bool,
    /// The most bytes that were measured.
    pub bytes: u64,
}

/// What is done with data.
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
}

impl Subject {
    /// Its name in reports, which is that of the stage.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Tokenize => "tokenize",
            Self::HashPartition => "hash_partition",
            Self::ReduceByKey => "reduce_by_key",
            Self::Count => "count",
        }
    }
}

/// One subject on one size of one set of data, in all ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is done.
    pub subject: Subject,
    /// With which data, by name.
    pub data: String,
    /// How many bytes of it.
    pub bytes: u64,
    /// What the oracle answers; null where it was not asked.
    pub expected: Option<Answer>,
    /// The ways, those on the CPU first.
    pub ways: Vec<Way>,
}

/// What all ways of a case must answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Lines, tokens or rows.
    pub rows: u64,
    /// Distinct keys, or partitions that are not empty.
    pub groups: u64,
    /// A sum over all that was answered, in hexadecimal digits.
    pub digest: String,
}

/// What runs: a stage alone, or the whole job around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One stage on data in memory.
    Stage,
    /// The engine's job, from bytes in memory to batches of the result, unordered; on the CPU, or on
    /// one adapter.
    Job,
    /// The same job, which chooses by itself where it runs.
    Auto,
}

/// A way of doing a case's work, and its times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Short words for it.
    pub name: String,
    /// A stage or a job.
    pub part: Part,
    /// The SIMD level; null on an adapter, where a job has the best one.
    pub level: Option<String>,
    /// How many threads of the CPU; null on an adapter.
    pub threads: Option<u32>,
    /// The number of the adapter in the report's list, from 0; null on the CPU.
    pub adapter: Option<u32>,
    /// From data in memory to the answer in memory.
    pub end_to_end: Spread,
    /// The work alone; null on the CPU, where it is the whole, and of jobs.
    pub kernel: Option<Spread>,
    /// Bringing the data to the adapter; null on the CPU and of jobs.
    pub upload: Option<Spread>,
    /// Bringing the answer back; null on the CPU and of jobs.
    pub readback: Option<Spread>,
    /// Setting the adapter to work; null on the CPU and of jobs.
    pub launch: Option<Spread>,
    /// What it answered.
    pub answer: Answer,
}

/// A figure that is asked of a GPU, worked out from a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Which figure it is.
    pub name: MeasureName,
    /// The number of the adapter; null for what all of them do together.
    pub adapter: Option<u32>,
    /// With which data.
    pub data: String,
    /// How many bytes of it.
    pub bytes: u64,
    /// What the figure counts.
    pub unit: Unit,
    /// The figure, run by run.
    pub figure: Spread,
}

/// The figures that are asked of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureName {
    /// Text that lies on the adapter to ordered offsets of tokens, its kernels alone.
    TokenizeResident,
    /// 32-bit keys that lie on the adapter to row numbers by partition, its kernels alone.
    HashPartitionResident,
    /// Rows that lie on the adapter to sums and counts by key, its kernels alone.
    ReduceByKeyResident,
    /// The same of rows whose keys are texts.
    ReduceByTextKeyResident,
    /// The time that keys by Zipf's law take, against as many that are equally frequent.
    ZipfAgainstUniform,
    /// The exact word count of text that lies on the adapter, its kernels alone.
    CountResident,
    /// The word count from memory of the host, against a copy that the adapter makes by itself.
    StreamedAgainstPinned,
    /// The word count of a text of about 1 MiB, from its upload to the result in memory.
    MicroBatch,
    /// The time of a job that chooses by itself, against the better of its choices, where that is worst.
    AutoAgainstBetter,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    BytesPerSecond,
    /// Rows.
    RowsPerSecond,
    /// A time.
    Nanoseconds,
    /// A ratio, times 1000.
    Thousandths,
}

/// A way that ended in an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What was being done, on what, in which way.
    pub what: String,
    /// The error.
    pub error: String,
    /// The number of the adapter; null on the CPU.
    pub adapter: Option<u32>,
}

/// From which size on an adapter beats the best way on the CPU, end to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossover {
    /// What is done.
    pub subject: Subject,
    /// With which data.
    pub data: String,
    /// The number of the adapter.
    pub adapter: u32,
    /// From here on to the largest size it is faster; null if it is not at the largest.
    pub bytes: Option<u64>,
    /// The smallest size that was measured.
    pub from_bytes: u64,
    /// The largest size that was measured.
    pub up_to_bytes: u64,
}

/// What to use for some data, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    /// For which data.
    pub data: String,
    /// `cpu`, `gpu`, or `by_size`: the CPU below a size and a GPU above.
    pub choice: Choice,
    /// In words.
    pub text: String,
}

/// What a recommendation comes down to.
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
    fn a_spread_has_its_middle_between_its_ends() {
        let spread = Spread::of(vec![9, 1, 4]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1, 4, 9));
        assert_eq!(spread.runs, 3);
        assert_eq!(Spread::of(vec![3, 2]).unwrap().median, 2);
        assert_eq!(Spread::of(vec![]), None);
    }
}
