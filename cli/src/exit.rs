//! How the process ends: exit codes, the line on standard error, and signals.
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

/// How long an interrupted job may take to end by itself, before the process ends without it: a job
/// may be waiting for a reader, and large tables take long to give back.
const GRACE: Duration = Duration::from_millis(10);

/// Ends the process at once, without waiting for memory to be given back piece by piece. A driver may
/// be at work on a thread of its own, and fails if its library is taken down around it. Nothing is
/// buffered here that would have to be written.
#[cfg(unix)]
pub(crate) fn end(code: i32) -> ! {
    signal_hook::low_level::exit(code)
}

#[cfg(not(unix))]
pub(crate) fn end(code: i32) -> ! {
    std::process::exit(code)
}

/// Says what went wrong, if somebody needs to know, and gives the exit code for it.
pub(crate) fn report(error: &Error) -> i32 {
    if is_closed_pipe(error) {
        return DONE;
    }
    let code = match error.kind() {
        ErrorKind::Cancelled => return INTERRUPTED,
        ErrorKind::Config => WRONG_COMMAND_LINE,
        _ => FAILED,
    };
    // Not `eprintln!`, which panics where standard error is closed.
    let _ = io::Write::write_all(&mut io::stderr(), format!("keymill: {error}\n").as_bytes());
    code
}

/// Tells whether the reader of the output went away, as `head` does when it has seen enough.
fn is_closed_pipe(error: &Error) -> bool {
    error.kind() == ErrorKind::Sink
        && error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Makes interrupt, termination and hang-up stop the job, in good order if it can be had at once.
#[cfg(unix)]
pub(crate) fn stop_on_signal(cancel: &Cancel) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

    // A file that may not grow is an error of the write, as a full disk is.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    // `nohup` asks for a hang-up to be ignored. A script's background jobs are started with
    // interrupts ignored as well, but one that is sent there is meant.
    let wanted: &[i32] = match is_ignored(SIGHUP) {
        true => &[SIGINT, SIGTERM],
        false => &[SIGINT, SIGTERM, SIGHUP],
    };
    // Without a handler the signal's own action stands, which ends the process as well.
    let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) else {
        return;
    };
    let cancel = cancel.clone();
    let wait = move || {
        if signals.forever().next().is_some() {
            stop(&cancel);
        }
    };
    let _ = thread::Builder::new()
        .name("keymill-signals".to_owned())
        .spawn(wait);
}

/// Makes an interrupt stop the job, in good order if it can be had at once.
#[cfg(not(unix))]
pub(crate) fn stop_on_signal(cancel: &Cancel) {
    let cancel = cancel.clone();
    let _ = ctrlc::set_handler(move || stop(&cancel));
}

fn stop(cancel: &Cancel) -> ! {
    cancel.cancel();
    thread::sleep(GRACE);
    output::leave_nothing(|| end(INTERRUPTED))
}

/// Tells whether whoever started this process ignores a signal.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // One bit a signal, the lowest for signal 1.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_codes() {
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
    fn only_an_output_may_be_a_closed_pipe() {
        let error =
            |kind| Error::new(kind, "x").with_source(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(report(&error(ErrorKind::Sink)), DONE);
        assert_eq!(report(&error(ErrorKind::Source)), FAILED);
    }
}
