//! Computes the groups of an epoch.

use std::sync::Arc;

use super::keyed::{Grouping, Runner};
use crate::exec::{self, InputPart, Job, JobInput, JobOptions, RuntimeEnv};
use crate::operator::{Batches, Drain, Operator, Order};
use crate::read::{RecordBatches, Split};
use crate::spill::BatchBuffer;
use crate::stream::EpochInput;
use crate::stream::distinct::Duplicates;
use crate::stream::window::{EpochTime, TimedRows};
use crate::{BatchLimits, Cancel, MemoryBudget, Result};

/// Text of at most this many bytes is counted in small tables.
const SMALL_TEXT: u64 = 4 << 10;

/// The groups of an epoch, and what was read.
pub(super) struct Grouped {
    pub(super) batches: BatchBuffer,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The adapter that has computed some of it.
    pub(super) device: Option<String>,
    pub(super) times: Option<Arc<TimedRows>>,
    pub(super) duplicates: Arc<Duplicates>,
}

impl Grouping {
    /// The states of the groups of an epoch. A key that several inputs have is there several times.
    pub(super) fn states(
        &self,
        env: &RuntimeEnv,
        inputs: Vec<EpochInput>,
        (epoch, time): (u64, EpochTime),
        (cancel, memory): (&Cancel, Memory),
    ) -> Result<Grouped> {
        let mut all = Grouped {
            batches: BatchBuffer::new(memory.results, env.spill_dir.clone()),
            rows: 0,
            bytes: 0,
            device: None,
            times: None,
            duplicates: Arc::default(),
        };
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
            let text_bytes = match &input {
                EpochInput::Text(text) => {
                    text.splits()?.iter().map(Split::size).sum::<Option<u64>>()
                }
                EpochInput::Batches(_) => None,
            };
            let small = text_bytes.filter(|&bytes| bytes <= SMALL_TEXT);
            let options = JobOptions {
                cancel: cancel.clone(),
                part: InputPart {
                    epoch,
                    input: number,
                },
                memory: Some(memory.job),
                small_text: small.map(|bytes| bytes as usize),
                ..JobOptions::default()
            };
            match &self.runner {
                Runner::Tokens(job) => run(env, job, input, &options, &mut all)?,
                Runner::Rows(job) => run(env, job, input, &options, &mut all)?,
            }
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
        states: &BatchBuffer,
        memory: usize,
    ) -> Result<Batches> {
        match &self.runner {
            Runner::Tokens(job) => answers(env, job, states, memory),
            Runner::Rows(job) => answers(env, job, states, memory),
        }
    }
}

fn run<J: Job>(
    env: &RuntimeEnv,
    job: &J,
    input: EpochInput,
    options: &JobOptions,
    all: &mut Grouped,
) -> Result<()> {
    let input = match input {
        EpochInput::Text(source) => JobInput::Source(source),
        EpochInput::Batches(batches) => JobInput::Batches(batches),
    };
    let limits = BatchLimits::default();
    let output = exec::run(env, job, input, options, Drain::State, &Order::None, limits)?;
    let seen = output.seen;
    all.rows += if seen.tokens > 0 {
        seen.tokens
    } else {
        seen.rows
    };
    all.bytes += seen.bytes;
    if output.stats.device.is_some() {
        all.device = output.stats.device;
    }
    let (groups, mut batches) = (&mut all.batches, output.batches);
    env.pool
        .install(|| batches.try_for_each(|batch| groups.push(batch?)))
}

fn answers<J: Job>(
    env: &RuntimeEnv,
    job: &J,
    states: &BatchBuffer,
    memory: usize,
) -> Result<Batches> {
    let mut resources = env.resources();
    resources.memory = MemoryBudget::new(memory);
    let mut operator = job.operator(&resources)?;
    for batch in states.iter() {
        operator.push_state(&batch?)?;
    }
    operator.drain(Drain::Values, &Order::None, BatchLimits::default())
}

/// How the memory of a query is divided, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// For what aggregates an epoch, and then for its ordered results.
    pub(super) job: usize,
    /// For the groups of an epoch, until they are merged into the state.
    pub(super) results: usize,
}

impl Memory {
    /// What is left besides the state. A quarter of all is for what sources have read ahead.
    pub(super) fn beside(env: &RuntimeEnv, state: usize) -> Self {
        let all = env.memory;
        Self {
            job: (all / 16 * 10).saturating_sub(state).max(all / 4),
            results: all / 16,
        }
    }

    /// For computing an epoch while another one, whose groups are kept, is written.
    pub(super) fn while_writing(self) -> Self {
        Self {
            job: (self.job / 4 * 3).saturating_sub(self.results),
            ..self
        }
    }

    /// For writing an epoch while the next one is computed.
    pub(super) fn while_computing(self) -> Self {
        Self {
            job: self.job / 4,
            ..self
        }
    }

    /// The most that the state of a query takes, of several stores together.
    pub(super) fn of_state(env: &RuntimeEnv, stores: usize) -> usize {
        env.memory / 16 * 5 / stores.max(1)
    }
}
