//! Sums over the epochs of a run, for metrics.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::StreamProgress;

/// Quantiles are of the epochs within this time.
const RECENT: Duration = Duration::from_secs(300);

/// At most this many of them: five minutes of epochs of 10 ms.
const MOST_RECENT: usize = 30_000;

/// Sums since the start of a run.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) epochs: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Seconds of all epochs.
    pub(super) seconds: f64,
    /// Seconds of each step.
    pub(super) step_seconds: [f64; 6],
    /// Groups that changed.
    pub(super) updated_rows: u64,
    /// Rows that were left out because their windows were closed.
    pub(super) late_rows: u64,
    /// Rows that were left out because they had no time.
    pub(super) rows_without_time: u64,
    /// Rows that were left out because their values had come before.
    pub(super) duplicate_rows: u64,
    /// Rows that each sink has received.
    pub(super) output_rows: Vec<u64>,
    /// The ends and the seconds of the last epochs.
    recent: VecDeque<(Instant, f64)>,
}

impl Totals {
    /// Adds an epoch that ends now.
    pub(super) fn add(&mut self, progress: &StreamProgress, now: Instant) {
        let took = progress.duration_ms.trigger_execution / 1000.0;
        self.epochs += 1;
        self.rows += progress.num_input_rows;
        self.bytes += progress.num_input_bytes;
        self.seconds += took;
        let steps = progress.duration_ms.steps();
        for (sum, (_, took)) in self.step_seconds.iter_mut().zip(steps) {
            *sum += took / 1000.0;
        }
        for state in &progress.state_operators {
            self.updated_rows += state.num_rows_updated;
            self.late_rows += state.num_rows_dropped_by_watermark;
            self.duplicate_rows += state.num_dropped_duplicate_rows;
        }
        let event_time = progress.event_time.as_ref();
        self.rows_without_time += event_time.map_or(0, |it| it.num_rows_without_time);
        self.output_rows.resize(progress.sinks.len(), 0);
        for (sum, sink) in self.output_rows.iter_mut().zip(&progress.sinks) {
            *sum += sink.num_output_rows;
        }
        if self.recent.len() == MOST_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, took));
    }

    /// The seconds of the epochs of the last minutes, the fastest first.
    pub(super) fn recent(&self, now: Instant) -> Vec<f64> {
        let is_recent = |end: &Instant| now.saturating_duration_since(*end) <= RECENT;
        let recent = self.recent.iter().filter(|(end, _)| is_recent(end));
        let mut seconds: Vec<f64> = recent.map(|(_, took)| *took).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    }
}

/// The smallest of the sorted values that a share of them does not exceed; none of no values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (share, expected) in [
            (0.0, 1.0),
            (0.5, 50.0),
            (0.95, 95.0),
            (0.99, 99.0),
            (1.0, 100.0),
        ] {
            assert_eq!(quantile(&hundred, share), Some(expected));
        }
        assert_eq!(quantile(&[7.0], 0.01), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn old_epochs_are_left_out() {
        let (start, mut totals) = (Instant::now(), Totals::default());
        for (second, took) in [(0, 3000.0), (200, 2000.0), (400, 1000.0)] {
            let mut progress = StreamProgress::default();
            progress.duration_ms.trigger_execution = took;
            totals.add(&progress, start + Duration::from_secs(second));
        }
        assert_eq!(totals.recent(start + Duration::from_secs(450)), [1.0, 2.0]);
        assert_eq!((totals.epochs, totals.seconds), (3, 6.0));
    }
}
