//! A device that may join a job which the processor has begun.
//!
//! No driver is touched before so much input is known, or met, that a device could pay. It is then
//! asked on a thread of its own, while the processor works; a job that ends first does not wait.
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
use crate::device::calibrate::{calibrate, kind_of};
use crate::device::join_policy::{Cost, Megabytes, SMALLEST, Verdict, decide, look_at_devices};
use crate::device::{CostCache, Device, Fault, SharedDevice, may_have_hardware};
use crate::{Cancel, Resources, TokenRule};

/// What a device takes at least to be opened and tested.
const TO_BE_READY: Duration = Duration::from_millis(300);

/// How often the joiner looks up.
const LOOK: Duration = Duration::from_millis(4);

/// A device that may join a job.
pub(super) struct GpuAutojoin<'a, J> {
    env: &'a RuntimeEnv,
    job: &'a J,
    progress: &'a Progress,
    throughput: &'a Throughput,
    /// Bytes of input, where that is known; of what is compressed, as they lie there.
    total: Option<u64>,
    /// Whether some of it is compressed.
    expands: bool,
    /// What `progress` said when the job began: it may have been another job's before.
    at_first: u64,
    /// Why none can, if that is known before anything is counted.
    ruled_out: Option<String>,
}

/// Looks for devices on a thread of its own while the processor counts; where there is no thread to
/// be had nobody looks.
fn look_beside(look: impl FnOnce() + Send, over: &Over, count: impl FnOnce()) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("keymill-joiner".to_owned());
        // Without it the job is the processor's.
        let _ = thread.spawn_scoped(scope, look);
        count();
        over.set();
    });
}

/// Decompressed bytes that are judged by: before that many a head says nothing of the rest.
const A_SAMPLE: u64 = 1 << 20;

/// What compressed input comes to, where so much of it gave so much; `None` before that can be told.
/// The lengths that its own heads and trailers state are no use: gzip's wraps, and others are optional.
fn expanded(total: u64, taken: u64, met: u64) -> Option<u64> {
    let times = met as f64 / taken as f64;
    (taken > 0 && met >= A_SAMPLE).then_some((total as f64 * times) as u64)
}

fn too_late() -> String {
    "cpu: it was done before a device was ready".to_owned()
}

