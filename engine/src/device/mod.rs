//! Devices other than the CPU: they run recordings, and the host checks the results.
//!
//! ```text
//! stage ─▶ Recording ─▶ Device ─▶ downloads ─▶ conservation ─▶ result, or a Fault
//!          printable     gpu/
//! ```
#![deny(unsafe_code)]

mod bindings;
pub(crate) mod calibrate;
mod cost_cache;
mod count;
mod fault;
pub(crate) mod frame;
mod gpu;
pub(crate) mod hash_partition;
pub(crate) mod join_policy;
pub(crate) mod measure;
mod open;
mod recording;
pub(crate) mod reduce_by_key;
mod self_test;
mod shared_device;
#[cfg(test)]
mod stub;
mod timed_device;
pub(crate) mod tokenize;

pub(crate) use cost_cache::CostCache;
pub(crate) use count::DeviceCounter;
pub(crate) use fault::Fault;
pub(crate) use open::{may_have_gpu, opener};
pub(crate) use shared_device::SharedDevice;
pub(crate) use timed_device::TimedDevice;
pub(crate) use tokenize::refusal;

use std::sync::Arc;
use std::time::Duration;

use crate::Cancel;
use crate::Shaders;
use crate::plan::{AdapterInfo, ShaderVariant};
use gpu::{FoundAdapter, Gpu};
use recording::{PersistentId, Recording};

/// A device that runs recordings.
pub(crate) trait Device: Send + Sync {
    /// Starts a recording and returns without waiting for it. Recordings run in the order in which
    /// they were started.
    fn begin(&self, recording: Recording) -> Pending;

    /// Frees persistent buffers.
    fn free(&self, buffers: &[PersistentId]);

    /// Returns the maximum size of a binding in bytes.
    fn binding_bytes(&self) -> u64;

    /// Returns the name from the driver. The name of a software device says that it is software.
    fn name(&self) -> &str;

    /// Returns the variant of its shaders.
    fn variant(&self) -> ShaderVariant;

    /// Returns which preferred shader variant failed the self-test, and why. `None` if the
    /// preferred variant is in use.
    fn passed_over(&self) -> Option<&str> {
        None
    }

    /// Describes its shaders, if they are not the base or if a preferred variant failed.
    fn shaders(&self) -> Option<String> {
        match (self.variant(), self.passed_over()) {
            (variant, Some(why)) => Some(format!("shaders: {variant}, as {why}")),
            (ShaderVariant::BASE, None) => None,
            (variant, None) => Some(format!("shaders: {variant}")),
        }
    }

    /// Returns its name, with a description of its shaders if there is one.
    fn described(&self) -> String {
        match self.shaders() {
            None => self.name().to_owned(),
            Some(shaders) => format!("{} ({shaders})", self.name()),
        }
    }

    /// Returns its name, driver and shaders. Costs are cached by this text.
    fn identity(&self) -> String;

    /// Tells whether it is software that runs on the CPU. It is for tests and never counts as a
    /// GPU.
    fn is_software(&self) -> bool;

    /// Measures a copy from host memory that the device reads directly.
    fn time_pinned_copy(&self, bytes: u64) -> Result<Duration, Fault> {
        let message = format!(
            "{} cannot measure a pinned copy of {bytes} bytes",
            self.name()
        );
        Err(Fault::Refused(message))
    }

    /// Runs a recording and returns its downloads in order.
    fn run(&self, recording: &Recording) -> Result<Vec<Vec<u8>>, Fault> {
        let ran = self.begin(recording.clone())(&Cancel::default())?;
        Ok(ran.downloads)
    }
}

/// Waits for a recording that was started. A cancelled job stops the wait.
pub(crate) type Pending = Box<dyn FnOnce(&Cancel) -> Result<RecordingOutput, Fault> + Send>;

/// The output of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordingOutput {
    /// The downloads, in order.
    pub(crate) downloads: Vec<Vec<u8>>,
    /// The time of each stage run, if it was requested and the device has a clock.
    pub(crate) runs: Option<Vec<Duration>>,
}

/// Lists the adapters, hardware first, with the results of their self-tests.
///
/// Returns an empty list if the driver fails.
pub(crate) fn tested_adapters() -> Vec<AdapterInfo> {
    let found = gpu::adapters().unwrap_or_default();
    found.into_iter().map(adapter_info).collect()
}

/// Opens an adapter by its index and name. It fails if another adapter has this index now.
pub(crate) fn open(info: &AdapterInfo, variant: ShaderVariant) -> Result<Arc<dyn Device>, Fault> {
    let found = gpu::adapters()?;
    let same = |found: &&FoundAdapter| found.index == info.index && found.name == info.name;
    let found = found.iter().find(same);
    let gone = || Fault::Lost("the adapter has disappeared".to_owned());
    self_tested(Gpu::open(found.ok_or_else(gone)?, variant)?)
}

/// Runs the self-test and returns the device if it passes.
fn self_tested(device: Gpu) -> Result<Arc<dyn Device>, Fault> {
    let device: Arc<dyn Device> = Arc::new(device);
    self_test::run(&device)?;
    Ok(device)
}

fn adapter_info(found: FoundAdapter) -> AdapterInfo {
    let verdict = open::open_self_tested(&found, Shaders::default());
    let used = verdict.as_ref().map(|device| device.variant());
    let device = verdict.as_ref().ok();
    let passed_over = device.and_then(|device| device.passed_over().map(str::to_owned));
    AdapterInfo {
        name: found.name,
        interface: found.interface,
        driver: found.driver,
        is_software: found.is_software,
        index: found.index,
        binding_bytes: found.binding_bytes,
        offers: found.offers,
        shaders: used.unwrap_or_default(),
        passed_over,
        refused: verdict.err().map(|fault| fault.to_string()),
    }
}
