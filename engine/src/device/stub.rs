//! A device for tests, without a driver.
#![forbid(unsafe_code)]

use super::recording::{PersistentId, Recording};
use super::{Device, Fault, Pending, RecordingOutput};
use crate::plan::ShaderVariant;

/// Has a fixed binding limit and returns the same result for every recording. Without a result it
/// panics when it runs.
pub(crate) struct Stub {
    pub(crate) binding_bytes: u64,
    pub(crate) answer: Option<Result<RecordingOutput, Fault>>,
}

impl Stub {
    /// Creates a device that panics when it runs.
    pub(crate) fn that_never_runs(binding_bytes: u64) -> Self {
        Self {
            binding_bytes,
            answer: None,
        }
    }
}

impl Device for Stub {
    fn begin(&self, recording: Recording) -> Pending {
        let answer = self.answer.clone();
        let answer = answer.unwrap_or_else(|| panic!("the stub must not run\n{recording}"));
        Box::new(|_| answer)
    }

    fn free(&self, _: &[PersistentId]) {}

    fn binding_bytes(&self) -> u64 {
        self.binding_bytes
    }

    fn name(&self) -> &str {
        "stub"
    }

    fn variant(&self) -> ShaderVariant {
        ShaderVariant::BASE
    }

    fn identity(&self) -> String {
        self.name().to_owned()
    }

    fn is_software(&self) -> bool {
        true
    }
}
