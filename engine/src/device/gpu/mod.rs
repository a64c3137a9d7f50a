//! Adapters by wgpu. Nothing outside of this folder names it.
//!
//! ```text
//! caller ─▶ thread.rs: one thread a device, panics caught, waits bounded
//!             ├─ adapter.rs   which adapters there are; a device on one
//!             ├─ pipelines.rs shaders made ready, once each; module.rs: checked or not
//!             ├─ pool.rs      buffers that wait for their next use
//!             ├─ clock.rs     how long each run takes; copy.rs: and a copy alone
//!             └─ execute.rs   the device; flight.rs: one recording on its way
//! ```
#![deny(unsafe_code)]

mod adapter;
mod clock;
mod copy;
mod execute;
#[cfg(test)]
pub(crate) mod fault_injection;
mod module;
mod pipelines;
mod pool;
mod submission;
mod thread;

pub(crate) use adapter::Found;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::execute::Opened;
use self::thread::DeviceThread;
use super::recording::{Kept, Recording};
use super::{Device, Fault, Pending};
use crate::probe::ShaderVariant;

/// How long drivers may take to say what there is, or to make a device.
const OPEN_WITHIN: Duration = Duration::from_secs(20);

/// How long a recording may take.
const RUN_WITHIN: Duration = Duration::from_secs(60);

/// Lists the adapters of this machine; none where there is no driver.
pub(crate) fn adapters() -> Result<Vec<Found>, Fault> {
    let lister = DeviceThread::start(|| Ok(()))?;
    lister.ask(OPEN_WITHIN, |()| Ok(adapter::list()))
}

/// A device of one adapter.
pub(crate) struct Gpu {
    shared: Arc<Shared>,
    name: String,
    driver: String,
    is_software: bool,
    variant: ShaderVariant,
    passed_over: Option<String>,
    binding_bytes: u64,
    patience: Patience,
}

/// How long a recording may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// By the device's own watch.
    run: Duration,
    /// By whoever waits for its thread, a little longer.
    answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            run: RUN_WITHIN,
            answer: RUN_WITHIN + OPEN_WITHIN,
        }
    }
}

/// What recordings on their way hold on to.
struct Shared {
    thread: DeviceThread<Opened>,
    begun: AtomicU64,
}

impl Gpu {
    /// Makes a device of an adapter, with such shaders.
    pub(crate) fn open(found: &Found, variant: ShaderVariant) -> Result<Self, Fault> {
        let index = found.index;
        let thread = DeviceThread::start(move || Opened::new(index, variant))?;
        let binding_bytes = thread.ask(OPEN_WITHIN, |opened| Ok(opened.binding_bytes()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                thread,
                begun: AtomicU64::new(0),
            }),
            name: found.shown_name(),
            driver: format!("{} {}", found.interface, found.driver),
            is_software: found.is_software,
            variant,
            passed_over: None,
            binding_bytes,
            patience: Patience::default(),
        })
    }
}

impl Gpu {
    /// Keeps in mind which shaders were tried before these, and what they got wrong.
    pub(crate) fn instead_of(self, passed_over: Option<String>) -> Self {
        Self {
            passed_over,
            ..self
        }
    }
}

#[cfg(test)]
impl Gpu {
    /// Has nobody wait longer than that.
    pub(crate) fn hurry(&mut self, within: Duration) {
        self.patience = Patience {
            run: within,
            answer: within,
        };
    }

    /// Lets something become of the device later on.
    pub(crate) fn injure(&self, injuries: fault_injection::Injuries) -> Result<(), Fault> {
        self.shared.thread.ask(OPEN_WITHIN, |opened| {
            opened.injuries = Some(injuries);
            Ok(())
        })
    }
}

impl Device for Gpu {
    fn begin(&self, recording: Recording) -> Pending {
        let number = self.shared.begun.fetch_add(1, Ordering::Relaxed);
        let thread = &self.shared.thread;
        let begun = thread.tell(move |opened| opened.begin(number, recording));
        let flying = Flying {
            shared: Arc::clone(&self.shared),
            number,
        };
        let patience = self.patience;
        Box::new(move |cancel| {
            let thread = &flying.shared.thread;
            thread.wait(begun, patience.answer, cancel)?;
            let ran = thread.tell(move |opened| opened.finish(number, patience.run));
            thread.wait(ran, patience.answer, cancel)
        })
    }

    fn forget(&self, kept: &[Kept]) {
        let kept = kept.to_vec();
        self.shared.thread.tell(move |opened| {
            opened.forget(&kept);
            Ok(())
        });
    }

    fn binding_bytes(&self) -> u64 {
        self.binding_bytes
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn variant(&self) -> ShaderVariant {
        self.variant
    }

    fn copy_alone(&self, bytes: u64) -> Result<Duration, Fault> {
        let Patience { run, answer } = self.patience;
        let thread = &self.shared.thread;
        thread.ask(answer, move |opened| opened.copy_alone(bytes, run))
    }

    fn passed_over(&self) -> Option<&str> {
        self.passed_over.as_deref()
    }

    fn identity(&self) -> String {
        let (name, driver, variant) = (&self.name, &self.driver, self.variant);
        let shaders = keymill_shaders::version();
        format!("{name}; {driver}; shaders {shaders:016x}, {variant}")
    }

    fn is_software(&self) -> bool {
        self.is_software
    }
}

/// A recording on its way; the device forgets it if nobody waits for it.
struct Flying {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Flying {
    fn drop(&mut self) {
        let number = self.number;
        self.shared.thread.tell(move |opened| {
            opened.abandon(number);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests;
