//! The loop of epochs.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::compute::Grouped;
use super::epoch::Outputs;
use super::handle::{Shared, Stop};
use super::pace::Pace;
use super::plan::Listener;
use super::progress::{
    Durations, EventTimeProgress, SinkProgress, SourceProgress, StateProgress, StreamProgress,
    iso_8601,
};
use super::start::StartedSink;
use super::step_times::StepMeter;
use super::trace;
use crate::exec::RuntimeEnv;
use crate::stream::checkpoint::{Checkpoint, EpochCommit, EpochOffsets, Recovered};
use crate::stream::window::EpochTime;
use crate::stream::{EpochInput, EpochLimits, Faults, OffsetRange, Replay, StreamSource, Trigger};
use crate::{ErrorKind, Result};

/// How often sources that do not wake the query are asked.
const POLL: Duration = Duration::from_millis(10);

/// A delta is a snapshot's worth of bytes at least.
const LEAST_SNAPSHOT_BYTES: u64 = 4 << 20;

/// A query as its thread has it.
pub(super) struct Driver {
    pub(super) env: Arc<RuntimeEnv>,
    pub(super) sources: Vec<Box<dyn StreamSource>>,
    pub(super) sinks: Vec<StartedSink>,
    pub(super) late_sinks: Vec<StartedSink>,
    pub(super) outputs: Outputs,
    pub(super) checkpoint: Option<Checkpoint>,
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
}

/// One epoch on its way.
struct Epoch {
    number: u64,
    offsets: EpochOffsets,
    /// Whether a run before has chosen the offsets.
    is_replay: bool,
    /// Whether it is committed and only its state is missing.
    is_committed: bool,
    started: Instant,
    took: Durations,
}

