//! What changed since an earlier report.

use serde::{Deserialize, Serialize};

use super::{Spread, Subject};

/// The comparison with an earlier report of the same machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// When the earlier comparison started.
    pub started: String,
    /// The version of keymill that made it.
    pub keymill: String,
    /// The time of the reference loop, divided by its time in the earlier report, in thousandths. Below
    /// 1000 the machine is faster now.
    pub reference: u64,
    /// The number of figures that both reports have.
    pub compared: u32,
    /// The number of figures with too few runs to tell a change from noise.
    pub too_few_runs: u32,
    /// Ways that became slower, the largest change first.
    pub slower: Vec<Change>,
    /// Ways that became faster, the largest change first.
    pub faster: Vec<Change>,
}

/// A change that is larger than the noise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The work.
    pub subject: Subject,
    /// The name of the data.
    pub data: String,
    /// The bytes of data.
    pub bytes: u64,
    /// The name of the way.
    pub way: String,
    /// The time in the earlier report.
    pub before: Spread,
    /// The time now.
    pub now: Spread,
    /// The median now, divided by the earlier one, each as a multiple of the reference loop in its own
    /// report, in thousandths.
    pub ratio: u64,
}
