//! Computes the groups of an epoch.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::keyed::{Grouping, Runner};
use crate::exec::{self, InputPart, Job, JobInput, JobOptions, RuntimeEnv};
use crate::operator::{Drain, Operator, Order};
use crate::read::RecordBatches;
use crate::stream::EpochInput;
use crate::stream::distinct::Duplicates;
use crate::stream::window::{EpochTime, TimedRows};
use crate::{BatchLimits, Cancel, Result};

/// The groups of an epoch, and what was read.
#[derive(Default)]
pub(super) struct Grouped {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The adapter that has computed some of it.
    pub(super) device: Option<String>,
    pub(super) times: Option<Arc<TimedRows>>,
    pub(super) duplicates: Arc<Duplicates>,
}

impl Grouping {
    /// The states of the groups of an epoch. Keys that several inputs have come several times.
    pub(super) fn states(
        &self,
        env: &RuntimeEnv,
        inputs: Vec<EpochInput>,
        (epoch, time): (u64, EpochTime),
        cancel: &Cancel,
    ) -> Result<Grouped> {
        let mut all = Grouped::default();
        if self.windowed.as_ref().is_some_and(|it| it.times.is_some()) {
            all.times = Some(Arc::new(TimedRows::new(time.closed, self.keeps_late_rows)));
        }
        if let Some((distinct, store)) = &self.distinct {
            distinct.begin(store, time)?;
        }
        for (number, input) in (0..).zip(inputs) {
            let input = match input {
                EpochInput::Batches(rows) => EpochInput::Batches(self.rows(env, rows, &all, time)?),
                text => text,
            };
            let options = JobOptions {
                cancel: cancel.clone(),
                part: InputPart {
                    epoch,
                    input: number,
                },
                ..JobOptions::default()
            };
            let grouped = match &self.runner {
                Runner::Tokens(job) => run(env, job, input, &options)?,
                Runner::Rows(job) => run(env, job, input, &options)?,
            };
            all.batches.extend(grouped.batches);
            all.rows += grouped.rows;
            all.bytes += grouped.bytes;
            all.device = grouped.device.or(all.device);
        }
        Ok(all)
    }

    /// The rows of an input that are grouped.
    fn rows(
        &self,
        env: &RuntimeEnv,
        rows: RecordBatches,
        epoch: &Grouped,
        time: EpochTime,
    ) -> Result<RecordBatches> {
        let rows = self.transforms.rows(rows);
        let times = self.windowed.as_ref().and_then(|it| it.times.as_ref());
        let rows = match (times, &epoch.times) {
            (Some(times), Some(seen)) => times.rows(rows, seen.clone()),
            _ => rows,
        };
        match &self.distinct {
            Some((distinct, store)) => {
                distinct.rows(rows, store, (time, env.level), &epoch.duplicates)
            }
            None => Ok(rows),
        }
    }

    /// The answers of states.
    pub(super) fn answers(
        &self,
        env: &RuntimeEnv,
        states: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>> {
        match &self.runner {
            Runner::Tokens(job) => answers(env, job, states),
            Runner::Rows(job) => answers(env, job, states),
        }
    }
}

fn run<J: Job>(
    env: &RuntimeEnv,
    job: &J,
    input: EpochInput,
    options: &JobOptions,
) -> Result<Grouped> {
    let input = match input {
        EpochInput::Text(source) => JobInput::Source(source),
        EpochInput::Batches(batches) => JobInput::Batches(batches),
    };
    let limits = BatchLimits::default();
    let output = exec::run(env, job, input, options, Drain::State, &Order::None, limits)?;
    let seen = output.seen;
    Ok(Grouped {
        batches: env.pool.install(|| output.batches.collect::<Result<_>>())?,
        rows: if seen.tokens > 0 {
            seen.tokens
        } else {
            seen.rows
        },
        bytes: seen.bytes,
        device: output.stats.device,
        ..Grouped::default()
    })
}

fn answers<J: Job>(env: &RuntimeEnv, job: &J, states: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let mut operator = job.operator(&env.resources())?;
    for batch in states {
        operator.push_state(batch)?;
    }
    let batches = operator.drain(Drain::Values, &Order::None, BatchLimits::default())?;
    batches.collect()
}
