//! Measures the ways of each case in rounds, and the machine's limits.

pub(crate) mod adapter;
pub(crate) mod cpu;
pub(crate) mod job;
pub(crate) mod memory;
pub(crate) mod race;
pub(crate) mod reference;
pub(crate) mod table;
mod work;

use keymill::Result;
use keymill::TokenRule;
use keymill::probe::{Answer, Stage, Times};

use crate::model::{Part, Subject};

/// Number of partitions.
const PARTITIONS: usize = 256;

/// A way to do a case's work, which can be repeated.
pub(crate) trait Contender {
    /// Returns the label for the report.
    fn label(&self) -> Label;

    /// Does the work `times` times, after a warm-up run that is not measured if that matters.
    fn run(&mut self, times: usize) -> Result<Sample>;
}

/// The description of a contender in the report.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) part: Part,
    pub(crate) level: Option<String>,
    pub(crate) threads: Option<u32>,
    pub(crate) adapter: Option<u32>,
    /// Whether an adapter is software on the processor.
    pub(crate) is_software: bool,
}

/// The answer and the times of some runs. On the CPU the kernel's time is the whole time.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) answer: Answer,
    pub(crate) times: Vec<Times>,
}

/// Returns the probe's stage for a subject that has one.
pub(crate) fn stage(subject: Subject, rule: &TokenRule) -> Option<Stage> {
    let stage = match subject {
        Subject::Frame => Stage::Frame,
        Subject::Tokenize => Stage::Tokenize(rule.clone()),
        Subject::HashPartition => Stage::HashPartition(PARTITIONS),
        Subject::ReduceByKey => Stage::ReduceByKey,
        Subject::Count => Stage::Count(rule.clone()),
        Subject::GroupByCsv => return None,
    };
    Some(stage)
}
