//! The device of an engine: opened when it is first needed, asked for again after a loss, and given
//! up after several.
//!
//! Opening takes its time, and may hang: a thread of its own does it, and whoever wants the device
//! waits as long as they like.
#![forbid(unsafe_code)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Device, Fault};
use crate::Cancel;

/// Losses, none of them behind a success, after which a device is asked for no more.
pub(crate) const MOST_LOSSES: u32 = 3;

/// How long a device is left alone after its first loss; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_millis(500);

/// How often a wait looks whether it was cancelled.
const SLICE: Duration = Duration::from_millis(20);

/// Makes a device.
pub(crate) type Opener = Box<dyn Fn() -> Result<Arc<dyn Device>, Fault> + Send + Sync>;

/// A place for one device, which jobs share; clones are the same place.
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
    losses: u32,
    rests_until: Option<Instant>,
    /// Why it could not be opened the last time.
    closed: Option<Fault>,
}

impl SharedDevice {
    pub(crate) fn new(open: Opener) -> Self {
        Self(Arc::new(Shared {
            open,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Waits for the device, which is opened if it was not; a failure to open it counts as a loss.
    pub(crate) fn device(&self, cancel: &Cancel) -> Result<Arc<dyn Device>, Fault> {
        let mut state = self.0.lock();
        loop {
            if let Some(device) = &state.device {
                return Ok(Arc::clone(device));
            }
            if !state.is_opening {
                state.may_open()?;
                state.is_opening = true;
                drop(state);
                self.start_opening();
                state = self.0.lock();
            } else {
                let waited = self.0.changed.wait_timeout(state, SLICE);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            // Whoever opened it in vain has said why.
            if !state.is_opening && state.device.is_none() {
                return Err(state.why_closed());
            }
            if cancel.is_cancelled() {
                return Err(Fault::Cancelled);
            }
        }
    }

    /// The device if it is open, and a start to open it if it may be by now; nobody waits.
    pub(crate) fn device_now(&self) -> Option<Arc<dyn Device>> {
        let mut state = self.0.lock();
        if state.device.is_none() && !state.is_opening && state.may_open().is_ok() {
            state.is_opening = true;
            drop(state);
            self.start_opening();
            state = self.0.lock();
        }
        state.device.clone()
    }

    /// Whether a device is open.
    pub(crate) fn is_there(&self) -> bool {
        self.0.lock().device.is_some()
    }

    /// Notes that the device did its work: losses before that count no more.
    pub(crate) fn record_success(&self) {
        self.0.lock().losses = 0;
    }

    /// Notes that a device failed; tells whether it will be asked for again.
    pub(crate) fn record_loss(&self, failed: &Arc<dyn Device>) -> bool {
        let mut state = self.0.lock();
        // Another job may have noticed before.
        let is_same = |device: &Arc<dyn Device>| Arc::ptr_eq(device, failed);
        if state.device.as_ref().is_some_and(is_same) {
            state.device = None;
            state.record_loss();
        }
        state.losses < MOST_LOSSES
    }

    fn start_opening(&self) {
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("keymill-open".to_owned());
        if let Err(error) = thread.spawn(move || shared.open()) {
            let fault = Fault::Refused(format!("no thread to open it: {error}"));
            self.0.opened(Err(fault));
        }
    }
}

impl Shared {
    fn open(&self) {
        let open = || (self.open)();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
        let panicked = |_| Err(Fault::Panicked("while it was opened".to_owned()));
        self.opened(caught.unwrap_or_else(panicked));
    }

    fn opened(&self, opened: Result<Arc<dyn Device>, Fault>) {
        let mut state = self.lock();
        state.is_opening = false;
        match opened {
            Ok(device) => {
                state.device = Some(device);
                state.closed = None;
            }
            Err(fault) => {
                state.record_loss();
                state.closed = Some(fault);
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
    fn may_open(&self) -> Result<(), Fault> {
        if self.losses >= MOST_LOSSES {
            let losses = self.losses;
            return Err(Fault::Lost(format!("it failed {losses} times")));
        }
        match self.rests_until.is_some_and(|until| Instant::now() < until) {
            true => Err(self.why_closed()),
            false => Ok(()),
        }
    }

    fn why_closed(&self) -> Fault {
        let moment_ago = || Fault::Lost("it failed a moment ago".to_owned());
        self.closed.clone().unwrap_or_else(moment_ago)
    }

    fn record_loss(&mut self) {
        let rest = FIRST_REST * 2u32.pow(self.losses.min(8));
        self.losses += 1;
        self.rests_until = Some(Instant::now() + rest);
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

    fn after_its_rest(shared_device: &SharedDevice) -> Result<Arc<dyn Device>, Fault> {
        shared_device.0.lock().rests_until = None;
        now(shared_device)
    }

    #[test]
    fn a_device_is_opened_once_and_asked_for_again_after_a_rest() {
        let opened = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&opened);
        let shared_device = SharedDevice::new(Box::new(move || {
            counts.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Stub::unasked(1 << 20)))
        }));
        let first = now(&shared_device).unwrap();
        assert!(Arc::ptr_eq(&first, &now(&shared_device).unwrap()));
        assert!(shared_device.record_loss(&first) && shared_device.record_loss(&first));
        assert!(shared_device.device_now().is_none());
        let fault = now(&shared_device).err().unwrap();
        assert!(fault.to_string().contains("a moment ago"), "{fault}");
        let second = after_its_rest(&shared_device).unwrap();
        assert!(shared_device.record_loss(&second));
        let third = after_its_rest(&shared_device).unwrap();
        assert!(!shared_device.record_loss(&third));
        let fault = after_its_rest(&shared_device).err().unwrap();
        assert!(fault.to_string().contains("3 times"), "{fault}");
        assert_eq!(opened.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_device_that_works_between_its_losses_is_not_given_up() {
        let shared_device = SharedDevice::new(Box::new(|| Ok(Arc::new(Stub::unasked(1 << 20)))));
        for _ in 0..2 * MOST_LOSSES {
            let device = after_its_rest(&shared_device).unwrap();
            shared_device.record_success();
            assert!(shared_device.record_loss(&device));
        }
    }

    #[test]
    fn a_device_that_cannot_be_opened_is_given_up_too() {
        let no = || Fault::Refused("no".to_owned());
        let shared_device = SharedDevice::new(Box::new(move || Err(no())));
        for _ in 0..MOST_LOSSES {
            assert_eq!(after_its_rest(&shared_device).err(), Some(no()));
        }
        assert!(matches!(
            after_its_rest(&shared_device).err(),
            Some(Fault::Lost(_))
        ));
        let shared_device = SharedDevice::new(Box::new(|| panic!("a driver")));
        assert!(matches!(
            now(&shared_device).err(),
            Some(Fault::Panicked(_))
        ));
    }

    #[test]
    fn nobody_has_to_wait_for_a_driver() {
        let (release, held) = channel::<()>();
        let held = Mutex::new(held);
        let shared_device = SharedDevice::new(Box::new(move || {
            let _ = held.lock().unwrap().recv();
            Ok(Arc::new(Stub::unasked(1 << 20)))
        }));
        assert!(shared_device.device_now().is_none() && !shared_device.is_there());
        let cancel = Cancel::default();
        cancel.cancel();
        assert_eq!(shared_device.device(&cancel).err(), Some(Fault::Cancelled));
        drop(release);
        assert!(now(&shared_device).is_ok() && shared_device.device_now().is_some());
    }
}
