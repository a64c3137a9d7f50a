//! A device, and the recordings that are on their way on it.
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
use crate::device::recording::{BufferId, BufferSpec, Content, Kept, Recording};
use crate::device::{Fault, Ran};
use crate::probe::ShaderVariant;

/// Bytes of one buffer that uploads are staged in; longer uploads take several.
pub(super) const STAGE_BYTES: u64 = 4 << 20;

/// A device, and what it has learned.
pub(super) struct Opened {
    pub(super) device: Device,
    pub(super) queue: Queue,
    pub(super) pipelines: Pipelines,
    pub(super) pool: Pool,
    pub(super) belt: StagingBelt,
    /// Buffers that stay from one recording to the next.
    kept: HashMap<Kept, Buffer>,
    /// Recordings that were begun, by number.
    flights: HashMap<u64, Submission>,
    /// Why the device was lost, or what it complained of outside of any call.
    complaint: Arc<Mutex<Option<Fault>>>,
    #[cfg(test)]
    pub(super) injuries: Option<super::fault_injection::Injuries>,
}

impl Opened {
    pub(super) fn new(index: usize, variant: ShaderVariant) -> Result<Self, Fault> {
        let (device, queue) = adapter::open(index, variant)?;
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
            belt: StagingBelt::new(device.clone(), STAGE_BYTES),
            device,
            queue,
            pipelines: Pipelines::new(variant),
            pool: Pool::default(),
            kept: HashMap::new(),
            flights: HashMap::new(),
            complaint,
            #[cfg(test)]
            injuries: None,
        })
    }

    pub(super) fn binding_bytes(&self) -> u64 {
        self.device.limits().max_storage_buffer_binding_size
    }

    /// Whether it can tell how long a run takes.
    pub(super) fn has_clock(&self) -> bool {
        self.device.features().contains(Features::TIMESTAMP_QUERY)
    }

    /// Hands a recording to the device up to where it needs an answer to go on.
    pub(super) fn begin(&mut self, number: u64, recording: Recording) -> Result<(), Fault> {
        let kept: Vec<Kept> = recording.kept_ones().collect();
        let begun = self.watched(|opened| {
            let (buffers, unclear) = opened.buffers_for(&recording);
            let clock = (recording.is_timed() && opened.has_clock())
                .then(|| Clock::new(&opened.device, recording.runs()));
            let mut submission = Submission::new(recording, buffers, unclear, clock);
            let begun = submission.proceed(opened);
            opened.flights.insert(number, submission);
            begun
        });
        if begun.is_err() {
            // Some may never have come to be; none of them finds another use.
            kept.iter().for_each(|one| drop(self.kept.remove(one)));
        }
        begun
    }

    /// Waits for a recording, and takes what it answers.
    pub(super) fn finish(&mut self, number: u64, within: Duration) -> Result<Ran, Fault> {
        let deadline = Instant::now() + within;
        self.watched(|opened| {
            let mut submission = opened
                .flights
                .remove(&number)
                .ok_or_else(|| Fault::Lost("it never began".to_owned()))?;
            while !submission.arrive(opened, deadline)? {
                submission.proceed(opened)?;
            }
            Ok(submission.land(&mut opened.pool))
        })
    }

    /// Forgets a recording that nobody waits for.
    pub(super) fn abandon(&mut self, number: u64) {
        self.flights.remove(&number);
    }

    /// Frees buffers that were to stay.
    pub(super) fn forget(&mut self, kept: &[Kept]) {
        for one in kept {
            if let Some(buffer) = self.kept.remove(one) {
                self.pool.give_back(buffer);
            }
        }
    }

    /// Does something, every error that the device reports on the way being its fault.
    pub(super) fn watched<T>(
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
            // Whatever else it says: it hangs.
            return answer;
        }
        if let Some(error) = caught {
            // What waits for another use may be what there is no memory for.
            self.pool = Pool::default();
            return Err(fault_of(&error));
        }
        self.check()?;
        answer
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        match self.complaint.lock() {
            Ok(complaint) => complaint.clone().map_or(Ok(()), Err),
            Err(_) => Err(Fault::Lost("a thread of the driver panicked".to_owned())),
        }
    }

    /// The buffers of a recording, and those that must be cleared first.
    fn buffers_for(&mut self, recording: &Recording) -> (Vec<Buffer>, Vec<Buffer>) {
        let mut unclear = Vec::new();
        let buffers = (0..).zip(recording.buffers()).map(|(id, spec)| {
            if let Content::Kept(kept) = spec.content
                && let Some(buffer) = self.kept.get(&kept)
            {
                return buffer.clone();
            }
            let (buffer, is_fresh) = self.buffer_for(spec, recording.is_uniform(BufferId(id)));
            if !is_fresh && spec.content != Content::Anything {
                unclear.push(buffer.clone());
            }
            if let Content::Kept(kept) = spec.content {
                self.kept.insert(kept, buffer.clone());
            }
            buffer
        });
        let buffers = buffers.collect();
        (buffers, unclear)
    }

    fn buffer_for(&mut self, spec: &BufferSpec, is_uniform: bool) -> (Buffer, bool) {
        let usage = match is_uniform {
            true => BufferUsages::UNIFORM,
            false => BufferUsages::STORAGE | BufferUsages::COPY_SRC,
        };
        let usage = usage | BufferUsages::COPY_DST;
        self.pool.take(&self.device, spec.name, spec.bytes, usage)
    }

    /// Lets the next command meet with what a test has prepared.
    #[cfg(test)]
    pub(super) fn meet_injury(&self) {
        use super::fault_injection::FaultInjection;
        match self
            .injuries
            .as_ref()
            .and_then(super::fault_injection::Injuries::next)
        {
            Some(FaultInjection::Destroyed) => self.device.destroy(),
            Some(FaultInjection::Panic) => panic!("the driver of a test panics"),
            Some(FaultInjection::Hang) => std::thread::sleep(super::tests::HANG),
            // A buffer that is for nothing.
            Some(FaultInjection::Refusal) => {
                drop(self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("of a test"),
                    size: 4,
                    usage: BufferUsages::empty(),
                    mapped_at_creation: false,
                }))
            }
            // A software driver gives out more than there is, and never says so.
            Some(FaultInjection::OutOfMemory) => {
                note(&self.complaint, Fault::OutOfMemory("of a test".to_owned()));
            }
            Some(FaultInjection::Zeros) | None => {}
        }
    }

    /// Submits what was encoded, staged uploads with it.
    pub(super) fn submit(&mut self, encoder: CommandEncoder) -> wgpu::SubmissionIndex {
        self.belt.finish();
        let index = self.queue.submit([encoder.finish()]);
        self.belt.recall();
        index
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
