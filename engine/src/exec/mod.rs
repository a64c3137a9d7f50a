//! Runs jobs: the work queue, the workers, and the loop of every worker.
//!
//! ```text
//! splits ─▶ ranges ─▶ worker ─ push ─▶ operator ┐
//!        └▶ stream ─▶ blocks ─▶ worker ─ push ─▶ operator ┼─ merge_all ─▶ drain
//! batches ────────────────────▶ worker ─ push ─▶ operator ┘
//! ```
//!
//! The code here is the same for all operators. A [`Job`] creates the operators of one kind.
#![forbid(unsafe_code)]

mod chunk_sink;
mod context;
mod env;
#[cfg(feature = "gpu")]
mod gpu_autojoin;
#[cfg(feature = "gpu")]
mod gpu_group_by;
#[cfg(feature = "gpu")]
mod gpu_worker;
mod job;
mod lowercase;
mod metrics;
#[cfg(not(feature = "gpu"))]
mod no_gpu;
mod placement;
mod progress;
mod rows;
mod stats;
mod throughput;
mod work_queue;
mod worker;
mod worker_pool;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use crate::operator::{Batches, Drain, Merged, Operator, OperatorMetrics, Order};
use crate::{BatchLimits, Error, MemoryBudget, Resources, Result, Tuning};
use context::JobContext;
pub(crate) use env::RuntimeEnv;
#[cfg(feature = "stream")]
pub(crate) use job::InputPart;
pub(crate) use job::{GroupByJob, Job, JobInput, JobOptions, TextCountJob};
pub use metrics::{JobMetrics, StageMetrics};
use placement::Placement;
pub(crate) use placement::describe as describe_placement;
pub(crate) use placement::describe_batches as describe_placement_of_batches;
pub use progress::Progress;
pub(crate) use rows::run_rows;
pub(crate) use stats::Stats;

/// The output of a job: its groups, batch by batch, and its metrics.
pub(crate) struct Output {
    pub(crate) batches: Batches,
    pub(crate) resources: Resources,
    pub(crate) seen: OperatorMetrics,
    pub(crate) stats: Stats,
    /// What is counted while the batches are read.
    pub(crate) rows: Arc<RowCounts>,
    pub(crate) started: Instant,
}

/// The rows of a job that does not group, until now.
#[derive(Debug, Default)]
pub(crate) struct RowCounts {
    pub(crate) bytes: AtomicU64,
    pub(crate) pieces: AtomicU64,
    /// After the steps.
    pub(crate) rows: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// Sizes for a text of a few bytes: making tables and lists of the usual sizes would take longer than
/// counting it.
fn sizes_for(tuning: Tuning, bytes: usize) -> Tuning {
    let slots = (2 * bytes).next_power_of_two().max(16);
    let sizes = Tuning {
        tile_bytes: tuning.tile_bytes.min(bytes),
        table_slots: tuning.table_slots.min(slots),
        ..tuning
    };
    sizes.fitting()
}

/// Runs a job: aggregates all input and starts to drain the groups.
pub(crate) fn run<J: Job>(
    env: &RuntimeEnv,
    job: &J,
    input: JobInput,
    options: &JobOptions,
    drain: Drain,
    order: &Order,
    limits: BatchLimits,
) -> Result<Output> {
    let started = Instant::now();
    let mut resources = env.resources();
    resources.cancel = options.cancel.clone();
    resources.threads = env.pool.threads();
    if let Some(memory) = options.memory {
        resources.memory = MemoryBudget::new(memory);
    }
    if let Some(bytes) = options.small_text {
        resources.tuning = sizes_for(resources.tuning, bytes);
    }
    let placement = Placement::of(env, job, &resources.cancel)?;
    let context = JobContext::new(job, &resources, options, &placement);
    let (operators, mut stats) = match input {
        JobInput::Source(source) => context.run_source(&*source, &env.pool)?,
        JobInput::Batches(batches) => context.run_batches(batches, &env.pool)?,
    };
    let merging = Instant::now();
    let remark = placement.remark.clone();
    remark.into_iter().for_each(|it| stats.remark(it));
    // Spilled groups are drained, too.
    let bytes_of = |one: &J::Operator| one.size() as u64 + one.metrics().spilled_bytes;
    env.pool.start_for(operators.iter().map(bytes_of).sum());
    let (batches, seen) = env.pool.install(|| {
        let mut merged = J::Operator::merge_all(operators)?;
        stats.merge_time = merging.elapsed();
        stats.merged_groups = merged.groups_at_most() as u64;
        let draining = Instant::now();
        let batches = merged.drain(drain, order, limits)?;
        stats.drain_time = draining.elapsed();
        Ok::<_, Error>((batches, merged.metrics()))
    })?;
    Ok(Output {
        batches,
        resources,
        seen,
        stats,
        rows: Arc::default(),
        started,
    })
}
