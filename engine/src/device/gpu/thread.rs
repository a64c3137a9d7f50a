//! The one thread on which a device's driver is called.
//!
//! Drivers panic and hang. A panic here is a fault of the device and no more; a caller waits only
//! so long; and a thread whose driver hangs is left alone, with all that it owns.
#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Cancel;
use crate::device::Fault;

/// How long the end of a device is waited for.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How often a wait looks whether it was cancelled.
const SLICE: Duration = Duration::from_millis(20);

/// Something to do; it tells whether the driver is in a state to be called again.
type Job<C> = Box<dyn FnOnce(&mut C) -> bool + Send>;

/// A thread that owns a `C` and does one thing after the other with it.
pub(super) struct DeviceThread<C> {
    jobs: Mutex<Option<Sender<Job<C>>>>,
    ended: Mutex<Receiver<()>>,
}

impl<C: 'static> DeviceThread<C> {
    /// Starts a thread and waits until it has made its `C`, or says why it cannot.
    pub(super) fn start(
        make: impl FnOnce() -> Result<C, Fault> + Send + 'static,
    ) -> Result<Self, Fault>
    where
        C: Send,
    {
        let (jobs, queue) = channel::<Job<C>>();
        let (end, ended) = channel();
        let (made, ready) = channel();
        thread::Builder::new()
            .name("keymill-device".to_owned())
            .spawn(move || {
                let context = guarded(make);
                let fault = context.as_ref().err().cloned();
                // Whoever started this thread may have stopped waiting.
                let _ = made.send(fault);
                if let Ok(context) = context {
                    serve(context, &queue);
                }
                let _ = end.send(());
            })
            .map_err(|error| Fault::Refused(format!("no thread for it: {error}")))?;
        match ready.recv_timeout(super::OPEN_WITHIN) {
            Ok(None) => Ok(Self {
                jobs: Mutex::new(Some(jobs)),
                ended: Mutex::new(ended),
            }),
            Ok(Some(fault)) => Err(fault),
            Err(_) => Err(Fault::TimedOut),
        }
    }

    /// Has the thread do something, and waits for it so long at most.
    ///
    /// The thread does one thing at a time: what it does for another caller counts too.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        within: Duration,
        job: impl FnOnce(&mut C) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let reply = self.tell(job);
        self.wait(reply, within, &Cancel::default())
    }

    /// Has the thread do something while the caller goes on.
    pub(super) fn tell<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut C) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<T> {
        let (reply, answer) = channel();
        let job: Job<C> = Box::new(move |context| {
            let answer = guarded(|| job(context));
            let is_sound = is_sound(&answer);
            // Whoever asked may have stopped waiting.
            let _ = reply.send(answer);
            is_sound
        });
        let jobs = self.jobs.lock().ok();
        let is_told = jobs.and_then(|jobs| jobs.as_ref()?.send(job).ok());
        Reply(is_told.map(|()| answer))
    }

    /// Waits so long at most for what the thread was told to do, unless that is cancelled.
    pub(super) fn wait<T>(
        &self,
        reply: Reply<T>,
        within: Duration,
        cancel: &Cancel,
    ) -> Result<T, Fault> {
        let answer = match reply.0 {
            None => Err(gone()),
            Some(answer) => receive(&answer, within, cancel),
        };
        if !is_sound(&answer) {
            // What hangs or broke is asked nothing more.
            if let Ok(mut jobs) = self.jobs.lock() {
                *jobs = None;
            }
        }
        answer
    }
}

