//! Devices beside the CPU: they run recordings, and what they answer is checked.
//!
//! ```text
//! stage ─▶ Recording ─▶ Device ─▶ downloads ─▶ conservation ─▶ answer, or a Fault
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
pub(crate) use open::{may_have_hardware, opener};
pub(crate) use shared_device::SharedDevice;
pub(crate) use timed_device::TimedDevice;
pub(crate) use tokenize::refusal;

use std::sync::Arc;
use std::time::Duration;

use crate::Cancel;
use crate::Shaders;
use crate::probe::{AdapterInfo, ShaderVariant};
use gpu::{Found, Gpu};
use recording::{Kept, Recording};

/// Something that runs recordings.
pub(crate) trait Device: Send + Sync {
    /// Hands a recording over, which runs while the caller goes on; recordings run in the order in
    /// which they were begun.
    fn begin(&self, recording: Recording) -> Pending;

    /// Frees buffers that were to stay on the device.
    fn forget(&self, kept: &[Kept]);

    /// The most bytes that it binds at once.
    fn binding_bytes(&self) -> u64;

    /// What its driver calls it; software is named as such.
    fn name(&self) -> &str;

    /// What its shaders use.
    fn variant(&self) -> ShaderVariant;

    /// Which shaders it does not run though it has what they need, and why; `None` where it runs
    /// those that were tried first.
    fn passed_over(&self) -> Option<&str> {
        None
    }

    /// What its shaders use, if that is more than the core or less than was tried.
    fn shaders(&self) -> Option<String> {
        match (self.variant(), self.passed_over()) {
            (variant, Some(why)) => Some(format!("shaders: {variant}, as {why}")),
            (ShaderVariant::BASE, None) => None,
            (variant, None) => Some(format!("shaders: {variant}")),
        }
    }

    /// Its name, and what its shaders use if there is something to say of that.
    fn described(&self) -> String {
        match self.shaders() {
            None => self.name().to_owned(),
            Some(shaders) => format!("{} ({shaders})", self.name()),
        }
    }

    /// Its name, its driver and the shaders that it runs: what its costs are known by.
    fn identity(&self) -> String;

    /// Whether it runs on the processor: for tests, never counted as a GPU.
    fn is_software(&self) -> bool;

    /// How long so many bytes take from memory of the host that it reads by itself.
    fn copy_alone(&self, bytes: u64) -> Result<Duration, Fault> {
        let message = format!("{} copies nothing of {bytes} bytes by itself", self.name());
        Err(Fault::Refused(message))
    }

    /// Runs a recording, and gives its downloads in order.
    fn run(&self, recording: &Recording) -> Result<Vec<Vec<u8>>, Fault> {
        let ran = self.begin(recording.clone())(&Cancel::default())?;
        Ok(ran.downloads)
    }
}

/// A recording on its way: waits for it, unless somebody cancels that.
pub(crate) type Pending = Box<dyn FnOnce(&Cancel) -> Result<Ran, Fault> + Send>;

/// What a recording answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its downloads, in order.
    pub(crate) downloads: Vec<Vec<u8>>,
    /// What each run took, where that was asked and the device can tell.
    pub(crate) runs: Option<Vec<Duration>>,
}

/// The adapters, hardware first, and what each got wrong in its self-test.
///
/// A driver that cannot even be asked is as good as none.
pub(crate) fn tested_adapters() -> Vec<AdapterInfo> {
    let found = gpu::adapters().unwrap_or_default();
    found.into_iter().map(tested).collect()
}

/// Opens an adapter by its place in the list, unless another one is there now.
pub(crate) fn open(info: &AdapterInfo, variant: ShaderVariant) -> Result<Arc<dyn Device>, Fault> {
    let found = gpu::adapters()?;
    let same = |found: &&Found| found.index == info.place && found.name == info.name;
    let found = found.iter().find(same);
    let gone = || Fault::Lost("the adapter has disappeared".to_owned());
    sound(Gpu::open(found.ok_or_else(gone)?, variant)?)
}

/// A device that passes its self-test.
fn sound(device: Gpu) -> Result<Arc<dyn Device>, Fault> {
    let device: Arc<dyn Device> = Arc::new(device);
    self_test::run(&device)?;
    Ok(device)
}

fn tested(found: Found) -> AdapterInfo {
    let verdict = open::sound_with(&found, Shaders::default());
    let used = verdict.as_ref().map(|device| device.variant());
    let device = verdict.as_ref().ok();
    let passed_over = device.and_then(|device| device.passed_over().map(str::to_owned));
    AdapterInfo {
        name: found.name,
        interface: found.interface,
        driver: found.driver,
        is_software: found.is_software,
        place: found.index,
        binding_bytes: found.binding_bytes,
        offers: found.offers,
        shaders: used.unwrap_or_default(),
        passed_over,
        refused: verdict.err().map(|fault| fault.to_string()),
    }
}
