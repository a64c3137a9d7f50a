//! The latency of small batches: many runs of each way on one batch, and their percentiles.

use std::time::{Duration, Instant};

use keymill::Result;

use crate::data::Text;
use crate::measure::Contender;
use crate::model::Latency;
use crate::session::Session;

/// Bytes of a small batch.
const BATCH: u64 = 64 << 10;

/// Maximum number of runs of a way, and how many of them are made between two looks at the clock.
const MOST_RUNS: usize = 1000;
const RUNS_A_TURN: usize = 5;

impl Session<'_> {
    /// Measures jobs on a small batch: on the CPU with all threads and with one, and on each adapter.
    pub(crate) fn latency(&mut self, data: &str, text: &Text) -> Result<()> {
        let batch = text.first(BATCH);
        self.say(format!("latency, {data}"));
        let wanted =
            |it: &&crate::measure::job::Runner| it.is_best_level_on_cpu() || it.is_on_adapter();
        let runners: Vec<_> = self.runners.iter().filter(wanted).collect();
        let share = self.plan.latency / u32::try_from(runners.len().max(1)).unwrap_or(u32::MAX);
        let mut found = Vec::new();
        for runner in runners {
            self.request.cancel.check()?;
            let mut job = runner.count(&self.request.tokens, &batch);
            // A way that fails is named by the case of the same size.
            let Ok(times) = times(&mut *job, share) else {
                continue;
            };
            let label = job.label();
            found.extend(percentiles(times).map(|it| Latency {
                way: label.name,
                adapter: label.adapter,
                data: data.to_owned(),
                bytes: batch.bytes(),
                ..it
            }));
        }
        self.report.latency = found;
        Ok(())
    }
}

/// Returns the times of as many runs as the time allows, in nanoseconds.
fn times(job: &mut dyn Contender, share: Duration) -> Result<Vec<u64>> {
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < MOST_RUNS && (times.is_empty() || started.elapsed() < share) {
        let runs = if times.is_empty() { 1 } else { RUNS_A_TURN };
        let sample = job.run(runs)?;
        let whole = sample.times.iter().map(|it| it.whole.as_nanos());
        times.extend(whole.map(|ns| u64::try_from(ns).unwrap_or(u64::MAX)));
    }
    Ok(times)
}

/// Returns the percentiles of some times, without the names.
fn percentiles(mut times: Vec<u64>) -> Option<Latency> {
    times.sort_unstable();
    // The smallest time that is at least as long as this part of all.
    let at = |percent: usize| {
        times
            .get((times.len() * percent).div_ceil(100).saturating_sub(1))
            .copied()
    };
    Some(Latency {
        way: String::new(),
        adapter: None,
        data: String::new(),
        bytes: 0,
        p50: at(50)?,
        p90: at(90)?,
        p99: at(99)?,
        max: at(100)?,
        runs: u32::try_from(times.len()).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let it = percentiles((1..=1000).rev().collect()).unwrap();
        assert_eq!(
            (it.p50, it.p90, it.p99, it.max, it.runs),
            (500, 900, 990, 1000, 1000)
        );
        let one = percentiles(vec![7]).unwrap();
        assert_eq!((one.p50, one.p90, one.p99, one.max), (7, 7, 7, 7));
        assert!(percentiles(vec![]).is_none());
    }
}
