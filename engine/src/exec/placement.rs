//! Placement: decides where the chunks of a job are counted.
#![forbid(unsafe_code)]

use super::Progress;
use super::chunk_sink::ChunkSink;
use super::context::KnownInput;
use super::env::RuntimeEnv;
use super::job::Job;
use super::throughput::Throughput;
use crate::{Cancel, DeviceChoice, Resources, Result, TokenRule};

#[cfg(feature = "gpu")]
use crate::device::{Fault, refusal};

#[cfg(feature = "gpu")]
pub(super) use super::gpu_autojoin::GpuAutojoin;
#[cfg(not(feature = "gpu"))]
pub(super) use super::no_gpu::GpuAutojoin;

/// Where chunks are counted: on the processor, on a device, or on both.
pub(super) struct Placement<'a> {
    env: &'a RuntimeEnv,
    has_device: bool,
    /// A remark for the caller who requested a device.
    pub(super) remark: Option<String>,
}

impl<'a> Placement<'a> {
    /// Determines the placement of a job, from the engine's choice and the job's rule.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if an adapter was requested and none can be used.
    pub(super) fn of(env: &'a RuntimeEnv, job: &impl Job, cancel: &Cancel) -> Result<Self> {
        let (has_device, remark) = match env.device {
            DeviceChoice::Auto | DeviceChoice::Cpu => (false, None),
            _ => check_device(env, job, cancel)?,
        };
        Ok(Self {
            env,
            has_device,
            remark,
        })
    }

    /// Returns the engine's choice of device.
    pub(super) fn choice(&self) -> &DeviceChoice {
        &self.env.device
    }

    /// Creates a worker's chunk sink, if there is a device.
    pub(super) fn chunk_sink<'w, J: Job>(
        &'w self,
        job: &'w J,
        resources: &'w Resources,
    ) -> Option<Box<dyn ChunkSink<J::Operator> + 'w>> {
        #[cfg(feature = "gpu")]
        if self.has_device {
            return job.chunk_sink(self.env, resources, None);
        }
        let _ = (job, resources);
        None
    }

    /// Returns a device that may join a job while the processor counts.
    pub(super) fn autojoin<'w, J: Job>(
        &'w self,
        job: &'w J,
        progress: &'w Progress,
        throughput: &'w Throughput,
        input: KnownInput<'_>,
    ) -> Option<GpuAutojoin<'w, J>> {
        match self.env.device {
            DeviceChoice::Auto => GpuAutojoin::new(self.env, job, progress, throughput, input),
            _ => None,
        }
    }

    /// Returns where chunks are counted and why, if that is known in advance.
    pub(super) fn decision(&self) -> Option<String> {
        match &self.env.device {
            DeviceChoice::Auto => None,
            DeviceChoice::Cpu => Some("cpu, as requested".to_owned()),
            choice => Some(match &self.remark {
                Some(why) if !self.has_device => format!("cpu, not {choice}: {why}"),
                _ => format!("{choice}, as requested{}", self.shaders()),
            }),
        }
    }

    /// Describes the shaders of the device, if there is something to report.
    #[cfg(feature = "gpu")]
    fn shaders(&self) -> String {
        let device = self.env.shared_device.try_device();
        let shaders = device.and_then(|device| device.shaders());
        shaders.map_or_else(String::new, |shaders| format!("; {shaders}"))
    }

    #[cfg(not(feature = "gpu"))]
    fn shaders(&self) -> String {
        String::new()
    }

    /// Returns the number of workers that count on the processor, at most `most`.
    pub(super) fn cpu_workers(&self, most: usize) -> usize {
        match self.has_device && self.env.device != DeviceChoice::Hybrid {
            true => 0,
            false => most,
        }
    }

    /// Returns the number of all workers, if `threads` may count on the processor.
    pub(super) fn takers(&self, threads: usize) -> usize {
        self.cpu_workers(threads) + usize::from(self.has_device)
    }
}

/// Opens the device. Returns whether it can run the job, and a remark.
#[cfg(feature = "gpu")]
fn check_device(
    env: &RuntimeEnv,
    job: &impl Job,
    cancel: &Cancel,
) -> Result<(bool, Option<String>)> {
    let device = match env.shared_device.device(cancel) {
        Ok(device) => device,
        Err(Fault::Cancelled) => return Err(crate::Error::cancelled()),
        Err(fault) => return Err(no_device(fault)),
    };
    if let Some(why) = job.refusal() {
        return Ok((
            false,
            Some(format!("this is counted on the processor: {why}")),
        ));
    }
    let is_named = matches!(env.device, DeviceChoice::Named(_));
    let name = device.name();
    let remark = (device.is_software() && !is_named)
        .then(|| format!("no GPU can be used; this runs on {name}, which is meant for tests"));
    Ok((true, remark))
}