/// Waits in slices, between which it looks whether anybody still wants the answer.
fn receive<T>(
    answer: &Receiver<Result<T, Fault>>,
    within: Duration,
    cancel: &Cancel,
) -> Result<T, Fault> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left.min(SLICE)) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => {
                return Err(Fault::Cancelled);
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(Fault::TimedOut),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What a thread will answer; nothing where it has ended.
pub(super) struct Reply<T>(Option<Receiver<Result<T, Fault>>>);

impl<C> Drop for DeviceThread<C> {
    fn drop(&mut self) {
        let open = self.jobs.get_mut().is_ok_and(|jobs| jobs.take().is_some());
        if let (true, Ok(ended)) = (open, self.ended.get_mut()) {
            // A driver that takes longer is left behind.
            let _ = ended.recv_timeout(CLOSE_WITHIN);
        }
    }
}

/// Whether the driver is in a state to be called again, if only to be dropped.
fn is_sound<T>(answer: &Result<T, Fault>) -> bool {
    !matches!(answer, Err(Fault::TimedOut | Fault::Panicked(_)))
}

fn gone() -> Fault {
    Fault::Lost("it failed before".to_owned())
}

fn serve<C: 'static>(mut context: C, queue: &Receiver<Job<C>>) {
    while let Ok(job) = queue.recv() {
        if !job(&mut context) {
            // To drop what hangs would hang as well.
            Box::leak(Box::new(context));
            return;
        }
    }
    // Dropping a queue can panic too.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(context)));
}

/// What a job answers, or the panic it ended with.
fn guarded<T>(job: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(Fault::Panicked(said(&*panic))))
}

fn said(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_own_between_jobs() {
        let thread = DeviceThread::start(|| Ok(1)).unwrap();
        let add = |n: &mut i32| {
            *n += 1;
            Ok(*n)
        };
        assert_eq!(thread.ask(OPEN, add), Ok(2));
        assert_eq!(thread.ask(OPEN, add), Ok(3));
    }

    const OPEN: Duration = Duration::from_secs(5);

    #[test]
    fn a_panic_is_a_fault_and_the_end_of_the_device() {
        let thread = DeviceThread::start(|| Ok(())).unwrap();
        let fault = thread.ask(OPEN, |()| -> Result<(), Fault> { panic!("driver") });
        assert_eq!(fault, Err(Fault::Panicked("driver".to_owned())));
        assert!(matches!(thread.ask(OPEN, |()| Ok(())), Err(Fault::Lost(_))));
        let fault = DeviceThread::<()>::start(|| panic!("early")).err();
        assert_eq!(fault, Some(Fault::Panicked("early".to_owned())));
    }

    /// Tells when it is dropped.
    struct Driver(Sender<()>);

    impl Drop for Driver {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    /// Whether a driver is dropped with its device, after a job that ended so.
    fn drops_after(end: Result<(), Fault>) -> bool {
        let (drops, dropped) = channel();
        let thread = DeviceThread::start(|| Ok(Driver(drops))).unwrap();
        let answer = end.clone();
        assert_eq!(thread.ask(OPEN, |_| end), answer);
        drop(thread);
        dropped.recv_timeout(Duration::from_secs(1)).is_ok()
    }

    #[test]
    fn a_driver_is_dropped_unless_it_hangs() {
        assert!(drops_after(Ok(())));
        assert!(drops_after(Err(Fault::Lost("gone".to_owned()))));
        assert!(!drops_after(Err(Fault::TimedOut)));
        assert!(!drops_after(Err(Fault::Panicked("driver".to_owned()))));
    }

    #[test]
    fn nobody_waits_for_a_device_after_an_interrupt() {
        let thread = DeviceThread::start(|| Ok(())).unwrap();
        let (release, held) = channel::<()>();
        let reply = thread.tell(move |()| {
            let _ = held.recv();
            Ok(())
        });
        let cancel = Cancel::default();
        cancel.cancel();
        let began = Instant::now();
        assert_eq!(thread.wait(reply, OPEN, &cancel), Err(Fault::Cancelled));
        assert!(began.elapsed() < OPEN);
        drop(release);
        // The device itself is sound.
        assert_eq!(thread.ask(OPEN, |()| Ok(1)), Ok(1));
    }

    #[test]
    fn a_driver_that_hangs_is_left_behind() {
        let thread = DeviceThread::start(|| Ok(())).unwrap();
        let (release, held) = channel::<()>();
        let fault = thread.ask(Duration::from_millis(20), move |()| {
            let _ = held.recv();
            Ok(())
        });
        assert_eq!(fault, Err(Fault::TimedOut));
        drop(thread);
        drop(release);
    }
}
