//! Where the chunks of a job are counted.
#![forbid(unsafe_code)]

use super::elsewhere::Elsewhere;
use super::pace::Pace;
use crate::engine::Engine;
use crate::job::Progress;
use crate::{DeviceChoice, Resources, Result, TokenRule};

#[cfg(feature = "gpu")]
pub(super) use super::late::Joining;
#[cfg(not(feature = "gpu"))]
pub(super) use super::nobody::Joining;

#[cfg(feature = "gpu")]
use super::offload::Offload;

/// Where chunks are counted: on the processor, on a device, or on both.
pub(super) struct Place<'a> {
    engine: &'a Engine,
    has_device: bool,
}

impl<'a> Place<'a> {
    /// The place that an engine was asked for.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] where no adapter can be used and one was asked for.
    pub(super) fn of(engine: &'a Engine) -> Result<Self> {
        let has_device = !matches!(engine.device(), DeviceChoice::Auto | DeviceChoice::Cpu);
        if has_device {
            check_device(engine)?;
        }
        Ok(Self { engine, has_device })
    }

    /// A worker's way to another place than its own thread, if there is one.
    pub(super) fn elsewhere<'w>(
        &'w self,
        rule: &'w TokenRule,
        resources: &'w Resources,
    ) -> Option<Box<dyn Elsewhere + 'w>> {
        #[cfg(feature = "gpu")]
        if self.has_device {
            return Some(Box::new(Offload::new(self.engine, rule, resources, None)));
        }
        let _ = (rule, resources);
        None
    }

    /// A device that may join a job while the processor counts.
    pub(super) fn joining<'w>(
        &'w self,
        rule: &'w TokenRule,
        progress: &'w Progress,
        pace: &'w Pace,
        total: Option<u64>,
    ) -> Option<Joining<'w>> {
        match self.engine.device() {
            DeviceChoice::Auto => Joining::new(self.engine, rule, progress, pace, total),
            _ => None,
        }
    }

    /// Where chunks are counted, and why, if that is known before any is.
    pub(super) fn decision(&self) -> Option<String> {
        match self.engine.device() {
            DeviceChoice::Auto => None,
            choice => Some(format!("{choice}, as was asked")),
        }
    }

    /// How many workers count on the processor where it would be so many.
    pub(super) fn cpu_workers(&self, most: usize) -> usize {
        match self.has_device && *self.engine.device() != DeviceChoice::Hybrid {
            true => 0,
            false => most,
        }
    }

    /// How many workers there are in all, where so many threads may count on the processor.
    pub(super) fn takers(&self, threads: usize) -> usize {
        self.cpu_workers(threads) + usize::from(self.has_device)
    }

    /// What whoever asked for a GPU has to know before anything else.
    pub(super) fn remark(&self) -> Option<String> {
        let is_named = matches!(self.engine.device(), DeviceChoice::Named(_));
        (self.has_device && !is_named).then(|| software(self.engine))?
    }
}

#[cfg(feature = "gpu")]
fn check_device(engine: &Engine) -> Result<()> {
    engine.seat().device().map(drop).map_err(no_device)
}

#[cfg(not(feature = "gpu"))]
fn check_device(_: &Engine) -> Result<()> {
    Err(no_device("this build has no feature `gpu`"))
}

/// What is said of a device that is software.
#[cfg(feature = "gpu")]
fn software(engine: &Engine) -> Option<String> {
    let device = engine.seat().device().ok()?;
    let name = device.name();
    device.is_software().then(|| {
        format!("there is no GPU that can be used; this ran on {name}, which is for tests")
    })
}

#[cfg(not(feature = "gpu"))]
fn software(_: &Engine) -> Option<String> {
    None
}

fn no_device(why: impl std::fmt::Display) -> crate::Error {
    let message = format!(
        "no GPU can be used: {why}; `keymill devices --all` lists adapters, and --device cpu or auto needs none"
    );
    crate::Error::new(crate::ErrorKind::Device, message)
}

/// Where an engine's jobs run, and why.
pub(crate) fn describe(engine: &Engine) -> String {
    let choice = engine.device();
    match choice {
        DeviceChoice::Cpu => "cpu, as was asked".to_owned(),
        DeviceChoice::Auto => describe_auto(),
        _ => describe_device(engine, choice),
    }
}

#[cfg(feature = "gpu")]
fn describe_auto() -> String {
    use crate::device::choose::{Megabytes, SMALLEST};
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

#[cfg(feature = "gpu")]
fn describe_device(engine: &Engine, choice: &DeviceChoice) -> String {
    let limits = engine.resources().limits;
    match engine.seat().device() {
        Ok(device) => {
            let name = device.name();
            let chunk = limits.device_chunk_bytes;
            let beside = match choice {
                DeviceChoice::Hybrid => " and cpu, each taking what it can,",
                _ => "",
            };
            format!(
                "{name}{beside} as was asked; chunks of {chunk} bytes at most, keys above {} bytes on the cpu",
                limits.device_key_bytes
            )
        }
        Err(fault) => format!("none: {fault}"),
    }
}

#[cfg(not(feature = "gpu"))]
fn describe_device(_: &Engine, choice: &DeviceChoice) -> String {
    format!("none: this build has no feature `gpu`, which {choice} needs")
}
