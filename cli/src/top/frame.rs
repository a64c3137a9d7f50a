//! A frame of the view, as lines of text.
#![forbid(unsafe_code)]

use keymill::shown_name;
use serde_json::Value;

use super::sample::Sample;
use crate::size;

/// A line of the view.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    #[cfg_attr(
        not(feature = "top"),
        expect(dead_code, reason = "a plain frame has no colours")
    )]
    pub(super) look: Look,
}

/// How a line looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Look {
    Plain,
    Heading,
    Alarm,
}

fn line(look: Look, text: String) -> Line {
    Line { text, look }
}

/// The lines of a frame: what the stream at an address does now, and since an earlier sample.
pub(super) fn lines(address: &str, now: &Sample, before: Option<&Sample>) -> Vec<Line> {
    let look = if now.is_healthy {
        Look::Heading
    } else {
        Look::Alarm
    };
    let mut lines = vec![line(
        look,
        format!("keymill top   {}   {}", shown_name(address), now.status),
    )];
    if now.progress.is_null() {
        lines.push(line(Look::Plain, "no epoch has run".to_owned()));
        return lines;
    }
    lines.push(line(Look::Plain, query(now)));
    lines.push(line(Look::Plain, input(now, before)));
    lines.push(line(Look::Plain, epochs(now, before)));
    if let Some(state) = state(now) {
        lines.push(line(Look::Plain, state));
    }
    if let Some(left_out) = left_out(now) {
        lines.push(line(Look::Plain, left_out));
    }
    lines.push(line(Look::Plain, String::new()));
    lines.extend(steps(now));
    lines.push(line(Look::Plain, String::new()));
    lines.extend(places(now));
    lines
}

fn query(now: &Sample) -> String {
    let name = match now.text("/name") {
        "" => String::new(),
        name => format!("{}   ", shown_name(name)),
    };
    let (id, device) = (now.text("/id"), now.text("/device"));
    let epoch = now.number("/batchId");
    format!(
        "query    {name}{}   epoch {epoch}   device {}",
        shown_name(id),
        shown_name(device)
    )
}

fn input(now: &Sample, before: Option<&Sample>) -> String {
    let rows = now.rate("keymill_input_rows_total", before);
    let rows = rows.unwrap_or_else(|| now.number("/inputRowsPerSecond"));
    let per_row = now.number("/numInputBytes") / now.number("/numInputRows").max(1.0);
    let bytes = now.rate("keymill_input_bytes_total", before);
    let bytes = bytes.unwrap_or(rows * per_row);
    let total = |name| now.metric(name).unwrap_or(0.0);
    format!(
        "input    {} rows/s   {}/s   total {} rows   {}",
        amount(rows),
        size::show_input(bytes as u64),
        amount(total("keymill_input_rows_total")),
        size::show_input(total("keymill_input_bytes_total") as u64),
    )
}

fn epochs(now: &Sample, before: Option<&Sample>) -> String {
    let rate = now.rate("keymill_epochs_total", before);
    let rate = rate.map_or(String::new(), |rate| format!("{rate:.1}/s   "));
    let quantile = |share: &str| {
        let series = format!("keymill_epoch_duration_seconds{{quantile=\"{share}\"}}");
        now.metric(&series)
            .map_or("-".to_owned(), |it| time(1000.0 * it))
    };
    format!(
        "epochs   {rate}p50 {}   p95 {}   p99 {}   of the last 5 minutes",
        quantile("0.5"),
        quantile("0.95"),
        quantile("0.99"),
    )
}

fn state(now: &Sample) -> Option<String> {
    now.list("stateOperators").first()?;
    let sum = |name| now.metric(name).unwrap_or(0.0);
    let watermark = match now.text("/eventTime/watermark") {
        "" => String::new(),
        watermark => format!("   watermark {}", shown_name(watermark)),
    };
    Some(format!(
        "state    {} groups   {}{watermark}",
        amount(sum("keymill_state_rows")),
        size::show(sum("keymill_state_bytes") as u64),
    ))
}

