//! A device that may join a job which the processor has begun.
//!
//! No driver is touched before so much input is known, or met, that a device could pay. It is then
//! asked on a thread of its own, while the processor works; a job that ends first does not wait.
#![forbid(unsafe_code)]

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::elsewhere::Elsewhere;
use super::offload::Offload;
use super::pace::Pace;
use crate::device::calibrate::{calibrate, kind_of};
use crate::device::choose::{Cost, SMALLEST, Verdict, decide, look_at_devices};
use crate::device::{Costs, Device, Fault, Seat, may_have_hardware, refusal};
use crate::engine::Engine;
use crate::job::Progress;
use crate::{Resources, Result, TokenRule};

/// How often the joiner looks up.
const LOOK: Duration = Duration::from_millis(4);

/// A device that may join a job.
pub(super) struct Joining<'a> {
    engine: &'a Engine,
    rule: &'a TokenRule,
    progress: &'a Progress,
    pace: &'a Pace,
    /// Bytes of input, where that is known.
    total: Option<u64>,
    /// Why none can, if that is known before anything is counted.
    ruled_out: Option<String>,
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
type Discovered = std::result::Result<(String, Cost), Fault>;

impl<'a> Joining<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        rule: &'a TokenRule,
        progress: &'a Progress,
        pace: &'a Pace,
        total: Option<u64>,
    ) -> Option<Self> {
        let ruled_out = match refusal(rule, b"") {
            Some(why) => Some(format!("cpu: {why}")),
            None if !may_have_hardware() && !engine.seat().is_there() => {
                Some("cpu: this machine shows no GPU".to_owned())
            }
            None => look_at_devices(total).err(),
        };
        Some(Self {
            engine,
            rule,
            progress,
            pace,
            total,
            ruled_out,
        })
    }

    /// How many workers may come to those that there are.
    pub(super) fn workers(&self) -> usize {
        usize::from(self.ruled_out.is_none())
    }

    /// The way of the worker that joins.
    pub(super) fn elsewhere<'w>(
        &'w self,
        rule: &'w TokenRule,
        resources: &'w Resources,
    ) -> Option<Box<dyn Elsewhere + 'w>> {
        let pace = Some(self.pace);
        Some(Box::new(Offload::new(self.engine, rule, resources, pace)))
    }

    /// Counts, and joins beside that if it pays; gives what was decided, in words.
    pub(super) fn run(
        &self,
        join: impl Fn() + Sync,
        count: impl FnOnce() -> Result<()>,
    ) -> Result<String> {
        if let Some(why) = &self.ruled_out {
            return count().map(|()| why.clone());
        }
        let over = Over::default();
        std::thread::scope(|scope| {
            let joiner = scope.spawn(|| match self.wait(&over) {
                Verdict::Joins(why) => {
                    join();
                    why
                }
                Verdict::StaysOut(why) => why,
            });
            let counted = count();
            over.set();
            let why = joiner
                .join()
                .unwrap_or_else(|_| "cpu: the joiner panicked".to_owned());
            counted.map(|()| why)
        })
    }

    /// Waits until a device should join, or it is clear that none will.
    fn wait(&self, over: &Over) -> Verdict {
        while self.total.is_none() && self.progress.bytes() < SMALLEST {
            if over.wait() {
                let met = self.progress.bytes();
                return Verdict::StaysOut(look_at_devices(Some(met)).err().unwrap_or_default());
            }
        }
        let coming = self.discover();
        loop {
            match coming.try_recv() {
                Ok(Ok((name, cost))) if self.pace.rate().is_some() => {
                    return self.judge(&name, cost);
                }
                Ok(Ok((name, cost))) => return self.judge_when_known(&name, cost, over),
                Ok(Err(fault)) => return Verdict::StaysOut(format!("cpu: {fault}")),
                Err(TryRecvError::Disconnected) => {
                    return Verdict::StaysOut("cpu: the search for devices broke off".to_owned());
                }
                Err(TryRecvError::Empty) => {}
            }
            if over.wait() {
                return Verdict::StaysOut("cpu: it was done before a device was ready".to_owned());
            }
        }
    }

    fn judge_when_known(&self, name: &str, cost: Cost, over: &Over) -> Verdict {
        while self.pace.rate().is_none() {
            if over.wait() {
                return Verdict::StaysOut("cpu: it was done before a device was ready".to_owned());
            }
        }
        self.judge(name, cost)
    }

    fn judge(&self, name: &str, mut cost: Cost) -> Verdict {
        let left = self
            .total
            .map(|total| total.saturating_sub(self.progress.bytes()));
        let verdict = decide(name, &cost, left, self.pace.rate().unwrap_or(0.0));
        if let (Verdict::StaysOut(_), Ok(device)) = (&verdict, self.engine.seat().device()) {
            cost.skipped += 1;
            self.engine
                .costs()
                .set(&device.identity(), kind_of(self.rule), cost);
        }
        verdict
    }

    /// Opens the device and learns its cost; nobody has to wait for that.
    fn discover(&self) -> Receiver<Discovered> {
        let (found, coming) = channel();
        let (seat, costs) = (
            Arc::clone(self.engine.seat()),
            Arc::clone(self.engine.costs()),
        );
        let rule = self.rule.clone();
        let search = move || {
            // The job may have ended meanwhile.
            let _ = found.send(learn(&seat, &costs, &rule));
        };
        let thread = std::thread::Builder::new().name("keymill-search".to_owned());
        // Without a thread nothing is found, which the channel says.
        drop(thread.spawn(search));
        coming
    }
}

fn learn(seat: &Seat, costs: &Costs, rule: &TokenRule) -> Discovered {
    let device: Arc<dyn Device> = seat.device()?;
    let (identity, kind) = (device.identity(), kind_of(rule));
    let known = costs.get(&identity, kind).filter(|cost| !cost.is_stale());
    let cost = match known {
        Some(cost) => cost,
        None => calibrate(&device, rule).inspect_err(|_| {
            seat.lose(&device);
        })?,
    };
    costs.set(&identity, kind, cost);
    Ok((device.name().to_owned(), cost))
}
