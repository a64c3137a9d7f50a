//! The loop of epochs.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::commit::{Committed, Computed, Epoch, Writer, milliseconds};
use super::compute::Grouped;
use super::epoch::Outputs;
use super::handle::{Shared, Stop};
use super::pace::Pace;
use super::plan::Listener;
use super::progress::Durations;
use super::step_times::StepMeter;
use super::trace;
use crate::exec::RuntimeEnv;
use crate::stream::checkpoint::{Checkpoint, EpochOffsets, Recovered};
use crate::stream::window::EpochTime;
use crate::stream::{EpochInput, EpochLimits, Faults, OffsetRange, Replay, StreamSource, Trigger};
use crate::{ErrorKind, Result};

/// How often sources that do not wake the query are asked.
const POLL: Duration = Duration::from_millis(10);

/// Deltas with fewer bytes than this together do not cause a snapshot.
const LEAST_SNAPSHOT_BYTES: u64 = 4 << 20;

/// A query as its thread has it.
pub(super) struct Driver {
    pub(super) env: Arc<RuntimeEnv>,
    pub(super) sources: Vec<Box<dyn StreamSource>>,
    pub(super) writer: Writer,
    pub(super) sinks: Vec<String>,
    pub(super) outputs: Arc<Outputs>,
    pub(super) checkpoint: Option<Arc<Checkpoint>>,
    pub(super) trigger: Trigger,
    pub(super) flushes: bool,
    pub(super) limits: EpochLimits,
    pub(super) snapshot_epochs: u64,
    pub(super) listeners: Vec<Listener>,
    pub(super) faults: Faults,
    pub(super) shared: Arc<Shared>,
    pub(super) id: String,
    pub(super) run_id: String,
    pub(super) name: Option<String>,
    /// The next epoch.
    pub(super) next: u64,
    pub(super) watermark: Option<i64>,
    pub(super) meter: StepMeter,
    pub(super) pace: Pace,
    pub(super) since: SinceSnapshot,
    /// Whether an epoch may be computed while the one before it is written.
    pub(super) can_overlap: bool,
}

/// Counts what the snapshots of a checkpoint depend on.
#[derive(Default)]
pub(super) struct SinceSnapshot {
    epochs: u64,
    delta_bytes: u64,
}

impl SinceSnapshot {
    /// What was committed after the last snapshot, by runs before this one: each of them may be short.
    pub(super) fn of(checkpoint: &Checkpoint, recovered: &Recovered) -> Self {
        let epochs = recovered.ranges.len() as u64;
        let deltas = recovered.committed - epochs..recovered.committed;
        Self {
            epochs,
            delta_bytes: deltas.map(|epoch| checkpoint.delta_bytes(epoch)).sum(),
        }
    }
}

impl Driver {
    /// Runs epochs until the query is stopped, or until its sources are finished.
    pub(super) fn run(&mut self, recovered: Recovered) -> Result<()> {
        match self.run_epochs(recovered) {
            // The epoch that was given up runs again after a restart.
            Err(error) if error.kind() == ErrorKind::Cancelled => Ok(()),
            other => other,
        }
    }

    fn run_epochs(&mut self, recovered: Recovered) -> Result<()> {
        for (number, offsets) in recovered.replays {
            if self.shared.stop().is_some() {
                return Ok(());
            }
            let epoch = Epoch {
                number,
                offsets,
                is_replay: true,
                is_committed: number < recovered.committed,
                started: Instant::now(),
                previous: None,
                took: Durations::default(),
            };
            self.run_epoch(epoch, |_, _| false)?;
        }
        let run = self.run_new_epochs();
        // An error of the epoch before is the cause of one in the epoch after it.
        self.finish_pending().and(run)
    }

    fn run_new_epochs(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut last = None;
        let mut is_idle = true;
        loop {
            let stop = self.shared.stop();
            if stop == Some(Stop::Now) {
                return Ok(());
            }
            let is_in_a_row = !is_idle;
            let epoch = self.choose_epoch(last)?;
            is_idle = epoch.is_none();
            let began = epoch
                .as_ref()
                .map_or_else(Instant::now, |epoch| epoch.started);
            if let Some(epoch) = epoch {
                self.run_epoch(epoch, |it, epoch| it.goes_on(start, epoch, is_in_a_row))?;
                last = Some(began);
            }
            let is_finished = self.sources.iter().all(|source| source.is_finished());
            let ends = match self.trigger {
                Trigger::Once => true,
                Trigger::AvailableNow => is_idle,
                _ => is_idle && is_finished,
            };
            if stop == Some(Stop::Graceful) {
                return Ok(());
            }
            if ends {
                return self.flush(last);
            }
            if (is_idle || !self.is_behind()) && self.wait(start, began, is_idle)? {
                self.meter.wait();
            }
        }
    }

