//! A bar on standard error for what takes longer than a second, where a person watches.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressStyle};
use keymill::Progress;

/// How long a job runs before it gets a bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a bar stands before it moves.
const STEP: Duration = Duration::from_millis(100);

const KNOWN: &str = "{wide_bar} {decimal_bytes}/{decimal_total_bytes}  {msg}";
const UNKNOWN: &str = "{spinner} {decimal_bytes}  {msg}  {elapsed}";
const READ: &str = "{spinner} {decimal_bytes} read; ordering and writing  {elapsed}";

/// A bar that is shown until it is dropped.
pub(crate) struct Bar {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Bar {
    /// Starts to watch a job, if anybody watches the bar.
    pub(crate) fn start(progress: &Progress, is_watched: bool) -> Self {
        if !is_watched || !io::stderr().is_terminal() {
            return Self { running: None };
        }
        let (stop, stopped) = mpsc::channel();
        let progress = progress.clone();
        let watch = move || {
            if stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                draw(&progress, || {
                    stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout)
                });
            }
        };
        // A job does not fail for want of a bar.
        let thread = thread::Builder::new()
            .name("keymill-bar".to_owned())
            .spawn(watch);
        Self {
            running: thread.ok().map(|thread| (stop, thread)),
        }
    }

    /// Takes the bar away.
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

fn draw(progress: &Progress, goes_on: impl Fn() -> bool) {
    let bar = ProgressBar::no_length().with_elapsed(PATIENCE);
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
        bar.set_message(pace(progress.bytes(), progress.total(), bar.elapsed()));
        bar.tick();
        goes_on()
    } {}
    bar.finish_and_clear();
}

/// How fast it went from the start on, and how long the rest takes at that rate.
fn pace(bytes: u64, total: Option<u64>, elapsed: Duration) -> String {
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
    fn the_pace_is_that_since_the_start() {
        let pace = |bytes, total| pace(bytes, total, Duration::from_secs(2));
        assert_eq!(
            pace(4_000_000, Some(10_000_000)),
            "2.00 MB/s  3 seconds left"
        );
        assert_eq!(pace(4_000_000, None), "2.00 MB/s");
        // Nothing was read yet: who knows.
        assert_eq!(pace(0, Some(10)), "0 B/s");
    }

    #[test]
    fn the_templates_are_templates() {
        for template in [KNOWN, UNKNOWN, READ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
