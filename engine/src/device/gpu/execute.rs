//! A device, and the recordings that run on it.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wgpu::util::StagingBelt;
use wgpu::{Buffer, BufferUsages, CommandEncoder, Device, ErrorFilter, Features, Queue};

use super::adapter;
use super::clock::Clock;
use super::pipelines::Pipelines;
use super::pool::Pool;
use super::submission::Submission;
use crate::device::recording::{BufferId, BufferSpec, Content, PersistentId, Recording};
use crate::device::{Fault, RecordingOutput};
use crate::plan::ShaderVariant;

/// The size of one staging buffer. Longer uploads use several.
pub(super) const STAGE_BYTES: u64 = 4 << 20;

/// A device, with its pipelines, buffers and running recordings.
pub(super) struct DeviceState {
    pub(super) device: Device,
    pub(super) queue: Queue,
    pub(super) pipelines: Pipelines,
    pub(super) pool: Pool,
    pub(super) belt: StagingBelt,
    /// Buffers that stay between recordings.
    persistent: HashMap<PersistentId, Buffer>,
    /// Recordings that were started, by number.
    submissions: HashMap<u64, Submission>,
    /// The first error that the driver reported outside of a call, such as a lost device.
    device_error: Arc<Mutex<Option<Fault>>>,
    #[cfg(test)]
    pub(super) injected: Option<super::fault_injection::InjectedFault>,
}

