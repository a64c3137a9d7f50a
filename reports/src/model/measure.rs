//! The figures with targets for a GPU.

use serde::{Deserialize, Serialize};

use super::Spread;

/// A figure with a target for a GPU, computed from a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The name of the figure.
    pub name: MeasureName,
    /// The number of the adapter; null for all of them together.
    pub adapter: Option<u32>,
    /// The name of the data.
    pub data: String,
    /// The bytes of data.
    pub bytes: u64,
    /// The unit of the figure.
    pub unit: Unit,
    /// The figure, run by run.
    pub figure: Spread,
}

/// The figures with targets for a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureName {
    /// Resident text to ordered offsets of tokens, only the kernels.
    TokenizeResident,
    /// Resident 32-bit keys to row numbers by partition, only the kernels.
    HashPartitionResident,
    /// Resident rows to sums and counts by key, only the kernels.
    ReduceByKeyResident,
    /// The same for rows with text keys.
    ReduceByTextKeyResident,
    /// The time for keys by Zipf's law, divided by that for the same number of uniform keys.
    ZipfAgainstUniform,
    /// The exact word count of resident text, only the kernels.
    CountResident,
    /// The word count from host memory, compared with a pinned copy.
    StreamedAgainstPinned,
    /// The word count of a text of about 1 MiB, from its upload to the result in memory.
    MicroBatch,
    /// The time of a job with `auto`, divided by that of the better device; the worst size.
    AutoAgainstBetter,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes per second.
    BytesPerSecond,
    /// Rows per second.
    RowsPerSecond,
    /// Nanoseconds.
    Nanoseconds,
    /// A ratio, times 1000.
    Thousandths,
}
