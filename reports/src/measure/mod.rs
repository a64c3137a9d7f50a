//! Measuring: the ways of doing a case's work, raced in rounds; and the machine's own limits.

pub(crate) mod adapter;
pub(crate) mod cpu;
pub(crate) mod memory;
pub(crate) mod race;

use keymill::Result;
use keymill::TokenRule;
use keymill::probe::{Answer, Stage, Times};

use crate::model::{Part, Subject};

/// How many partitions keys are dealt to.
const PARTITIONS: usize = 256;

/// Something that does a case's work, and can do it again and again.
pub(crate) trait Contender {
    /// What it is.
    fn label(&self) -> Label;

    /// Does the work so many times, after a first time that is not measured where that matters.
    fn run(&mut self, times: usize) -> Result<Sample>;
}

/// What a contender is called in the report.
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

/// What some runs answered and took; on the CPU all of the time is the kernel's.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) answer: Answer,
    pub(crate) times: Vec<Times>,
}

/// The stage that a subject is, as the probe knows it.
pub(crate) fn stage(subject: Subject, rule: &TokenRule) -> Stage {
    match subject {
        Subject::Frame => Stage::Frame,
        Subject::Tokenize => Stage::Tokenize(rule.clone()),
        Subject::HashPartition => Stage::HashPartition(PARTITIONS),
        Subject::ReduceByKey => Stage::ReduceByKey,
        Subject::Count => Stage::Count(rule.clone()),
    }
}
