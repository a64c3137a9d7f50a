//! A device that may join a job which the processor has begun.
//!
//! No driver is touched until the input is known, or found, to be large enough for a device. The
//! driver is then opened on its own thread, while the processor counts. A job that ends earlier does
//! not wait for it.
#![forbid(unsafe_code)]

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Progress;
use super::chunk_sink::ChunkSink;
use super::context::KnownInput;
use super::env::RuntimeEnv;
use super::job::Job;
use super::throughput::Throughput;
use crate::device::calibrate::{calibrate, job_kind};
use crate::device::join_policy::{
    Cost, HumanBytes, MIN_INPUT_BYTES, Verdict, check_input_size, decide,
};
use crate::device::{CostCache, Device, Fault, SharedDevice, may_have_gpu};
use crate::{Cancel, Resources, TokenRule};

/// Minimum time to open and test a device.
const OPEN_TIME: Duration = Duration::from_millis(300);

/// How often the joining thread checks the job's progress.
const POLL_INTERVAL: Duration = Duration::from_millis(4);

/// A device that may join a job.
pub(super) struct GpuAutojoin<'a, J> {
    env: &'a RuntimeEnv,
    job: &'a J,
    progress: &'a Progress,
    throughput: &'a Throughput,
    /// Bytes of input, if known. Compressed input is counted in compressed bytes.
    total: Option<u64>,
    /// Whether some of the input is compressed.
    expands: bool,
    /// The bytes of `progress` when the job began. An earlier job may have used it.
    at_first: u64,
    /// Why no device can join, if that is known before anything is counted.
    ruled_out: Option<String>,
}

/// Looks for devices on a new thread while the processor counts. If no thread can be started, no device
/// is used.
fn look_while_counting(look: impl FnOnce() + Send, over: &Over, count: impl FnOnce()) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("keymill-joiner".to_owned());
        let _ = thread.spawn_scoped(scope, look);
        count();
        over.set();
    });
}

/// Decompressed bytes that are needed to estimate the size of the rest.
const SAMPLE_BYTES: u64 = 1 << 20;

/// Estimates the decompressed size of an input of `total` bytes, after `taken` of them gave `met`
/// bytes. `None` if too little was decompressed. The lengths in file headers and trailers are not
/// used: gzip's wraps, and others are optional.
fn expanded(total: u64, taken: u64, met: u64) -> Option<u64> {
    let times = met as f64 / taken as f64;
    (taken > 0 && met >= SAMPLE_BYTES).then_some((total as f64 * times) as u64)
}

fn too_late() -> String {
    "cpu: it finished before a device was ready".to_owned()
}

