//! The throughput of one thread of the processor.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes that must be counted before the rate is used.
#[cfg(feature = "gpu")]
const ENOUGH: u64 = 1 << 20;

/// Bytes counted by all threads, and the sum of their times.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Throughput {
    pub(super) fn note(&self, bytes: usize, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Returns the bytes that were counted.
    #[cfg(feature = "gpu")]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the bytes per second of one thread, after enough was counted.
    #[cfg(feature = "gpu")]
    pub(super) fn rate(&self) -> Option<f64> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        (bytes >= ENOUGH && nanoseconds > 0).then(|| bytes as f64 / nanoseconds as f64 * 1e9)
    }
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_one_thread() {
        let throughput = Throughput::default();
        throughput.note(1000, Duration::from_micros(1));
        assert_eq!(throughput.rate(), None);
        throughput.note(
            ENOUGH as usize * 2 - 1000,
            Duration::from_micros(2 * ENOUGH / 1000 - 1),
        );
        let rate = throughput.rate().unwrap();
        assert!((rate / 1e9 - 1.0).abs() < 0.01, "{rate}");
    }
}
