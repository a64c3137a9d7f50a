//! Decides whether a device joins a job. No other code makes this decision.
//!
//! A device joins if it counts faster than the thread that feeds it. Its cost is measured once and
//! cached, and every job that uses it updates the cost. The join and leave thresholds differ, so
//! that small changes of speed do not change the decision. A device that did not join is measured
//! again after some jobs.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

/// Smaller inputs are counted on the CPU, and no driver is loaded.
pub(crate) const MIN_INPUT_BYTES: u64 = 32 << 20;

/// A device joins if its rate is at least this multiple of a thread's rate, and leaves if its rate
/// is below `LEAVE_RATIO`.
const JOIN_RATIO: f64 = 1.25;
const LEAVE_RATIO: f64 = 0.8;

/// A device that did not join is measured again after this number of jobs.
const REMEASURE_AFTER: u32 = 16;

/// The weight of the old cost when a new measurement is added.
const OLD_WEIGHT: f64 = 0.5;

/// The measured cost of a kind of job on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Seconds to start, for any size.
    pub(crate) launch: f64,
    /// Seconds per byte.
    pub(crate) per_byte: f64,
    /// The number of jobs that did not use the device since the measurement.
    pub(crate) jobs_skipped: u32,
}

/// Whether a device joins a job, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Joins(String),
    StaysOut(String),
}

impl Cost {
    /// Fits a line through the times of two sizes.
    pub(crate) fn fit(small: (u64, Duration), large: (u64, Duration)) -> Self {
        let bytes = large.0.saturating_sub(small.0).max(1) as f64;
        let per_byte = (large.1.as_secs_f64() - small.1.as_secs_f64()).max(0.0) / bytes;
        // If the larger size was not slower, a share of its time is the cost per byte.
        let per_byte = per_byte.max(large.1.as_secs_f64() / large.0.max(1) as f64 / 16.0);
        Self {
            launch: (small.1.as_secs_f64() - per_byte * small.0 as f64).max(0.0),
            per_byte,
            jobs_skipped: 0,
        }
    }

    /// Returns the predicted time in seconds.
    pub(crate) fn time(&self, bytes: u64) -> f64 {
        self.launch + self.per_byte * bytes as f64
    }

    /// Updates the cost per byte with the time of a job.
    pub(crate) fn update(&mut self, bytes: u64, took: Duration) {
        if bytes == 0 {
            return;
        }
        let measured = (took.as_secs_f64() - self.launch).max(0.0) / bytes as f64;
        self.per_byte = self.per_byte * OLD_WEIGHT + measured * (1.0 - OLD_WEIGHT);
        self.jobs_skipped = 0;
    }

    /// Tells whether the device must be measured again.
    pub(crate) fn is_stale(&self) -> bool {
        self.jobs_skipped >= REMEASURE_AFTER
    }
}

/// Checks that the input is large enough for a device. An unbounded input is.
pub(crate) fn check_input_size(input: Option<u64>) -> Result<(), String> {
    match input {
        Some(bytes) if bytes < MIN_INPUT_BYTES => Err(format!(
            "cpu: an input of {} is below {}, the smallest input for a GPU",
            HumanBytes(bytes as f64),
            HumanBytes(MIN_INPUT_BYTES as f64)
        )),
        _ => Ok(()),
    }
}

/// Decides whether a device joins a job with `left` bytes to count. `thread_rate` is the bytes per
/// second of one CPU thread.
pub(crate) fn decide(name: &str, cost: &Cost, left: Option<u64>, thread_rate: f64) -> Verdict {
    let bytes = left.unwrap_or(u64::MAX >> 1).max(1);
    let rate = bytes as f64 / cost.time(bytes);
    let says = format!(
        "{name}: predicted {}/s, one CPU thread {}/s",
        HumanBytes(rate),
        HumanBytes(thread_rate)
    );
    match rate > thread_rate * JOIN_RATIO {
        true => Verdict::Joins(format!("{says}: it joins")),
        false => Verdict::StaysOut(format!("{says}: it is not faster")),
    }
}

/// Tells whether a device that has joined must leave.
pub(crate) fn should_leave(device_rate: f64, thread_rate: f64) -> bool {
    device_rate < thread_rate * LEAVE_RATIO
}

/// A number of bytes, printed as MB, GB or TB.
pub(crate) struct HumanBytes(pub(crate) f64);

impl fmt::Display for HumanBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1e6 {
            many if many >= 1e6 => write!(f, "{:.1} TB", many / 1e6),
            many if many >= 1e3 => write!(f, "{:.1} GB", many / 1e3),
            few if few >= 10.0 => write!(f, "{few:.0} MB"),
            less => write!(f, "{less:.2} MB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn cost(launch: f64, rate: f64) -> Cost {
        Cost {
            launch,
            per_byte: 1.0 / rate,
            jobs_skipped: 0,
        }
    }

    #[test]
    fn a_cost_is_a_line_through_two_sizes() {
        let small = (MIB, Duration::from_micros(1_100));
        let large = (5 * MIB, Duration::from_micros(1_500));
        let cost = Cost::fit(small, large);
        assert!((cost.launch - 0.001).abs() < 1e-6, "{cost:?}");
        assert!((cost.time(9 * MIB) - 0.0019).abs() < 1e-6, "{cost:?}");
        // A time that decreases with the size does not make the device infinitely fast.
        let cost = Cost::fit(large, small);
        assert!(cost.per_byte > 0.0, "{cost:?}");
    }

    #[test]
    fn small_inputs_load_no_driver() {
        let why = check_input_size(Some(5_000_000)).unwrap_err();
        assert!(why.contains("5.00 MB") && why.contains("34 MB"), "{why}");
        assert!(check_input_size(Some(MIN_INPUT_BYTES)).is_ok() && check_input_size(None).is_ok());
    }

    #[test]
    fn a_device_joins_only_if_it_is_clearly_faster_than_a_thread() {
        let joins = |cost: &Cost, left| matches!(decide("x", cost, left, 2e9), Verdict::Joins(_));
        assert!(joins(&cost(1e-3, 20e9), None));
        assert!(!joins(&cost(1e-3, 2.2e9), None));
        // The remaining input is too small for the time to start.
        assert!(!joins(&cost(50e-3, 20e9), Some(64 * MIB)));
        assert!(!should_leave(1.9e9, 2e9) && should_leave(1.5e9, 2e9));
        let Verdict::StaysOut(why) = decide("llvmpipe", &cost(0.0, 2e8), None, 2e9) else {
            panic!("it joined");
        };
        assert!(
            why.contains("200 MB/s") && why.contains("2.0 GB/s"),
            "{why}"
        );
    }

    #[test]
    fn measurements_update_the_cost() {
        let mut known = cost(0.0, 10e9);
        for _ in 0..20 {
            known.update(1_000_000_000, Duration::from_secs(1));
        }
        assert!((known.per_byte * 1e9 - 1.0).abs() < 0.01, "{known:?}");
        known.update(0, Duration::from_secs(9));
        assert!(known.per_byte < 1.1e-9 && !known.is_stale());
        known.jobs_skipped = REMEASURE_AFTER;
        assert!(known.is_stale());
    }
}
