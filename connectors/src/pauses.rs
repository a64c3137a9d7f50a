//! Pauses between attempts.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// The longest pause, whatever a receiver asks for.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest pause that nobody asks for.
const LONGEST_OWN: Duration = Duration::from_secs(5);

/// Pauses between attempts that fail, longer each time.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    failures: u32,
    not_before: Option<Instant>,
}

impl Pauses {
    /// Waits until the next attempt is due.
    pub(crate) fn wait(&mut self) {
        if let Some(time) = self.not_before.take() {
            std::thread::sleep(time.saturating_duration_since(Instant::now()));
        }
    }

    /// Notes a failure: the next attempt comes later, and not before `least`.
    pub(crate) fn lengthen(&mut self, least: Duration) {
        let pause = Duration::from_millis(100 << self.failures.min(6));
        let pause = pause.min(LONGEST_OWN).max(least).min(LONGEST);
        self.not_before = Some(Instant::now() + pause);
        self.failures += 1;
    }

    /// Notes a success.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}
