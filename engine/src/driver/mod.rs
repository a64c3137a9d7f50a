//! Who runs what: threads, the memory there is, and the loop that every worker turns.
//!
//! ```text
//! splits ─▶ ranges ─▶ worker ─ push ─▶ operator ┐
//!        └▶ stream ─▶ blocks ─▶ worker ─ push ─▶ operator ┴─ merge ─▶ drain
//! ```
#![forbid(unsafe_code)]

mod board;
mod crew;
mod elsewhere;
#[cfg(feature = "gpu")]
mod late;
mod memory;
#[cfg(not(feature = "gpu"))]
mod nobody;
#[cfg(feature = "gpu")]
mod offload;
mod pace;
mod place;
mod pool;
mod shift;
mod tally;
mod worker;

pub(crate) use memory::default_memory;
pub(crate) use place::describe as describe_place;
pub(crate) use pool::Pool;
pub(crate) use tally::Tally;

use std::time::Instant;

use crate::job::{CountJob, CountStream, Input, StreamParts};
use crate::operator::{BatchLimits, CountOperator, Order, Together};
use crate::{Error, Result};
use crew::Crew;
use place::Place;

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
    let place = Place::of(&engine, &rule, &resources.cancel)?;
    let crew = Crew::new(&resources, &rule, lowercase, &options.progress, &place);
    let (operators, mut tally) = match input {
        Input::Source(source) => crew.count_source(&*source, engine.pool())?,
        Input::Columns(columns) => crew.count_columns(columns, engine.pool())?,
    };
    let merging = Instant::now();
    let remark = place.remark.clone();
    remark.into_iter().for_each(|it| tally.remark(it));
    // What lies on disk is to be drained too.
    let bytes_of = |one: &CountOperator| one.size() as u64 + one.metrics().spilled_bytes;
    engine
        .pool()
        .start_for(operators.iter().map(bytes_of).sum());
    let (batches, counted) = engine.pool().install(|| {
        let mut whole = Together::new(operators)?;
        tally.merge_time = merging.elapsed();
        tally.merged_groups = whole.groups_at_most() as u64;
        let draining = Instant::now();
        let batches = whole.drain(order, limits)?;
        tally.drain_time = draining.elapsed();
        Ok::<_, Error>((batches, whole.operator().metrics()))
    })?;
    Ok(CountStream::new(StreamParts {
        engine,
        resources,
        batches,
        counted,
        tally,
        started,
    }))
}
