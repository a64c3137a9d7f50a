//! One running recording.
//!
//! ```text
//! submit_next: encode commands ─▶ submit ─▶ wait_and_read ─▶ submit_next, or finish
//!          up to a download whose size depends on an earlier one
//! ```
#![forbid(unsafe_code)]

use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use wgpu::{
    BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding, BufferSize,
    BufferUsages, CommandEncoder, CommandEncoderDescriptor, ComputePassDescriptor, MapMode,
    PollError, PollType, SubmissionIndex,
};

use super::clock::{Clock, durations};
use super::execute::{DeviceState, STAGE_BYTES};
use super::pool::Pool;
use crate::device::recording::{BufferId, Command, Content, Extent, Recording};
use crate::device::{Fault, RecordingOutput};

/// The maximum number of workgroups in one dimension. It is small in tests, so that nearly every
/// dispatch has two dimensions.
const MAX_WORKGROUPS: u32 = if cfg!(test) { 7 } else { 65_535 };

/// A recording and the position of the next command.
pub(super) struct Submission {
    recording: Recording,
    buffers: Vec<Buffer>,
    /// Buffers to clear before the first command.
    to_clear: Vec<Buffer>,
    /// The index of the next command.
    next: usize,
    submitted: Option<SubmissionIndex>,
    /// Downloads that were submitted and not read yet.
    readbacks: Vec<Readback>,
    downloads: Vec<Vec<u8>>,
    clock: Option<Clock>,
    ticks: Option<Readback>,
    ran: RecordingOutput,
}

/// A download to the host.
struct Readback {
    /// `None` if there are no bytes.
    host: Option<Buffer>,
    bytes: u64,
    mapped: Option<Receiver<bool>>,
}

impl Submission {
    pub(super) fn new(
        recording: Recording,
        buffers: Vec<Buffer>,
        to_clear: Vec<Buffer>,
        clock: Option<Clock>,
    ) -> Self {
        Self {
            recording,
            buffers,
            to_clear,
            next: 0,
            submitted: None,
            readbacks: Vec::new(),
            downloads: Vec::new(),
            clock,
            ticks: None,
            ran: RecordingOutput::default(),
        }
    }

    /// Submits commands up to a download whose size depends on an earlier download.
    pub(super) fn submit_next(&mut self, state: &mut DeviceState) -> Result<(), Fault> {
        let descriptor = CommandEncoderDescriptor::default();
        let mut encoder = state.device.create_command_encoder(&descriptor);
        for buffer in self.to_clear.drain(..) {
            encoder.clear_buffer(&buffer, 0, None);
        }
        // Commands share their bytes; a clone copies none.
        while let Some(command) = self.recording.commands().get(self.next).cloned() {
            #[cfg(test)]
            state.inject_fault();
            match command {
                Command::Upload { to, bytes } => self.upload(state, &mut encoder, to, &bytes),
                Command::Run {
                    stage,
                    entry,
                    buffers,
                    groups,
                } => self.dispatch(state, &mut encoder, (stage, entry), &buffers, groups),
                Command::Download { from, extent } => {
                    let Some(bytes) = self.extent(extent) else {
                        break;
                    };
                    self.download(state, &mut encoder, from, bytes)?;
                }
            }
            self.next += 1;
        }
        if self.is_last() {
            self.read_clock(state, &mut encoder);
        }
        self.submitted = Some(state.submit(encoder));
        for readback in self.readbacks.iter_mut().chain(&mut self.ticks) {
            readback.map();
        }
        Ok(())
    }

    /// Waits for the submitted commands and reads their downloads. Returns whether the recording is
    /// finished.
    pub(super) fn wait_and_read(
        &mut self,
        state: &mut DeviceState,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let wait = PollType::Wait {
            submission_index: self.submitted.take(),
            timeout: Some(deadline.saturating_duration_since(Instant::now())),
        };
        match state.device.poll(wait) {
            Ok(_) => {}
            Err(PollError::Timeout) => return Err(Fault::TimedOut),
            Err(error) => return Err(Fault::Lost(error.to_string())),
        }
        state.check()?;
        for readback in std::mem::take(&mut self.readbacks) {
            self.downloads.push(readback.read(&mut state.pool)?);
            #[cfg(test)]
            if state
                .injected
                .as_ref()
                .is_some_and(super::fault_injection::InjectedFault::zeroes)
            {
                self.downloads.iter_mut().for_each(|bytes| bytes.fill(0));
            }
        }
        if let Some(ticks) = self.ticks.take() {
            let ticks = ticks.read(&mut state.pool)?;
            let period = state.queue.get_timestamp_period();
            self.ran.runs = Some(durations(&ticks, period));
        }
        Ok(self.is_last())
    }

    /// Returns the output, and gives the buffers back to the pool.
    pub(super) fn finish(mut self, pool: &mut Pool) -> RecordingOutput {
        for (buffer, spec) in self.buffers.into_iter().zip(self.recording.buffers()) {
            if !matches!(spec.content, Content::Persistent(_)) {
                pool.put(buffer);
            }
        }
        self.ran.downloads = self.downloads;
        self.ran
    }

