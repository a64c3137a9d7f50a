//! The ways on adapters: a stage, end to end and in parts. Software adapters are included and labelled.

use keymill::Result;
use keymill::probe::{self, AdapterInfo, Resident, ShaderVariant, Stage};

use super::job::{Place, Runner};
use super::{Contender, Label, Sample};
use crate::model::{Adapter, AdapterLimits, Part, Spread, Subject};

/// Number of measurements of an adapter's limits. Each is the best of several tries.
const TIMES: usize = 3;

/// An adapter of this machine.
#[derive(Debug)]
pub(crate) struct Device {
    number: u32,
    info: AdapterInfo,
    /// The opened adapter, or why it was not opened.
    opened: Result<probe::Adapter, String>,
    /// The number of the adapter that a job uses when it requests this one's name.
    job_on: Option<u32>,
}

/// Finds the adapters of this machine and opens those that passed their self-test.
pub(crate) fn find() -> Vec<Device> {
    let adapters = probe::adapters();
    let names: Vec<(String, bool)> = adapters
        .iter()
        .map(|info| (name_for_jobs(info), info.refused.is_none()))
        .collect();
    (0..)
        .zip(adapters)
        .map(|(number, info)| Device {
            number,
            job_on: first_named(&names, &info.name),
            opened: match &info.refused {
                Some(why) => Err(format!("it failed its self-test: {why}")),
                None => probe::Adapter::open(&info).map_err(|error| error.to_string()),
            },
            info,
        })
        .collect()
}

/// Returns the name of an adapter in jobs.
fn name_for_jobs(info: &AdapterInfo) -> String {
    match info.is_software {
        true => format!("software Vulkan ({})", info.name),
        false => info.name.clone(),
    }
}

/// Returns the adapter that the engine chooses for a name: the first whose name contains it and that
/// passed its self-test. `names` contains each name and whether the self-test passed.
fn first_named(names: &[(String, bool)], wanted: &str) -> Option<u32> {
    let wanted = wanted.to_lowercase();
    let takes =
        |(name, is_sound): &(String, bool)| *is_sound && name.to_lowercase().contains(&wanted);
    u32::try_from(names.iter().position(takes)?).ok()
}

impl Device {
    pub(crate) fn is_software(&self) -> bool {
        self.info.is_software
    }

    /// Measures the limits and returns the adapter for the report.
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

    /// Returns the maximum bytes of a subject's data that the adapter can bind. Text is processed in
    /// chunks. Of rows, only one half (keys, values or spans) is bound at once.
    pub(crate) fn most_bytes(&self, subject: Subject) -> u64 {
        let bound = self.info.binding_bytes;
        match subject {
            Subject::HashPartition => bound,
            Subject::ReduceByKey => bound.saturating_mul(2),
            Subject::Frame | Subject::Tokenize | Subject::Count | Subject::GroupByCsv => u64::MAX,
        }
    }