/// Tells the joiner that the job has no more work.
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

    /// Waits a moment; tells whether the job is over.
    fn wait(&self) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(is_over, LOOK, |is_over| !*is_over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A device, and what it costs.
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
            None if !env.shared_device.is_there() && !may_have_hardware() => {
                Some("cpu: this machine shows no GPU".to_owned())
            }
            None => {
                expands = input.total.is_some() && (input.expands)();
                // How much it is once decompressed is known when some of it was.
                look_at_devices(input.total.filter(|_| !expands)).err()
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

    /// How many workers may come to those that there are.
    pub(super) fn workers(&self) -> usize {
        usize::from(self.ruled_out.is_none())
    }

    /// The way to the device of the worker that joins.
    pub(super) fn chunk_sink<'w>(
        &'w self,
        resources: &'w Resources,
    ) -> Option<Box<dyn ChunkSink<J::Operator> + 'w>> {
        self.job
            .chunk_sink(self.env, resources, Some(self.throughput))
    }

    /// Counts, and joins beside that if it pays; gives what was decided, in words.
    pub(super) fn run(&self, join: impl Fn() + Sync, count: impl FnOnce()) -> String {
        if let Some(why) = &self.ruled_out {
            count();
            return why.clone();
        }
        let over = Over::default();
        let why = Mutex::new("cpu: there was no thread to look for devices".to_owned());
        let say = |said: String| *why.lock().unwrap_or_else(PoisonError::into_inner) = said;
        let look = || match self.wait(&over) {
            Verdict::Joins(why) => {
                join();
                say(why);
            }
            Verdict::StaysOut(why) => say(why),
        };
        look_beside(look, &over, count);
        why.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that this job has read, as they lie there.
    fn taken(&self) -> u64 {
        self.progress.bytes().saturating_sub(self.at_first)
    }

    /// Bytes that this job has met, decompressed.
    fn met(&self) -> u64 {
        match self.expands {
            true => self.throughput.bytes(),
            // A stream may turn out to be compressed.
            false => self.taken().max(self.throughput.bytes()),
        }
    }

    /// Bytes of the whole input, decompressed, as far as can be known.
    fn whole(&self) -> Option<u64> {
        match self.expands {
            true => expanded(self.total?, self.taken(), self.met()),
            false => self.total,
        }
    }

    /// Whether no device could pay for what is known of the input, and what was met of it.
    fn is_little(&self) -> bool {
        self.whole().unwrap_or(0).max(self.met()) < SMALLEST
    }

    /// Bytes that are still to be counted, as far as can be known.
    fn left(&self) -> Option<u64> {
        Some(self.whole()?.saturating_sub(self.met()))
    }

    /// Waits until a device should join, or it is clear that none will.
    fn wait(&self, over: &Over) -> Verdict {
        while self.is_little() || self.throughput.rate().is_none() {
            if over.wait() {
                let why = look_at_devices(Some(self.met())).err();
                return Verdict::StaysOut(why.unwrap_or_else(too_late));
            }
        }
        if let Some(why) = self.is_nearly_done() {
            return Verdict::StaysOut(why);
        }
        let coming = self.discover();
        loop {
            match coming.try_recv() {
                Ok(Ok((device, cost))) => return self.judge(&*device, cost),
                Ok(Err(fault)) => return Verdict::StaysOut(format!("cpu: {fault}")),
                Err(TryRecvError::Disconnected) => {
                    return Verdict::StaysOut("cpu: the search for devices broke off".to_owned());
                }
                Err(TryRecvError::Empty) => {}
            }
            if over.wait() {
                return Verdict::StaysOut(too_late());
            }
        }
    }

    /// Why no device can be ready in time, if so much of the input is done and none is open.
    fn is_nearly_done(&self) -> Option<String> {
        if self.env.shared_device.is_there() {
            return None;
        }
        let left = self.left()? as f64;
        let rate = self.throughput.rate()? * self.env.threads as f64;
        (left < rate * TO_BE_READY.as_secs_f64()).then(|| {
            let (left, rate) = (Megabytes(left), Megabytes(rate));
            format!("cpu: the {left} left are done, at {rate}/s, before a device is ready")
        })
    }

    fn judge(&self, device: &dyn Device, mut cost: Cost) -> Verdict {
        let left = self.left();
        let rate = self.throughput.rate().unwrap_or(0.0);
        let verdict = decide(&device.described(), &cost, left, rate);
        if matches!(verdict, Verdict::StaysOut(_)) {
            cost.skipped += 1;
            self.env
                .costs
                .set(&device.identity(), kind_of(self.job.rule()), cost);
        }
        verdict
    }

    /// Opens the device and learns its cost; nobody has to wait for that.
    fn discover(&self) -> Receiver<Discovered> {
        let (found, coming) = channel();
        let (shared_device, costs) = (self.env.shared_device.clone(), Arc::clone(&self.env.costs));
        let rule = self.job.rule().clone();
        let search = move || {
            // The job may have ended meanwhile.
            let _ = found.send(learn(&shared_device, &costs, &rule));
        };
        let thread = std::thread::Builder::new().name("keymill-search".to_owned());
        // Without a thread nothing is found, which the channel says.
        drop(thread.spawn(search));
        coming
    }
}

fn learn(shared_device: &SharedDevice, costs: &CostCache, rule: &TokenRule) -> Discovered {
    let device = shared_device.device(&Cancel::default())?;
    let (identity, kind) = (device.identity(), kind_of(rule));
    let known = costs.get(&identity, kind).filter(|cost| !cost.is_stale());
    if let Some(cost) = known {
        return Ok((device, cost));
    }
    let cost = calibrate(&device, rule).inspect_err(|_| {
        shared_device.record_loss(&device);
    })?;
    costs.set(&identity, kind, cost);
    Ok((device, cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_input_is_judged_by_what_it_gave_so_far() {
        const MIB: u64 = 1 << 20;
        assert_eq!(expanded(10 * MIB, 0, 0), None);
        // Little was met, and it may be the head of something else.
        assert_eq!(expanded(10 * MIB, 1000, MIB - 1), None);
        assert_eq!(expanded(10 * MIB, MIB, 4 * MIB), Some(40 * MIB));
        assert_eq!(expanded(10 * MIB, 10 * MIB, 10 * MIB), Some(10 * MIB));
    }
}
