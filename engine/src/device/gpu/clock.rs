//! Measures each run of a recording with timestamps of the device.
#![forbid(unsafe_code)]

use std::time::Duration;

use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoder, ComputePassTimestampWrites, Device,
    QuerySet, QuerySetDescriptor, QueryType,
};

/// The maximum number of timestamps in a query set.
const MAX_TICKS: u32 = 4096;

/// Writes one timestamp at the start and one at the end of each run.
pub(super) struct Clock {
    ticks: QuerySet,
    capacity: u32,
    used: u32,
}

impl Clock {
    pub(super) fn new(device: &Device, runs: usize) -> Self {
        let capacity = u32::try_from(2 * runs).map_or(MAX_TICKS, |ticks| ticks.clamp(2, MAX_TICKS));
        let ticks = device.create_query_set(&QuerySetDescriptor {
            label: Some("clock"),
            ty: QueryType::Timestamp,
            count: capacity,
        });
        Self {
            ticks,
            capacity,
            used: 0,
        }
    }

    /// Returns the timestamps of the next run, or `None` if the set is full.
    pub(super) fn next(&mut self) -> Option<ComputePassTimestampWrites<'_>> {
        if self.used + 2 > self.capacity {
            return None;
        }
        self.used += 2;
        Some(ComputePassTimestampWrites {
            query_set: &self.ticks,
            beginning_of_pass_write_index: Some(self.used - 2),
            end_of_pass_write_index: Some(self.used - 1),
        })
    }

    /// Writes all timestamps to a buffer. Returns the buffer and its size.
    pub(super) fn resolve(&self, device: &Device, encoder: &mut CommandEncoder) -> (Buffer, u64) {
        let bytes = u64::from(self.used) * 8;
        let buffer = device.create_buffer(&BufferDescriptor {
            label: Some("ticks"),
            size: bytes.max(16),
            usage: BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        encoder.resolve_query_set(&self.ticks, 0..self.used, &buffer, 0);
        (buffer, bytes)
    }
}

/// Returns the time of each run from pairs of timestamps. `nanoseconds` is the length of a tick.
pub(super) fn durations(ticks: &[u8], nanoseconds: f32) -> Vec<Duration> {
    let (words, _) = ticks.as_chunks::<8>();
    let pairs = words.as_chunks::<2>().0.iter();
    pairs
        .map(|&[begin, end]| {
            let ticks = u64::from_le_bytes(end).saturating_sub(u64::from_le_bytes(begin));
            Duration::from_nanos((ticks as f64 * f64::from(nanoseconds)) as u64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_never_negative() {
        let ticks: Vec<u8> = [100u64, 300, 500, 400]
            .iter()
            .flat_map(|tick| tick.to_le_bytes())
            .collect();
        let times = durations(&ticks, 2.0);
        assert_eq!(times, [Duration::from_nanos(400), Duration::ZERO]);
    }
}
