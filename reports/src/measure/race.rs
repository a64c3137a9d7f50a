//! Runs ways in turn, so that a change of the machine's speed affects all of them.

use std::time::{Duration, Instant};

use keymill::probe::{Answer, Times};
use keymill::{Cancel, Error, ErrorKind, Result};

use super::{Contender, Label};
use crate::model::{self, Part, Spread, Way};

/// A turn of a fast way has several runs, which together take about this time.
const TURN: Duration = Duration::from_millis(20);

/// Minimum and maximum number of runs per turn. One more run before them is not measured.
const RUNS_A_TURN: (u32, u32) = (2, 20);

/// A software adapter has only one turn if the next would take more than this part of the time share.
/// It is measured for information and must not take the time of other ways.
const PART_OF_SOFTWARE: u32 = 8;

/// The result of a race.
#[derive(Debug, Default)]
pub(crate) struct Raced {
    pub(crate) ways: Vec<Way>,
    pub(crate) failures: Vec<(Label, Error)>,
    /// The time of one round with one run each, including warm-up runs, without software adapters.
    pub(crate) round: Duration,
    /// The time of software adapters in that round.
    pub(crate) software: Duration,
}

/// A contender and its results.
struct Runner<'a> {
    contender: Box<dyn Contender + 'a>,
    label: Label,
    answer: Option<Answer>,
    times: Vec<Times>,
    /// The wall-clock time of a turn with one run.
    cost: Duration,
    failure: Option<Error>,
}

/// Runs all contenders in turn: at least one round, then further rounds until the time share is used.
///
/// # Errors
///
/// Only [`ErrorKind::Cancelled`]. A way that fails is removed and added to the failures.
pub(crate) fn race<'a>(
    contenders: impl IntoIterator<Item = Box<dyn Contender + 'a>>,
    share: Duration,
    most_rounds: u32,
    cancel: &Cancel,
) -> Result<Raced> {
    let started = Instant::now();
    let mut runners: Vec<Runner<'a>> = contenders.into_iter().map(Runner::new).collect();
    for runner in &mut runners {
        cancel.check()?;
        let start = Instant::now();
        runner.turn(1);
        runner.cost = start.elapsed();
    }
    // The time of software adapters does not reduce that of the other ways.
    let slow = runners.iter().filter(|it| it.label.is_software);
    let software: Duration = slow.map(|it| it.cost).sum();
    let stays = |runner: &Runner<'_>| {
        !runner.label.is_software || runner.expected() <= share / PART_OF_SOFTWARE
    };
    let next: Duration = runners
        .iter()
        .filter(|it| stays(it))
        .map(Runner::expected)
        .sum();
    for _ in 1..most_rounds {
        if started.elapsed().saturating_sub(software) + next > share {
            break;
        }
        for runner in runners.iter_mut().filter(|it| stays(it)) {
            cancel.check()?;
            runner.turn(runner.runs_a_turn());
        }
    }
    let mut raced = Raced::default();
    for runner in runners {
        match runner.label.is_software {
            true => raced.software += runner.cost,
            false => raced.round += runner.cost,
        }
        runner.finish(&mut raced);
    }
    Ok(raced)
}

impl<'a> Runner<'a> {
    fn new(contender: Box<dyn Contender + 'a>) -> Self {
        Self {
            label: contender.label(),
            contender,
            answer: None,
            times: Vec::new(),
            cost: Duration::ZERO,
            failure: None,
        }
    }

    fn turn(&mut self, runs: u32) {
        if self.failure.is_some() {
            return;
        }
        match self.contender.run(runs as usize) {
            Err(error) => self.failure = Some(error),
            Ok(sample) => {
                let before = *self.answer.get_or_insert(sample.answer);
                if before != sample.answer {
                    let message = format!("it answered {before:?}, and then {:?}", sample.answer);
                    self.failure = Some(Error::new(ErrorKind::Internal, message));
                }
                self.times.extend(sample.times);
            }
        }
    }

    fn runs_a_turn(&self) -> u32 {
        let fits = TURN.as_nanos() / self.cost.as_nanos().max(1);
        let (least, most) = RUNS_A_TURN;
        u32::try_from(fits).unwrap_or(most).clamp(least, most)
    }

    /// Returns an upper bound of the next turn's time. The cost includes two runs, one of them not
    /// measured.
    fn expected(&self) -> Duration {
        match self.failure {
            Some(_) => Duration::ZERO,
            None => self.cost * (self.runs_a_turn() + 1) / 2,
        }
    }

    fn finish(self, raced: &mut Raced) {
        if let Some(error) = self.failure {
            raced.failures.push((self.label, error));
        } else if let Some(way) = self.answer.and_then(|it| way(&self.label, it, &self.times)) {
            raced.ways.push(way);
        }
    }
}