    /// Returns the stage on this adapter, if it was opened.
    pub(crate) fn contender<'a>(
        &'a self,
        stage: &'a Stage,
        data: &'a Resident,
    ) -> Option<Box<dyn Contender + 'a>> {
        self.on_stage(stage, data, How::AsJobs)
    }

    /// Returns the stage on resident data, in chunks of maximum size.
    pub(crate) fn resident<'a>(
        &'a self,
        stage: &'a Stage,
        data: &'a Resident,
    ) -> Option<Box<dyn Contender + 'a>> {
        self.on_stage(stage, data, How::InLargeChunks)
    }

    fn on_stage<'a>(
        &'a self,
        stage: &'a Stage,
        data: &'a Resident,
        how: How,
    ) -> Option<Box<dyn Contender + 'a>> {
        let opened = self.opened.as_ref().ok()?;
        Some(Box::new(StageOnAdapter {
            device: self,
            opened,
            stage,
            data,
            how,
        }))
    }

    /// Returns the stage with one variant of the shaders.
    pub(crate) fn with_variant<'a>(
        &'a self,
        variant: &'a Variant,
        stage: &'a Stage,
        data: &'a Resident,
    ) -> Box<dyn Contender + 'a> {
        Box::new(StageOnAdapter {
            device: self,
            opened: &variant.opened,
            stage,
            data,
            how: How::Variant(variant.name.clone()),
        })
    }

    /// Returns the name and the label.
    pub(crate) fn titled(&self) -> String {
        format!("{} ({})", self.info.name, label(&self.info))
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened.is_ok()
    }

    /// Returns a runner of jobs on this adapter, or why jobs cannot run on it.
    pub(crate) fn runner(&self) -> Result<Result<Runner, String>> {
        if self.job_on != Some(self.number) {
            return Ok(Err(self.why_no_jobs()));
        }
        let place = Place::Adapter {
            number: self.number,
            name: self.titled(),
            called: name_for_jobs(&self.info),
            is_software: self.info.is_software,
        };
        Runner::on_adapter(&self.info.name, place).map(Ok)
    }

    /// Returns why jobs cannot choose this adapter: equal adapters, and one adapter with two
    /// interfaces, have the same name.
    fn why_no_jobs(&self) -> String {
        let which = format!("{}, by {}", self.titled(), self.info.interface);
        let other = match self.job_on {
            Some(other) => format!("cannot distinguish it from adapter {other} by its name"),
            None => "cannot find it by its name".to_owned(),
        };
        let number = self.number;
        format!(
            "Adapter {number}, counted from 0 ({which}): no job was measured on it, because jobs {other}."
        )
    }

    /// Returns the variants of its shaders, the base first. With `few`, only the base and the variant
    /// of jobs.
    pub(crate) fn variants(&self, few: bool) -> Vec<ShaderVariant> {
        let used = self.info.shaders;
        let all = self.info.variants().into_iter();
        all.filter(|variant| !few || *variant == used || *variant == ShaderVariant::BASE)
            .collect()
    }

    /// Opens the adapter with a variant of the shaders.
    pub(crate) fn open_with(&self, variant: ShaderVariant) -> Result<Variant> {
        let name = match variant == self.info.shaders {
            true => format!("{variant} (used by jobs)"),
            false => variant.to_string(),
        };
        let opened = probe::Adapter::open_with(&self.info, variant)?;
        Ok(Variant { name, opened })
    }
}

/// An adapter with one variant of its shaders.
#[derive(Debug)]
pub(crate) struct Variant {
    name: String,
    opened: probe::Adapter,
}

/// Returns the label of an adapter. Software is never called a GPU.
fn label(info: &AdapterInfo) -> &'static str {
    match (info.is_software, info.interface) {
        (false, _) => "GPU",
        (true, "vulkan") => "software Vulkan",
        (true, _) => "software",
    }
}

fn limits(opened: &probe::Adapter) -> Result<AdapterLimits> {
    let all: Vec<_> = (0..TIMES).map(|_| opened.limits()).collect::<Result<_>>()?;
    let spread = |of: fn(&probe::AdapterLimits) -> u64| {
        Spread::of(all.iter().map(of).collect()).unwrap_or_default()
    };
    Ok(AdapterLimits {
        upload: spread(|it| it.upload_bytes_per_second as u64),
        pinned: spread(|it| it.pinned_bytes_per_second as u64),
        readback: spread(|it| it.readback_bytes_per_second as u64),
        launch_ns: spread(|it| u64::try_from(it.launch.as_nanos()).unwrap_or(u64::MAX)),
    })
}

/// How a stage runs on an adapter.
enum How {
    AsJobs,
    InLargeChunks,
    /// With a variant of the shaders, by its name.
    Variant(String),
}

struct StageOnAdapter<'a> {
    device: &'a Device,
    opened: &'a probe::Adapter,
    stage: &'a Stage,
    data: &'a Resident,
    how: How,
}

