//! Devices beside the CPU: they run recordings, and what they answer is checked.
//!
//! ```text
//! stage ─▶ Recording ─▶ Device ─▶ downloads ─▶ conservation ─▶ answer, or a Fault
//!          printable     gpu/
//! ```
#![forbid(unsafe_code)]

mod bindings;
mod fault;
mod gpu;
mod hash_partition;
mod recording;
mod reduce_by_key;
mod self_test;
mod tokenize;

pub(crate) use fault::Fault;

use crate::probe::AdapterInfo;
use gpu::{Found, Gpu};
use recording::Recording;

/// Something that runs recordings.
pub(crate) trait Device: Send + Sync {
    /// Runs a recording, and gives its downloads in order.
    fn run(&self, recording: &Recording) -> Result<Vec<Vec<u8>>, Fault>;

    /// The most bytes that it binds at once.
    fn binding_bytes(&self) -> u64;
}

/// The adapters, hardware first, and what each got wrong in its self-test.
///
/// A driver that cannot even be asked is as good as none.
pub(crate) fn tested_adapters() -> Vec<AdapterInfo> {
    let found = gpu::adapters().unwrap_or_default();
    found.into_iter().map(tested).collect()
}

fn tested(found: Found) -> AdapterInfo {
    let verdict = Gpu::open(found.index).and_then(|device| self_test::run(&device));
    AdapterInfo {
        name: found.name,
        interface: found.interface,
        driver: found.driver,
        is_software: found.is_software,
        binding_bytes: found.binding_bytes,
        refused: verdict.err().map(|fault| fault.to_string()),
    }
}
