//! Who runs what: threads, the memory there is, and the loop that every worker turns.
//!
//! ```text
//! splits ─▶ ranges ─▶ worker ─ push ─▶ operator ┐
//!        └▶ stream ─▶ blocks ─▶ worker ─ push ─▶ operator ┴─ merge ─▶ drain
//! ```
#![forbid(unsafe_code)]

mod board;
mod crew;
mod memory;
mod pool;
mod tally;
mod worker;

pub(crate) use memory::default_memory;
pub(crate) use pool::Pool;
pub(crate) use tally::Tally;

use std::time::Instant;

use crate::job::{CountJob, CountStream, Input, StreamParts};
use crate::operator::{BatchLimits, CountOperator, Order};
use crate::{Error, ErrorKind, Result, TokenRule};
use crew::Crew;

/// Runs a job: counts all of its input, and starts to drain the counts.
pub(crate) fn run(
    job: CountJob,
    order: Order,
    top: Option<usize>,
    limits: BatchLimits,
) -> Result<CountStream> {
    let started = Instant::now();
    let CountJob {
        engine,
        input,
        options,
        rule,
        lowercase,
    } = job;
    let input = input?;
    check_rule(&rule)?;
    let mut resources = engine.resources();
    resources.cancel = options.cancel.clone();
    resources.threads = engine.pool().threads();
    let crew = Crew::new(&resources, &rule, lowercase, &options.progress);
    let (operators, mut tally) = match input {
        Input::Source(source) => crew.count_source(&*source, engine.pool())?,
        Input::Columns(columns) => crew.count_columns(columns, engine.pool())?,
    };
    let merging = Instant::now();
    let operator = engine.pool().install(|| merge(operators))?;
    tally.merge_time = merging.elapsed();
    tally.tokens = operator.tokens();
    tally.rejected = operator.rejected();
    let drain = engine.pool().install(|| operator.drain(order, limits))?;
    Ok(CountStream::new(StreamParts {
        engine,
        resources,
        drain,
        top,
        tally,
        started,
    }))
}

/// One operator of all workers'.
fn merge(operators: Vec<CountOperator>) -> Result<CountOperator> {
    let mut operators = operators.into_iter();
    let Some(mut first) = operators.next() else {
        return Err(Error::new(
            ErrorKind::Internal,
            "no worker gave its counts back",
        ));
    };
    for other in operators {
        first.merge(other)?;
    }
    Ok(first)
}

fn check_rule(rule: &TokenRule) -> Result<()> {
    match rule {
        TokenRule::Split(separator) | TokenRule::Field { separator, .. }
            if separator.is_empty() =>
        {
            Err(Error::new(
                ErrorKind::Config,
                "the separator of a token rule is empty: give it a byte at least",
            ))
        }
        _ => Ok(()),
    }
}
