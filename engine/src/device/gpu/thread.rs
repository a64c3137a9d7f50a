//! The thread that makes all driver calls of a device.
//!
//! Drivers panic and hang. A panic on this thread becomes a fault. Callers wait for a limited time.
//! If the driver hangs, the thread and everything it owns is leaked.
#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Cancel;
use crate::device::Fault;

/// How long a drop waits for the thread to end.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How often a wait checks for cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A job for the thread. It returns whether the driver can still be called.
type Job<C> = Box<dyn FnOnce(&mut C) -> bool + Send>;

/// A thread that owns a `C` and runs one job after the other on it.
pub(super) struct DeviceThread<C> {
    jobs: Mutex<Option<Sender<Job<C>>>>,
    ended: Mutex<Receiver<()>>,
}

impl<C: 'static> DeviceThread<C> {
    /// Starts a thread, and waits until it has created its `C` or failed.
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
                let context = catch_panic(make);
                let fault = context.as_ref().err().cloned();
                // The caller may have stopped waiting.
                let _ = made.send(fault);
                if let Ok(context) = context {
                    serve(context, &queue);
                }
                let _ = end.send(());
            })
            .map_err(|error| Fault::Refused(format!("cannot start a thread for it: {error}")))?;
        match ready.recv_timeout(super::OPEN_WITHIN) {
            Ok(None) => Ok(Self {
                jobs: Mutex::new(Some(jobs)),
                ended: Mutex::new(ended),
            }),
            Ok(Some(fault)) => Err(fault),
            Err(_) => Err(Fault::TimedOut),
        }
    }

    /// Runs a job on the thread and waits for the result, at most `within`.
    ///
    /// The thread runs one job at a time, so the wait includes earlier jobs of other callers.
    pub(super) fn call<T: Send + 'static>(
        &self,
        within: Duration,
        job: impl FnOnce(&mut C) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let reply = self.send_job(job);
        self.wait(reply, within, &Cancel::default())
    }

    /// Sends a job to the thread without waiting.
    pub(super) fn send_job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut C) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<T> {
        let (reply, answer) = channel();
        let job: Job<C> = Box::new(move |context| {
            let answer = catch_panic(|| job(context));
            let is_usable = is_usable(&answer);
            // The caller may have stopped waiting.
            let _ = reply.send(answer);
            is_usable
        });
        let jobs = self.jobs.lock().ok();
        let is_sent = jobs.and_then(|jobs| jobs.as_ref()?.send(job).ok());
        Reply(is_sent.map(|()| answer))
    }

    /// Waits for the result of a job, at most `within` and until the job is cancelled.
    pub(super) fn wait<T>(
        &self,
        reply: Reply<T>,
        within: Duration,
        cancel: &Cancel,
    ) -> Result<T, Fault> {
        let answer = match reply.0 {
            None => Err(failed_before()),
            Some(answer) => receive(&answer, within, cancel),
        };
        if !is_usable(&answer) {
            // No further jobs are sent to a driver that hangs or panicked.
            if let Ok(mut jobs) = self.jobs.lock() {
                *jobs = None;
            }
        }
        answer
    }
}

/// Waits in short intervals, and checks for cancellation between them.
fn receive<T>(
    answer: &Receiver<Result<T, Fault>>,
    within: Duration,
    cancel: &Cancel,
) -> Result<T, Fault> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left.min(POLL_INTERVAL)) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => return Err(failed_before()),
            Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => {
                return Err(Fault::Cancelled);
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(Fault::TimedOut),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The future result of a job, or `None` if the thread has ended.
pub(super) struct Reply<T>(Option<Receiver<Result<T, Fault>>>);

impl<C> Drop for DeviceThread<C> {
    fn drop(&mut self) {
        let open = self.jobs.get_mut().is_ok_and(|jobs| jobs.take().is_some());
        if let (true, Ok(ended)) = (open, self.ended.get_mut()) {
            // A driver that takes longer is leaked.
            let _ = ended.recv_timeout(CLOSE_WITHIN);
        }
    }
}

/// Tells whether the driver can still be called, if only to drop it.
fn is_usable<T>(answer: &Result<T, Fault>) -> bool {
    !matches!(answer, Err(Fault::TimedOut | Fault::Panicked(_)))
}

fn failed_before() -> Fault {
    Fault::Lost("the device failed earlier".to_owned())
}

fn serve<C: 'static>(mut context: C, queue: &Receiver<Job<C>>) {
    while let Ok(job) = queue.recv() {
        if !job(&mut context) {
            // Dropping a driver that hangs would hang too.
            Box::leak(Box::new(context));
            return;
        }
    }
    // Dropping the driver can panic too.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(context)));
}

