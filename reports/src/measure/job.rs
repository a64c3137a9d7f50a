//! Whole jobs: on the CPU with each level and number of threads, on an adapter, and with `auto`.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use keymill::probe::{Answer, Times};
use keymill::{DeviceChoice, Engine, Error, ErrorKind, JobMetrics, Level, Result, TokenRule};

use super::cpu::shown_threads;
use super::work::Work;
use super::{Contender, Label, Sample};
use crate::data::Text;
use crate::machine;
use crate::model::Part;

/// An engine and where it runs jobs.
#[derive(Debug)]
pub(crate) struct Runner {
    engine: Engine,
    place: Place,
}

/// Where an engine runs jobs.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Cpu,
    /// Chosen by the engine.
    Auto,
    Adapter {
        number: u32,
        /// The name with the label.
        name: String,
        /// The name in jobs.
        called: String,
        is_software: bool,
    },
}

impl Runner {
    pub(crate) fn is_software(&self) -> bool {
        matches!(self.place, Place::Adapter { is_software, .. } if is_software)
    }

    /// Returns whether this runner uses the best level and all threads of the CPU.
    pub(crate) fn is_best_on_cpu(&self) -> bool {
        let is_best = self.engine.level() == Level::best();
        let has_all = self.engine.threads() == machine::threads();
        matches!(self.place, Place::Cpu) && is_best && has_all
    }

    /// Returns whether this runner uses the best level of the CPU, with any number of threads.
    pub(crate) fn is_best_level_on_cpu(&self) -> bool {
        matches!(self.place, Place::Cpu) && self.engine.level() == Level::best()
    }

    pub(crate) fn is_on_adapter(&self) -> bool {
        matches!(self.place, Place::Adapter { .. })
    }

    /// Returns the word count on this engine.
    pub(crate) fn count<'a>(
        &'a self,
        rule: &'a TokenRule,
        text: &'a Text,
    ) -> Box<dyn Contender + 'a> {
        self.job(Work::Count { rule, text })
    }

    /// Returns the group-by on this engine, with the sum of a column.
    pub(crate) fn sum<'a>(&'a self, batches: &'a [RecordBatch]) -> Box<dyn Contender + 'a> {
        self.job(Work::Sum(batches))
    }

    /// Returns the group-by of a table in CSV on this engine.
    pub(crate) fn group_csv<'a>(&'a self, text: &'a Text) -> Box<dyn Contender + 'a> {
        self.job(Work::Csv(text))
    }

    fn job<'a>(&'a self, work: Work<'a>) -> Box<dyn Contender + 'a> {
        Box::new(WholeJob {
            runner: self,
            work,
            is_warm: false,
        })
    }

    /// Creates a runner of jobs on an adapter.
    pub(crate) fn on_adapter(name: &str, place: Place) -> Result<Self> {
        let choice = DeviceChoice::Named(name.to_owned());
        let engine = Engine::builder().device(choice).build()?;
        Ok(Self { engine, place })
    }
}

/// Creates the runners of jobs on the CPU (every level with all threads, the best level with one) and
/// the runner with `auto`.
pub(crate) fn runners() -> Result<Vec<Runner>> {
    let mut wanted = vec![(Level::best(), 1)];
    if machine::threads() > 1 {
        let all = Level::available().into_iter();
        wanted.extend(all.map(|level| (level, machine::threads())));
    }
    let runner = |(level, threads)| -> Result<Runner> {
        // With `auto` a GPU could join. That is measured as a separate way.
        let builder = Engine::builder().device(DeviceChoice::Cpu);
        let engine = builder.level(level).threads(threads).build()?;
        let place = Place::Cpu;
        Ok(Runner { engine, place })
    };
    let mut runners: Vec<Runner> = wanted.into_iter().map(runner).collect::<Result<_>>()?;
    runners.push(Runner {
        engine: Engine::builder().device(DeviceChoice::Auto).build()?,
        place: Place::Auto,
    });
    Ok(runners)
}

