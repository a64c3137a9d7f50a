//! The job trait and its implementations.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Progress;
#[cfg(feature = "gpu")]
use super::chunk_sink::ChunkSink;
#[cfg(feature = "gpu")]
use super::env::RuntimeEnv;
#[cfg(feature = "gpu")]
use super::gpu_group_by::{DevicePlan, GpuGroupBy};
#[cfg(feature = "gpu")]
use super::throughput::Throughput;
use crate::operator::{GroupBy, Operator, TextCount};
use crate::read::{KeyedRows, RecordBatches, Source};
use crate::state::GroupShape;
use crate::{Cancel, Resources, Result, TokenRule};

/// The input of a job.
pub(crate) enum JobInput {
    /// Texts: files, streams, memory.
    Source(Arc<dyn Source>),
    /// Arrow batches.
    Batches(RecordBatches),
}

impl JobInput {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Source(source) => source.describe(),
            Self::Batches(batches) => batches.describe(),
        }
    }
}

/// The flag that stops a job, and its progress.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobOptions {
    pub(crate) cancel: Cancel,
    pub(crate) progress: Progress,
    pub(crate) part: InputPart,
    /// The memory of the job, if it is less than that of the environment.
    pub(crate) memory: Option<usize>,
    /// The bytes of text, if they are so few that tables and tiles need not have their usual sizes.
    pub(crate) small_text: Option<usize>,
}

/// Where the input of a job is in a stream: the rows of earlier epochs and inputs come before its rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InputPart {
    pub(crate) epoch: u64,
    pub(crate) input: u64,
}

/// A job: creates the operators and knows whether a device can run it.
pub(crate) trait Job: Sync {
    type Operator: Operator;

    /// Creates the operator of one worker.
    fn operator(&self, resources: &Resources) -> Result<Self::Operator>;

    /// Returns the rule that splits texts into tokens.
    fn rule(&self) -> &TokenRule;

    /// Returns whether texts are first mapped to lower case.
    fn lowercase(&self) -> bool;

    /// Returns the only key column, if it may stay in the text that rows are read from.
    fn text_key(&self) -> Option<&str> {
        None
    }

    /// Returns whether an operator takes rows whose key is still in the text.
    fn takes_keyed(&self, _: &Self::Operator) -> bool {
        false
    }

    /// Pushes such rows. Returns false if the operator refuses them: then nothing is changed.
    fn push_keyed(&self, _: &mut Self::Operator, _: &KeyedRows<'_>) -> Result<bool> {
        Ok(false)
    }

    /// Returns why no device can run the job, if none can.
    fn refusal(&self) -> Option<String>;

    /// Creates the sink that runs a worker's chunks on the device of `env`, if a device can run the job. It
    /// stops using the device when that is slower than `rival`.
    #[cfg(feature = "gpu")]
    fn chunk_sink<'w>(
        &'w self,
        env: &'w RuntimeEnv,
        resources: &'w Resources,
        rival: Option<&'w Throughput>,
    ) -> Option<Box<dyn ChunkSink<Self::Operator> + 'w>>;
}

/// Counts the tokens of texts.
#[derive(Clone, Debug)]
pub(crate) struct TextCountJob {
    pub(crate) rule: TokenRule,
    pub(crate) lowercase: bool,
}

impl Job for TextCountJob {
    type Operator = TextCount;

    fn operator(&self, resources: &Resources) -> Result<TextCount> {
        TextCount::new(&self.rule, resources)
    }

    fn rule(&self) -> &TokenRule {
        &self.rule
    }

    fn lowercase(&self) -> bool {
        self.lowercase
    }

    fn refusal(&self) -> Option<String> {
        super::placement::refusal_of_rule(&self.rule)
    }

    #[cfg(feature = "gpu")]
    fn chunk_sink<'w>(
        &'w self,
        env: &'w RuntimeEnv,
        resources: &'w Resources,
        rival: Option<&'w Throughput>,
    ) -> Option<Box<dyn ChunkSink<TextCount> + 'w>> {
        let worker = super::gpu_worker::GpuWorker::new(env, &self.rule, resources, rival);
        Some(Box::new(worker))
    }
}

/// Groups the rows of batches.
pub(crate) struct GroupByJob {
    shape: Arc<GroupShape>,
    /// How a device runs it, or why none can.
    #[cfg(feature = "gpu")]
    device: std::result::Result<DevicePlan, String>,
}

impl GroupByJob {
    pub(crate) fn new(shape: GroupShape) -> Self {
        Self {
            #[cfg(feature = "gpu")]
            device: DevicePlan::new(&shape),
            shape: Arc::new(shape),
        }
    }
}

impl Job for GroupByJob {
    type Operator = GroupBy;

    fn operator(&self, resources: &Resources) -> Result<GroupBy> {
        GroupBy::with_shape(Arc::clone(&self.shape), resources)
    }

    fn rule(&self) -> &TokenRule {
        &TokenRule::Lines
    }

    fn lowercase(&self) -> bool {
        false
    }

    fn text_key(&self) -> Option<&str> {
        self.shape.text_key()
    }

    fn takes_keyed(&self, operator: &GroupBy) -> bool {
        operator.takes_keyed()
    }

    fn push_keyed(&self, operator: &mut GroupBy, rows: &KeyedRows<'_>) -> Result<bool> {
        operator.push_keyed(rows)
    }

    #[cfg(feature = "gpu")]
    fn refusal(&self) -> Option<String> {
        self.device.as_ref().err().cloned()
    }

    #[cfg(not(feature = "gpu"))]
    fn refusal(&self) -> Option<String> {
        None
    }

    /// No device joins such a job by itself, so there is no rival.
    #[cfg(feature = "gpu")]
    fn chunk_sink<'w>(
        &'w self,
        env: &'w RuntimeEnv,
        resources: &'w Resources,
        _: Option<&'w Throughput>,
    ) -> Option<Box<dyn ChunkSink<GroupBy> + 'w>> {
        let plan = self.device.as_ref().ok()?;
        Some(Box::new(GpuGroupBy::new(env, &self.shape, plan, resources)))
    }
}
