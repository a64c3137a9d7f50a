//! One recording on its way.
//!
//! ```text
//! proceed: encode commands ─▶ submit ─▶ arrive: wait, read back ─▶ proceed, or land
//!          up to a download whose length an earlier one tells
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
use super::execute::{Opened, STAGE_BYTES};
use super::pool::Pool;
use crate::device::recording::{BufferId, Command, Content, Extent, Recording};
use crate::device::{Fault, Ran};

/// Workgroups of one dimension of a grid; few in tests, so that nearly every grid has two.
const MOST_GROUPS: u32 = if cfg!(test) { 7 } else { 65_535 };

/// A recording, and how far it is.
pub(super) struct Submission {
    recording: Recording,
    buffers: Vec<Buffer>,
    /// To be cleared before anything else.
    unclear: Vec<Buffer>,
    /// The command that comes next.
    next: usize,
    submitted: Option<SubmissionIndex>,
    /// Downloads that were submitted and have not been read.
    coming: Vec<Readback>,
    downloads: Vec<Vec<u8>>,
    clock: Option<Clock>,
    ticks: Option<Readback>,
    ran: Ran,
}

/// Bytes on their way to the host.
struct Readback {
    /// `None` where there are no bytes.
    host: Option<Buffer>,
    bytes: u64,
    mapped: Option<Receiver<bool>>,
}

impl Submission {
    pub(super) fn new(
        recording: Recording,
        buffers: Vec<Buffer>,
        unclear: Vec<Buffer>,
        clock: Option<Clock>,
    ) -> Self {
        Self {
            recording,
            buffers,
            unclear,
            next: 0,
            submitted: None,
            coming: Vec::new(),
            downloads: Vec::new(),
            clock,
            ticks: None,
            ran: Ran::default(),
        }
    }

    /// Submits commands up to where an answer is needed.
    pub(super) fn proceed(&mut self, opened: &mut Opened) -> Result<(), Fault> {
        let descriptor = CommandEncoderDescriptor::default();
        let mut encoder = opened.device.create_command_encoder(&descriptor);
        for buffer in self.unclear.drain(..) {
            encoder.clear_buffer(&buffer, 0, None);
        }
        // Commands share what they carry; a clone of one copies no bytes.
        while let Some(command) = self.recording.commands().get(self.next).cloned() {
            #[cfg(test)]
            opened.meet_injury();
            match command {
                Command::Upload { to, bytes } => self.upload(opened, &mut encoder, to, &bytes),
                Command::Run {
                    stage,
                    entry,
                    buffers,
                    groups,
                } => self.dispatch(opened, &mut encoder, (stage, entry), &buffers, groups),
                Command::Download { from, extent } => {
                    let Some(bytes) = self.extent(extent) else {
                        break;
                    };
                    self.download(opened, &mut encoder, from, bytes)?;
                }
            }
            self.next += 1;
        }
        if self.is_last() {
            self.read_clock(opened, &mut encoder);
        }
        self.submitted = Some(opened.submit(encoder));
        for readback in self.coming.iter_mut().chain(&mut self.ticks) {
            readback.map();
        }
        Ok(())
    }

    /// Waits for what was submitted, and reads it; tells whether that was all.
    pub(super) fn arrive(&mut self, opened: &mut Opened, deadline: Instant) -> Result<bool, Fault> {
        let wait = PollType::Wait {
            submission_index: self.submitted.take(),
            timeout: Some(deadline.saturating_duration_since(Instant::now())),
        };
        match opened.device.poll(wait) {
            Ok(_) => {}
            Err(PollError::Timeout) => return Err(Fault::TimedOut),
            Err(error) => return Err(Fault::Lost(error.to_string())),
        }
        opened.check()?;
        for readback in std::mem::take(&mut self.coming) {
            self.downloads.push(readback.read(&mut opened.pool)?);
            #[cfg(test)]
            if opened
                .injuries
                .as_ref()
                .is_some_and(super::fault_injection::Injuries::zeroes)
            {
                self.downloads.iter_mut().for_each(|bytes| bytes.fill(0));
            }
        }
        if let Some(ticks) = self.ticks.take() {
            let ticks = ticks.read(&mut opened.pool)?;
            let period = opened.queue.get_timestamp_period();
            self.ran.runs = Some(durations(&ticks, period));
        }
        Ok(self.is_last())
    }