/// Counts what the snapshots of a checkpoint depend on.
#[derive(Default)]
struct SinceSnapshot {
    epochs: u64,
    delta_bytes: u64,
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
        let mut since = SinceSnapshot::default();
        for (number, offsets) in recovered.replays {
            if self.shared.stop().is_some() {
                return Ok(());
            }
            let is_committed = number < recovered.committed;
            let epoch = Epoch {
                number,
                offsets,
                is_replay: true,
                is_committed,
                started: Instant::now(),
                took: Durations::default(),
            };
            self.run_epoch(epoch, &mut since, None)?;
        }
        self.run_new_epochs(&mut since)
    }

    fn run_new_epochs(&mut self, since: &mut SinceSnapshot) -> Result<()> {
        let start = Instant::now();
        let mut last = None;
        loop {
            let stop = self.shared.stop();
            if stop == Some(Stop::Now) {
                return Ok(());
            }
            let epoch = self.choose_epoch()?;
            let is_idle = epoch.is_none();
            let began = epoch
                .as_ref()
                .map_or_else(Instant::now, |epoch| epoch.started);
            if let Some(epoch) = epoch {
                self.run_epoch(epoch, since, last)?;
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
                return self.flush(since, last);
            }
            if (is_idle || !self.is_behind()) && self.wait(start, began, is_idle) {
                self.meter.wait();
            }
        }
    }

    /// Closes all windows, in an epoch without input.
    fn flush(&mut self, since: &mut SinceSnapshot, last: Option<Instant>) -> Result<()> {
        if !self.flushes || !self.outputs.has_open_windows() {
            return Ok(());
        }
        let ranges = vec![None; self.sources.len()];
        let mut epoch = self.new_epoch(Instant::now(), ranges);
        epoch.offsets.flushes = true;
        self.run_epoch(epoch, since, last)
    }

    /// Whether more waits in memory than one epoch takes.
    fn is_behind(&self) -> bool {
        let pace = self.pace.bytes().filter(|_| self.limits.bytes.is_none());
        let waiting = self.sources.iter().filter_map(|it| it.waiting_bytes());
        pace.is_some_and(|pace| waiting.max().is_some_and(|waiting| waiting >= pace))
    }

    /// Waits for the trigger after the one at which the last epoch began. Returns whether it is not late.
    fn wait(&self, start: Instant, began: Instant, is_idle: bool) -> bool {
        match self.trigger {
            Trigger::Every(interval) => {
                let end = next_trigger(start, interval, began);
                if Instant::now() >= end {
                    return false;
                }
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
        }
    }

    /// Chooses what the next epoch reads. `None` if there is nothing new.
    fn choose_epoch(&mut self) -> Result<Option<Epoch>> {
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
        if !has_input && !self.outputs.is_due(milliseconds_now() as i64)? {
            return Ok(None);
        }
        Ok(Some(self.new_epoch(started, ranges)))
    }

    /// The next epoch.
    fn new_epoch(&mut self, started: Instant, ranges: Vec<Option<OffsetRange>>) -> Epoch {
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
            took: Durations {
                latest_offset: milliseconds(started),
                ..Durations::default()
            },
        }
    }

    /// Runs an epoch by the protocol: offsets, compute, state, sinks, commit.
    fn run_epoch(
        &mut self,
        mut epoch: Epoch,
        since: &mut SinceSnapshot,
        last: Option<Instant>,
    ) -> Result<()> {
        let number = epoch.number;
        let _span = trace::step!("epoch", number);
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
        // A storage may stop to answer while its files are read; then the same ranges are read again.
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

        let step = Instant::now();
        let span = trace::step!("checkpoint", number);
        self.shared.begin_change()?;
        self.watermark = self.outputs.merge(&self.env, &grouped, time)?;
        self.faults.at("merged", number);
        let (state, delta_bytes) = self.write_delta(number, &grouped)?;
        trace::end(span);
        epoch.took.state_commit = milliseconds(step);

        let step = Instant::now();
        let span = trace::step!("sink", number);
        let written = match epoch.is_committed {
            true => vec![0; self.sinks.len() + self.late_sinks.len()],
            false => self.write_to_sinks(number, &grouped)?,
        };
        trace::end(span);
        epoch.took.sink_commit = milliseconds(step);

        let step = Instant::now();
        let span = trace::step!("checkpoint", number);
        if let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| !epoch.is_committed) {
            let commit = EpochCommit {
                watermark: self.watermark,
            };
            self.shared
                .while_unavailable(|| checkpoint.write_commit(number, &commit, &self.faults))?;
        }
        self.faults.at("commit", number);
        self.end_epoch(&epoch, since, delta_bytes)?;
        self.shared.end_change();
        trace::end(span);
        epoch.took.commit_offsets = milliseconds(step);
        self.report(epoch, &grouped, state, &written, last);
        Ok(())
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
        let limits = (cancel, self.outputs.memory(env));
        let grouping = &self.outputs.grouping;
        grouping.states(env, inputs, (epoch.number, time), limits)
    }

    fn event_time(&self, grouped: &Grouped) -> Option<EventTimeProgress> {
        let times = grouped.times.as_ref()?;
        Some(EventTimeProgress {
            max: times.largest().map(iso_8601),
            watermark: self.watermark.map(iso_8601),
            num_rows_without_time: times.without_time(),
            watermark_milliseconds: self.watermark,
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

    /// Begins the next epoch in the state and the sources, and writes a snapshot if it is time.
    fn end_epoch(&mut self, epoch: &Epoch, since: &mut SinceSnapshot, bytes: u64) -> Result<()> {
        let stores = self.outputs.stores();
        stores.iter().try_for_each(|store| store.commit())?;
        for (source, range) in self.sources.iter_mut().zip(&epoch.offsets.ranges) {
            if let Some(range) = range.as_ref().filter(|_| !epoch.is_committed) {
                source.commit(range)?;
            }
        }
        since.epochs += 1;
        since.delta_bytes += bytes;
        let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| !epoch.is_committed) else {
            return Ok(());
        };
        let most_bytes = checkpoint.snapshot_bytes().max(LEAST_SNAPSHOT_BYTES);
        if since.epochs >= self.snapshot_epochs || since.delta_bytes >= most_bytes {
            let positions: Vec<Value> = self.sources.iter().map(|it| it.position()).collect();
            let stores = self.outputs.stores();
            self.shared.while_unavailable(|| {
                checkpoint.write_snapshot(epoch.number, &stores, &positions, &self.faults)
            })?;
            *since = SinceSnapshot::default();
        }
        Ok(())
    }

    fn report(
        &mut self,
        mut epoch: Epoch,
        grouped: &Grouped,
        state: Vec<StateProgress>,
        written: &[u64],
        last: Option<Instant>,
    ) {
        let ran = epoch.started.elapsed().as_secs_f64();
        let since_last = last.map_or(ran, |last| (epoch.started - last).as_secs_f64());
        epoch.took.trigger_execution = 1000.0 * ran;
        let computed = epoch.took.add_batch / 1000.0;
        self.pace.add(grouped.bytes, computed, ran);
        let ranges = self.sources.iter().zip(&epoch.offsets.ranges);
        let sources = ranges.map(|(source, range)| source_progress(&**source, range.as_ref()));
        let sinks = self.sinks.iter().map(|(sink, _)| sink.describe());
        let late_sinks = self.late_sinks.iter();
        let late_sinks = late_sinks.map(|(sink, _)| format!("{} (late rows)", sink.describe()));
        let sinks: Vec<SinkProgress> = sinks
            .chain(late_sinks)
            .zip(written)
            .map(|(description, rows)| SinkProgress {
                description,
                num_output_rows: *rows,
            })
            .collect();
        let progress = StreamProgress {
            id: self.id.clone(),
            run_id: self.run_id.clone(),
            name: self.name.clone(),
            timestamp: iso_8601(epoch.offsets.timestamp as i64),
            batch_id: epoch.number,
            num_input_rows: grouped.rows,
            num_input_bytes: grouped.bytes,
            event_time: self.event_time(grouped),
            input_rows_per_second: per_second(grouped.rows, since_last),
            processed_rows_per_second: per_second(grouped.rows, ran),
            step_times: self.meter.add(epoch.started, Instant::now(), &epoch.took),
            device: grouped.device.clone().unwrap_or_else(|| "cpu".to_owned()),
            duration_ms: epoch.took,
            state_operators: state,
            sources: sources.collect(),
            sink: sinks.first().cloned().unwrap_or_default(),
            sinks,
        };
        for listener in &mut self.listeners {
            listener(&progress);
        }
        self.shared.report(progress);
    }
}

/// The first multiple of the interval after the start of an epoch.
fn next_trigger(start: Instant, interval: Duration, began: Instant) -> Instant {
    let passed = began.duration_since(start).as_nanos() / interval.as_nanos().max(1);
    let passed = u32::try_from(passed).unwrap_or(u32::MAX);
    start + interval * passed.saturating_add(1)
}

fn source_progress(source: &dyn StreamSource, range: Option<&OffsetRange>) -> SourceProgress {
    let (start_offset, end_offset) = match range {
        Some(range) => (range.start.clone(), range.end.clone()),
        None => (Value::Null, Value::Null),
    };
    SourceProgress {
        description: source.describe(),
        start_offset,
        end_offset,
        num_rejected_rows: source.rejected_rows(),
        waiting_bytes: source.waiting_bytes(),
    }
}

fn per_second(rows: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        return rows as f64 / seconds;
    }
    0.0
}

fn milliseconds(since: Instant) -> f64 {
    1000.0 * since.elapsed().as_secs_f64()
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
