//! A device that measures the time of its runs.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::recording::{PersistentId, Recording};
use super::{Device, Pending};
use crate::plan::ShaderVariant;

/// Adds up the times of all runs.
pub(crate) struct TimedDevice {
    device: Arc<dyn Device>,
    /// `None` after a recording returned no times: the device has no clock.
    runs: Arc<Mutex<Option<Duration>>>,
}

impl TimedDevice {
    pub(crate) fn new(device: Arc<dyn Device>) -> Self {
        Self {
            device,
            runs: Arc::new(Mutex::new(Some(Duration::ZERO))),
        }
    }

    /// Returns the total time of the runs, if the device has a clock.
    pub(crate) fn runs(&self) -> Option<Duration> {
        *lock(&self.runs)
    }
}

fn lock(runs: &Mutex<Option<Duration>>) -> MutexGuard<'_, Option<Duration>> {
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device for TimedDevice {
    fn begin(&self, mut recording: Recording) -> Pending {
        recording.time();
        let runs = Arc::clone(&self.runs);
        let pending = self.device.begin(recording);
        Box::new(move |cancel| {
            let ran = pending(cancel)?;
            let mut sum = lock(&runs);
            *sum = sum
                .zip(ran.runs.as_ref())
                .map(|(sum, runs)| sum + runs.iter().sum());
            drop(sum);
            Ok(ran)
        })
    }

    fn free(&self, buffers: &[PersistentId]) {
        self.device.free(buffers);
    }

    fn binding_bytes(&self) -> u64 {
        self.device.binding_bytes()
    }

    fn name(&self) -> &str {
        self.device.name()
    }

    fn variant(&self) -> ShaderVariant {
        self.device.variant()
    }

    fn passed_over(&self) -> Option<&str> {
        self.device.passed_over()
    }

    fn identity(&self) -> String {
        self.device.identity()
    }

    fn is_software(&self) -> bool {
        self.device.is_software()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::RecordingOutput;
    use crate::device::stub::Stub;

    fn timed(runs: Option<Vec<Duration>>) -> TimedDevice {
        TimedDevice::new(Arc::new(Stub {
            binding_bytes: 1024,
            answer: Some(Ok(RecordingOutput {
                downloads: Vec::new(),
                runs,
            })),
        }))
    }

    #[test]
    fn times_add_up_and_are_unknown_without_a_clock() {
        let second = Duration::from_secs(1);
        let device = timed(Some(vec![second, second]));
        for done in 0..3 {
            assert_eq!(device.runs(), Some(done * 2 * second));
            device.run(&Recording::default()).unwrap();
        }
        let device = timed(None);
        device.run(&Recording::default()).unwrap();
        assert_eq!(device.runs(), None);
    }
}