fn way(label: &Label, answer: Answer, times: &[Times]) -> Option<Way> {
    let spread = |of: fn(&Times) -> Duration| Spread::of(times.iter().map(of).map(ns).collect());
    // A job overlaps its parts, so they have no times.
    let has_parts = label.adapter.is_some() && label.part == Part::Stage;
    let on_adapter = |of| has_parts.then(|| spread(of)).flatten();
    Some(Way {
        name: label.name.clone(),
        part: label.part,
        level: label.level.clone(),
        threads: label.threads,
        adapter: label.adapter,
        end_to_end: spread(|it| it.whole)?,
        kernel: on_adapter(|it| it.kernel),
        upload: on_adapter(|it| it.upload),
        readback: on_adapter(|it| it.readback),
        launch: on_adapter(|it| it.launch),
        answer: answer.into(),
    })
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Answer> for model::Answer {
    fn from(answer: Answer) -> Self {
        Self {
            rows: answer.rows,
            groups: answer.groups,
            digest: format!("{:016x}", answer.digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    /// A way with a given time. After `right` runs it gives another answer.
    struct FakeWay {
        is_slow_software: bool,
        time: u64,
        adapter: Option<u32>,
        right: usize,
        runs: usize,
    }

    impl Contender for FakeWay {
        fn label(&self) -> Label {
            Label {
                name: format!("{} µs", self.time),
                part: Part::Stage,
                level: None,
                threads: None,
                adapter: self.adapter,
                is_software: self.is_slow_software,
            }
        }

        fn run(&mut self, times: usize) -> Result<Sample> {
            if self.is_slow_software {
                std::thread::sleep(Duration::from_millis(200));
            }
            self.runs += times;
            let mut answer = Answer::default();
            answer.counted(b"to", if self.runs > self.right { 3 } else { 2 });
            let kernel = Duration::from_micros(self.time);
            let times_of = Times {
                kernel,
                upload: kernel,
                whole: 2 * kernel,
                ..Times::default()
            };
            Ok(Sample {
                answer,
                times: vec![times_of; times],
            })
        }
    }

    fn fake(time: u64, adapter: Option<u32>, right: usize) -> Box<dyn Contender> {
        Box::new(FakeWay {
            is_slow_software: false,
            time,
            adapter,
            right,
            runs: 0,
        })
    }

    #[test]
    fn all_ways_get_the_same_number_of_turns() {
        let all = [fake(7, None, 999), fake(9, Some(0), 999)];
        let raced = race(all, Duration::from_secs(9), 3, &Cancel::default()).unwrap();
        let [cpu, adapter] = &raced.ways[..] else {
            panic!("{raced:?}");
        };
        // One run in the first round, and the maximum number in the other two.
        assert_eq!((cpu.end_to_end.runs, adapter.end_to_end.runs), (41, 41));
        assert_eq!(cpu.end_to_end.median, 14_000);
        assert_eq!((cpu.kernel, adapter.kernel.unwrap().median), (None, 9_000));
        assert_eq!(adapter.end_to_end.median, 18_000);
        assert_eq!(adapter.readback.unwrap().max, 0);
    }

    #[test]
    fn slow_software_does_not_reduce_the_turns_of_other_ways() {
        let software = FakeWay {
            is_slow_software: true,
            time: 9,
            adapter: Some(0),
            right: 999,
            runs: 0,
        };
        let all = [fake(7, None, 999), Box::new(software)];
        let raced = race(all, Duration::from_secs(2), 3, &Cancel::default()).unwrap();
        let runs: Vec<u32> = raced.ways.iter().map(|way| way.end_to_end.runs).collect();
        assert_eq!(runs, [41, 1]);
        assert!(raced.software > raced.round);
    }

    #[test]
    fn without_time_there_is_one_round() {
        let all = [fake(7, None, 999)];
        let raced = race(all, Duration::ZERO, 3, &Cancel::default()).unwrap();
        assert_eq!(raced.ways[0].end_to_end.runs, 1);
    }

    #[test]
    fn a_way_that_changes_its_answer_fails() {
        let all = [fake(7, None, 1), fake(9, None, 999)];
        let raced = race(all, Duration::from_secs(9), 3, &Cancel::default()).unwrap();
        assert_eq!((raced.ways.len(), raced.failures.len()), (1, 1));
        assert!(raced.failures[0].1.to_string().contains("and then"));
    }

    #[test]
    fn a_cancelled_race_ends() {
        let cancel = Cancel::default();
        cancel.cancel();
        let error = race([fake(7, None, 9)], Duration::ZERO, 3, &cancel).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
