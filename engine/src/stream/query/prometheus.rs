//! The metrics of a query in Prometheus' text format.

use std::fmt::{Display, Write as _};
use std::time::Instant;

use super::totals::{Totals, quantile};
use super::{QueryStatus, StreamProgress};

/// A text in the format that Prometheus scrapes, version 0.0.4.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a metric.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes a value of a metric.
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, text)| format!("{name}=\"{}\"", escaped(text)))
            .collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    /// Writes a metric that has one value.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.value(name, &[], value);
    }

    /// Writes a metric that has a value for each of several things.
    fn each<'l, V: Display>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: impl Iterator<Item = (&'l str, V)>,
    ) {
        self.metric(name, kind, help);
        for (text, value) in values {
            self.value(name, &[(label, text)], value);
        }
    }
}

/// The text of a label's value.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

/// The metrics of a query.
pub(super) fn metrics(
    status: &QueryStatus,
    is_active: bool,
    totals: &Totals,
    last: Option<&StreamProgress>,
) -> String {
    let mut text = Text::default();
    let is_active = u8::from(is_active);
    text.single(
        "keymill_query_active",
        "gauge",
        "Whether the query runs.",
        is_active,
    );
    let is_paused = u8::from(status.is_paused());
    let help = "Whether the query waits until a disk or a system works again.";
    text.single("keymill_query_paused", "gauge", help, is_paused);
    write_sums(&mut text, totals);
    if let Some(last) = last {
        write_last(&mut text, last);
        write_places(&mut text, last, totals);
    }
    text.0
}

fn write_sums(text: &mut Text, totals: &Totals) {
    let counter = "counter";
    text.single(
        "keymill_epochs_total",
        counter,
        "Epochs of this run.",
        totals.epochs,
    );
    let help = "Rows read: rows of columns, tokens of texts.";
    text.single("keymill_input_rows_total", counter, help, totals.rows);
    text.single(
        "keymill_input_bytes_total",
        counter,
        "Bytes read.",
        totals.bytes,
    );
    let help = "Groups of the state that epochs have changed.";
    text.single(
        "keymill_state_updated_rows_total",
        counter,
        help,
        totals.updated_rows,
    );
    for (name, help, rows) in [
        (
            "late",
            "Rows left out because their windows were closed.",
            totals.late_rows,
        ),
        (
            "untimed",
            "Rows left out because they had no time.",
            totals.rows_without_time,
        ),
        (
            "duplicate",
            "Rows left out because their values had come before.",
            totals.duplicate_rows,
        ),
    ] {
        text.single(&format!("keymill_{name}_rows_total"), counter, help, rows);
    }
    let name = "keymill_epoch_duration_seconds";
    text.metric(
        name,
        "summary",
        "How long epochs took; quantiles are of the last five minutes.",
    );
    let recent = totals.recent(Instant::now());
    for (share, label) in [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")] {
        if let Some(seconds) = quantile(&recent, share) {
            text.value(name, &[("quantile", label)], seconds);
        }
    }
    text.value("keymill_epoch_duration_seconds_sum", &[], totals.seconds);
    text.value("keymill_epoch_duration_seconds_count", &[], totals.epochs);
    let steps = super::Durations::default().steps();
    let steps = steps.iter().zip(totals.step_seconds);
    text.each(
        (
            "keymill_step_seconds_total",
            counter,
            "Time in each step of the epochs.",
        ),
        "step",
        steps.map(|((step, _), seconds)| (*step, seconds)),
    );
}

fn write_last(text: &mut Text, last: &StreamProgress) {
    let gauge = "gauge";
    text.metric(
        "keymill_query_info",
        gauge,
        "The query's id, run and name; always 1.",
    );
    let name = last.name.as_deref().unwrap_or_default();
    let labels = [("id", &*last.id), ("run_id", &*last.run_id), ("name", name)];
    text.value("keymill_query_info", &labels, 1);
    text.single(
        "keymill_epoch",
        gauge,
        "The number of the last epoch.",
        last.batch_id,
    );
    let help = "Rows per second since the epoch before.";
    text.single(
        "keymill_input_rows_per_second",
        gauge,
        help,
        last.input_rows_per_second,
    );
    let help = "Rows per second while the last epoch ran.";
    let processed = last.processed_rows_per_second;
    text.single("keymill_processed_rows_per_second", gauge, help, processed);
    let sum =
        |of: fn(&super::StateProgress) -> u64| last.state_operators.iter().map(of).sum::<u64>();
    let rows = sum(|it| it.num_rows_total);
    text.single("keymill_state_rows", gauge, "Groups in the state.", rows);
    let bytes = sum(|it| it.memory_used_bytes);
    text.single(
        "keymill_state_bytes",
        gauge,
        "Memory of the state in bytes.",
        bytes,
    );
    let event_time = last.event_time.as_ref();
    if let Some(watermark) = event_time.and_then(|it| it.watermark_milliseconds) {
        let help = "The watermark, in seconds since 1970: windows that end before are closed.";
        let seconds = watermark as f64 / 1000.0;
        text.single("keymill_watermark_timestamp_seconds", gauge, help, seconds);
    }
    for (name, help, of) in [
        (
            "busy",
            "in which a step works",
            (|it| it.busy_time_ms_per_second) as fn(&super::StepTimes) -> f64,
        ),
        ("idle", "in which a step waits for input", |it| {
            it.idle_time_ms_per_second
        }),
        (
            "back_pressured",
            "in which a step waits for later steps",
            |it| it.back_pressured_time_ms_per_second,
        ),
    ] {
        let name = format!("keymill_step_{name}_milliseconds_per_second");
        let help = format!("Milliseconds per second {help}.");
        let times = last.step_times.iter();
        text.each(
            (&name, gauge, &help),
            "step",
            times.map(|it| (it.step, of(it))),
        );
    }
}

/// Writes the metrics of sources and sinks. Two of them may have one name, so that a number tells them
/// apart.
fn write_places(text: &mut Text, last: &StreamProgress, totals: &Totals) {
    let mut each = |name: &str, kind, help, label, values: Vec<(&str, Option<u64>)>| {
        text.metric(name, kind, help);
        for (number, (place, value)) in values.into_iter().enumerate() {
            if let Some(value) = value {
                let number = number.to_string();
                text.value(name, &[(label, place), ("number", &number)], value);
            }
        }
    };
    let sources = last.sources.iter();
    let rejected = sources.map(|it| (&*it.description, Some(it.num_rejected_rows)));
    let help = "Lines that were not valid rows.";
    each(
        "keymill_rejected_rows_total",
        "counter",
        help,
        "source",
        rejected.collect(),
    );
    let sources = last.sources.iter();
    let waiting = sources.map(|it| (&*it.description, it.waiting_bytes));
    let help = "Bytes that wait to be read.";
    each(
        "keymill_waiting_bytes",
        "gauge",
        help,
        "source",
        waiting.collect(),
    );
    let sinks = last.sinks.iter().zip(&totals.output_rows);
    let written = sinks.map(|(it, rows)| (&*it.description, Some(*rows)));
    let help = "Rows written.";
    each(
        "keymill_output_rows_total",
        "counter",
        help,
        "sink",
        written.collect(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped() {
        let mut text = Text::default();
        text.metric("m", "gauge", "a \\ b\nc \"d\"");
        text.value("m", &[("l", "a\"b\\c\nd"), ("e", "")], 1.5);
        let expected =
            "# HELP m a \\\\ b\\nc \"d\"\n# TYPE m gauge\nm{l=\"a\\\"b\\\\c\\nd\",e=\"\"} 1.5\n";
        assert_eq!(text.0, expected);
    }
}
