//! What tests do to a device in the middle of a recording.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultInjection {
    /// It is destroyed, as if it had been pulled out.
    Destroyed,
    /// Its driver panics.
    Panic,
    /// Its driver does not come back for a while.
    Hang,
    /// It is asked for something that it refuses.
    Refusal,
    /// It says that it has no memory left.
    OutOfMemory,
    /// From then on all that is read back from it is zeros.
    Zeros,
}

/// An injury that waits for its command; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Injuries {
    fault_injection: FaultInjection,
    at: Arc<AtomicUsize>,
    commands: Arc<AtomicUsize>,
    struck: Arc<Mutex<bool>>,
}

impl Injuries {
    /// Before so many commands nothing happens.
    pub(crate) fn after(commands: usize, fault_injection: FaultInjection) -> Self {
        Self {
            fault_injection,
            at: Arc::new(AtomicUsize::new(commands)),
            commands: Arc::default(),
            struck: Arc::default(),
        }
    }

    /// The next command is the one.
    pub(crate) fn strike(&self) {
        self.at.store(self.commands(), Ordering::Relaxed);
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, fault_injection: FaultInjection) -> bool {
        self.fault_injection == fault_injection
    }

    /// How many commands were met.
    pub(crate) fn commands(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }

    /// What becomes of the device at the next command.
    pub(super) fn next(&self) -> Option<FaultInjection> {
        let command = self.commands.fetch_add(1, Ordering::Relaxed);
        let is_due = command == self.at.load(Ordering::Relaxed);
        if is_due {
            *self.struck.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        is_due.then_some(self.fault_injection)
    }

    /// Whether downloads are zeros.
    pub(super) fn zeroes(&self) -> bool {
        let is_struck = *self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        is_struck && self.is(FaultInjection::Zeros)
    }
}