#[cfg(not(feature = "gpu"))]
fn check_device(_: &RuntimeEnv, _: &impl Job, _: &Cancel) -> Result<(bool, Option<String>)> {
    Err(no_device("this build lacks the feature `gpu`"))
}

fn no_device(why: impl std::fmt::Display) -> crate::Error {
    let message = format!("no GPU can be used: {why}");
    crate::Error::new(crate::ErrorKind::Device, message)
}

/// Describes where an engine's jobs run and why. `refusal` is the reason why no device can run the job.
pub(crate) fn describe(env: &RuntimeEnv, refusal: Option<String>) -> String {
    let choice = &env.device;
    match (choice, refusal) {
        (DeviceChoice::Cpu, _) => "cpu, as requested".to_owned(),
        (DeviceChoice::Auto, Some(why)) => format!("auto: cpu; {why}"),
        (DeviceChoice::Auto, None) => describe_auto(),
        (choice, Some(why)) => format!("cpu, not {choice}: {why}"),
        (choice, None) => describe_device(env, choice),
    }
}

/// The reason that no device joins a job over batches by itself.
pub(super) const BATCHES_UNKNOWN: &str =
    "the number of batches is unknown, so `auto` uses no device";

/// Returns where an engine's jobs over batches run, and why; `refusal` is as for [`describe`].
pub(crate) fn describe_batches(env: &RuntimeEnv, refusal: Option<String>) -> String {
    match (&env.device, refusal) {
        (DeviceChoice::Auto, None) => format!("auto: cpu; {BATCHES_UNKNOWN}"),
        (choice, None) if *choice != DeviceChoice::Cpu => describe_chunks(env, choice),
        (_, refusal) => describe(env, refusal),
    }
}

/// Returns why no device can count the tokens of a rule, for any text.
#[cfg(feature = "gpu")]
pub(super) fn refusal_of_rule(rule: &TokenRule) -> Option<String> {
    refusal(rule, b"").map(|why| why.to_string())
}

#[cfg(not(feature = "gpu"))]
pub(super) fn refusal_of_rule(_: &TokenRule) -> Option<String> {
    None
}

#[cfg(feature = "gpu")]
fn describe_auto() -> String {
    use crate::device::join_policy::{HumanBytes, MIN_INPUT_BYTES};
    let smallest = HumanBytes(MIN_INPUT_BYTES as f64);
    match crate::device::may_have_gpu() {
        true => format!("auto: cpu up to {smallest} of input; then a GPU may join if it is faster"),
        false => "auto: cpu; this machine has no GPU".to_owned(),
    }
}

#[cfg(not(feature = "gpu"))]
fn describe_auto() -> String {
    "auto: cpu; this build lacks the feature `gpu`".to_owned()
}

fn describe_device(env: &RuntimeEnv, choice: &DeviceChoice) -> String {
    let keys = env.tuning.device_key_bytes;
    match open_device(env, choice) {
        Ok(device) => format!("{device}, keys above {keys} bytes on the cpu"),
        Err(why) => why,
    }
}

fn describe_chunks(env: &RuntimeEnv, choice: &DeviceChoice) -> String {
    open_device(env, choice).unwrap_or_else(|why| why)
}

/// Describes the requested device and its chunks; the error says why there is none.
#[cfg(feature = "gpu")]
fn open_device(env: &RuntimeEnv, choice: &DeviceChoice) -> std::result::Result<String, String> {
    let device = env.shared_device.device(&Cancel::default());
    let name = device
        .map_err(|fault| format!("none: {fault}"))?
        .described();
    let beside = match choice {
        DeviceChoice::Hybrid => " and cpu",
        _ => "",
    };
    let chunk = env.tuning.device_chunk_bytes;
    Ok(format!(
        "{name}{beside}, as requested; chunks up to {chunk} bytes"
    ))
}

#[cfg(not(feature = "gpu"))]
fn open_device(_: &RuntimeEnv, choice: &DeviceChoice) -> std::result::Result<String, String> {
    Err(format!(
        "none: this build lacks the feature `gpu`, which {choice} needs"
    ))
}
