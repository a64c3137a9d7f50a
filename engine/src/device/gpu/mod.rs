//! Adapters by wgpu. Nothing outside of this folder names it.
//!
//! ```text
//! caller ─▶ thread.rs: one thread a device, panics caught, waits bounded
//!             ├─ adapter.rs   which adapters there are; a device on one
//!             ├─ pipelines.rs shaders made ready, once each
//!             └─ execute.rs   a recording, command by command
//! ```
#![forbid(unsafe_code)]

mod adapter;
mod execute;
mod pipelines;
mod thread;

pub(crate) use adapter::Found;

use std::time::Duration;

use self::execute::Opened;
use self::thread::DeviceThread;
use super::recording::Recording;
use super::{Device, Fault};

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
    thread: DeviceThread<Opened>,
    binding_bytes: u64,
}

impl Gpu {
    /// Makes a device of an adapter, by its place in [`adapters`].
    pub(crate) fn open(index: usize) -> Result<Self, Fault> {
        let thread = DeviceThread::start(move || Opened::new(index))?;
        let binding_bytes = thread.ask(OPEN_WITHIN, |opened| Ok(opened.binding_bytes()))?;
        Ok(Self {
            thread,
            binding_bytes,
        })
    }
}

impl Device for Gpu {
    fn run(&self, recording: &Recording) -> Result<Vec<Vec<u8>>, Fault> {
        let recording = recording.clone();
        // The device's own watch ends a little earlier than the one on its thread.
        self.thread.ask(RUN_WITHIN + OPEN_WITHIN, move |opened| {
            opened.execute(&recording, RUN_WITHIN)
        })
    }

    fn binding_bytes(&self) -> u64 {
        self.binding_bytes
    }
}

#[cfg(test)]
mod tests;