    /// Closes all windows, in an epoch without input.
    fn flush(&mut self, last: Option<Instant>) -> Result<()> {
        if !self.flushes || !self.outputs.has_open_windows() {
            return Ok(());
        }
        let ranges = vec![None; self.sources.len()];
        let mut epoch = self.new_epoch((Instant::now(), last), ranges);
        epoch.offsets.flushes = true;
        self.run_epoch(epoch, |_, _| false)
    }

    /// Whether the next epoch begins as soon as this one is computed.
    fn goes_on(&self, start: Instant, epoch: &Epoch, is_in_a_row: bool) -> bool {
        match self.trigger {
            Trigger::Once => false,
            Trigger::AvailableNow => true,
            Trigger::Every(interval) => {
                self.is_behind() || Instant::now() >= next_trigger(start, interval, epoch.started)
            }
            Trigger::AsFastAsPossible => {
                let mut waiting = self.sources.iter().filter_map(|it| it.waiting_bytes());
                is_in_a_row || waiting.any(|bytes| bytes > 0)
            }
        }
    }

    /// Whether more waits in memory than one epoch takes.
    fn is_behind(&self) -> bool {
        let pace = self.pace.bytes().filter(|_| self.limits.bytes.is_none());
        let waiting = self.sources.iter().filter_map(|it| it.waiting_bytes());
        pace.is_some_and(|pace| waiting.max().is_some_and(|waiting| waiting >= pace))
    }

    /// Waits for the next trigger, or for data. Returns `false` if there is nothing to wait for.
    fn wait(&mut self, start: Instant, began: Instant, is_idle: bool) -> Result<bool> {
        Ok(match self.trigger {
            Trigger::Every(interval) => {
                let end = next_trigger(start, interval, began);
                if Instant::now() >= end {
                    return Ok(false);
                }
                self.finish_pending()?;
                self.shared
                    .set_status("waiting for the next trigger", false);
                while self.shared.stop().is_none() && Instant::now() < end {
                    self.shared.wake.wait_until(end);
                }
                true
            }
            _ if is_idle => {
                self.shared.set_status("waiting for data", false);
                self.shared.wake.wait_until(Instant::now() + POLL);
                true
            }
            _ => false,
        })
    }

    /// Chooses what the next epoch reads. `None` if there is nothing new; then no epoch is pending.
    fn choose_epoch(&mut self, last: Option<Instant>) -> Result<Option<Epoch>> {
        let started = Instant::now();
        let limits = EpochLimits {
            // The last epoch takes all that was received.
            pace: self.pace.bytes().filter(|_| self.shared.stop().is_none()),
            ..self.limits
        };
        let mut sources = std::mem::take(&mut self.sources);
        let ranges = sources
            .iter_mut()
            .map(|it| self.shared.while_unavailable(|| it.next_range(&limits)));
        let ranges = ranges.collect::<Result<Vec<_>>>();
        self.sources = sources;
        let ranges = ranges?;
        let has_input = ranges.iter().any(Option::is_some);
        if !has_input {
            self.finish_pending()?;
            if !self.outputs.is_due(milliseconds_now() as i64)? {
                return Ok(None);
            }
        }
        Ok(Some(self.new_epoch((started, last), ranges)))
    }

    /// The next epoch.
    fn new_epoch(
        &mut self,
        (started, previous): (Instant, Option<Instant>),
        ranges: Vec<Option<OffsetRange>>,
    ) -> Epoch {
        let number = self.next;
        self.next += 1;
        Epoch {
            number,
            offsets: EpochOffsets {
                timestamp: milliseconds_now(),
                watermark: self.watermark,
                flushes: false,
                ranges,
            },
            is_replay: false,
            is_committed: false,
            started,
            previous,
            took: Durations {
                latest_offset: milliseconds(started),
                ..Durations::default()
            },
        }
    }

    /// Runs an epoch by the protocol: offsets, compute, state, sinks, commit. If the next one begins at once, the
    /// steps after computing are left to a thread.
    fn run_epoch(&mut self, epoch: Epoch, goes_on: impl Fn(&Self, &Epoch) -> bool) -> Result<()> {
        let _span = trace::step!("epoch", epoch.number);
        let computed = self.compute(epoch)?;
        self.watermark = self.outputs.watermark(&computed.grouped, computed.time);
        self.finish_pending()?;
        if self.can_overlap && goes_on(self, &computed.epoch) {
            return self.writer.begin(computed);
        }
        let committed = self.writer.commit(computed)?;
        self.end_epoch(committed)
    }