    /// What it answers; its buffers wait for the next recording.
    pub(super) fn land(mut self, pool: &mut Pool) -> Ran {
        for (buffer, spec) in self.buffers.into_iter().zip(self.recording.buffers()) {
            if !matches!(spec.content, Content::Kept(_)) {
                pool.give_back(buffer);
            }
        }
        self.ran.downloads = self.downloads;
        self.ran
    }

    fn is_last(&self) -> bool {
        self.next == self.recording.commands().len()
    }

    /// Uploads in pieces of one size, so that the belt's buffers go round; zeros follow at the end.
    fn upload(
        &mut self,
        opened: &mut Opened,
        encoder: &mut CommandEncoder,
        to: BufferId,
        bytes: &[u8],
    ) {
        let room = self.recording.buffers()[to.0].bytes;
        let size = (bytes.len() as u64).next_multiple_of(16).min(room);
        let mut at = 0;
        while let Some(piece) = BufferSize::new((size - at).min(STAGE_BYTES)) {
            let target = &self.buffers[to.0];
            let mut staged = opened.belt.write_buffer(encoder, target, at, piece);
            let rest = &bytes[at as usize..];
            let filled = rest.len().min(staged.len());
            staged.slice(..filled).copy_from_slice(&rest[..filled]);
            staged.slice(filled..).fill(0);
            at += piece.get();
        }
    }

    fn dispatch(
        &mut self,
        opened: &mut Opened,
        encoder: &mut CommandEncoder,
        (stage, entry): (keymill_shaders::Stage, &'static str),
        buffers: &[BufferId],
        groups: u32,
    ) {
        let Opened {
            device, pipelines, ..
        } = opened;
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
        pass.dispatch_workgroups(groups.min(MOST_GROUPS), groups.div_ceil(MOST_GROUPS), 1);
    }

    /// A buffer from the pool may be larger than was asked for; shaders do not see that.
    fn binding(&self, id: BufferId) -> BindingResource<'_> {
        BindingResource::Buffer(BufferBinding {
            buffer: &self.buffers[id.0],
            offset: 0,
            size: BufferSize::new(self.recording.buffers()[id.0].bytes),
        })
    }

    /// How many bytes a download has; `None` where an earlier one has to come first.
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
        opened: &mut Opened,
        encoder: &mut CommandEncoder,
        from: BufferId,
        bytes: u64,
    ) -> Result<(), Fault> {
        let spec = &self.recording.buffers()[from.0];
        if bytes > spec.bytes {
            let message = format!("{bytes} bytes of {} in {}", spec.name, spec.bytes);
            return Err(Fault::NotConserved(message));
        }
        let readback = Readback::record(opened, encoder, &self.buffers[from.0], bytes);
        self.coming.push(readback);
        Ok(())
    }

    fn read_clock(&mut self, opened: &mut Opened, encoder: &mut CommandEncoder) {
        if let Some(clock) = self.clock.take() {
            let (ticks, bytes) = clock.resolve(&opened.device, encoder);
            self.ticks = Some(Readback::record(opened, encoder, &ticks, bytes));
        }
    }
}

impl Readback {
    fn record(
        opened: &mut Opened,
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
        let (host, _) = opened.pool.take(&opened.device, "readback", bytes, usage);
        encoder.copy_buffer_to_buffer(from, 0, &host, 0, bytes.next_multiple_of(4));
        Self {
            host: Some(host),
            bytes,
            mapped: None,
        }
    }

    /// Asks to see the bytes once they are there.
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
            return Err(Fault::Lost("what it wrote could not be read".to_owned()));
        }
        let view = host
            .get_mapped_range(..)
            .map_err(|error| Fault::Lost(error.to_string()))?;
        let bytes = view[..self.bytes as usize].to_vec();
        drop(view);
        host.unmap();
        pool.give_back(host);
        Ok(bytes)
    }
}
