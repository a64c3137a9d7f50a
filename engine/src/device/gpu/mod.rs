//! Devices with wgpu. No code outside this folder uses wgpu.
//!
//! ```text
//! caller ─▶ thread.rs: one thread per device, panics caught, waits bounded
//!             ├─ adapter.rs   lists adapters, opens a device
//!             ├─ pipelines.rs compiled shaders; module.rs: with or without checks
//!             ├─ pool.rs      buffers for reuse
//!             ├─ clock.rs     time of each run; copy.rs: time of a pinned copy
//!             └─ execute.rs   the device; submission.rs: one recording
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

pub(crate) use adapter::FoundAdapter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::execute::DeviceState;
use self::thread::DeviceThread;
use super::recording::{PersistentId, Recording};
use super::{Device, Fault, Pending};
use crate::plan::ShaderVariant;

/// The time limit for listing adapters and for opening a device.
const OPEN_WITHIN: Duration = Duration::from_secs(20);

/// The time limit of a recording.
const RUN_WITHIN: Duration = Duration::from_secs(60);

/// Lists the adapters of this machine. The list is empty if there is no driver.
pub(crate) fn adapters() -> Result<Vec<FoundAdapter>, Fault> {
    let lister = DeviceThread::start(|| Ok(()))?;
    lister.call(OPEN_WITHIN, |()| Ok(adapter::list()))
}

/// A device on an adapter.
pub(crate) struct Gpu {
    shared: Arc<Shared>,
    name: String,
    driver: String,
    is_software: bool,
    variant: ShaderVariant,
    passed_over: Option<String>,
    binding_bytes: u64,
    timeouts: Timeouts,
}

/// The time limit of a recording.
#[derive(Clone, Copy, Debug)]
struct Timeouts {
    /// For the wait on the device thread.
    run: Duration,
    /// For the wait of the caller, which is a little longer.
    answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            run: RUN_WITHIN,
            answer: RUN_WITHIN + OPEN_WITHIN,
        }
    }
}

/// State that running recordings share with the device.
struct Shared {
    thread: DeviceThread<DeviceState>,
    begun: AtomicU64,
}

impl Gpu {
    /// Opens a device on an adapter with a shader variant.
    pub(crate) fn open(found: &FoundAdapter, variant: ShaderVariant) -> Result<Self, Fault> {
        let index = found.index;
        let thread = DeviceThread::start(move || DeviceState::new(index, variant))?;
        let binding_bytes = thread.call(OPEN_WITHIN, |state| Ok(state.binding_bytes()))?;
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
            timeouts: Timeouts::default(),
        })
    }
}

impl Gpu {
    /// Stores which shader variant failed before this one, and why.
    pub(crate) fn with_passed_over(self, passed_over: Option<String>) -> Self {
        Self {
            passed_over,
            ..self
        }
    }
}

#[cfg(test)]
impl Gpu {
    /// Sets all time limits.
    pub(crate) fn set_timeout(&mut self, within: Duration) {
        self.timeouts = Timeouts {
            run: within,
            answer: within,
        };
    }

    /// Injects a fault at a later command.
    pub(crate) fn inject(&self, injected: fault_injection::InjectedFault) -> Result<(), Fault> {
        self.shared.thread.call(OPEN_WITHIN, |state| {
            state.injected = Some(injected);
            Ok(())
        })
    }
}

impl Device for Gpu {
    fn begin(&self, recording: Recording) -> Pending {
        let number = self.shared.begun.fetch_add(1, Ordering::Relaxed);
        let thread = &self.shared.thread;
        let begun = thread.send_job(move |state| state.begin(number, recording));
        let running = RunningRecording {
            shared: Arc::clone(&self.shared),
            number,
        };
        let timeouts = self.timeouts;
        Box::new(move |cancel| {
            let thread = &running.shared.thread;
            thread.wait(begun, timeouts.answer, cancel)?;
            let ran = thread.send_job(move |state| state.finish(number, timeouts.run));
            thread.wait(ran, timeouts.answer, cancel)
        })
    }

    fn free(&self, buffers: &[PersistentId]) {
        let buffers = buffers.to_vec();
        self.shared.thread.send_job(move |state| {
            state.free(&buffers);
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

    fn time_pinned_copy(&self, bytes: u64) -> Result<Duration, Fault> {
        let Timeouts { run, answer } = self.timeouts;
        let thread = &self.shared.thread;
        thread.call(answer, move |state| state.time_pinned_copy(bytes, run))
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

/// A running recording. The device discards it if this is dropped before it finishes.
struct RunningRecording {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for RunningRecording {
    fn drop(&mut self) {
        let number = self.number;
        self.shared.thread.send_job(move |state| {
            state.discard(number);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests;
