//! Measures a copy from host memory that the device reads directly.
//!
//! Drivers call such memory pinned. Every upload needs this copy, so no upload is faster.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use wgpu::{Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor, PollError, PollType};

use super::execute::DeviceState;
use crate::device::Fault;

/// Copies in one submission, so that the launch time hardly counts.
const COPIES: u32 = 4;

impl DeviceState {
    /// Measures a copy of `bytes` bytes between buffers that exist already.
    pub(super) fn time_pinned_copy(
        &mut self,
        bytes: u64,
        within: Duration,
    ) -> Result<Duration, Fault> {
        let bytes = bytes.next_multiple_of(4);
        self.with_error_scopes(|state| {
            let of_host = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
            let from = state.buffer_of(bytes, of_host, true);
            from.unmap();
            let of_device = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let to = state.buffer_of(bytes, of_device, false);
            // The first copy touches fresh memory and is not measured.
            state.copy_once(&from, &to, within)?;
            let took = state.copy_once(&from, &to, within)?;
            Ok(took / COPIES)
        })
    }

    fn buffer_of(&self, bytes: u64, usage: BufferUsages, is_mapped: bool) -> Buffer {
        self.device.create_buffer(&BufferDescriptor {
            label: Some("copied alone"),
            size: bytes,
            usage,
            mapped_at_creation: is_mapped,
        })
    }

    fn copy_once(
        &mut self,
        from: &Buffer,
        to: &Buffer,
        within: Duration,
    ) -> Result<Duration, Fault> {
        let descriptor = CommandEncoderDescriptor::default();
        let mut encoder = self.device.create_command_encoder(&descriptor);
        for _ in 0..COPIES {
            encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size());
        }
        let started = Instant::now();
        let wait = PollType::Wait {
            submission_index: Some(self.submit(encoder)),
            timeout: Some(within),
        };
        match self.device.poll(wait) {
            Ok(_) => Ok(started.elapsed()),
            Err(PollError::Timeout) => Err(Fault::TimedOut),
            Err(error) => Err(Fault::Lost(error.to_string())),
        }
    }
}