impl DeviceState {
    pub(super) fn new(index: usize, variant: ShaderVariant) -> Result<Self, Fault> {
        let (device, queue) = adapter::open(index, variant)?;
        let device_error = Arc::new(Mutex::new(None));
        let lost = Arc::clone(&device_error);
        device.set_device_lost_callback(move |reason, message| {
            set_first_error(&lost, Fault::Lost(format!("{reason:?} {message}")));
        });
        let uncaught = Arc::clone(&device_error);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            set_first_error(&uncaught, fault_of(&error));
        }));
        Ok(Self {
            belt: StagingBelt::new(device.clone(), STAGE_BYTES),
            device,
            queue,
            pipelines: Pipelines::new(variant),
            pool: Pool::default(),
            persistent: HashMap::new(),
            submissions: HashMap::new(),
            device_error,
            #[cfg(test)]
            injected: None,
        })
    }

    pub(super) fn binding_bytes(&self) -> u64 {
        self.device.limits().max_storage_buffer_binding_size
    }

    /// Tells whether the device has timestamps.
    pub(super) fn has_clock(&self) -> bool {
        self.device.features().contains(Features::TIMESTAMP_QUERY)
    }

    /// Submits a recording up to the first download whose size is not known yet.
    pub(super) fn begin(&mut self, number: u64, recording: Recording) -> Result<(), Fault> {
        let ids: Vec<PersistentId> = recording.persistent_ids().collect();
        let begun = self.with_error_scopes(|state| {
            let (buffers, to_clear) = state.buffers_for(&recording);
            let clock = (recording.is_timed() && state.has_clock())
                .then(|| Clock::new(&state.device, recording.runs()));
            let mut submission = Submission::new(recording, buffers, to_clear, clock);
            let begun = submission.submit_next(state);
            state.submissions.insert(number, submission);
            begun
        });
        if begun.is_err() {
            // Some buffers may not have been created. None of them is reused.
            ids.iter().for_each(|id| drop(self.persistent.remove(id)));
        }
        begun
    }

    /// Waits for a recording and returns its output.
    pub(super) fn finish(
        &mut self,
        number: u64,
        within: Duration,
    ) -> Result<RecordingOutput, Fault> {
        let deadline = Instant::now() + within;
        self.with_error_scopes(|state| {
            let mut submission = state
                .submissions
                .remove(&number)
                .ok_or_else(|| Fault::Lost("the recording was not started".to_owned()))?;
            while !submission.wait_and_read(state, deadline)? {
                submission.submit_next(state)?;
            }
            Ok(submission.finish(&mut state.pool))
        })
    }

    /// Drops a recording whose result is not needed any more.
    pub(super) fn discard(&mut self, number: u64) {
        self.submissions.remove(&number);
    }

    /// Frees persistent buffers.
    pub(super) fn free(&mut self, ids: &[PersistentId]) {
        for id in ids {
            if let Some(buffer) = self.persistent.remove(id) {
                self.pool.put(buffer);
            }
        }
    }

    /// Runs `work`, and returns a fault if the device reports an error in the meantime.
    pub(super) fn with_error_scopes<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.check()?;
        let scopes = [
            ErrorFilter::OutOfMemory,
            ErrorFilter::Internal,
            ErrorFilter::Validation,
        ]
        .map(|filter| self.device.push_error_scope(filter));
        let answer = work(self);
        let mut caught = None;
        for scope in scopes.into_iter().rev() {
            caught = pollster::block_on(scope.pop()).or(caught);
        }
        if matches!(answer, Err(Fault::TimedOut)) {
            // A hang is the most important fault.
            return answer;
        }
        if let Some(error) = caught {
            // The free buffers may use the memory that is missing.
            self.pool = Pool::default();
            return Err(fault_of(&error));
        }
        self.check()?;
        answer
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        match self.device_error.lock() {
            Ok(device_error) => device_error.clone().map_or(Ok(()), Err),
            Err(_) => Err(Fault::Lost("a thread of the driver panicked".to_owned())),
        }
    }

    /// Returns the buffers of a recording, and those of them that must be cleared first.
    fn buffers_for(&mut self, recording: &Recording) -> (Vec<Buffer>, Vec<Buffer>) {
        let mut to_clear = Vec::new();
        let buffers = (0..).zip(recording.buffers()).map(|(number, spec)| {
            if let Content::Persistent(id) = spec.content
                && let Some(buffer) = self.persistent.get(&id)
            {
                return buffer.clone();
            }
            let (buffer, is_fresh) = self.buffer_for(spec, recording.is_uniform(BufferId(number)));
            if !is_fresh && spec.content != Content::Anything {
                to_clear.push(buffer.clone());
            }
            if let Content::Persistent(id) = spec.content {
                self.persistent.insert(id, buffer.clone());
            }
            buffer
        });
        let buffers = buffers.collect();
        (buffers, to_clear)
    }

    fn buffer_for(&mut self, spec: &BufferSpec, is_uniform: bool) -> (Buffer, bool) {
        let usage = match is_uniform {
            true => BufferUsages::UNIFORM,
            false => BufferUsages::STORAGE | BufferUsages::COPY_SRC,
        };
        let usage = usage | BufferUsages::COPY_DST;
        self.pool.take(&self.device, spec.name, spec.bytes, usage)
    }

    /// Injects the fault that a test has prepared for the next command.
    #[cfg(test)]
    pub(super) fn inject_fault(&self) {
        use super::fault_injection::FaultInjection;
        match self
            .injected
            .as_ref()
            .and_then(super::fault_injection::InjectedFault::next)
        {
            Some(FaultInjection::Destroyed) => self.device.destroy(),
            Some(FaultInjection::Panic) => panic!("an injected panic of the driver"),
            Some(FaultInjection::Hang) => std::thread::sleep(super::tests::HANG),
            // A buffer without a usage is invalid.
            Some(FaultInjection::Refusal) => {
                drop(self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("injected by a test"),
                    size: 4,
                    usage: BufferUsages::empty(),
                    mapped_at_creation: false,
                }))
            }
            // A software driver overcommits memory and never reports this error.
            Some(FaultInjection::OutOfMemory) => {
                set_first_error(
                    &self.device_error,
                    Fault::OutOfMemory("injected by a test".to_owned()),
                );
            }
            Some(FaultInjection::Zeros) | None => {}
        }
    }

    /// Submits the encoded commands with the staged uploads.
    pub(super) fn submit(&mut self, encoder: CommandEncoder) -> wgpu::SubmissionIndex {
        self.belt.finish();
        let index = self.queue.submit([encoder.finish()]);
        self.belt.recall();
        index
    }
}

fn set_first_error(device_error: &Mutex<Option<Fault>>, fault: Fault) {
    if let Ok(mut device_error) = device_error.lock() {
        device_error.get_or_insert(fault);
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
