//! The crossover: the size from which an adapter is faster than the CPU.
//!
//! ```text
//! adapter / CPU
//!   4 ┤ ●
//!   2 ┤    ●
//!   1 ┼─────────╳───────    the crossover, interpolated between two measured sizes;
//!  ½  ┤              ●      both axes are logarithmic
//!     └─┬──┬─────────┬──
//!      64K 1M       16M
//! ```

use crate::model::{Case, Crossover, Part, Report, Subject, Way};

/// The times of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) bytes: u64,
    /// The time of the best way on the CPU.
    pub(crate) cpu: u64,
    /// The time of the adapter, end to end.
    pub(crate) adapter: u64,
}

impl Point {
    pub(crate) fn adapter_wins(&self) -> bool {
        self.adapter < self.cpu
    }
}

/// Returns the size from which the adapter wins at all larger measured sizes. Points are ascending.
pub(crate) fn crossover(points: &[Point]) -> Option<u64> {
    let won = points.iter().rev().take_while(|it| it.adapter_wins());
    let first = points.len() - won.count();
    let above = points.get(first)?;
    match points[..first].last() {
        Some(below) => Some(between(below, above)),
        None => Some(above.bytes),
    }
}

/// Interpolates the size at which the ratio of times is 1, between a loss and a win.
fn between(loss: &Point, win: &Point) -> u64 {
    let advantage = |it: &Point| (it.cpu.max(1) as f64 / it.adapter.max(1) as f64).ln();
    let (low, high) = (advantage(loss), advantage(win));
    let part = if high > low { -low / (high - low) } else { 1.0 };
    let (from, to) = ((loss.bytes as f64).ln(), (win.bytes as f64).ln());
    let bytes = (from + part.clamp(0.0, 1.0) * (to - from)).exp();
    // If both took the same time at the loss, the first win is one byte above.
    (bytes.round() as u64).clamp((loss.bytes + 1).min(win.bytes), win.bytes)
}

/// Returns the fastest way on the CPU. A way with `auto` is excluded, as it may use an adapter.
pub(crate) fn best_on_cpu(case: &Case) -> Option<&Way> {
    let on_cpu = |way: &&Way| way.adapter.is_none() && way.part != Part::Auto;
    let on_cpu = case.ways.iter().filter(on_cpu);
    on_cpu.min_by_key(|way| way.end_to_end.median)
}

/// Returns the stage on an adapter.
pub(crate) fn on_adapter(case: &Case, number: u32) -> Option<&Way> {
    let is_it = |way: &&Way| way.adapter == Some(number) && way.part == Part::Stage;
    case.ways.iter().find(is_it)
}

/// Returns the times of an adapter and of the CPU for each size where both were measured.
pub(crate) fn points(report: &Report, subject: Subject, data: &str, adapter: u32) -> Vec<Point> {
    let cases = report.cases.iter();
    let of = cases.filter(|case| case.subject == subject && case.data == data);
    let mut points: Vec<Point> = of
        .filter_map(|case| {
            Some(Point {
                bytes: case.bytes,
                cpu: best_on_cpu(case)?.end_to_end.median,
                adapter: on_adapter(case, adapter)?.end_to_end.median,
            })
        })
        .collect();
    points.sort_unstable_by_key(|point| point.bytes);
    points
}

/// Returns all crossovers of a report.
pub(crate) fn all(report: &Report) -> Vec<Crossover> {
    let mut found = Vec::new();
    for (subject, data) in subjects(report) {
        for adapter in 0..report.adapters.len() as u32 {
            let points = points(report, subject, data, adapter);
            if let (Some(first), Some(last)) = (points.first(), points.last()) {
                found.push(Crossover {
                    subject,
                    data: data.to_owned(),
                    adapter,
                    bytes: crossover(&points),
                    from_bytes: first.bytes,
                    up_to_bytes: last.bytes,
                });
            }
        }
    }
    found
}

/// Returns the distinct pairs of subject and data, in the order of measurement.
pub(crate) fn subjects(report: &Report) -> Vec<(Subject, &str)> {
    let mut pairs = Vec::new();
    for case in &report.cases {
        let pair = (case.subject, case.data.as_str());
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(points: &[(u64, u64, u64)]) -> Option<u64> {
        let point = |&(bytes, cpu, adapter)| Point {
            bytes,
            cpu,
            adapter,
        };
        crossover(&points.iter().map(point).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_between_the_last_loss_and_the_first_win() {
        // Half as fast at 1000, twice as fast at 4000: even at 2000.
        assert_eq!(at(&[(1000, 10, 20), (4000, 40, 20)]), Some(2000));
        // A close loss and a clear win: close to the loss.
        let close = at(&[(1000, 100, 101), (100_000, 10_000, 100)]).unwrap();
        assert!((1000..1100).contains(&close), "{close}");
    }

    #[test]
    fn an_adapter_that_always_wins_has_the_smallest_size() {
        assert_eq!(at(&[(10, 5, 4), (100, 50, 4)]), Some(10));
    }

    #[test]
    fn an_adapter_that_loses_at_the_largest_size_has_none() {
        assert_eq!(at(&[(10, 5, 6), (100, 50, 60)]), None);
        assert_eq!(at(&[(10, 5, 4), (100, 50, 60)]), None);
        assert_eq!(at(&[(10, 5, 5)]), None);
        assert_eq!(at(&[]), None);
    }

    #[test]
    fn a_win_before_a_loss_does_not_count() {
        let size = at(&[(10, 5, 4), (100, 50, 60), (1000, 500, 60)]).unwrap();
        assert!((100..1000).contains(&size), "{size}");
    }
}
