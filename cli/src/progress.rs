//! A progress bar on a terminal for jobs that take longer than a second.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressStyle};
use keymill::Progress;

/// How long a job runs before the bar is shown.
const DELAY: Duration = Duration::from_secs(1);

/// Time between two updates.
const STEP: Duration = Duration::from_millis(100);

const KNOWN: &str = "{wide_bar} {decimal_bytes}/{decimal_total_bytes}  {msg}";
const UNKNOWN: &str = "{spinner} {decimal_bytes}  {msg}  {elapsed}";
const READ: &str = "{spinner} {decimal_bytes} read; ordering and writing  {elapsed}";

/// A progress bar that is shown until it is dropped.
pub(crate) struct Bar {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Bar {
    /// Starts to show a job's progress, if standard error is a terminal.
    pub(crate) fn start(progress: &Progress, is_watched: bool) -> Self {
        if !is_watched || !io::stderr().is_terminal() {
            return Self { running: None };
        }
        let (stop, stopped) = mpsc::channel();
        let progress = progress.clone();
        let watch = move || {
            if stopped.recv_timeout(DELAY) == Err(RecvTimeoutError::Timeout) {
                draw(&progress, || {
                    stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout)
                });
            }
        };
        // A job runs without a bar if no thread can be started.
        let thread = thread::Builder::new()
            .name("keymill-bar".to_owned())
            .spawn(watch);
        Self {
            running: thread.ok().map(|thread| (stop, thread)),
        }
    }

    /// Removes the bar.
    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.stop();
    }
}

fn draw(progress: &Progress, keeps_running: impl Fn() -> bool) {
    let bar = ProgressBar::no_length().with_elapsed(DELAY);
    let mut shown = "";
    while {
        let wanted = template(progress);
        if wanted != shown {
            shown = wanted;
            restyle(&bar, wanted);
        }
        if let Some(total) = progress.total() {
            bar.set_length(total);
        }
        bar.set_position(progress.bytes());
        bar.set_message(rate_and_rest(
            progress.bytes(),
            progress.total(),
            bar.elapsed(),
        ));
        bar.tick();
        keeps_running()
    } {}
    bar.finish_and_clear();
}

/// Returns the average rate since the start, and the remaining time at this rate.
fn rate_and_rest(bytes: u64, total: Option<u64>, elapsed: Duration) -> String {
    let rate = bytes as f64 / elapsed.as_secs_f64();
    let rest = total.and_then(|total| {
        let left = total.saturating_sub(bytes) as f64 / rate;
        Duration::try_from_secs_f64(left.ceil()).ok()
    });
    let rate = DecimalBytes(rate as u64);
    match rest {
        Some(rest) => format!("{rate}/s  {} left", HumanDuration(rest)),
        None => format!("{rate}/s"),
    }
}

fn template(progress: &Progress) -> &'static str {
    match progress.total() {
        Some(total) if progress.bytes() < total => KNOWN,
        Some(_) => READ,
        None => UNKNOWN,
    }
}

fn restyle(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_average_since_the_start() {
        let shown = |bytes, total| rate_and_rest(bytes, total, Duration::from_secs(2));
        assert_eq!(
            shown(4_000_000, Some(10_000_000)),
            "2.00 MB/s  3 seconds left"
        );
        assert_eq!(shown(4_000_000, None), "2.00 MB/s");
        // The remaining time is unknown before the first byte.
        assert_eq!(shown(0, Some(10)), "0 B/s");
    }

    #[test]
    fn the_templates_are_valid() {
        for template in [KNOWN, UNKNOWN, READ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
