//! Counts texts on a device. The processor counts those that the device refuses or has lost.
//!
//! ```text
//! texts ─▶ gathered to a chunk ─▶ device counter ─ drain ─▶ operator
//!             too long, refused ───────────────────────────▶ operator
//!             a fault: all texts since the last drain ─────▶ operator
//! ```
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_buffer::Buffer;
use keymill_kernels::KeyCounts;

use super::Stats;
use super::chunk_sink::ChunkSink;
use super::env::RuntimeEnv;
use super::throughput::Throughput;
use crate::device::calibrate::job_kind;
use crate::device::join_policy::{Cost, HumanBytes, should_leave};
use crate::device::{Device, DeviceCounter, Fault, refusal};
use crate::operator::text_count::columns::for_each_value;
use crate::operator::{Input, Operator, TextCount};
use crate::read::chunk::Boundary;
use crate::runtime::Reservation;
use crate::{Resources, Result, TokenRule};

/// Bytes that a device must have counted before its rate is used.
const ENOUGH_BYTES: u64 = 16 << 20;

/// Maximum bytes of texts that are held until a drain. It also keeps a drain's counts far below the
/// overflow of their 32-bit words on the device.
const MOST_HELD: usize = 256 << 20;

/// 1/n of the memory budget is for the texts that a device may lose.
const HELD_PART: usize = 4;

/// Counts a worker's texts on a device.
pub(super) struct GpuWorker<'a> {
    env: &'a RuntimeEnv,
    rule: &'a TokenRule,
    boundary: Boundary,
    resources: &'a Resources,
    /// The device and its counts since the last drain.
    counter: Option<(Arc<dyn Device>, DeviceCounter)>,
    /// Texts that are gathered to a chunk.
    gathered: Vec<u8>,
    held_bytes: usize,
    reservation: Reservation,
    /// The processor's throughput, if the device must leave when it is slower.
    rival: Option<&'a Throughput>,
    /// Bytes that the device has counted, and the time for it.
    counted_bytes: u64,
    busy: Duration,
}

impl<'a> GpuWorker<'a> {
    pub(super) fn new(
        env: &'a RuntimeEnv,
        rule: &'a TokenRule,
        resources: &'a Resources,
        rival: Option<&'a Throughput>,
    ) -> Self {
        Self {
            env,
            rule,
            boundary: Boundary::new(resources.level, rule, false),
            resources,
            counter: None,
            gathered: Vec::new(),
            held_bytes: 0,
            reservation: resources.memory.reservation(),
            rival,
            counted_bytes: 0,
            busy: Duration::ZERO,
        }
    }

    /// Returns the maximum bytes of a chunk. Two chunks are submitted, one is gathered, and others are
    /// held, all within the budget.
    fn chunk_bytes(&self) -> usize {
        let part = self.resources.memory.limit() / (2 * HELD_PART);
        let most = self.resources.tuning.device_chunk_bytes.min(part).max(1);
        match &self.counter {
            Some((_, counter)) => counter.max_bytes().min(most),
            None => most,
        }
    }

    /// Sends the gathered chunk to the device.
    fn send(&mut self, operator: &mut TextCount, stats: &mut Stats) -> Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.resources.cancel.check()?;
        let text = Buffer::from_vec(std::mem::take(&mut self.gathered));
        if let Some(why) = refusal(self.rule, &text) {
            let says = format!("chunks were counted on the processor: {why}");
            match self.rival {
                None => stats.remark(says),
                // The caller did not request a device, so this is not worth a remark.
                Some(_) => stats.decide(says),
            }
            return count_here(&text, operator, stats);
        }
        if !self.is_open() {
            return count_here(&text, operator, stats);
        }
        self.make_room(text.len(), operator, stats)?;
        // A drain may have lost the device, or replaced it by one with smaller chunks.
        let Some((_, counter)) = &mut self.counter else {
            return count_here(&text, operator, stats);
        };
        if text.len() > counter.max_bytes() {
            return count_here(&text, operator, stats);
        }
        self.held_bytes += text.len();
        self.reservation.set(self.held_bytes);
        let started = Instant::now();
        match counter.push(text) {
            Ok(()) => {
                self.busy += started.elapsed();
                Ok(())
            }
            Err(Fault::Cancelled) => Err(crate::Error::cancelled()),
            Err(fault) => self.redo(&fault, operator, stats),
        }
    }

    /// Returns whether there is a device. Opens one if there was none.
    fn is_open(&mut self) -> bool {
        if self.counter.is_some() {
            return true;
        }
        // The loss was already reported.
        let Some(device) = self.env.shared_device.try_device() else {
            return false;
        };
        let Resources {
            tuning,
            seed,
            cancel,
            ..
        } = self.resources;
        let counter = DeviceCounter::new(Arc::clone(&device), self.rule, tuning, *seed);
        self.counter = Some((device, counter.cancel(cancel)));
        true
    }

    fn make_room(
        &mut self,
        bytes: usize,
        operator: &mut TextCount,
        stats: &mut Stats,
    ) -> Result<()> {
        let Some((_, counter)) = &self.counter else {
            return Ok(());
        };
        // The drained counts need memory in addition to the texts.
        let held = self.held_bytes + counter.drain_bytes();
        let most_held = (self.resources.memory.limit() / HELD_PART).min(MOST_HELD);
        if self.held_bytes > 0 && (held + bytes > most_held || !counter.has_room(bytes)) {
            return self.drain(operator, stats);
        }
        Ok(())
    }

    /// Pushes the counts of the device to the operator.
    fn drain(&mut self, operator: &mut TextCount, stats: &mut Stats) -> Result<()> {
        let Some((device, counter)) = &mut self.counter else {
            return Ok(());
        };
        let mut groups = KeyCounts::default();
        let started = Instant::now();
        match counter.drain(&mut |key, count| groups.push(key, count)) {
            Ok(drained) => {
                self.busy += started.elapsed();
                stats.gpu_chunks += drained.texts;
                if drained.texts > 0 {
                    stats.device = Some(device.name().to_owned());
                    self.env.shared_device.record_success();
                }
                operator.push_counted(&groups, drained.tokens, drained.rejected)?;
                self.counted_bytes += self.held_bytes as u64;
                self.held_bytes = 0;
                self.reservation.set(0);
                Ok(())
            }
            Err(Fault::Cancelled) => Err(crate::Error::cancelled()),
            Err(fault) => self.redo(&fault, operator, stats),
        }
    }

    /// Counts the device's texts since the last drain again on the processor.
    fn redo(&mut self, fault: &Fault, operator: &mut TextCount, stats: &mut Stats) -> Result<()> {
        let Some((device, counter)) = self.counter.take() else {
            return Ok(());
        };
        // The time of a failed run must not count for the device's rate.
        self.busy = Duration::ZERO;
        self.counted_bytes = 0;
        let texts = counter.into_texts();
        let is_retried = self.env.shared_device.record_failure(&device);
        stats.remark(loss(device.name(), fault, is_retried));
        drop(device);
        for text in texts {
            self.resources.cancel.check()?;
            count_here(&text, operator, stats)?;
            self.held_bytes -= text.len();
            self.reservation.set(self.held_bytes);
        }
        Ok(())
    }

    /// Adds a text to the gathered ones. A line end separates their tokens.
    fn gather(&mut self, text: &[u8]) {
        if self.gathered.is_empty() {
            let room = self.chunk_bytes().min(text.len().saturating_mul(2));
            self.gathered.reserve_exact(room);
        } else if self.gathered.last() != Some(&b'\n') {
            self.gathered.push(b'\n');
        }
        self.gathered.extend_from_slice(text);
    }
}

