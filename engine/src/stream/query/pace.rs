//! How much an epoch takes of a source whose data waits in memory, so that its time stays near the
//! interval.

use std::time::Duration;

use crate::stream::Trigger;

/// The time of an epoch that runs as fast as possible, while there is more to read.
const WITHOUT_INTERVAL: Duration = Duration::from_millis(100);

/// The rate before the first measurement, in bytes a second.
const FIRST_RATE: f64 = 200e6;

/// The least that an epoch takes: every thread has something to do.
const LEAST_BYTES: f64 = (1 << 20) as f64;

/// The weight of the last epoch in the averages.
const WEIGHT: f64 = 0.3;

/// The measured rate of a query.
#[derive(Debug)]
pub(super) struct Pace {
    /// The time that an epoch may take; without one it takes all.
    target: Option<f64>,
    /// Bytes a second of reading and aggregating.
    rate: f64,
    /// Seconds of all other steps.
    other: f64,
}

impl Pace {
    pub(super) fn new(trigger: Trigger) -> Self {
        let target = match trigger {
            Trigger::Every(interval) => Some(interval),
            Trigger::AsFastAsPossible => Some(WITHOUT_INTERVAL),
            Trigger::Once | Trigger::AvailableNow => None,
        };
        Self {
            target: target.map(|it| it.as_secs_f64()),
            rate: FIRST_RATE,
            other: 0.0,
        }
    }

    /// How many bytes the next epoch is to take. The steps that do not depend on the bytes take at most
    /// half of its time: otherwise short intervals would cost the throughput.
    pub(super) fn bytes(&self) -> Option<u64> {
        let left = (self.target? - self.other).max(self.other);
        Some((self.rate * left).max(LEAST_BYTES) as u64)
    }

    /// Adds an epoch: its bytes, the seconds of reading and aggregating, and of everything.
    pub(super) fn add(&mut self, bytes: u64, computed: f64, all: f64) {
        self.other += WEIGHT * ((all - computed).max(0.0) - self.other);
        // The rate of a small epoch says nothing about a large one.
        if bytes as f64 >= LEAST_BYTES / 2.0 && computed > 0.0 {
            self.rate += WEIGHT * (bytes as f64 / computed - self.rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs epochs of a query with this rate and this time for other steps. Returns their last time.
    fn last_time(interval: Duration, rate: f64, other: f64) -> f64 {
        let mut pace = Pace::new(Trigger::Every(interval));
        let mut time = 0.0;
        for _ in 0..50 {
            let bytes = pace.bytes().unwrap();
            let computed = bytes as f64 / rate;
            time = computed + other;
            pace.add(bytes, computed, time);
        }
        time
    }

    #[test]
    fn epochs_take_about_the_interval() {
        for rate in [50e6, 200e6, 2e9] {
            let time = last_time(Duration::from_millis(100), rate, 0.010);
            assert!((0.09..0.11).contains(&time), "{rate}: {time}");
        }
    }

    #[test]
    fn short_intervals_do_not_cost_the_throughput() {
        let time = last_time(Duration::from_millis(10), 1e9, 0.020);
        assert!((0.035..0.045).contains(&time), "{time}");
    }

    #[test]
    fn one_epoch_takes_all() {
        assert_eq!(Pace::new(Trigger::Once).bytes(), None);
        assert_eq!(Pace::new(Trigger::AvailableNow).bytes(), None);
    }
}