impl Contender for StageOnAdapter<'_> {
    fn label(&self) -> Label {
        let titled = self.device.titled();
        Label {
            name: match &self.how {
                How::AsJobs => titled,
                How::InLargeChunks => format!("{titled}, resident"),
                How::Variant(name) => format!("{titled}: {name}"),
            },
            part: Part::Stage,
            level: None,
            threads: None,
            adapter: Some(self.device.number),
            is_software: self.device.info.is_software,
        }
    }

    fn run(&mut self, times: usize) -> Result<Sample> {
        let probed = match self.how {
            How::InLargeChunks => {
                self.opened
                    .run_in_chunks(self.stage, self.data, usize::MAX, times)?
            }
            How::AsJobs | How::Variant(_) => self.opened.run(self.stage, self.data, times)?,
        };
        Ok(Sample {
            answer: probed.answer,
            times: probed.times,
        })
    }
}

#[cfg(test)]
mod tests {
    use keymill::TokenRule;

    use super::*;

    #[test]
    fn a_job_takes_the_first_sound_adapter_with_the_name() {
        let named = |name: &str, is_sound| (name.to_owned(), is_sound);
        let twins = [
            named("Pebble 2", true),
            named("Stone", false),
            named("Pebble", true),
            named("Stone", true),
            named("software Vulkan (pipe)", true),
        ];
        assert_eq!(first_named(&twins, "Pebble 2"), Some(0));
        assert_eq!(first_named(&twins, "pebble"), Some(0));
        assert_eq!(first_named(&twins, "Stone"), Some(3));
        assert_eq!(first_named(&twins, "pipe"), Some(4));
        assert_eq!(first_named(&twins, "Sand"), None);
    }

    #[test]
    fn an_adapter_that_jobs_cannot_choose_has_no_jobs() {
        for mut device in find().into_iter().filter(Device::is_open) {
            device.job_on = Some(device.number + 1);
            let why = device.runner().unwrap().unwrap_err();
            assert!(why.contains("cannot distinguish it from adapter"), "{why}");
            device.job_on = Some(device.number);
            assert!(device.runner().unwrap().is_ok());
        }
    }

    #[test]
    fn a_refused_rule_is_an_error_of_kind_config() {
        let text = crate::data::Text::new(b"to--be--or".to_vec());
        // Adapters refuse a separator that can overlap itself.
        let rule = TokenRule::Split(b"--".to_vec().into());
        for device in find().iter().filter(|it| it.is_open()) {
            let Ok(runner) = device.runner().unwrap() else {
                continue;
            };
            let error = runner.count(&rule, &text).run(1).unwrap_err();
            assert_eq!(error.kind(), keymill::ErrorKind::Config, "{error}");
        }
    }

    #[test]
    fn the_maximum_bytes_depend_on_the_binding_limit() {
        for device in find() {
            let most = device.info.binding_bytes;
            assert_eq!(device.most_bytes(Subject::HashPartition), most);
            assert_eq!(device.most_bytes(Subject::ReduceByKey), 2 * most);
            assert_eq!(device.most_bytes(Subject::Count), u64::MAX);
        }
    }

    #[test]
    fn every_adapter_is_described_and_gives_the_right_answer() {
        let stage = Stage::Count(TokenRule::Whitespace);
        let text = Resident::text("to be or not to be\n".repeat(1000));
        let expected = probe::expected(&stage, &text).unwrap();
        for device in find() {
            let adapter = device.describe();
            assert_eq!(adapter.is_software, adapter.label != "GPU");
            assert_eq!(adapter.limits.is_some(), adapter.not_measured.is_none());
            if let Some(mut way) = device.contender(&stage, &text) {
                let sample = way.run(2).unwrap();
                assert_eq!((sample.answer, sample.times.len()), (expected, 2));
            }
        }
    }
}
