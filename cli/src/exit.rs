//! The end of the process: exit codes, the error line on standard error, and signals.
#![forbid(unsafe_code)]

use std::error::Error as _;
use std::io;
#[cfg(unix)]
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keymill::{Cancel, Error, ErrorKind};

use crate::output;

pub(crate) const DONE: i32 = 0;
pub(crate) const FAILED: i32 = 1;
pub(crate) const WRONG_COMMAND_LINE: i32 = 2;
pub(crate) const INTERRUPTED: i32 = 130;

/// How long an interrupted job may take to end before the process exits anyway. A job may be blocked
/// on a pipe, and large tables take long to free.
const GRACE: Duration = Duration::from_millis(10);

/// How long a job may take to end that keeps its results.
const PATIENCE: Duration = Duration::from_secs(10);

/// Exits at once, without freeing memory and without exit handlers. A driver that runs on another
/// thread would crash when its library is unloaded. No buffer must be flushed here.
#[cfg(unix)]
pub(crate) fn end(code: i32) -> ! {
    signal_hook::low_level::exit(code)
}

#[cfg(not(unix))]
pub(crate) fn end(code: i32) -> ! {
    std::process::exit(code)
}

/// Writes the error to standard error, if it is not a closed pipe or a cancellation, and returns the
/// exit code.
pub(crate) fn report(error: &Error) -> i32 {
    if is_closed_pipe(error) {
        return DONE;
    }
    let code = match error.kind() {
        ErrorKind::Cancelled => return INTERRUPTED,
        ErrorKind::Config => WRONG_COMMAND_LINE,
        _ => FAILED,
    };
    // Not `eprintln!`, which panics if standard error is closed.
    let _ = io::Write::write_all(&mut io::stderr(), format!("keymill: {error}\n").as_bytes());
    code
}

/// Returns whether the reader of the output has closed the pipe, as `head` does.
fn is_closed_pipe(error: &Error) -> bool {
    error.kind() == ErrorKind::Sink
        && error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Installs handlers that stop the job on interrupt, termination and hang-up.
pub(crate) fn stop_on_signal(cancel: &Cancel) {
    let cancel = cancel.clone();
    on_signals(move || stop(&cancel));
}

/// Installs handlers that ask a job to end early and to keep its results. A second signal ends the
/// process at once, as does the end of the time that a job may take to end.
pub(crate) fn cancel_on_signal(cancel: &Cancel) {
    let cancel = cancel.clone();
    on_signals(move || {
        if cancel.is_cancelled() {
            output::leave_nothing(|| end(INTERRUPTED));
        }
        cancel.cancel();
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            output::leave_nothing(|| end(INTERRUPTED))
        });
    });
}

/// Calls `run` on a thread of its own at every interrupt, termination and hang-up.
#[cfg(unix)]
pub(crate) fn on_signals(run: impl Fn() + Send + 'static) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

    // At the limit of the file size a write then fails, as on a full disk.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    // `nohup` ignores hang-ups, and that is respected. Shells also start background jobs with
    // interrupts ignored, but an interrupt that is sent to such a job must stop it.
    let wanted: &[i32] = match is_ignored(SIGHUP) {
        true => &[SIGINT, SIGTERM],
        false => &[SIGINT, SIGTERM, SIGHUP],
    };
    // Without a handler the default action ends the process as well.
    let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) else {
        return;
    };
    let wait = move || signals.forever().for_each(|_| run());
    let _ = thread::Builder::new()
        .name("keymill-signals".to_owned())
        .spawn(wait);
}

/// Calls `run` on a thread of its own at every interrupt.
#[cfg(not(unix))]
pub(crate) fn on_signals(run: impl Fn() + Send + 'static) {
    let _ = ctrlc::set_handler(run);
}

fn stop(cancel: &Cancel) -> ! {
    cancel.cancel();
    thread::sleep(GRACE);
    output::leave_nothing(|| end(INTERRUPTED))
}

/// Returns whether this process was started with a signal ignored.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // A mask with one bit per signal. The lowest bit is signal 1.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_kinds_have_exit_codes() {
        for (kind, code) in [
            (ErrorKind::Cancelled, INTERRUPTED),
            (ErrorKind::Config, WRONG_COMMAND_LINE),
            (ErrorKind::Source, FAILED),
            (ErrorKind::Sink, FAILED),
            (ErrorKind::Internal, FAILED),
        ] {
            assert_eq!(report(&Error::new(kind, "a test of exit codes")), code);
        }
    }

    #[test]
    fn only_outputs_are_checked_for_a_closed_pipe() {
        let error =
            |kind| Error::new(kind, "x").with_source(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(report(&error(ErrorKind::Sink)), DONE);
        assert_eq!(report(&error(ErrorKind::Source)), FAILED);
    }
}
