//! What a copy takes from memory of the host that the device reads by itself.
//!
//! Drivers call such memory pinned. Whatever brings bytes to a device has to copy them there, so that
//! nothing can be faster than this.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use wgpu::{Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor, PollError, PollType};

use super::execute::Opened;
use crate::device::Fault;

/// Copies that are submitted at once, so that setting the device to work hardly counts.
const COPIES: u32 = 4;

impl Opened {
    /// How long so many bytes take, once the memory is there.
    pub(super) fn copy_alone(&mut self, bytes: u64, within: Duration) -> Result<Duration, Fault> {
        let bytes = bytes.next_multiple_of(4);
        self.watched(|opened| {
            let of_host = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
            let from = opened.buffer_of(bytes, of_host, true);
            from.unmap();
            let of_device = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let to = opened.buffer_of(bytes, of_device, false);
            // The first one finds memory that nobody has touched.
            opened.copy_once(&from, &to, within)?;
            let took = opened.copy_once(&from, &to, within)?;
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