/// Tells the joining thread that the job has no more work.
#[derive(Default)]
struct Over {
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl Over {
    fn set(&self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for one interval. Returns whether the job is over.
    fn wait(&self) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(is_over, POLL_INTERVAL, |is_over| !*is_over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A device and its cost.
type Discovered = Result<(Arc<dyn Device>, Cost), Fault>;

impl<'a, J: Job> GpuAutojoin<'a, J> {
    pub(super) fn new(
        env: &'a RuntimeEnv,
        job: &'a J,
        progress: &'a Progress,
        throughput: &'a Throughput,
        input: KnownInput<'_>,
    ) -> Option<Self> {
        let mut expands = false;
        let ruled_out = match job.refusal() {
            Some(why) => Some(format!("cpu: {why}")),
            None if !env.shared_device.is_open() && !may_have_gpu() => {
                Some("cpu: this machine has no GPU".to_owned())
            }
            None => {
                expands = input.total.is_some() && (input.expands)();
                // The decompressed size can be estimated only after some input was decompressed.
                check_input_size(input.total.filter(|_| !expands)).err()
            }
        };
        Some(Self {
            env,
            job,
            progress,
            throughput,
            total: input.total,
            expands,
            at_first: progress.bytes(),
            ruled_out,
        })
    }

    /// Returns the number of workers that may join: 0 or 1.
    pub(super) fn workers(&self) -> usize {
        usize::from(self.ruled_out.is_none())
    }

    /// Creates the chunk sink of the worker that joins.
    pub(super) fn chunk_sink<'w>(
        &'w self,
        resources: &'w Resources,
    ) -> Option<Box<dyn ChunkSink<J::Operator> + 'w>> {
        self.job
            .chunk_sink(self.env, resources, Some(self.throughput))
    }

    /// Runs `count`, and `join` in parallel if a device is worth it. Returns the decision in words.
    pub(super) fn run(&self, join: impl Fn() + Sync, count: impl FnOnce()) -> String {
        if let Some(why) = &self.ruled_out {
            count();
            return why.clone();
        }
        let over = Over::default();
        let why = Mutex::new("cpu: no thread could be started to look for devices".to_owned());
        let say = |said: String| *why.lock().unwrap_or_else(PoisonError::into_inner) = said;
        let look = || match self.wait(&over) {
            Verdict::Joins(why) => {
                join();
                say(why);
            }
            Verdict::StaysOut(why) => say(why),
        };
        look_while_counting(look, &over, count);
        why.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the bytes that this job has read, before decompression.
    fn taken(&self) -> u64 {
        self.progress.bytes().saturating_sub(self.at_first)
    }

    /// Returns the bytes that this job has read, after decompression.
    fn met(&self) -> u64 {
        match self.expands {
            true => self.throughput.bytes(),
            // A stream may be compressed, which is not known in advance.
            false => self.taken().max(self.throughput.bytes()),
        }
    }

    /// Returns the decompressed size of the whole input, if it is known or can be estimated.
    fn whole(&self) -> Option<u64> {
        match self.expands {
            true => expanded(self.total?, self.taken(), self.met()),
            false => self.total,
        }
    }

    /// Returns whether the input is too small for a device, as far as is known.
    fn is_small(&self) -> bool {
        self.whole().unwrap_or(0).max(self.met()) < MIN_INPUT_BYTES
    }

    /// Returns the bytes that are not counted yet, if that is known or can be estimated.
    fn left(&self) -> Option<u64> {
        Some(self.whole()?.saturating_sub(self.met()))
    }

    /// Waits until it is decided whether a device joins.
    fn wait(&self, over: &Over) -> Verdict {
        while self.is_small() || self.throughput.rate().is_none() {
            if over.wait() {
                let why = check_input_size(Some(self.met())).err();
                return Verdict::StaysOut(why.unwrap_or_else(too_late));
            }
        }
        if let Some(why) = self.nearly_done() {
            return Verdict::StaysOut(why);
        }
        let coming = self.discover();
        loop {
            match coming.try_recv() {
                Ok(Ok((device, cost))) => return self.judge(&*device, cost),
                Ok(Err(fault)) => return Verdict::StaysOut(format!("cpu: {fault}")),
                Err(TryRecvError::Disconnected) => {
                    return Verdict::StaysOut("cpu: the search for devices failed".to_owned());
                }
                Err(TryRecvError::Empty) => {}
            }
            if over.wait() {
                return Verdict::StaysOut(too_late());
            }
        }
    }

    /// Returns why no device can be ready in time, if the rest takes less time than opening a device.
    fn nearly_done(&self) -> Option<String> {
        if self.env.shared_device.is_open() {
            return None;
        }
        let left = self.left()? as f64;
        let rate = self.throughput.rate()? * self.env.threads as f64;
        (left < rate * OPEN_TIME.as_secs_f64()).then(|| {
            let (left, rate) = (HumanBytes(left), HumanBytes(rate));
            format!("cpu: at {rate}/s the remaining {left} finish before a device is ready")
        })
    }

    fn judge(&self, device: &dyn Device, mut cost: Cost) -> Verdict {
        let left = self.left();
        let rate = self.throughput.rate().unwrap_or(0.0);
        let verdict = decide(&device.described(), &cost, left, rate);
        if matches!(verdict, Verdict::StaysOut(_)) {
            cost.jobs_skipped += 1;
            self.env
                .costs
                .set(&device.identity(), job_kind(self.job.rule()), cost);
        }
        verdict
    }

    /// Opens the device and measures its cost, on a thread that the job does not wait for.
    fn discover(&self) -> Receiver<Discovered> {
        let (found, coming) = channel();
        let (shared_device, costs) = (self.env.shared_device.clone(), Arc::clone(&self.env.costs));
        let rule = self.job.rule().clone();
        let search = move || {
            // Fails if the job has ended.
            let _ = found.send(learn(&shared_device, &costs, &rule));
        };
        let thread = std::thread::Builder::new().name("keymill-search".to_owned());
        // If no thread can be started, the channel is disconnected.
        drop(thread.spawn(search));
        coming
    }
}

fn learn(shared_device: &SharedDevice, costs: &CostCache, rule: &TokenRule) -> Discovered {
    let device = shared_device.device(&Cancel::default())?;
    let (identity, kind) = (device.identity(), job_kind(rule));
    let known = costs.get(&identity, kind).filter(|cost| !cost.is_stale());
    if let Some(cost) = known {
        return Ok((device, cost));
    }
    let cost = calibrate(&device, rule).inspect_err(|_| {
        shared_device.record_failure(&device);
    })?;
    costs.set(&identity, kind, cost);
    Ok((device, cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decompressed_size_is_estimated_from_a_sample() {
        const MIB: u64 = 1 << 20;
        assert_eq!(expanded(10 * MIB, 0, 0), None);
        // The sample is too small.
        assert_eq!(expanded(10 * MIB, 1000, MIB - 1), None);
        assert_eq!(expanded(10 * MIB, MIB, 4 * MIB), Some(40 * MIB));
        assert_eq!(expanded(10 * MIB, 10 * MIB, 10 * MIB), Some(10 * MIB));
    }
}
