//! Faults that tests inject into a device during a recording.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The kind of an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultInjection {
    /// The device is destroyed, as if it had been unplugged.
    Destroyed,
    /// The driver panics.
    Panic,
    /// The driver hangs for a while.
    Hang,
    /// The device refuses an invalid command.
    Refusal,
    /// The device reports that it has too little memory.
    OutOfMemory,
    /// All later downloads are zeros.
    Zeros,
}

/// A fault that is injected at a given command. Clones share the state.
#[derive(Clone, Debug)]
pub(crate) struct InjectedFault {
    fault_injection: FaultInjection,
    at: Arc<AtomicUsize>,
    commands: Arc<AtomicUsize>,
    triggered: Arc<Mutex<bool>>,
}

impl InjectedFault {
    /// Injects the fault after this number of commands.
    pub(crate) fn after(commands: usize, fault_injection: FaultInjection) -> Self {
        Self {
            fault_injection,
            at: Arc::new(AtomicUsize::new(commands)),
            commands: Arc::default(),
            triggered: Arc::default(),
        }
    }

    /// Injects the fault at the next command.
    pub(crate) fn trigger(&self) {
        self.at.store(self.commands(), Ordering::Relaxed);
    }

    /// Tells whether the fault is of this kind.
    pub(crate) fn is(&self, fault_injection: FaultInjection) -> bool {
        self.fault_injection == fault_injection
    }

    /// Returns the number of commands so far.
    pub(crate) fn commands(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }

    /// Counts a command and returns the fault to inject at it, if any.
    pub(super) fn next(&self) -> Option<FaultInjection> {
        let command = self.commands.fetch_add(1, Ordering::Relaxed);
        let is_due = command == self.at.load(Ordering::Relaxed);
        if is_due {
            *self
                .triggered
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = true;
        }
        is_due.then_some(self.fault_injection)
    }

    /// Tells whether downloads must be replaced by zeros.
    pub(super) fn zeroes(&self) -> bool {
        let is_triggered = *self
            .triggered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        is_triggered && self.is(FaultInjection::Zeros)
    }
}