/// Runs a job, and returns a fault if it panics.
fn catch_panic<T>(job: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|panic| Err(Fault::Panicked(panic_message(&*panic))))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
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
    fn the_context_is_kept_between_jobs() {
        let thread = DeviceThread::start(|| Ok(1)).unwrap();
        let add = |n: &mut i32| {
            *n += 1;
            Ok(*n)
        };
        assert_eq!(thread.call(OPEN, add), Ok(2));
        assert_eq!(thread.call(OPEN, add), Ok(3));
    }

    const OPEN: Duration = Duration::from_secs(5);

    #[test]
    fn a_panic_is_a_fault_and_ends_the_device() {
        let thread = DeviceThread::start(|| Ok(())).unwrap();
        let fault = thread.call(OPEN, |()| -> Result<(), Fault> { panic!("driver") });
        assert_eq!(fault, Err(Fault::Panicked("driver".to_owned())));
        assert!(matches!(
            thread.call(OPEN, |()| Ok(())),
            Err(Fault::Lost(_))
        ));
        let fault = DeviceThread::<()>::start(|| panic!("early")).err();
        assert_eq!(fault, Some(Fault::Panicked("early".to_owned())));
    }

    /// Sends a message when it is dropped.
    struct Driver(Sender<()>);

    impl Drop for Driver {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    /// Tells whether a driver is dropped with its device after a job with this result.
    fn is_dropped_after(end: Result<(), Fault>) -> bool {
        let (drops, dropped) = channel();
        let thread = DeviceThread::start(|| Ok(Driver(drops))).unwrap();
        let answer = end.clone();
        assert_eq!(thread.call(OPEN, |_| end), answer);
        drop(thread);
        dropped.recv_timeout(Duration::from_secs(1)).is_ok()
    }

    #[test]
    fn a_driver_is_dropped_unless_it_hangs() {
        assert!(is_dropped_after(Ok(())));
        assert!(is_dropped_after(Err(Fault::Lost("gone".to_owned()))));
        assert!(!is_dropped_after(Err(Fault::TimedOut)));
        assert!(!is_dropped_after(Err(Fault::Panicked("driver".to_owned()))));
    }

    #[test]
    fn a_cancelled_job_stops_waiting() {
        let thread = DeviceThread::start(|| Ok(())).unwrap();
        let (release, held) = channel::<()>();
        let reply = thread.send_job(move |()| {
            let _ = held.recv();
            Ok(())
        });
        let cancel = Cancel::default();
        cancel.cancel();
        let began = Instant::now();
        assert_eq!(thread.wait(reply, OPEN, &cancel), Err(Fault::Cancelled));
        assert!(began.elapsed() < OPEN);
        drop(release);
        // The device still works.
        assert_eq!(thread.call(OPEN, |()| Ok(1)), Ok(1));
    }

    #[test]
    fn a_driver_that_hangs_is_leaked() {
        let thread = DeviceThread::start(|| Ok(())).unwrap();
        let (release, held) = channel::<()>();
        let fault = thread.call(Duration::from_millis(20), move |()| {
            let _ = held.recv();
            Ok(())
        });
        assert_eq!(fault, Err(Fault::TimedOut));
        drop(thread);
        drop(release);
    }
}
