//! How busy the steps of a query are.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Durations;

/// The figures are of the epochs within this time, and at least of the last one.
const WINDOW: Duration = Duration::from_secs(5);

/// How busy a step of the query is, in milliseconds per second, with Flink's field names.
///
/// The three add up to 1000. A step is *busy* while it works. It is *back-pressured* while a later step of
/// the same epoch works and the next epoch is already late: that is what slows the source down. It is
/// *idle* otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StepTimes {
    /// The step, named as in [`Durations`].
    pub step: &'static str,
    /// Milliseconds per second in which it works.
    pub busy_time_ms_per_second: f64,
    /// Milliseconds per second in which it waits for input.
    pub idle_time_ms_per_second: f64,
    /// Milliseconds per second in which it waits for later steps.
    pub back_pressured_time_ms_per_second: f64,
}

impl Durations {
    /// The steps in the order of an epoch, with their milliseconds.
    #[must_use]
    pub fn steps(&self) -> [(&'static str, f64); 6] {
        [
            ("latestOffset", self.latest_offset),
            ("walCommit", self.wal_commit),
            ("addBatch", self.add_batch),
            ("stateCommit", self.state_commit),
            ("sinkCommit", self.sink_commit),
            ("commitOffsets", self.commit_offsets),
        ]
    }
}

/// The steps of the last epochs.
#[derive(Debug, Default)]
pub(super) struct StepMeter {
    epochs: VecDeque<Seen>,
    /// The end of the last epoch.
    ended: Option<Instant>,
    has_waited: bool,
}

#[derive(Debug)]
struct Seen {
    /// The end of the epoch before, or the start of this one.
    began: Instant,
    /// Whether it began without a pause after the one before.
    is_late: bool,
    took: Durations,
}

impl StepMeter {
    /// Notes that the query waits for a trigger or for data.
    pub(super) fn wait(&mut self) {
        self.has_waited = true;
    }

    /// Adds an epoch that ends now. Returns the figures of the last epochs.
    pub(super) fn add(
        &mut self,
        started: Instant,
        now: Instant,
        took: &Durations,
    ) -> Vec<StepTimes> {
        let is_late = self.ended.is_some() && !std::mem::take(&mut self.has_waited);
        self.epochs.push_back(Seen {
            began: self.ended.unwrap_or(started),
            is_late,
            took: took.clone(),
        });
        self.ended = Some(now);
        let is_old = |seen: &Seen| now.duration_since(seen.began) > WINDOW;
        while self.epochs.len() > 1 && self.epochs.front().is_some_and(is_old) {
            self.epochs.pop_front();
        }
        let began = self.epochs.front().map_or(started, |seen| seen.began);
        self.times(now.duration_since(began))
    }

    fn times(&self, wall: Duration) -> Vec<StepTimes> {
        let per_second = 1.0 / wall.as_secs_f64().max(1e-9);
        let (mut busy, mut pressed) = ([0.0; 6], [0.0; 6]);
        for seen in &self.epochs {
            let mut later = 0.0;
            for (step, (_, took)) in seen.took.steps().into_iter().enumerate().rev() {
                busy[step] += took;
                pressed[step] += if seen.is_late { later } else { 0.0 };
                later += took;
            }
        }
        let names = Durations::default().steps();
        let steps = names.into_iter().enumerate().map(|(step, (name, _))| {
            let busy = (busy[step] * per_second).min(1000.0);
            let pressed = (pressed[step] * per_second).min(1000.0 - busy);
            StepTimes {
                step: name,
                busy_time_ms_per_second: busy,
                idle_time_ms_per_second: 1000.0 - busy - pressed,
                back_pressured_time_ms_per_second: pressed,
            }
        });
        steps.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(add_batch: f64, sink_commit: f64) -> Durations {
        Durations {
            add_batch,
            sink_commit,
            ..Durations::default()
        }
    }

    fn of(times: &[StepTimes], step: &str) -> (f64, f64, f64) {
        let it = times.iter().find(|it| it.step == step).unwrap();
        let round = |it: f64| (it * 1000.0).round() / 1000.0;
        (
            round(it.busy_time_ms_per_second),
            round(it.idle_time_ms_per_second),
            round(it.back_pressured_time_ms_per_second),
        )
    }

    #[test]
    fn a_query_that_waits_is_idle() {
        let (start, mut meter) = (Instant::now(), StepMeter::default());
        let at = |ms| start + Duration::from_millis(ms);
        meter.add(start, at(100), &took(40.0, 60.0));
        meter.wait();
        let times = meter.add(at(900), at(1000), &took(40.0, 60.0));
        assert_eq!(of(&times, "addBatch"), (80.0, 920.0, 0.0));
        assert_eq!(of(&times, "sinkCommit"), (120.0, 880.0, 0.0));
        assert_eq!(of(&times, "walCommit"), (0.0, 1000.0, 0.0));
    }

    #[test]
    fn a_slow_sink_presses_the_steps_before_it() {
        let (start, mut meter) = (Instant::now(), StepMeter::default());
        let mut times = Vec::new();
        for epoch in 0..20 {
            let began = start + Duration::from_millis(1000 * epoch);
            times = meter.add(began, began + Duration::from_secs(1), &took(100.0, 900.0));
        }
        assert_eq!(of(&times, "addBatch"), (100.0, 0.0, 900.0));
        assert_eq!(of(&times, "latestOffset"), (0.0, 0.0, 1000.0));
        assert_eq!(of(&times, "sinkCommit"), (900.0, 100.0, 0.0));
        assert_eq!(of(&times, "commitOffsets"), (0.0, 1000.0, 0.0));
    }

    #[test]
    fn old_epochs_are_forgotten() {
        let (start, mut meter) = (Instant::now(), StepMeter::default());
        let second = |seconds| start + Duration::from_secs(seconds);
        meter.add(start, second(1), &took(1000.0, 0.0));
        meter.wait();
        let times = meter.add(second(9), second(10), &took(0.0, 1000.0));
        assert_eq!(of(&times, "addBatch").0, 0.0);
        assert_eq!(of(&times, "sinkCommit"), (111.111, 888.889, 0.0));
    }
}
