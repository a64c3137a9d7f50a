//! Where the chunks of a job are counted.
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
    /// What whoever asked for a device has to know before anything else.
    pub(super) remark: Option<String>,
}

impl<'a> Placement<'a> {
    /// The place that an engine was asked for, if it takes such tokens.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] where no adapter can be used and one was asked for.
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

    /// What the engine was asked for.
    pub(super) fn choice(&self) -> &DeviceChoice {
        &self.env.device
    }

    /// A worker's way to a device, if there is one.
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

    /// A device that may join a job while the processor works.
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

    /// Where chunks are counted, and why, if that is known before any is.
    pub(super) fn decision(&self) -> Option<String> {
        match &self.env.device {
            DeviceChoice::Auto => None,
            DeviceChoice::Cpu => Some("cpu, as was asked".to_owned()),
            choice => Some(match &self.remark {
                Some(why) if !self.has_device => format!("cpu, not {choice}: {why}"),
                _ => format!("{choice}, as was asked{}", self.shaders()),
            }),
        }
    }

    /// What the shaders of the device use, if there is something to say of that.
    #[cfg(feature = "gpu")]
    fn shaders(&self) -> String {
        let device = self.env.shared_device.device_now();
        let shaders = device.and_then(|device| device.shaders());
        shaders.map_or_else(String::new, |shaders| format!("; {shaders}"))
    }

    #[cfg(not(feature = "gpu"))]
    fn shaders(&self) -> String {
        String::new()
    }

    /// How many workers count on the processor where it would be so many.
    pub(super) fn cpu_workers(&self, most: usize) -> usize {
        match self.has_device && self.env.device != DeviceChoice::Hybrid {
            true => 0,
            false => most,
        }
    }

    /// How many workers there are in all, where so many threads may count on the processor.
    pub(super) fn takers(&self, threads: usize) -> usize {
        self.cpu_workers(threads) + usize::from(self.has_device)
    }
}

/// Whether the device takes the tokens of a rule, and what is to be said of it.
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
    let remark = (device.is_software() && !is_named).then(|| {
        format!("there is no GPU that can be used; this runs on {name}, which is for tests")
    });
    Ok((true, remark))
}

#[cfg(not(feature = "gpu"))]
fn check_device(_: &RuntimeEnv, _: &impl Job, _: &Cancel) -> Result<(bool, Option<String>)> {
    Err(no_device("this build has no feature `gpu`"))
}

fn no_device(why: impl std::fmt::Display) -> crate::Error {
    let message = format!("no GPU can be used: {why}");
    crate::Error::new(crate::ErrorKind::Device, message)
}

/// Where an engine's jobs run, and why; `refusal` is why no device can run the job, if there is one.
pub(crate) fn describe(env: &RuntimeEnv, refusal: Option<String>) -> String {
    let choice = &env.device;
    match (choice, refusal) {
        (DeviceChoice::Cpu, _) => "cpu, as was asked".to_owned(),
        (DeviceChoice::Auto, Some(why)) => format!("auto: cpu; {why}"),
        (DeviceChoice::Auto, None) => describe_auto(),
        (choice, Some(why)) => format!("cpu, not {choice}: {why}"),
        (choice, None) => describe_device(env, choice),
    }
}

/// The reason that no device joins a job over batches by itself.
pub(super) const BATCHES_UNKNOWN: &str =
    "the number of batches is not known, so no device joins by itself";

/// Where an engine's jobs over batches run, and why; `refusal` as for [`describe`].
pub(crate) fn describe_batches(env: &RuntimeEnv, refusal: Option<String>) -> String {
    match (&env.device, refusal) {
        (DeviceChoice::Auto, None) => format!("auto: cpu; {BATCHES_UNKNOWN}"),
        (choice, None) if *choice != DeviceChoice::Cpu => describe_chunks(env, choice),
        (_, refusal) => describe(env, refusal),
    }
}

/// Why no device takes the tokens of a rule, whatever the text.
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
    use crate::device::join_policy::{Megabytes, SMALLEST};
    let smallest = Megabytes(SMALLEST as f64);
    match crate::device::may_have_hardware() {
        true => format!("auto: cpu up to {smallest} of input; then a GPU may join, if it pays"),
        false => "auto: cpu; this machine shows no GPU".to_owned(),
    }
}

#[cfg(not(feature = "gpu"))]
fn describe_auto() -> String {
    "auto: cpu; this build has no feature `gpu`".to_owned()
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

/// The device that was asked for, and its chunks, in words; the error says why there is none.
#[cfg(feature = "gpu")]
fn open_device(env: &RuntimeEnv, choice: &DeviceChoice) -> std::result::Result<String, String> {
    let device = env.shared_device.device(&Cancel::default());
    let name = device
        .map_err(|fault| format!("none: {fault}"))?
        .described();
    let beside = match choice {
        DeviceChoice::Hybrid => " and cpu, each taking what it can,",
        _ => "",
    };
    let chunk = env.tuning.device_chunk_bytes;
    Ok(format!(
        "{name}{beside} as was asked; chunks of {chunk} bytes at most"
    ))
}

#[cfg(not(feature = "gpu"))]
fn open_device(_: &RuntimeEnv, choice: &DeviceChoice) -> std::result::Result<String, String> {
    Err(format!(
        "none: this build has no feature `gpu`, which {choice} needs"
    ))
}
