//! The ways on the CPU: a stage on a level, by one thread; the whole job, by one thread and by all.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use keymill::probe::{self, Answer, Resident, Stage, Times};
use keymill::{
    BatchLimits, DeviceChoice, Engine, Error, ErrorKind, Level, Order, Result, TokenRule,
};

use super::{Contender, Label, Sample};
use crate::data::Text;
use crate::machine;
use crate::model::Part;

/// The stage on every level of this machine.
pub(crate) fn stages<'a>(
    stage: &'a Stage,
    data: &'a Resident,
) -> impl Iterator<Item = Box<dyn Contender + 'a>> {
    Level::available().into_iter().map(move |level| {
        let way = StageOnLevel { stage, level, data };
        Box::new(way) as Box<dyn Contender>
    })
}

/// The whole job: on every level by all threads, and on the best by one.
pub(crate) fn jobs<'a>(
    engines: &'a [Engine],
    rule: &'a TokenRule,
    text: &'a Text,
) -> impl Iterator<Item = Box<dyn Contender + 'a>> {
    engines.iter().map(move |engine| {
        let way = WholeJob {
            engine,
            rule,
            text,
            is_warm: false,
        };
        Box::new(way) as Box<dyn Contender>
    })
}

/// The engines of [`jobs`], made once.
pub(crate) fn engines() -> Result<Vec<Engine>> {
    let mut wanted = vec![(Level::best(), 1)];
    if machine::threads() > 1 {
        let all = Level::available().into_iter();
        wanted.extend(all.map(|level| (level, machine::threads())));
    }
    let engine = |(level, threads)| {
        // By itself a job would let a GPU join; that has ways of its own here.
        let builder = Engine::builder().device(DeviceChoice::Cpu);
        builder.level(level).threads(threads).build()
    };
    wanted.into_iter().map(engine).collect()
}

struct StageOnLevel<'a> {
    stage: &'a Stage,
    level: Level,
    data: &'a Resident,
}

impl Contender for StageOnLevel<'_> {
    fn label(&self) -> Label {
        Label {
            name: format!("{}, 1 thread", self.level),
            part: Part::Stage,
            level: Some(self.level.name().to_owned()),
            threads: Some(1),
            adapter: None,
            is_software: false,
        }
    }

    fn run(&mut self, times: usize) -> Result<Sample> {
        let probed = probe::run(self.stage, self.level, self.data, times)?;
        Ok(Sample {
            answer: probed.answer,
            times: probed.times,
        })
    }
}

struct WholeJob<'a> {
    engine: &'a Engine,
    rule: &'a TokenRule,
    text: &'a Text,
    is_warm: bool,
}

impl Contender for WholeJob<'_> {
    fn label(&self) -> Label {
        let (level, threads) = (self.engine.level(), self.engine.threads());
        let plural = if threads == 1 { "" } else { "s" };
        Label {
            name: format!("job, {level}, {threads} thread{plural}"),
            part: Part::Job,
            level: Some(level.name().to_owned()),
            threads: u32::try_from(threads).ok(),
            adapter: None,
            is_software: false,
        }
    }

    fn run(&mut self, times: usize) -> Result<Sample> {
        if !self.is_warm {
            self.count()?;
            self.is_warm = true;
        }
        let (answer, first) = self.count()?;
        let mut sample = Sample {
            answer,
            times: vec![first],
        };
        for _ in 1..times {
            let (again, time) = self.count()?;
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
    /// Counts; the clock stands while the answer is looked at.
    fn count(&self) -> Result<(Answer, Times)> {
        let job = self.engine.read_bytes(self.text.clone());
        let job = job.tokenize(self.rule.clone()).count_by_key();
        let mut answer = Answer::default();
        let started = Instant::now();
        let mut batches = job.stream(Order::None, BatchLimits::default())?;
        let mut kernel = started.elapsed();
        self.engine.install(|| -> Result<()> {
            while let Some(batch) = timed(&mut kernel, || batches.next()) {
                note(&mut answer, &batch?);
            }
            Ok(())
        })?;
        timed(&mut kernel, || drop(batches));
        let times = Times {
            kernel,
            whole: kernel,
            ..Times::default()
        };
        Ok((answer, times))
    }
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *total += started.elapsed();
    result
}

fn note(answer: &mut Answer, batch: &RecordBatch) {
    let keys = batch.column(0).as_binary_view();
    let counts = batch.column(1).as_primitive::<UInt64Type>();
    for (key, &count) in keys.iter().flatten().zip(counts.values()) {
        answer.counted(key, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_answers_what_the_stage_does() {
        let text = "to be or not to be ".repeat(1000);
        let rule = TokenRule::Whitespace;
        let stage = Stage::Count(rule.clone());
        let (resident, text) = (Resident::text(text.clone()), Text::new(text.into()));
        let expected = probe::expected(&stage, &resident).unwrap();
        assert_eq!((expected.rows, expected.groups), (6000, 4));
        let engines = engines().unwrap();
        let mut ways: Vec<_> = stages(&stage, &resident).collect();
        ways.extend(jobs(&engines, &rule, &text));
        assert!(ways.len() > engines.len());
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
}
