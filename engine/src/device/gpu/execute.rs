//! Runs a recording, command by command.
#![forbid(unsafe_code)]

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wgpu::{
    BindGroupDescriptor, BindGroupEntry, Buffer, BufferDescriptor, BufferUsages, CommandEncoder,
    CommandEncoderDescriptor, ComputePassDescriptor, Device, ErrorFilter, MapMode, PollError,
    PollType, Queue,
};

use super::adapter;
use super::pipelines::Pipelines;
use crate::device::Fault;
use crate::device::recording::{BufferId, Command, Extent, Recording};

/// Workgroups of one dimension of a grid.
const MOST_GROUPS: u32 = 65_535;

/// A device, and what it has learned.
pub(super) struct Opened {
    device: Device,
    queue: Queue,
    pipelines: Pipelines,
    /// Why the device was lost, or what it complained of outside of any call.
    complaint: Arc<Mutex<Option<Fault>>>,
}

impl Opened {
    pub(super) fn new(index: usize) -> Result<Self, Fault> {
        let (device, queue) = adapter::open(index)?;
        let complaint = Arc::new(Mutex::new(None));
        let lost = Arc::clone(&complaint);
        device.set_device_lost_callback(move |reason, message| {
            note(&lost, Fault::Lost(format!("{reason:?} {message}")));
        });
        let uncaught = Arc::clone(&complaint);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            note(&uncaught, fault_of(&error));
        }));
        Ok(Self {
            device,
            queue,
            pipelines: Pipelines::default(),
            complaint,
        })
    }

    pub(super) fn binding_bytes(&self) -> u64 {
        self.device.limits().max_storage_buffer_binding_size
    }

    /// Runs a recording; every error that the device reports on the way is its fault.
    pub(super) fn execute(
        &mut self,
        recording: &Recording,
        within: Duration,
    ) -> Result<Vec<Vec<u8>>, Fault> {
        self.check()?;
        let scopes = [
            ErrorFilter::OutOfMemory,
            ErrorFilter::Internal,
            ErrorFilter::Validation,
        ]
        .map(|filter| self.device.push_error_scope(filter));
        let answer = Execution::new(self, recording).run(within);
        let mut caught = None;
        for scope in scopes.into_iter().rev() {
            caught = pollster::block_on(scope.pop()).or(caught);
        }
        if answer == Err(Fault::TimedOut) {
            // Whatever else it says: it hangs.
            return answer;
        }
        if let Some(error) = caught {
            return Err(fault_of(&error));
        }
        self.check()?;
        answer
    }

    fn check(&self) -> Result<(), Fault> {
        match self.complaint.lock() {
            Ok(complaint) => complaint.clone().map_or(Ok(()), Err),
            Err(_) => Err(Fault::Lost("a thread of the driver panicked".to_owned())),
        }
    }
}

fn note(complaint: &Mutex<Option<Fault>>, fault: Fault) {
    if let Ok(mut complaint) = complaint.lock() {
        complaint.get_or_insert(fault);
    }
}

fn fault_of(error: &wgpu::Error) -> Fault {
    match error {
        wgpu::Error::OutOfMemory { source } => Fault::OutOfMemory(source.to_string()),
        wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. } => {
            Fault::Refused(error.to_string())
        }
    }
}

/// A recording on its way.
struct Execution<'a> {
    opened: &'a mut Opened,
    recording: &'a Recording,
    buffers: Vec<Buffer>,
    downloads: Vec<Vec<u8>>,
}