struct WholeJob<'a> {
    runner: &'a Runner,
    work: Work<'a>,
    is_warm: bool,
}

impl Contender for WholeJob<'_> {
    fn label(&self) -> Label {
        let Runner { engine, place } = self.runner;
        let (level, threads) = (engine.level(), engine.threads());
        let on_cpu = Label {
            name: format!("job, {level}, {}", shown_threads(threads)),
            part: Part::Job,
            level: Some(level.name().to_owned()),
            threads: u32::try_from(threads).ok(),
            adapter: None,
            is_software: false,
        };
        match place {
            Place::Cpu => on_cpu,
            Place::Auto => Label {
                name: format!("job, auto, {}", shown_threads(threads)),
                part: Part::Auto,
                ..on_cpu
            },
            Place::Adapter {
                number,
                name,
                is_software,
                ..
            } => Label {
                name: format!("job, {name}"),
                part: Part::Job,
                level: None,
                threads: None,
                adapter: Some(*number),
                is_software: *is_software,
            },
        }
    }

    fn run(&mut self, times: usize) -> Result<Sample> {
        if !self.is_warm {
            self.once()?;
            self.is_warm = true;
        }
        let (answer, first) = self.once()?;
        let mut sample = Sample {
            answer,
            times: vec![first],
        };
        for _ in 1..times {
            let (again, time) = self.once()?;
            if again != answer {
                let message = format!("the job answered {answer:?}, and then {again:?}");
                return Err(Error::new(ErrorKind::Internal, message));
            }
            sample.times.push(time);
        }
        Ok(sample)
    }
}

impl WholeJob<'_> {
    /// Runs the job. The time to check the answer is not measured.
    fn once(&self) -> Result<(Answer, Times)> {
        let engine = &self.runner.engine;
        // The job takes the bytes or the batches without a copy.
        let start = self.work.job(engine);
        let mut answer = Answer {
            rows: self.work.rows(),
            ..Answer::default()
        };
        let started = Instant::now();
        let mut batches = start()?;
        let mut kernel = started.elapsed();
        engine.install(|| -> Result<()> {
            while let Some(batch) = timed(&mut kernel, || batches.next()) {
                self.work.note(&mut answer, &batch?);
            }
            Ok(())
        })?;
        if let Place::Adapter { called, .. } = &self.runner.place {
            check_place(&batches.metrics(), called, self.work.is_empty())?;
        }
        timed(&mut kernel, || drop(batches));
        let times = Times {
            kernel,
            whole: kernel,
            ..Times::default()
        };
        Ok((answer, times))
    }
}

/// Parts of the engine's remarks about a lost device, and about a rule or text that a device refuses.
const LOST: &str = "counted again on the processor";
const REFUSED: &str = "counted on the processor: ";

