//! Where the chunks of a job are counted.
#![forbid(unsafe_code)]

use super::elsewhere::Elsewhere;
use crate::engine::Engine;
use crate::{DeviceChoice, Resources, Result, TokenRule};

#[cfg(feature = "gpu")]
use super::offload::Offload;
#[cfg(feature = "gpu")]
use crate::device::Seat;

/// Where chunks are counted.
pub(super) enum Place<'a> {
    /// On the processor, by all threads.
    Cpu,
    /// On a device, and beside it on the processor if that is to share the work.
    #[cfg(feature = "gpu")]
    Device {
        seat: &'a Seat,
        is_shared: bool,
        /// Somebody asked for this very adapter.
        is_named: bool,
    },
    /// Nothing; a build without devices has none to hold on to.
    #[cfg(not(feature = "gpu"))]
    Nowhere(std::convert::Infallible, std::marker::PhantomData<&'a ()>),
}

impl<'a> Place<'a> {
    /// The place that an engine was asked for.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] where no adapter can be used and one was asked for.
    pub(super) fn of(engine: &'a Engine) -> Result<Self> {
        match engine.device() {
            DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Self::Cpu),
            choice => Self::device(engine, choice),
        }
    }

    #[cfg(feature = "gpu")]
    fn device(engine: &'a Engine, choice: &DeviceChoice) -> Result<Self> {
        let seat = engine.seat();
        match seat.device() {
            Ok(_) => Ok(Self::Device {
                seat,
                is_shared: *choice == DeviceChoice::Hybrid,
                is_named: matches!(choice, DeviceChoice::Named(_)),
            }),
            Err(fault) => Err(no_device(fault)),
        }
    }

    #[cfg(not(feature = "gpu"))]
    fn device(_: &'a Engine, _: &DeviceChoice) -> Result<Self> {
        Err(no_device("this build has no feature `gpu`"))
    }

    /// A worker's way to another place than its own thread, if there is one.
    pub(super) fn elsewhere<'w>(
        &'w self,
        rule: &'w TokenRule,
        resources: &'w Resources,
    ) -> Option<Box<dyn Elsewhere + 'w>> {
        match self {
            #[cfg(feature = "gpu")]
            Self::Device { seat, .. } => Some(Box::new(Offload::new(seat, rule, resources))),
            _ => {
                let _ = (rule, resources);
                None
            }
        }
    }

    /// How many workers count on the processor where it would be so many.
    pub(super) fn cpu_workers(&self, most: usize) -> usize {
        match self {
            #[cfg(feature = "gpu")]
            Self::Device {
                is_shared: false, ..
            } => 0,
            _ => most,
        }
    }

    /// How many workers there are in all, where so many threads may count on the processor.
    pub(super) fn takers(&self, threads: usize) -> usize {
        match self {
            #[cfg(feature = "gpu")]
            Self::Device { .. } => self.cpu_workers(threads) + 1,
            _ => threads,
        }
    }

    /// What whoever asked for a GPU has to know before anything else.
    pub(super) fn remarks(&self) -> Option<String> {
        match self {
            #[cfg(feature = "gpu")]
            Self::Device {
                seat,
                is_named: false,
                ..
            } => {
                let device = seat.device().ok()?;
                let name = device.name();
                device.is_software().then(|| {
                    format!(
                        "there is no GPU that can be used; this ran on {name}, which is for tests"
                    )
                })
            }
            _ => None,
        }
    }
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
        DeviceChoice::Auto => "cpu: auto has no measurements of adapters yet".to_owned(),
        _ => describe_device(engine, choice),
    }
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
