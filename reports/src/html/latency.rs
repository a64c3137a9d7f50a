//! The latency of small batches.

use super::chart::bars::{Bars, Row};
use super::markup::Markup;
use super::table::Table;
use crate::figures::{size, time};
use crate::model::{Latency, Report};

/// The parts of a bar: up to the median, from there to 90 %, and to 99 % of the runs.
const PARTS: [&str; 3] = ["half of the runs", "90 % of the runs", "99 % of the runs"];

pub(super) fn add(page: &mut Markup, report: &Report) {
    let Some(first) = report.latency.first() else {
        return;
    };
    page.section("latency",
        "How long a small batch takes",
        "A stream counts small batches again and again, and waits for each. The whole job on one batch, \
         from its bytes to the answer.",
    );
    let title = format!(
        "Latency of a batch of {} of {}",
        size(first.bytes),
        first.data
    );
    page.chart(Some(chart(report, &title).draw()));
    Table {
        caption: title,
        headings: vec!["way", "50 %", "90 %", "99 %", "slowest", "runs"],
        rows: report.latency.iter().map(row).collect(),
    }
    .add(page);
}

fn chart(report: &Report, title: &str) -> Bars {
    let rows: Vec<Row> = report.latency.iter().map(bar).collect();
    let words = rows
        .iter()
        .map(|row| format!("{}: {}", row.name, row.figure));
    let words: Vec<String> = words.collect();
    Bars {
        id: "latencies".to_owned(),
        title: title.to_owned(),
        description: words.join("; ") + ".",
        legend: PARTS.map(str::to_owned).to_vec(),
        rows,
    }
}

fn bar(it: &Latency) -> Row {
    let [p50, p90, p99] = [it.p50, it.p90, it.p99];
    let lengths = [p50, p90.saturating_sub(p50), p99.saturating_sub(p90)];
    let parts = lengths.into_iter().zip([p50, p90, p99]).enumerate();
    Row {
        name: it.way.clone(),
        figure: format!("{}; 99 % within {}", time(p50), time(p99)),
        parts: parts
            .map(|(at, (length, end))| {
                let words = format!("{} within {}", PARTS[at], time(end));
                (at, length as f64, words)
            })
            .collect(),
    }
}

fn row(it: &Latency) -> Vec<String> {
    let mut cells = vec![it.way.clone()];
    cells.extend([it.p50, it.p90, it.p99, it.max].map(time));
    cells.push(it.runs.to_string());
    cells
}