impl GpuWorker<'_> {
    fn push_text(
        &mut self,
        mut text: &[u8],
        operator: &mut TextCount,
        stats: &mut Stats,
    ) -> Result<()> {
        while !text.is_empty() {
            if self.gathered.is_empty() {
                // The device determines the size of a chunk.
                self.is_open();
            }
            let most = self.chunk_bytes();
            let cut = self.boundary.cut(text, most);
            let (piece, rest) = (&text[..cut.end], &text[cut.next..]);
            text = rest;
            // After a CR, the LF that `gather` adds would become a part of the same line end.
            if piece.len() > most || piece.last() == Some(&b'\r') {
                count_here(piece, operator, stats)?;
                continue;
            }
            if self.gathered.len() + 1 + piece.len() > most {
                self.send(operator, stats)?;
            }
            self.gather(piece);
        }
        Ok(())
    }

    /// Returns bytes per second, after enough was counted.
    fn rate(&self) -> Option<f64> {
        let is_enough = self.counted_bytes >= ENOUGH_BYTES;
        is_enough.then(|| self.counted_bytes as f64 / self.busy.as_secs_f64().max(1e-9))
    }

    /// Reports the predicted and measured cost, and stores it for later jobs if enough was counted.
    fn note_cost(&self, stats: &mut Stats) {
        let (Some((device, _)), true) = (&self.counter, self.counted_bytes > 0) else {
            return;
        };
        let (identity, kind) = (device.identity(), job_kind(self.rule));
        let cost = self.env.costs.get(&identity, kind);
        stats.decide(self.measured(device.name(), cost));
        if let (Some(mut cost), Some(_)) = (cost, self.rate()) {
            cost.update(self.counted_bytes, self.busy);
            self.env.costs.set(&identity, kind, cost);
        }
    }

    /// Describes the measured and the predicted time.
    fn measured(&self, name: &str, cost: Option<Cost>) -> String {
        let (bytes, seconds) = (self.counted_bytes, self.busy.as_secs_f64());
        let rate = HumanBytes(bytes as f64 / seconds.max(1e-9));
        let predicted = match cost {
            Some(cost) => format!("predicted {:.3} s", cost.time(bytes)),
            None => "no prediction, as it was not measured before".to_owned(),
        };
        let bytes = HumanBytes(bytes as f64);
        format!("{name}: {bytes} measured in {seconds:.3} s, {rate}/s; {predicted}")
    }
}

impl ChunkSink<TextCount> for GpuWorker<'_> {
    fn push(
        &mut self,
        chunk: Input<'_>,
        operator: &mut TextCount,
        stats: &mut Stats,
    ) -> Result<()> {
        match chunk {
            Input::Text(text) => self.push_text(text, operator, stats),
            Input::Batch(batch) => batch.columns().iter().try_for_each(|column| {
                for_each_value(column, |value| self.push_text(value, operator, stats))
            }),
        }
    }

    fn has_enough(&self) -> bool {
        let thread_rate = self.rival.and_then(Throughput::rate);
        let rates = self.rate().zip(thread_rate);
        rates.is_some_and(|(own, thread)| should_leave(own, thread))
    }

    fn finish(&mut self, operator: &mut TextCount, stats: &mut Stats) -> Result<()> {
        self.send(operator, stats)?;
        self.drain(operator, stats)?;
        self.note_cost(stats);
        Ok(())
    }
}

fn count_here(text: &[u8], operator: &mut TextCount, stats: &mut Stats) -> Result<()> {
    stats.cpu_chunks += 1;
    operator.push(text)
}

/// Returns the remark about a device that failed.
pub(super) fn loss(name: &str, fault: &Fault, is_retried: bool) -> String {
    let then = match is_retried {
        true => "the device is tried again after a pause",
        false => "the device is not used again",
    };
    format!("{name}: {fault}; its chunks are counted again on the processor, and {then}")
}
