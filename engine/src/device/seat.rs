//! The device of an engine: opened when it is first needed, asked for again after a loss, and given
//! up after several.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Device, Fault};

/// Losses after which a device is asked for no more.
pub(crate) const MOST_LOSSES: u32 = 3;

/// How long a device is left alone after its first loss; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_millis(500);

/// Makes a device.
pub(crate) type Opener = Box<dyn Fn() -> Result<Arc<dyn Device>, Fault> + Send + Sync>;

/// A place for one device, which jobs share.
pub(crate) struct Seat {
    open: Opener,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    device: Option<Arc<dyn Device>>,
    losses: u32,
    rests_until: Option<Instant>,
    /// Why it could not be opened the last time.
    closed: Option<Fault>,
}

impl Seat {
    pub(crate) fn new(open: Opener) -> Self {
        Self {
            open,
            state: Mutex::default(),
        }
    }

    /// The device, if it can be used now; it is opened if it was not, and a failure to open it
    /// counts as a loss.
    pub(crate) fn device(&self) -> Result<Arc<dyn Device>, Fault> {
        let mut state = self.lock();
        if let Some(device) = &state.device {
            return Ok(Arc::clone(device));
        }
        if state.losses >= MOST_LOSSES {
            let losses = state.losses;
            return Err(Fault::Lost(format!("it failed {losses} times")));
        }
        if state
            .rests_until
            .is_some_and(|until| Instant::now() < until)
        {
            let moment_ago = || Fault::Lost("it failed a moment ago".to_owned());
            return Err(state.closed.clone().unwrap_or_else(moment_ago));
        }
        match (self.open)() {
            Ok(device) => {
                state.device = Some(Arc::clone(&device));
                state.closed = None;
                Ok(device)
            }
            Err(fault) => {
                state.lose();
                state.closed = Some(fault.clone());
                Err(fault)
            }
        }
    }

    /// Whether a device is open.
    pub(crate) fn is_there(&self) -> bool {
        self.lock().device.is_some()
    }

    /// Notes that a device failed; tells whether it will be asked for again.
    pub(crate) fn lose(&self, failed: &Arc<dyn Device>) -> bool {
        let mut state = self.lock();
        // Another job may have noticed before.
        if state
            .device
            .as_ref()
            .is_some_and(|device| Arc::ptr_eq(device, failed))
        {
            state.device = None;
            state.lose();
        }
        state.losses < MOST_LOSSES
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self) {
        let rest = FIRST_REST * 2u32.pow(self.losses.min(8));
        self.losses += 1;
        self.rests_until = Some(Instant::now() + rest);
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::device::stub::Stub;

    fn after_its_rest(seat: &Seat) -> Result<Arc<dyn Device>, Fault> {
        seat.lock().rests_until = None;
        seat.device()
    }

    #[test]
    fn a_device_is_opened_once_and_asked_for_again_after_a_rest() {
        let opened = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&opened);
        let seat = Seat::new(Box::new(move || {
            counts.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Stub::unasked(1 << 20)))
        }));
        let first = seat.device().unwrap();
        assert!(Arc::ptr_eq(&first, &seat.device().unwrap()));
        assert!(seat.lose(&first) && seat.lose(&first));
        let fault = seat.device().err().unwrap();
        assert!(fault.to_string().contains("a moment ago"), "{fault}");
        let second = after_its_rest(&seat).unwrap();
        assert!(seat.lose(&second));
        let third = after_its_rest(&seat).unwrap();
        assert!(!seat.lose(&third));
        let fault = after_its_rest(&seat).err().unwrap();
        assert!(fault.to_string().contains("3 times"), "{fault}");
        assert_eq!(opened.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_device_that_cannot_be_opened_is_given_up_too() {
        let no = || Fault::Refused("no".to_owned());
        let seat = Seat::new(Box::new(move || Err(no())));
        for _ in 0..MOST_LOSSES {
            assert_eq!(after_its_rest(&seat).err(), Some(no()));
        }
        assert!(matches!(after_its_rest(&seat).err(), Some(Fault::Lost(_))));
    }
}
