//! Whether a device pays: the one place that decides.
//!
//! A device is worth its while where it counts faster than the thread that feeds it would. What is
//! known of it comes from a first measurement, which is kept, and from every job that it takes part
//! in. It must be a good deal better to be taken, and a good deal worse to be left; and now and then
//! one that did not pay is measured again.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

/// Input below so many bytes is counted before any driver has answered.
pub(crate) const SMALLEST: u64 = 32 << 20;

/// How much faster than a thread a device must be to be taken, and how much slower to be left.
const TO_JOIN: f64 = 1.25;
const TO_LEAVE: f64 = 0.8;

/// After so many jobs without a device that did not pay it is measured again.
const SKIPS: u32 = 16;

/// How much of what was known is kept when something new is measured.
const MEMORY: f64 = 0.5;

/// What a kind of job takes on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Seconds, whatever the size.
    pub(crate) launch: f64,
    /// Seconds for each byte.
    pub(crate) per_byte: f64,
    /// Jobs in which it was not taken since it was measured.
    pub(crate) skipped: u32,
}

/// Whether a device takes part, and why, in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Joins(String),
    StaysOut(String),
}

impl Cost {
    /// From what two sizes took.
    pub(crate) fn of(small: (u64, Duration), large: (u64, Duration)) -> Self {
        let bytes = large.0.saturating_sub(small.0).max(1) as f64;
        let per_byte = (large.1.as_secs_f64() - small.1.as_secs_f64()).max(0.0) / bytes;
        // Where the larger one was no slower, all of it is taken for the bytes.
        let per_byte = per_byte.max(large.1.as_secs_f64() / large.0.max(1) as f64 / 16.0);
        Self {
            launch: (small.1.as_secs_f64() - per_byte * small.0 as f64).max(0.0),
            per_byte,
            skipped: 0,
        }
    }

    /// What so many bytes take, in seconds.
    pub(crate) fn time(&self, bytes: u64) -> f64 {
        self.launch + self.per_byte * bytes as f64
    }

    /// Takes in what a job took.
    pub(crate) fn learn(&mut self, bytes: u64, took: Duration) {
        if bytes == 0 {
            return;
        }
        let measured = (took.as_secs_f64() - self.launch).max(0.0) / bytes as f64;
        self.per_byte = self.per_byte * MEMORY + measured * (1.0 - MEMORY);
        self.skipped = 0;
    }

    /// Whether it is time to measure it again.
    pub(crate) fn is_stale(&self) -> bool {
        self.skipped >= SKIPS
    }
}

/// Whether any driver is worth a look for so much input; an input without end is.
pub(crate) fn look_at_devices(input: Option<u64>) -> Result<(), String> {
    match input {
        Some(bytes) if bytes < SMALLEST => Err(format!(
            "cpu: an input of {} is below {}, where no device pays",
            Megabytes(bytes as f64),
            Megabytes(SMALLEST as f64)
        )),
        _ => Ok(()),
    }
}

/// Whether a device joins, given what so many bytes a second a thread counts.
pub(crate) fn decide(name: &str, cost: &Cost, left: Option<u64>, thread_rate: f64) -> Verdict {
    let bytes = left.unwrap_or(u64::MAX >> 1).max(1);
    let rate = bytes as f64 / cost.time(bytes);
    let says = format!(
        "{name}: predicted {}/s, a thread counts {}/s",
        Megabytes(rate),
        Megabytes(thread_rate)
    );
    match rate > thread_rate * TO_JOIN {
        true => Verdict::Joins(format!("{says}: it joins")),
        false => Verdict::StaysOut(format!("{says}: it does not pay")),
    }
}

/// Whether a device that has joined should leave again.
pub(crate) fn should_leave(device_rate: f64, thread_rate: f64) -> bool {
    device_rate < thread_rate * TO_LEAVE
}

/// Bytes as people read them.
pub(crate) struct Megabytes(pub(crate) f64);

impl fmt::Display for Megabytes {
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
            skipped: 0,
        }
    }

    #[test]
    fn a_line_is_drawn_through_two_sizes() {
        let small = (MIB, Duration::from_micros(1_100));
        let large = (5 * MIB, Duration::from_micros(1_500));
        let cost = Cost::of(small, large);
        assert!((cost.launch - 0.001).abs() < 1e-6, "{cost:?}");
        assert!((cost.time(9 * MIB) - 0.0019).abs() < 1e-6, "{cost:?}");
        // A clock that jumps makes no device infinitely fast.
        let cost = Cost::of(large, small);
        assert!(cost.per_byte > 0.0, "{cost:?}");
    }

    #[test]
    fn small_inputs_touch_no_driver() {
        let why = look_at_devices(Some(5_000_000)).unwrap_err();
        assert!(why.contains("5.00 MB") && why.contains("34 MB"), "{why}");
        assert!(look_at_devices(Some(SMALLEST)).is_ok() && look_at_devices(None).is_ok());
    }

    #[test]
    fn a_device_joins_that_is_a_good_deal_faster_than_a_thread() {
        let joins = |cost: &Cost, left| matches!(decide("x", cost, left, 2e9), Verdict::Joins(_));
        assert!(joins(&cost(1e-3, 20e9), None));
        assert!(!joins(&cost(1e-3, 2.2e9), None));
        // What is left is too little for what it takes to begin.
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
    fn what_is_measured_moves_what_is_known() {
        let mut known = cost(0.0, 10e9);
        for _ in 0..20 {
            known.learn(1_000_000_000, Duration::from_secs(1));
        }
        assert!((known.per_byte * 1e9 - 1.0).abs() < 0.01, "{known:?}");
        known.learn(0, Duration::from_secs(9));
        assert!(known.per_byte < 1.1e-9 && !known.is_stale());
        known.skipped = SKIPS;
        assert!(known.is_stale());
    }
}
