//! The second half of an epoch: merge it into the state, write it, commit it.
//!
//! ```text
//! driver   choose, offsets, compute N │ choose, offsets, compute N+1 │ end N │ …
//! writer                              │ merge, delta, sinks, commit N │
//! ```
//!
//! A writer thread is used only if the next epoch begins at once; otherwise the driver does it all, so that an
//! epoch alone is not handed over.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::compute::{Grouped, Memory};
use super::epoch::Outputs;
use super::handle::Shared;
use super::progress::{Durations, StateProgress};
use super::start::StartedSink;
use super::trace;
use crate::exec::RuntimeEnv;
use crate::runtime::parallel::caught;
use crate::spill::BatchBuffer;
use crate::stream::Faults;
use crate::stream::checkpoint::{Checkpoint, EpochCommit, EpochOffsets};
use crate::stream::window::EpochTime;
use crate::{Error, ErrorKind, Result};

/// An epoch that runs.
pub(super) struct Epoch {
    pub(super) number: u64,
    pub(super) offsets: EpochOffsets,
    /// Whether a run before has chosen the offsets.
    pub(super) is_replay: bool,
    /// Whether it is committed and only its state is missing.
    pub(super) is_committed: bool,
    pub(super) started: Instant,
    /// When the epoch before it began.
    pub(super) previous: Option<Instant>,
    pub(super) took: Durations,
}

/// An epoch whose groups are computed.
pub(super) struct Computed {
    pub(super) epoch: Epoch,
    pub(super) grouped: Grouped,
    pub(super) time: EpochTime,
}

/// An epoch that is committed, and what its report says.
pub(super) struct Committed {
    pub(super) epoch: Epoch,
    pub(super) grouped: Grouped,
    pub(super) ended: Instant,
    /// The watermark after it.
    pub(super) watermark: Option<i64>,
    pub(super) state: Vec<StateProgress>,
    pub(super) delta_bytes: u64,
    /// The rows of each sink.
    pub(super) written: Vec<u64>,
}

/// Writes epochs, one after another.
pub(super) struct Committer {
    pub(super) env: Arc<RuntimeEnv>,
    pub(super) outputs: Arc<Outputs>,
    /// The answers of the epoch's windows, which the state may not have any more.
    pub(super) windows: BatchBuffer,
    pub(super) sinks: Vec<StartedSink>,
    pub(super) late_sinks: Vec<StartedSink>,
    pub(super) checkpoint: Option<Arc<Checkpoint>>,
    pub(super) faults: Faults,
    pub(super) shared: Arc<Shared>,
}

impl Committer {
    fn memory(&self, is_alone: bool) -> Memory {
        let memory = self.outputs.memory(&self.env);
        match is_alone {
            true => memory,
            false => memory.while_computing(),
        }
    }

    /// The steps of the protocol after an epoch is computed: state, sinks, commit.
    fn commit(&mut self, computed: Computed, is_alone: bool) -> Result<Committed> {
        let Computed {
            mut epoch,
            grouped,
            time,
        } = computed;
        let number = epoch.number;
        let step = Instant::now();
        let span = trace::step!("checkpoint", number);
        self.shared.begin_change()?;
        let memory = self.memory(is_alone).job;
        let into = (&*self.env, &mut self.windows);
        let watermark = self.outputs.merge(&grouped, time, memory, into)?;
        self.faults.at("merged", number);
        let (state, delta_bytes) = self.write_delta(number, &grouped)?;
        trace::end(span);
        epoch.took.state_commit = milliseconds(step);

        let step = Instant::now();
        let span = trace::step!("sink", number);
        let written = match epoch.is_committed {
            true => vec![0; self.sinks.len() + self.late_sinks.len()],
            false => self.write_to_sinks(number, &grouped, is_alone)?,
        };
        trace::end(span);
        epoch.took.sink_commit = milliseconds(step);

        let step = Instant::now();
        let span = trace::step!("checkpoint", number);
        if let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| !epoch.is_committed) {
            let commit = EpochCommit { watermark };
            self.shared
                .while_unavailable(|| checkpoint.write_commit(number, &commit, &self.faults))?;
        }
        self.faults.at("commit", number);
        let stores = self.outputs.stores();
        stores.iter().try_for_each(|store| store.commit())?;
        self.shared.end_change();
        trace::end(span);
        epoch.took.commit_offsets = milliseconds(step);
        Ok(Committed {
            epoch,
            grouped,
            ended: Instant::now(),
            watermark,
            state,
            delta_bytes,
            written,
        })
    }

    /// Writes what the epoch changed. Returns the numbers of the report, and the bytes of the delta.
    fn write_delta(&self, number: u64, grouped: &Grouped) -> Result<(Vec<StateProgress>, u64)> {
        let stores = self.outputs.stores();
        if stores.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let mut bytes = 0;
        if let Some(checkpoint) = &self.checkpoint {
            self.shared
                .while_unavailable(|| checkpoint.write_delta(number, &stores, &self.faults))?;
            self.faults.at("delta", number);
            bytes = checkpoint.delta_bytes(number);
        }
        Ok((self.outputs.progress(grouped)?, bytes))
    }

    /// The memory for ordering results.
    pub(super) fn job_memory(&self, is_alone: bool) -> usize {
        self.memory(is_alone).job
    }
}

/// Where the committer is: with the driver, or with a thread that commits an epoch.
pub(super) enum Writer {
    Idle(Box<Committer>),
    Busy(JoinHandle<(Box<Committer>, Result<Committed>)>),
    /// The thread could not be started, or was lost.
    Gone,
}

impl Writer {
    /// Commits an epoch now.
    pub(super) fn commit(&mut self, computed: Computed) -> Result<Committed> {
        match self {
            Self::Idle(committer) => committer.commit(computed, true),
            Self::Busy(_) | Self::Gone => Err(gone()),
        }
    }

    /// Begins to commit an epoch on a thread.
    pub(super) fn begin(&mut self, computed: Computed) -> Result<()> {
        let Self::Idle(mut committer) = std::mem::replace(self, Self::Gone) else {
            return Err(gone());
        };
        let thread = std::thread::Builder::new().name("keymill-writer".to_owned());
        let begun = thread.spawn(move || {
            let _span = trace::step!("epoch", computed.epoch.number);
            let committed = caught(|| committer.commit(computed, false));
            if committed.is_err() {
                // The epoch that is computed meanwhile will not be committed.
                committer.shared.cancel.cancel();
            }
            (committer, committed)
        });
        *self = Self::Busy(begun.map_err(|cause| {
            let message = "the system starts no thread for the results of an epoch";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })?);
        Ok(())
    }

    /// Whether an epoch is committed on a thread.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    /// Waits for the epoch that a thread commits, if there is one.
    pub(super) fn finish(&mut self) -> Result<Option<Committed>> {
        match std::mem::replace(self, Self::Gone) {
            Self::Busy(thread) => {
                // A panic was turned into an error.
                let (committer, committed) = thread.join().map_err(|_| gone())?;
                *self = Self::Idle(committer);
                committed.map(Some)
            }
            other => {
                *self = other;
                Ok(None)
            }
        }
    }
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the thread that writes results is gone",
    )
}

pub(super) fn milliseconds(since: Instant) -> f64 {
    1000.0 * since.elapsed().as_secs_f64()
}