/// Checks that a job ran on its adapter, so that its time is not published for the wrong one.
///
/// A rule or text that devices refuse is an error of kind [`ErrorKind::Config`]. All other errors are
/// failures of the device.
fn check_place(metrics: &JobMetrics, called: &str, is_empty: bool) -> Result<()> {
    let says = |what: &str| metrics.remarks.iter().any(|remark| remark.contains(what));
    let why = metrics.remarks.join("; ");
    let other = metrics.adapter.as_deref().filter(|name| *name != called);
    let (kind, message) = match other {
        _ if says(LOST) => (ErrorKind::Device, format!("it failed in a job: {why}")),
        Some(other) => (ErrorKind::Device, format!("the job ran on {other}")),
        None if metrics.gpu_chunks > 0 || is_empty => return Ok(()),
        None if says(REFUSED) => (ErrorKind::Config, why),
        None => {
            let message = format!("no chunk was counted on it {why}");
            (ErrorKind::Device, message.trim_end().to_owned())
        }
    };
    Err(Error::new(kind, message))
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *total += started.elapsed();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::cpu::stages;
    use crate::plan::{UNIFORM, ZIPF};
    use crate::rows::Rows;
    use keymill::probe::{self, Resident, Stage};

    /// Returns the metrics of a job with chunks on an adapter and a remark.
    fn metrics(gpu_chunks: u64, adapter: &str, remark: &str) -> JobMetrics {
        let mut metrics = JobMetrics::default();
        metrics.gpu_chunks = gpu_chunks;
        metrics.adapter = (gpu_chunks > 0).then(|| adapter.to_owned());
        metrics.remarks = vec![remark.to_owned()];
        metrics
    }

    #[test]
    fn a_job_that_ran_elsewhere_is_an_error() {
        let lost = "Pebble: lost; its chunks are counted again on the processor, and the device is \
                    tried again after a pause";
        let refused = "this is counted on the processor: a rule with a byte that is not ASCII";
        let kind =
            |metrics: JobMetrics| check_place(&metrics, "Pebble", false).map_err(|it| it.kind());
        assert_eq!(kind(metrics(7, "Pebble", "slow shaders")), Ok(()));
        assert_eq!(kind(metrics(7, "Pebble", lost)), Err(ErrorKind::Device));
        assert_eq!(kind(metrics(0, "", lost)), Err(ErrorKind::Device));
        assert_eq!(kind(metrics(7, "Stone", "")), Err(ErrorKind::Device));
        assert_eq!(kind(metrics(0, "", "")), Err(ErrorKind::Device));
        assert_eq!(kind(metrics(0, "", refused)), Err(ErrorKind::Config));
        // A few refused texts are allowed. The job's time includes them.
        let few = "chunks were counted on the processor: a token of 9 MiB";
        assert_eq!(kind(metrics(7, "Pebble", few)), Ok(()));
        assert!(check_place(&metrics(0, "", ""), "Pebble", true).is_ok());
    }

    #[test]
    fn the_job_and_the_stage_give_the_same_answer() {
        let text = "to be or not to be ".repeat(1000);
        let rule = TokenRule::Whitespace;
        let stage = Stage::Count(rule.clone());
        let (resident, text) = (Resident::text(text.clone()), Text::new(text.into()));
        let expected = probe::expected(&stage, &resident).unwrap();
        assert_eq!((expected.rows, expected.groups), (6000, 4));
        let runners = runners().unwrap();
        let mut ways: Vec<_> = stages(&stage, &resident).collect();
        ways.extend(runners.iter().map(|runner| runner.count(&rule, &text)));
        assert!(ways.len() > runners.len());
        assert_eq!(runners.iter().filter(|it| it.is_best_on_cpu()).count(), 1);
        for way in &mut ways {
            let sample = way.run(3).unwrap();
            assert_eq!(sample.answer, expected, "{:?}", way.label());
            assert_eq!(sample.times.len(), 3);
            assert!(
                sample
                    .times
                    .iter()
                    .all(|times| times.kernel > Duration::ZERO)
            );
        }
    }

    #[test]
    fn the_group_by_of_a_table_and_the_plain_code_give_the_same_answer() {
        let set = keymill_datasets::find("sensors-413").unwrap();
        let text = Text::new(set.to_vec(3 << 20));
        let expected = crate::measure::table::expected(&text);
        assert_eq!(expected.groups, 413);
        for runner in &runners().unwrap() {
            let sample = runner.group_csv(&text).run(2).unwrap();
            assert_eq!(sample.answer, expected, "{runner:?}");
        }
    }

    #[test]
    fn the_group_by_and_the_stage_give_the_same_answer() {
        let texts = crate::plan::RowSet {
            is_text: true,
            ..UNIFORM
        };
        let runners = runners().unwrap();
        for set in [UNIFORM, ZIPF, texts] {
            let rows = Rows::draw(&set, 4 << 20);
            let expected = probe::expected(&Stage::ReduceByKey, &rows.resident().unwrap()).unwrap();
            let batches = rows.batches().unwrap();
            for runner in &runners {
                let sample = runner.sum(&batches).run(2).unwrap();
                assert_eq!(sample.answer, expected, "{runner:?}");
            }
        }
    }
}
