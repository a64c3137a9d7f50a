//! The device of an engine. It is opened when it is first needed, opened again after a failure, and
//! not used any more after several failures.
//!
//! Opening is slow and may hang. A separate thread does it, and callers choose how long they wait.
#![forbid(unsafe_code)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Device, Fault};
use crate::Cancel;

/// The device is not opened again after this number of failures without a success between them.
pub(crate) const MAX_FAILURES: u32 = 3;

/// The delay after the first failure. It doubles with each further failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// How often a wait checks for cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Opens a device.
pub(crate) type Opener = Box<dyn Fn() -> Result<Arc<dyn Device>, Fault> + Send + Sync>;

/// One device that jobs share. Clones refer to the same device.
#[derive(Clone)]
pub(crate) struct SharedDevice(Arc<Shared>);

struct Shared {
    open: Opener,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    device: Option<Arc<dyn Device>>,
    is_opening: bool,
    failures: u32,
    retry_after: Option<Instant>,
    /// The fault of the last attempt to open it.
    fault: Option<Fault>,
}

impl SharedDevice {
    pub(crate) fn new(open: Opener) -> Self {
        Self(Arc::new(Shared {
            open,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Returns the device, and opens it first if needed. A failure to open it counts as a failure
    /// of the device.
    pub(crate) fn device(&self, cancel: &Cancel) -> Result<Arc<dyn Device>, Fault> {
        let mut state = self.0.lock();
        loop {
            if let Some(device) = &state.device {
                return Ok(Arc::clone(device));
            }
            if !state.is_opening {
                state.check_may_open()?;
                state.is_opening = true;
                drop(state);
                self.start_opening();
                state = self.0.lock();
            } else {
                let waited = self.0.changed.wait_timeout(state, POLL_INTERVAL);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            // The thread that failed to open it has stored the fault.
            if !state.is_opening && state.device.is_none() {
                return Err(state.last_fault());
            }
            if cancel.is_cancelled() {
                return Err(Fault::Cancelled);
            }
        }
    }

    /// Returns the device if it is open. Otherwise starts to open it, if that is allowed now, and
    /// does not wait.
    pub(crate) fn try_device(&self) -> Option<Arc<dyn Device>> {
        let mut state = self.0.lock();
        if state.device.is_none() && !state.is_opening && state.check_may_open().is_ok() {
            state.is_opening = true;
            drop(state);
            self.start_opening();
            state = self.0.lock();
        }
        state.device.clone()
    }

    /// Tells whether the device is open.
    pub(crate) fn is_open(&self) -> bool {
        self.0.lock().device.is_some()
    }

    /// Records that the device worked: earlier failures do not count any more.
    pub(crate) fn record_success(&self) {
        self.0.lock().failures = 0;
    }

    /// Records that a device failed. Returns whether it will be opened again.
    pub(crate) fn record_failure(&self, failed: &Arc<dyn Device>) -> bool {
        let mut state = self.0.lock();
        // Another job may have recorded this failure already.
        let is_same = |device: &Arc<dyn Device>| Arc::ptr_eq(device, failed);
        if state.device.as_ref().is_some_and(is_same) {
            state.device = None;
            state.record_failure();
        }
        state.failures < MAX_FAILURES
    }

    fn start_opening(&self) {
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("keymill-open".to_owned());
        if let Err(error) = thread.spawn(move || shared.open()) {
            let fault = Fault::Refused(format!("cannot start a thread to open it: {error}"));
            self.0.finish_opening(Err(fault));
        }
    }
}

impl Shared {
    fn open(&self) {
        let open = || (self.open)();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
        let panicked = |_| Err(Fault::Panicked("while the device was opened".to_owned()));
        self.finish_opening(caught.unwrap_or_else(panicked));
    }

    fn finish_opening(&self, opened: Result<Arc<dyn Device>, Fault>) {
        let mut state = self.lock();
        state.is_opening = false;
        match opened {
            Ok(device) => {
                state.device = Some(device);
                state.fault = None;
            }
            Err(fault) => {
                state.record_failure();
                state.fault = Some(fault);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_may_open(&self) -> Result<(), Fault> {
        if self.failures >= MAX_FAILURES {
            let failures = self.failures;
            return Err(Fault::Lost(format!("it failed {failures} times")));
        }
        match self.retry_after.is_some_and(|until| Instant::now() < until) {
            true => Err(self.last_fault()),
            false => Ok(()),
        }
    }

    fn last_fault(&self) -> Fault {
        let moment_ago = || Fault::Lost("it failed a moment ago".to_owned());
        self.fault.clone().unwrap_or_else(moment_ago)
    }

    fn record_failure(&mut self) {
        let delay = FIRST_BACKOFF * 2u32.pow(self.failures.min(8));
        self.failures += 1;
        self.retry_after = Some(Instant::now() + delay);
    }
}

impl std::fmt::Debug for SharedDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedDevice").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::device::stub::Stub;

    fn now(shared_device: &SharedDevice) -> Result<Arc<dyn Device>, Fault> {
        shared_device.device(&Cancel::default())
    }

    fn after_the_delay(shared_device: &SharedDevice) -> Result<Arc<dyn Device>, Fault> {
        shared_device.0.lock().retry_after = None;
        now(shared_device)
    }

    #[test]
    fn a_device_is_opened_once_and_again_after_a_delay() {
        let opened = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&opened);
        let shared_device = SharedDevice::new(Box::new(move || {
            counts.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Stub::that_never_runs(1 << 20)))
        }));
        let first = now(&shared_device).unwrap();
        assert!(Arc::ptr_eq(&first, &now(&shared_device).unwrap()));
        assert!(shared_device.record_failure(&first) && shared_device.record_failure(&first));
        assert!(shared_device.try_device().is_none());
        let fault = now(&shared_device).err().unwrap();
        assert!(fault.to_string().contains("a moment ago"), "{fault}");
        let second = after_the_delay(&shared_device).unwrap();
        assert!(shared_device.record_failure(&second));
        let third = after_the_delay(&shared_device).unwrap();
        assert!(!shared_device.record_failure(&third));
        let fault = after_the_delay(&shared_device).err().unwrap();
        assert!(fault.to_string().contains("3 times"), "{fault}");
        assert_eq!(opened.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_success_resets_the_number_of_failures() {
        let shared_device =
            SharedDevice::new(Box::new(|| Ok(Arc::new(Stub::that_never_runs(1 << 20)))));
        for _ in 0..2 * MAX_FAILURES {
            let device = after_the_delay(&shared_device).unwrap();
            shared_device.record_success();
            assert!(shared_device.record_failure(&device));
        }
    }

    #[test]
    fn failures_to_open_count_as_failures() {
        let no = || Fault::Refused("no".to_owned());
        let shared_device = SharedDevice::new(Box::new(move || Err(no())));
        for _ in 0..MAX_FAILURES {
            assert_eq!(after_the_delay(&shared_device).err(), Some(no()));
        }
        assert!(matches!(
            after_the_delay(&shared_device).err(),
            Some(Fault::Lost(_))
        ));
        let shared_device = SharedDevice::new(Box::new(|| panic!("a driver")));
        assert!(matches!(
            now(&shared_device).err(),
            Some(Fault::Panicked(_))
        ));
    }

    #[test]
    fn waiting_for_a_driver_is_optional() {
        let (release, held) = channel::<()>();
        let held = Mutex::new(held);
        let shared_device = SharedDevice::new(Box::new(move || {
            let _ = held.lock().unwrap().recv();
            Ok(Arc::new(Stub::that_never_runs(1 << 20)))
        }));
        assert!(shared_device.try_device().is_none() && !shared_device.is_open());
        let cancel = Cancel::default();
        cancel.cancel();
        assert_eq!(shared_device.device(&cancel).err(), Some(Fault::Cancelled));
        drop(release);
        assert!(now(&shared_device).is_ok() && shared_device.try_device().is_some());
    }
}