    /// Writes what an epoch reads, reads it, and computes its groups.
    fn compute(&mut self, mut epoch: Epoch) -> Result<Computed> {
        let number = epoch.number;
        self.shared.set_status("running an epoch", true);
        self.faults.at("chosen", number);
        let step = Instant::now();
        let span = trace::step!("checkpoint", number);
        if let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| !epoch.is_replay) {
            self.shared.while_unavailable(|| {
                checkpoint.write_offsets(number, &epoch.offsets, &self.faults)
            })?;
        }
        self.faults.at("offsets", number);
        trace::end(span);
        epoch.took.wal_commit = milliseconds(step);

        let step = Instant::now();
        let time = self.outputs.time(&epoch.offsets);
        let shared = self.shared.clone();
        // A storage may stop answering while its files are read; then the same ranges are read again.
        let mut replays = self.sources.iter().map(|it| it.replay());
        let grouped = match replays.all(|it| it == Replay::SameBytes) {
            true => shared.while_unavailable(|| {
                let inputs = self.inputs(&epoch)?;
                self.states(&epoch, inputs, time)
            })?,
            false => {
                let inputs = shared.while_unavailable(|| self.inputs(&epoch))?;
                self.states(&epoch, inputs, time)?
            }
        };
        epoch.took.add_batch = milliseconds(step);
        self.faults.at("computed", number);
        Ok(Computed {
            epoch,
            grouped,
            time,
        })
    }

    fn inputs(&mut self, epoch: &Epoch) -> Result<Vec<EpochInput>> {
        let _span = trace::step!("read", epoch.number);
        let mut inputs = Vec::new();
        for (source, range) in self.sources.iter_mut().zip(&epoch.offsets.ranges) {
            if let Some(range) = range {
                if epoch.is_replay && source.replay() == Replay::Nothing {
                    continue;
                }
                inputs.push(source.read(range)?);
            }
        }
        Ok(inputs)
    }

    /// Computes the states of an epoch.
    fn states(&self, epoch: &Epoch, inputs: Vec<EpochInput>, time: EpochTime) -> Result<Grouped> {
        let _span = trace::step!("compute", epoch.number);
        let (env, cancel) = (&self.env, &self.shared.cancel);
        let memory = self.outputs.memory(env);
        let memory = match self.writer.is_busy() {
            true => memory.while_writing(),
            false => memory,
        };
        let limits = (cancel, memory);
        let grouping = &self.outputs.grouping;
        grouping.states(env, inputs, (epoch.number, time), limits)
    }

    /// Waits for the epoch that is committed on a thread, and ends it.
    fn finish_pending(&mut self) -> Result<()> {
        match self.writer.finish()? {
            Some(committed) => self.end_epoch(committed),
            None => Ok(()),
        }
    }

    /// Ends an epoch in the sources, writes a snapshot if it is time, and reports it. No other epoch is merged
    /// into the state meanwhile.
    fn end_epoch(&mut self, committed: Committed) -> Result<()> {
        let epoch = &committed.epoch;
        for (source, range) in self.sources.iter_mut().zip(&epoch.offsets.ranges) {
            if let Some(range) = range.as_ref().filter(|_| !epoch.is_committed) {
                source.commit(range)?;
            }
        }
        self.since.epochs += 1;
        self.since.delta_bytes += committed.delta_bytes;
        self.write_snapshot(epoch)?;
        if epoch.offsets.flushes {
            self.watermark = committed.watermark;
        }
        self.report(committed);
        Ok(())
    }

    fn write_snapshot(&mut self, epoch: &Epoch) -> Result<()> {
        let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| !epoch.is_committed) else {
            return Ok(());
        };
        let most_bytes = checkpoint.snapshot_bytes().max(LEAST_SNAPSHOT_BYTES);
        if self.since.epochs >= self.snapshot_epochs || self.since.delta_bytes >= most_bytes {
            let _span = trace::step!("checkpoint", epoch.number);
            let positions: Vec<Value> = self.sources.iter().map(|it| it.position()).collect();
            let stores = self.outputs.stores();
            self.shared.while_unavailable(|| {
                checkpoint.write_snapshot(epoch.number, &stores, &positions, &self.faults)
            })?;
            self.since = SinceSnapshot::default();
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A thread may still use the checkpoint and the sinks.
        let _ = self.writer.finish();
    }
}

/// The first multiple of the interval after the start of an epoch.
fn next_trigger(start: Instant, interval: Duration, began: Instant) -> Instant {
    let passed = began.duration_since(start).as_nanos() / interval.as_nanos().max(1);
    let passed = u32::try_from(passed).unwrap_or(u32::MAX);
    start + interval * passed.saturating_add(1)
}

fn milliseconds_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_took_longer_than_the_interval_is_late() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let interval = Duration::from_millis(100);
        for (began, next) in [
            (0, 100),
            (1, 100),
            (99, 100),
            (100, 200),
            (130, 200),
            (250, 300),
        ] {
            assert_eq!(next_trigger(start, interval, at(began)), at(next));
        }
    }
}