/// The rows that the stream has not grouped, if there are some.
fn left_out(now: &Sample) -> Option<String> {
    let parts = [
        ("late", "late"),
        ("untimed", "without time"),
        ("duplicate", "duplicates"),
    ];
    let parts = parts.into_iter().filter_map(|(name, said)| {
        let rows = now.metric(&format!("keymill_{name}_rows_total"))?;
        (rows > 0.0).then(|| format!("{} {said}", amount(rows)))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("left out {}", parts.join("   ")))
}

fn steps(now: &Sample) -> Vec<Line> {
    let title = format!(
        "{:<16}{:>8}{:>8}{:>17}{:>13}",
        "step", "busy", "idle", "back-pressured", "last epoch"
    );
    let mut lines = vec![line(Look::Heading, title)];
    for step in now.list("stepTimes") {
        let name = text(step, "step");
        let share = |of: &str| {
            let time = step
                .get(format!("{of}TimeMsPerSecond"))
                .and_then(Value::as_f64);
            format!("{:.0} %", time.unwrap_or(0.0) / 10.0)
        };
        let last = now.number(&format!("/durationMs/{name}"));
        let row = format!(
            "{:<16}{:>8}{:>8}{:>17}{:>13}",
            name,
            share("busy"),
            share("idle"),
            share("backPressured"),
            time(last)
        );
        lines.push(line(Look::Plain, row));
    }
    lines
}

fn places(now: &Sample) -> Vec<Line> {
    let sources = now.list("sources");
    let sinks = now.list("sinks");
    let names = sources
        .iter()
        .chain(sinks)
        .map(|it| text(it, "description"));
    let width = names
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(12);
    let mut lines = vec![line(
        Look::Heading,
        format!("{:<width$}{:>14}{:>14}", "source", "waiting", "rejected"),
    )];
    for source in sources {
        let waiting = source.get("waitingBytes").and_then(Value::as_u64);
        let waiting = waiting.map_or("-".to_owned(), size::show_input);
        let rejected = source.get("numRejectedRows").and_then(Value::as_f64);
        let rejected = amount(rejected.unwrap_or(0.0));
        let name = text(source, "description");
        lines.push(line(
            Look::Plain,
            format!("{name:<width$}{waiting:>14}{rejected:>14}"),
        ));
    }
    lines.push(line(
        Look::Heading,
        format!("{:<width$}{:>14}{:>14}", "sink", "rows", "last epoch"),
    ));
    for (number, sink) in sinks.iter().enumerate() {
        let name = text(sink, "description");
        let last = sink
            .get("numOutputRows")
            .and_then(Value::as_f64)
            .unwrap_or(0.0);
        let end = format!("number=\"{number}\"}}");
        let is_own = |series: &str| {
            series.starts_with("keymill_output_rows_total{") && series.ends_with(&end)
        };
        let all = now.metrics.iter().find(|(series, _)| is_own(series));
        let all = amount(all.map_or(0.0, |(_, rows)| *rows));
        lines.push(line(
            Look::Plain,
            format!("{name:<width$}{all:>14}{:>14}", amount(last)),
        ));
    }
    lines
}

fn text(value: &Value, field: &str) -> String {
    shown_name(value.get(field).and_then(Value::as_str).unwrap_or_default())
}

/// A number of things, in powers of 1000.
fn amount(number: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|&(unit, _)| number >= unit) {
        Some((unit, name)) => format!("{:.1} {name}", number / unit),
        None if number > 0.0 && number < 10.0 && number.fract() != 0.0 => format!("{number:.1}"),
        None => format!("{number:.0}"),
    }
}