    fn is_last(&self) -> bool {
        self.next == self.recording.commands().len()
    }

    /// Uploads in pieces of one size, so that staging buffers are reused. The rest of the buffer is
    /// zeros.
    fn upload(
        &mut self,
        state: &mut DeviceState,
        encoder: &mut CommandEncoder,
        to: BufferId,
        bytes: &[u8],
    ) {
        let room = self.recording.buffers()[to.0].bytes;
        let size = (bytes.len() as u64).next_multiple_of(16).min(room);
        let mut at = 0;
        while let Some(piece) = BufferSize::new((size - at).min(STAGE_BYTES)) {
            let target = &self.buffers[to.0];
            let mut staged = state.belt.write_buffer(encoder, target, at, piece);
            let rest = &bytes[at as usize..];
            let filled = rest.len().min(staged.len());
            staged.slice(..filled).copy_from_slice(&rest[..filled]);
            staged.slice(filled..).fill(0);
            at += piece.get();
        }
    }

    fn dispatch(
        &mut self,
        state: &mut DeviceState,
        encoder: &mut CommandEncoder,
        (stage, entry): (keymill_shaders::Stage, &'static str),
        buffers: &[BufferId],
        groups: u32,
    ) {
        let DeviceState {
            device, pipelines, ..
        } = state;
        let (pipeline, layout) = pipelines.get(device, stage, entry);
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, id)| BindGroupEntry {
                binding,
                resource: self.binding(*id),
            })
            .collect();
        let bound = device.create_bind_group(&BindGroupDescriptor {
            label: Some(entry),
            layout,
            entries: &entries,
        });
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
            label: Some(entry),
            timestamp_writes: self.clock.as_mut().and_then(Clock::next),
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bound, &[]);
        pass.dispatch_workgroups(
            groups.min(MAX_WORKGROUPS),
            groups.div_ceil(MAX_WORKGROUPS),
            1,
        );
    }

    /// Binds only the requested size: a buffer from the pool may be larger.
    fn binding(&self, id: BufferId) -> BindingResource<'_> {
        BindingResource::Buffer(BufferBinding {
            buffer: &self.buffers[id.0],
            offset: 0,
            size: BufferSize::new(self.recording.buffers()[id.0].bytes),
        })
    }

    /// Returns the size of a download, or `None` if it depends on a download that is not read yet.
    fn extent(&self, extent: Extent) -> Option<u64> {
        match extent {
            Extent::Bytes(bytes) => Some(bytes),
            Extent::Counted {
                by,
                word,
                item_bytes,
            } => {
                let words = self.downloads.get(by.0)?.as_chunks::<4>().0;
                Some(u64::from(u32::from_le_bytes(words[word])) * item_bytes)
            }
        }
    }

    fn download(
        &mut self,
        state: &mut DeviceState,
        encoder: &mut CommandEncoder,
        from: BufferId,
        bytes: u64,
    ) -> Result<(), Fault> {
        let spec = &self.recording.buffers()[from.0];
        if bytes > spec.bytes {
            let message = format!(
                "a download of {bytes} bytes from {}, which has {}",
                spec.name, spec.bytes
            );
            return Err(Fault::NotConserved(message));
        }
        let readback = Readback::record(state, encoder, &self.buffers[from.0], bytes);
        self.readbacks.push(readback);
        Ok(())
    }

    fn read_clock(&mut self, state: &mut DeviceState, encoder: &mut CommandEncoder) {
        if let Some(clock) = self.clock.take() {
            let (ticks, bytes) = clock.resolve(&state.device, encoder);
            self.ticks = Some(Readback::record(state, encoder, &ticks, bytes));
        }
    }
}

impl Readback {
    fn record(
        state: &mut DeviceState,
        encoder: &mut CommandEncoder,
        from: &Buffer,
        bytes: u64,
    ) -> Self {
        if bytes == 0 {
            return Self {
                host: None,
                bytes,
                mapped: None,
            };
        }
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let (host, _) = state.pool.take(&state.device, "readback", bytes, usage);
        encoder.copy_buffer_to_buffer(from, 0, &host, 0, bytes.next_multiple_of(4));
        Self {
            host: Some(host),
            bytes,
            mapped: None,
        }
    }

    /// Starts to map the bytes to host memory.
    fn map(&mut self) {
        let Some(host) = &self.host else { return };
        let (done, mapped) = channel();
        host.map_async(MapMode::Read, .., move |result| {
            let _ = done.send(result.is_ok());
        });
        self.mapped = Some(mapped);
    }

    fn read(self, pool: &mut Pool) -> Result<Vec<u8>, Fault> {
        let Some(host) = self.host else {
            return Ok(Vec::new());
        };
        if self.mapped.and_then(|mapped| mapped.try_recv().ok()) != Some(true) {
            return Err(Fault::Lost("a download could not be mapped".to_owned()));
        }
        let view = host
            .get_mapped_range(..)
            .map_err(|error| Fault::Lost(error.to_string()))?;
        let bytes = view[..self.bytes as usize].to_vec();
        drop(view);
        host.unmap();
        pool.put(host);
        Ok(bytes)
    }
}
