//! Counts texts on a device, and on the processor what the device does not take or has lost.
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
use crate::device::calibrate::kind_of;
use crate::device::join_policy::{Cost, Megabytes, should_leave};
use crate::device::{Device, DeviceCounter, Fault, refusal};
use crate::operator::text_count::columns::for_each_value;
use crate::operator::{Input, Operator, TextCount};
use crate::read::chunk::Boundary;
use crate::runtime::Reservation;
use crate::{Resources, Result, TokenRule};

/// Bytes that a device must have counted before its rate means something.
const ENOUGH_BYTES: u64 = 16 << 20;

/// The most bytes of texts that are held. It also keeps the counts of a drain far below what their
/// words on the device hold.
const MOST_HELD: usize = 256 << 20;

/// One part of the memory budget in so many is for the texts that a device may lose.
const HELD_PART: usize = 4;

/// A worker's way to a device.
pub(super) struct GpuWorker<'a> {
    env: &'a RuntimeEnv,
    rule: &'a TokenRule,
    boundary: Boundary,
    resources: &'a Resources,
    /// The device, and its counts since the last drain.
    counter: Option<(Arc<dyn Device>, DeviceCounter)>,
    /// Texts that make a chunk together.
    gathered: Vec<u8>,
    held_bytes: usize,
    reservation: Reservation,
    /// How fast the processor is, if the device is to leave once it is slower.
    rival: Option<&'a Throughput>,
    /// Bytes that the device has counted, and the time that took.
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

    /// Bytes of a chunk at most: two are on their way, one is gathered, and others are held.
    fn chunk_bytes(&self) -> usize {
        let part = self.resources.memory.limit() / (2 * HELD_PART);
        let most = self.resources.tuning.device_chunk_bytes.min(part).max(1);
        match &self.counter {
            Some((_, counter)) => counter.most_bytes().min(most),
            None => most,
        }
    }

    /// Counts what was gathered.
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
                // Nobody has asked for a device.
                Some(_) => stats.decide(says),
            }
            return count_here(&text, operator, stats);
        }
        if !self.is_open() {
            return count_here(&text, operator, stats);
        }
        self.make_room(text.len(), operator, stats)?;
        // Draining may have ended it, or it is another one by now, which takes less.
        let Some((_, counter)) = &mut self.counter else {
            return count_here(&text, operator, stats);
        };
        if text.len() > counter.most_bytes() {
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

    /// Tells whether there is a device, after asking for one if there was none.
    fn is_open(&mut self) -> bool {
        if self.counter.is_some() {
            return true;
        }
        // Why it was lost was said then.
        let Some(device) = self.env.shared_device.device_now() else {
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
        // What a drain brings is in memory beside the texts.
        let held = self.held_bytes + counter.drain_bytes();
        let most_held = (self.resources.memory.limit() / HELD_PART).min(MOST_HELD);
        if self.held_bytes > 0 && (held + bytes > most_held || !counter.has_room(bytes)) {
            return self.drain(operator, stats);
        }
        Ok(())
    }

    /// Brings the counts of the device to the operator.
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

    /// Counts on the processor what the device had since the last drain.
    fn redo(&mut self, fault: &Fault, operator: &mut TextCount, stats: &mut Stats) -> Result<()> {
        let Some((device, counter)) = self.counter.take() else {
            return Ok(());
        };
        // How long a device took to fail says nothing of how fast it is.
        self.busy = Duration::ZERO;
        self.counted_bytes = 0;
        let texts = counter.take_back();
        let goes_on = self.env.shared_device.record_loss(&device);
        stats.remark(loss(device.name(), fault, goes_on));
        drop(device);
        for text in texts {
            self.resources.cancel.check()?;
            count_here(&text, operator, stats)?;
            self.held_bytes -= text.len();
            self.reservation.set(self.held_bytes);
        }
        Ok(())
    }

    /// Takes a text to those it is gathered with; a line's end keeps its tokens to itself.
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
                // How much makes a chunk is the device's to say.
                self.is_open();
            }
            let most = self.chunk_bytes();
            let cut = self.boundary.cut(text, most);
            let (piece, rest) = (&text[..cut.end], &text[cut.next..]);
            text = rest;
            // What ends with half a line's end would get the other half from the gathering.
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

    /// Bytes a second, once enough was counted.
    fn rate(&self) -> Option<f64> {
        let is_enough = self.counted_bytes >= ENOUGH_BYTES;
        is_enough.then(|| self.counted_bytes as f64 / self.busy.as_secs_f64().max(1e-9))
    }

    /// Says what was predicted and measured, and keeps it for jobs to come if it means something.
    fn note_cost(&self, stats: &mut Stats) {
        let (Some((device, _)), true) = (&self.counter, self.counted_bytes > 0) else {
            return;
        };
        let (identity, kind) = (device.identity(), kind_of(self.rule));
        let cost = self.env.costs.get(&identity, kind);
        stats.decide(self.measured(device.name(), cost));
        if let (Some(mut cost), Some(_)) = (cost, self.rate()) {
            cost.learn(self.counted_bytes, self.busy);
            self.env.costs.set(&identity, kind, cost);
        }
    }

    /// What the device took, and what was predicted, in words.
    fn measured(&self, name: &str, cost: Option<Cost>) -> String {
        let (bytes, seconds) = (self.counted_bytes, self.busy.as_secs_f64());
        let rate = Megabytes(bytes as f64 / seconds.max(1e-9));
        let predicted = match cost {
            Some(cost) => format!("predicted were {:.3} s", cost.time(bytes)),
            None => "nothing was known of it before".to_owned(),
        };
        let bytes = Megabytes(bytes as f64);
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

/// What is said of a device that failed.
pub(super) fn loss(name: &str, fault: &Fault, goes_on: bool) -> String {
    let then = match goes_on {
        true => "it is tried again after a rest",
        false => "the rest stays there",
    };
    format!("{name}: {fault}; what it had is counted again on the processor, and {then}")
}
