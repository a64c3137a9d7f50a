//! Axes: where a value lies on a chart, and the marks with labels.

/// A logarithmic axis of a chart: equal ratios have equal lengths.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    title: String,
    ticks: Vec<(f64, String)>,
}

/// Where marks may stand: the digits of a round number, and how many decades lie between two of them.
const MARKS: [(&[f64], i32); 6] = [
    (&[1.0, 2.0, 5.0], 1),
    (&[1.0, 3.0], 1),
    (&[1.0], 1),
    (&[1.0], 2),
    (&[1.0], 4),
    (&[1.0], 120),
];

/// Maximum number of marks below a drawing, where labels stand side by side on a phone, and beside it.
pub(crate) const BELOW: usize = 4;
pub(crate) const BESIDE: usize = 6;

impl Axis {
    /// Creates a logarithmic axis that contains all values above 0, with marks at round values.
    pub(crate) fn log(
        title: &str,
        values: &[f64],
        label: fn(f64) -> String,
        most_marks: usize,
    ) -> Self {
        let (least, most) = bounds(values.iter().copied().filter(|it| *it > 0.0));
        let (least, most) = if least > most {
            (1.0, 10.0)
        } else {
            (least, most)
        };
        let mut marks = MARKS
            .iter()
            .map(|(digits, decades)| round(digits, *decades, least, most));
        let ticks = marks.find(|it| it.len() <= most_marks);
        let ticks = ticks.unwrap_or_default();
        let low = ticks.first().map_or(least, |it| it.min(least));
        let high = ticks.last().map_or(most, |it| it.max(most));
        Self {
            low,
            // A single value stands in the middle.
            high: high.max(low * 1.01),
            title: title.to_owned(),
            ticks: labelled(ticks, label),
        }
    }

    /// Creates a logarithmic axis with a mark at each of these values, which are few.
    pub(crate) fn at(title: &str, values: &[f64], label: fn(f64) -> String) -> Self {
        let mut values: Vec<f64> = values.iter().copied().filter(|it| *it > 0.0).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (least, most) = bounds(values.iter().copied());
        let (low, high) = match least < most {
            true => (least, most),
            false => (least.min(1e300) / 2.0, least.min(1e300) * 2.0),
        };
        Self {
            low,
            high,
            title: title.to_owned(),
            ticks: labelled(values, label),
        }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Returns the part of the axis below a value, from 0 to 1.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let part = (value / self.low).ln() / (self.high / self.low).ln();
        if part.is_nan() {
            0.0
        } else {
            part.clamp(0.0, 1.0)
        }
    }

    /// Returns the marks: the part of the axis below each, and its label.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        let ticks = self.ticks.iter();
        ticks.map(|(value, label)| (self.place(*value), label.as_str()))
    }
}

fn labelled(values: Vec<f64>, label: fn(f64) -> String) -> Vec<(f64, String)> {
    let values = values.into_iter();
    values.map(|value| (value, label(value))).collect()
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
        (low.min(it), high.max(it))
    })
}

/// Returns the round numbers from the last at most `low` to the first at least `high`.
fn round(digits: &[f64], decades: i32, low: f64, high: f64) -> Vec<f64> {
    let first = low.log10().floor() as i32 - decades;
    let last = high.log10().ceil() as i32 + decades;
    let powers = (first.div_euclid(decades)..=last.div_euclid(decades) + 1).map(|it| it * decades);
    let numbers = powers.flat_map(|power| digits.iter().map(move |it| it * 10f64.powi(power)));
    let numbers: Vec<f64> = numbers.filter(|it| it.is_finite() && *it > 0.0).collect();
    let (low, high) = (low * (1.0 + 1e-9), high * (1.0 - 1e-9));
    let from = numbers.iter().rposition(|it| *it <= low).unwrap_or(0);
    let to = numbers
        .iter()
        .position(|it| *it >= high)
        .unwrap_or(numbers.len().saturating_sub(1));
    numbers.get(from..=to).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(value: f64) -> String {
        format!("{value}")
    }

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_logarithmic_axis_has_few_round_marks() {
        let axis = Axis::log("rate", &[1.5, 90.0], plain, BESIDE);
        assert_eq!(labels(&axis), ["1", "3", "10", "30", "100"]);
        assert_eq!(axis.place(1.0), 0.0);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(axis.place(1e9), 1.0);
        let wide = Axis::log("rate", &[1.0, 1e17], plain, BELOW);
        assert!(wide.ticks().count() <= BELOW);
    }

    #[test]
    fn an_axis_without_a_range_has_places() {
        for values in [&[][..], &[0.0], &[7.0], &[f64::MAX], &[f64::MIN_POSITIVE]] {
            for axis in [
                Axis::log("", values, plain, BESIDE),
                Axis::at("", values, plain),
            ] {
                for value in [0.0, 7.0, f64::MAX] {
                    assert!((0.0..=1.0).contains(&axis.place(value)), "{axis:?}");
                }
            }
        }
    }

    #[test]
    fn an_axis_of_sizes_has_each_size_once() {
        let axis = Axis::at("", &[64.0, 1.0, 64.0, 8.0], plain);
        assert_eq!(labels(&axis), ["1", "8", "64"]);
        assert_eq!(axis.place(8.0), 0.5);
    }
}
