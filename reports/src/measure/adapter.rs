//! The ways on adapters. The one file that changes when `keymill::probe` opens devices.
//!
//! Until then adapters are listed with the verdict of their self-test, and have no figures.

use keymill::probe::{self, AdapterInfo, Probed, Resident, Stage};
use keymill::{Error, ErrorKind, Result};

use super::{Contender, Label, Sample};
use crate::model::{Adapter, AdapterLimits, Part, Spread};

/// How often the limits of an adapter are measured.
const TIMES: usize = 7;

/// An adapter of this machine.
#[derive(Debug)]
pub(crate) struct Device {
    number: u32,
    info: AdapterInfo,
    /// Opened for measuring, or why not.
    opened: Result<Opened, String>,
}

/// An adapter on which stages run: `keymill::probe::Adapter`, once there is one.
#[derive(Debug)]
enum Opened {}

/// What `keymill::probe::AdapterLimits` will tell.
struct Limits {
    upload: u64,
    readback: u64,
    launch_ns: u64,
}

impl Opened {
    fn open(_: &AdapterInfo) -> Result<Self> {
        let message = "no stage runs on an adapter in this version of keymill";
        Err(Error::new(ErrorKind::Device, message))
    }

    fn run(&self, _: &Stage, _: &Resident, _: usize) -> Result<Probed> {
        match *self {}
    }

    fn limits(&self) -> Result<Limits> {
        match *self {}
    }
}

/// Finds the adapters of this machine and opens those that passed their self-test.
pub(crate) fn find() -> Vec<Device> {
    let adapters = (0..).zip(probe::adapters());
    adapters
        .map(|(number, info)| Device {
            number,
            opened: match &info.refused {
                Some(why) => Err(format!("it failed its self-test: {why}")),
                None => Opened::open(&info).map_err(|error| error.to_string()),
            },
            info,
        })
        .collect()
}

impl Device {
    /// What the report says of it, its limits included.
    pub(crate) fn describe(&self) -> Adapter {
        let measured = match &self.opened {
            Ok(opened) => limits(opened).map_err(|error| error.to_string()),
            Err(why) => Err(why.clone()),
        };
        let info = &self.info;
        Adapter {
            name: info.name.clone(),
            label: label(info).to_owned(),
            is_software: info.is_software,
            interface: info.interface.to_owned(),
            driver: info.driver.clone(),
            binding_bytes: info.binding_bytes,
            not_measured: measured.as_ref().err().cloned(),
            limits: measured.ok(),
        }
    }

    /// The stage on this adapter, if it was opened.
    pub(crate) fn contender<'a>(
        &'a self,
        stage: &'a Stage,
        data: &'a Resident,
    ) -> Option<Box<dyn Contender + 'a>> {
        let opened = self.opened.as_ref().ok()?;
        Some(Box::new(StageOnAdapter {
            device: self,
            opened,
            stage,
            data,
        }))
    }
}

/// Software is never called a GPU.
fn label(info: &AdapterInfo) -> &'static str {
    match (info.is_software, info.interface) {
        (false, _) => "GPU",
        (true, "vulkan") => "software Vulkan",
        (true, _) => "software",
    }
}

fn limits(opened: &Opened) -> Result<AdapterLimits> {
    let all: Vec<Limits> = (0..TIMES).map(|_| opened.limits()).collect::<Result<_>>()?;
    let spread = |of: fn(&Limits) -> u64| Spread::of(all.iter().map(of).collect());
    Ok(AdapterLimits {
        upload: spread(|it| it.upload).unwrap_or_default(),
        readback: spread(|it| it.readback).unwrap_or_default(),
        launch_ns: spread(|it| it.launch_ns).unwrap_or_default(),
    })
}

struct StageOnAdapter<'a> {
    device: &'a Device,
    opened: &'a Opened,
    stage: &'a Stage,
    data: &'a Resident,
}

impl Contender for StageOnAdapter<'_> {
    fn label(&self) -> Label {
        Label {
            name: format!("{} ({})", self.device.info.name, label(&self.device.info)),
            part: Part::Stage,
            level: None,
            threads: None,
            adapter: Some(self.device.number),
        }
    }

    fn run(&mut self, times: usize) -> Result<Sample> {
        let probed = self.opened.run(self.stage, self.data, times)?;
        Ok(Sample {
            answer: probed.answer,
            times: probed.times,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adapter_is_described() {
        for device in find() {
            let adapter = device.describe();
            assert_eq!(adapter.is_software, adapter.label != "GPU");
            assert!(adapter.limits.is_some() || adapter.not_measured.is_some());
        }
    }
}
