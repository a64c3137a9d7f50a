//! A stage on the CPU: on each level, with one thread and with all threads.

use keymill::probe::{self, Resident, Stage};
use keymill::{Level, Result};

use super::{Contender, Label, Sample};
use crate::machine;
use crate::model::Part;

/// Returns the stage on every level, with one thread and with all threads. The count runs only with one
/// thread, because its threads are measured as a job.
pub(crate) fn stages<'a>(
    stage: &'a Stage,
    data: &'a Resident,
) -> impl Iterator<Item = Box<dyn Contender + 'a>> {
    let is_job = matches!(stage, Stage::Count(_));
    let threads = match machine::threads() {
        many if many > 1 && !is_job => vec![1, many],
        _ => vec![1],
    };
    threads.into_iter().flat_map(move |threads| {
        let levels = Level::available().into_iter();
        levels.map(move |level| stage_on(stage, data, level, threads))
    })
}

/// Returns the stage on the best level with all threads, which adapters are compared with.
pub(crate) fn best_stage<'a>(stage: &'a Stage, data: &'a Resident) -> Box<dyn Contender + 'a> {
    stage_on(stage, data, Level::best(), machine::threads())
}

fn stage_on<'a>(
    stage: &'a Stage,
    data: &'a Resident,
    level: Level,
    threads: usize,
) -> Box<dyn Contender + 'a> {
    Box::new(StageOnLevel {
        stage,
        level,
        threads,
        data,
    })
}

struct StageOnLevel<'a> {
    stage: &'a Stage,
    level: Level,
    threads: usize,
    data: &'a Resident,
}

/// Formats a number of threads: `1 thread`, `2 threads`.
pub(super) fn shown_threads(threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("{threads} thread{plural}")
}

impl Contender for StageOnLevel<'_> {
    fn label(&self) -> Label {
        Label {
            name: format!("{}, {}", self.level, shown_threads(self.threads)),
            part: Part::Stage,
            level: Some(self.level.name().to_owned()),
            threads: u32::try_from(self.threads).ok(),
            adapter: None,
            is_software: false,
        }
    }

    fn run(&mut self, times: usize) -> Result<Sample> {
        let probed = match self.threads {
            1 => probe::run(self.stage, self.level, self.data, times)?,
            many => probe::run_on_threads(self.stage, self.level, self.data, many, times)?,
        };
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
    fn stages_give_the_same_answer_with_one_and_all_threads() {
        let stage = Stage::Frame;
        let resident = Resident::text("to be\nor not to be\n".repeat(5000));
        let expected = probe::expected(&stage, &resident).unwrap();
        let mut by_threads = std::collections::BTreeMap::<u32, usize>::new();
        for mut way in stages(&stage, &resident) {
            assert_eq!(way.run(2).unwrap().answer, expected);
            *by_threads.entry(way.label().threads.unwrap()).or_default() += 1;
        }
        let levels = Level::available().len();
        assert_eq!(by_threads[&1], levels);
        assert_eq!(by_threads[&(machine::threads() as u32)], levels);
    }
}