impl<'a> Execution<'a> {
    fn new(opened: &'a mut Opened, recording: &'a Recording) -> Self {
        let ids = (0..recording.buffers().len()).map(BufferId);
        let buffers = ids
            .zip(recording.buffers())
            .map(|(id, spec)| {
                let usage = if recording.is_uniform(id) {
                    BufferUsages::UNIFORM
                } else {
                    BufferUsages::STORAGE | BufferUsages::COPY_SRC
                };
                opened.device.create_buffer(&BufferDescriptor {
                    label: Some(spec.name),
                    size: spec.bytes,
                    usage: usage | BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            })
            .collect();
        Self {
            opened,
            recording,
            buffers,
            downloads: Vec::new(),
        }
    }

    fn run(mut self, within: Duration) -> Result<Vec<Vec<u8>>, Fault> {
        let deadline = Instant::now() + within;
        let mut encoder = self.encoder();
        for command in self.recording.commands() {
            match command {
                Command::Upload { to, bytes } => self.upload(*to, bytes),
                Command::Run {
                    stage,
                    entry,
                    buffers,
                    groups,
                } => self.dispatch(&mut encoder, (*stage, entry), buffers, *groups),
                Command::Download { from, extent } => {
                    let bytes = self.extent(*extent)?;
                    let next = self.encoder();
                    let encoder = std::mem::replace(&mut encoder, next);
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.download(encoder, *from, bytes, left)?;
                }
            }
        }
        Ok(self.downloads)
    }

    fn encoder(&self) -> CommandEncoder {
        let descriptor = CommandEncoderDescriptor::default();
        self.opened.device.create_command_encoder(&descriptor)
    }

    /// Copies go by whole words; what is left of the last one is zeros.
    fn upload(&self, to: BufferId, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<4>();
        let whole = words.as_flattened();
        let (queue, buffer) = (&self.opened.queue, &self.buffers[to.0]);
        if !whole.is_empty() {
            queue.write_buffer(buffer, 0, whole);
        }
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            queue.write_buffer(buffer, whole.len() as u64, &last);
        }
    }

    fn dispatch(
        &mut self,
        encoder: &mut CommandEncoder,
        (stage, entry): (keymill_shaders::Stage, &'static str),
        buffers: &[BufferId],
        groups: u32,
    ) {
        let Opened {
            device, pipelines, ..
        } = &mut *self.opened;
        let (pipeline, layout) = pipelines.get(device, stage, entry);
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, id)| BindGroupEntry {
                binding,
                resource: self.buffers[id.0].as_entire_binding(),
            })
            .collect();
        let bound = device.create_bind_group(&BindGroupDescriptor {
            label: Some(entry),
            layout,
            entries: &entries,
        });
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
            label: Some(entry),
            timestamp_writes: None,
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bound, &[]);
        pass.dispatch_workgroups(groups.min(MOST_GROUPS), groups.div_ceil(MOST_GROUPS), 1);
    }

    fn extent(&self, extent: Extent) -> Result<u64, Fault> {
        match extent {
            Extent::Bytes(bytes) => Ok(bytes),
            Extent::Counted {
                by,
                word,
                item_bytes,
            } => {
                let words = self.downloads[by.0].as_chunks::<4>().0;
                Ok(u64::from(u32::from_le_bytes(words[word])) * item_bytes)
            }
        }
    }

    /// Submits what there is, waits for it, and reads back so many bytes.
    fn download(
        &mut self,
        mut encoder: CommandEncoder,
        from: BufferId,
        bytes: u64,
        within: Duration,
    ) -> Result<(), Fault> {
        let buffer = &self.buffers[from.0];
        if bytes > buffer.size() {
            let name = self.recording.buffers()[from.0].name;
            let size = buffer.size();
            return Err(Fault::NotConserved(format!(
                "{bytes} bytes of {name} in {size}"
            )));
        }
        let size = bytes.max(4).next_multiple_of(4);
        let host = self.opened.device.create_buffer(&BufferDescriptor {
            label: Some("readback"),
            size,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(buffer, 0, &host, 0, size);
        self.opened.queue.submit([encoder.finish()]);
        let (done, mapped) = channel();
        host.map_async(MapMode::Read, .., move |result| {
            let _ = done.send(result);
        });
        let wait = PollType::Wait {
            submission_index: None,
            timeout: Some(within),
        };
        match self.opened.device.poll(wait) {
            Ok(_) => {}
            Err(PollError::Timeout) => return Err(Fault::TimedOut),
            Err(error) => return Err(Fault::Lost(error.to_string())),
        }
        self.opened.check()?;
        match mapped.try_recv() {
            Ok(Ok(())) => {}
            _ => return Err(Fault::Lost("what it wrote could not be read".to_owned())),
        }
        let view = host
            .get_mapped_range(..)
            .map_err(|error| Fault::Lost(error.to_string()))?;
        self.downloads.push(view[..bytes as usize].to_vec());
        Ok(())
    }
}
