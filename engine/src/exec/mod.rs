//! Who runs what: threads, the memory there is, and the loop that every worker turns.
//!
//! ```text
//! splits ─▶ ranges ─▶ worker ─ push ─▶ operator ┐
//!        └▶ stream ─▶ blocks ─▶ worker ─ push ─▶ operator ┴─ merge ─▶ drain
//! ```
#![forbid(unsafe_code)]

mod chunk_sink;
mod context;
#[cfg(feature = "gpu")]
mod gpu_autojoin;
#[cfg(feature = "gpu")]
mod gpu_worker;
mod metrics;
#[cfg(not(feature = "gpu"))]
mod no_gpu;
mod placement;
mod progress;
mod stats;
mod throughput;
mod work_queue;
mod worker;
mod worker_pool;

pub use metrics::{JobMetrics, StageMetrics};
pub(crate) use placement::describe as describe_place;
pub use progress::Progress;
pub(crate) use stats::Stats;

use std::time::Instant;

use crate::api::{CountJob, CountStream, Input, StreamParts};
use crate::operator::{BatchLimits, CountOperator, MultiTable, Order};
use crate::{Error, Result};
use context::JobContext;
use placement::Placement;

/// Runs a job: counts all of its input, and starts to drain the counts.
pub(crate) fn run(job: CountJob, order: Order, limits: BatchLimits) -> Result<CountStream> {
    let started = Instant::now();
    let CountJob {
        engine,
        input,
        options,
        rule,
        lowercase,
    } = job;
    let input = input?;
    rule.check()?;
    let mut resources = engine.resources();
    resources.cancel = options.cancel.clone();
    resources.threads = engine.pool().threads();
    let placement = Placement::of(&engine, &rule, &resources.cancel)?;
    let context = JobContext::new(&resources, &rule, lowercase, &options.progress, &placement);
    let (operators, mut stats) = match input {
        Input::Source(source) => context.count_source(&*source, engine.pool())?,
        Input::Columns(columns) => context.count_columns(columns, engine.pool())?,
    };
    let merging = Instant::now();
    let remark = placement.remark.clone();
    remark.into_iter().for_each(|it| stats.remark(it));
    // What lies on disk is to be drained too.
    let bytes_of = |one: &CountOperator| one.size() as u64 + one.metrics().spilled_bytes;
    engine
        .pool()
        .start_for(operators.iter().map(bytes_of).sum());
    let (batches, counted) = engine.pool().install(|| {
        let mut whole = MultiTable::new(operators)?;
        stats.merge_time = merging.elapsed();
        stats.merged_groups = whole.groups_at_most() as u64;
        let draining = Instant::now();
        let batches = whole.drain(order, limits)?;
        stats.drain_time = draining.elapsed();
        Ok::<_, Error>((batches, whole.operator().metrics()))
    })?;
    Ok(CountStream::new(StreamParts {
        engine,
        resources,
        batches,
        counted,
        stats,
        started,
    }))
}
