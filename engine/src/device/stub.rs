//! A device for tests, without any driver.
#![forbid(unsafe_code)]

use super::recording::{Kept, Recording};
use super::{Device, Fault, Pending, Ran};
use crate::probe::ShaderVariant;

/// Binds so much, and answers the same to everything; without an answer it is not to be asked.
pub(crate) struct Stub {
    pub(crate) binding_bytes: u64,
    pub(crate) answer: Option<Result<Ran, Fault>>,
}

impl Stub {
    /// One that is not to be asked.
    pub(crate) fn unasked(binding_bytes: u64) -> Self {
        Self {
            binding_bytes,
            answer: None,
        }
    }
}

impl Device for Stub {
    fn begin(&self, recording: Recording) -> Pending {
        let answer = self.answer.clone();
        let answer = answer.unwrap_or_else(|| panic!("it was asked to\n{recording}"));
        Box::new(|_| answer)
    }

    fn forget(&self, _: &[Kept]) {}

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