/// A time in milliseconds.
fn time(milliseconds: f64) -> String {
    match milliseconds {
        it if it >= 10_000.0 => format!("{:.1} s", it / 1000.0),
        it if it >= 0.095 || it == 0.0 => format!("{it:.1} ms"),
        it => format!("{:.0} µs", 1000.0 * it),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn sample(progress: Value, metrics: &[(&str, f64)]) -> Sample {
        let metrics = metrics
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        Sample {
            taken: Instant::now(),
            metrics: metrics.collect(),
            progress,
            is_healthy: true,
            status: "running an epoch".to_owned(),
        }
    }

    fn shown(now: &Sample, before: Option<&Sample>) -> String {
        let lines = lines("127.0.0.1:9464", now, before);
        lines.into_iter().map(|line| line.text + "\n").collect()
    }

    fn running() -> Sample {
        let progress = json!({
            "id": "8f", "runId": "1", "name": "visits\u{1b}", "batchId": 41, "device": "cpu",
            "numInputRows": 10, "numInputBytes": 50, "inputRowsPerSecond": 1000.0,
            "durationMs": {"addBatch": 12.34, "sinkCommit": 0.02},
            "stepTimes": [
                {"step": "addBatch", "busyTimeMsPerSecond": 250.0, "idleTimeMsPerSecond": 700.0,
                 "backPressuredTimeMsPerSecond": 50.0},
                {"step": "sinkCommit", "busyTimeMsPerSecond": 1000.0},
            ],
            "stateOperators": [{"numRowsTotal": 9}],
            "eventTime": {"watermark": "2026-01-01T00:00:00.000Z"},
            "sources": [{"description": "tcp://127.0.0.1:9999", "waitingBytes": 12_000, "numRejectedRows": 3}],
            "sinks": [{"description": "console:", "numOutputRows": 2}],
        });
        let metrics = [
            ("keymill_input_rows_total", 5_000_000.0),
            ("keymill_input_bytes_total", 25e6),
            ("keymill_epochs_total", 42.0),
            ("keymill_epoch_duration_seconds{quantile=\"0.5\"}", 0.0124),
            ("keymill_epoch_duration_seconds{quantile=\"0.95\"}", 0.025),
            ("keymill_epoch_duration_seconds{quantile=\"0.99\"}", 12.0),
            ("keymill_late_rows_total", 1500.0),
            ("keymill_untimed_rows_total", 0.0),
            ("keymill_duplicate_rows_total", 7.0),
            ("keymill_state_rows", 9.0),
            ("keymill_state_bytes", 2048.0),
            (
                "keymill_output_rows_total{sink=\"console:\",number=\"0\"}",
                84.0,
            ),
        ];
        sample(progress, &metrics)
    }

    #[test]
    fn a_frame_says_what_the_stream_does() {
        let expected = "\
keymill top   127.0.0.1:9464   running an epoch
query    visits\\x1b   8f   epoch 41   device cpu
input    1.0 k rows/s   5.0 kB/s   total 5.0 M rows   25.0 MB
epochs   p50 12.4 ms   p95 25.0 ms   p99 12.0 s   of the last 5 minutes
state    9 groups   2.0 KiB   watermark 2026-01-01T00:00:00.000Z
left out 1.5 k late   7 duplicates

step                busy    idle   back-pressured   last epoch
addBatch            25 %    70 %              5 %      12.3 ms
sinkCommit         100 %     0 %              0 %        20 µs

source                     waiting      rejected
tcp://127.0.0.1:9999       12.0 kB             3
sink                          rows    last epoch
console:                        84             2
";
        assert_eq!(shown(&running(), None), expected);
    }

    #[test]
    fn rates_are_those_between_samples_of_one_run() {
        let (before, mut now) = (running(), running());
        now.taken = before.taken + Duration::from_secs(2);
        now.metrics
            .insert("keymill_input_rows_total".to_owned(), 5_000_500.0);
        now.metrics
            .insert("keymill_input_bytes_total".to_owned(), 25e6 + 4000.0);
        now.metrics.insert("keymill_epochs_total".to_owned(), 43.0);
        let text = shown(&now, Some(&before));
        assert!(text.contains("input    250 rows/s   2.0 kB/s"), "{text}");
        assert!(text.contains("epochs   0.5/s   p50"), "{text}");
        now.progress["runId"] = json!("2");
        let text = shown(&now, Some(&before));
        assert!(text.contains("input    1.0 k rows/s"), "{text}");
        assert!(text.contains("epochs   p50"), "{text}");
    }

    #[test]
    fn a_stream_without_epochs_has_a_frame() {
        let mut now = sample(Value::Null, &[]);
        now.is_healthy = false;
        assert_eq!(shown(&now, None).lines().last(), Some("no epoch has run"));
        let odd = sample(
            json!({"sources": 1, "sinks": [1, {}], "stepTimes": [null]}),
            &[],
        );
        assert!(shown(&odd, None).contains("sink"));
    }
}
