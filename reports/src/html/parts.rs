//! Where the time goes: the parts of each way as stacked bars.

use super::chart::bars::{Bars, Row};
use super::markup::Markup;
use super::sizes::cases_of;
use super::table::Table;
use crate::crossover::{best_on_cpu, on_adapter, subjects};
use crate::figures::{size, time};
use crate::model::{Case, Report, Subject, Way};

/// The parts of an adapter's time, in the order of the bars.
const PARTS: [&str; 5] = ["upload", "kernel", "readback", "launch", "work of the host"];

pub(super) fn add(page: &mut Markup, report: &Report) {
    let bars = on_adapters(report);
    if bars.is_empty() {
        return;
    }
    page.section("parts",
        "Where the time of an adapter goes",
        "Upload, kernel, readback and launch are measured one by one. What is left of the whole is work \
         of the host: sorting out the answer and calling the driver. The processor is beside it.",
    );
    for (number, (subject, data, cases)) in bars.into_iter().enumerate() {
        page.chart(Some(chart(report, subject, data, &cases, number).draw()));
        table(report, subject, data, &cases).add(page);
    }
}

/// Returns the cases in which an adapter was measured, for the count of each text.
fn on_adapters(report: &Report) -> Vec<(Subject, &str, Vec<&Case>)> {
    let counts = subjects(report)
        .into_iter()
        .filter(|(subject, _)| *subject == Subject::Count);
    counts
        .filter_map(|(subject, data)| {
            let mut cases = cases_of(report, subject, data);
            cases.retain(|case| ways(report, case).len() > 1);
            (!cases.is_empty()).then_some((subject, data, cases))
        })
        .collect()
}

/// Returns the best way on the CPU, and each adapter.
fn ways<'a>(report: &Report, case: &'a Case) -> Vec<&'a Way> {
    let adapters = 0..report.adapters.len() as u32;
    let adapters = adapters.filter_map(|number| on_adapter(case, number));
    best_on_cpu(case).into_iter().chain(adapters).collect()
}

/// Returns the medians of the parts. They are measured in different runs, so their sum may exceed
/// the whole.
fn parts(way: &Way) -> [u64; 5] {
    let median = |it: Option<crate::model::Spread>| it.map_or(0, |it| it.median);
    let [upload, kernel] = [median(way.upload), median(way.kernel)];
    let [readback, launch] = [median(way.readback), median(way.launch)];
    let whole = way.end_to_end.median;
    match way.adapter {
        // The processor's time is all kernel.
        None => [0, whole, 0, 0, 0],
        Some(_) => {
            let rest = whole.saturating_sub(upload + kernel + readback + launch);
            [upload, kernel, readback, launch, rest]
        }
    }
}

fn chart(report: &Report, subject: Subject, data: &str, cases: &[&Case], number: usize) -> Bars {
    // Times of different sizes would not fit one scale: each bar is its way's share of 100 %.
    let rows = cases.iter().flat_map(|case| {
        let ways = ways(report, case)
            .into_iter()
            .filter(|way| way.adapter.is_some());
        ways.map(|way| row(report, case, way))
    });
    let rows: Vec<Row> = rows.collect();
    let words: Vec<String> = rows
        .iter()
        .map(|row| format!("{}: {}", row.name, row.figure))
        .collect();
    Bars {
        id: format!("parts-{number}"),
        title: format!("{} of {data}: parts of the whole time", subject.name()),
        description: words.join("; ") + ".",
        legend: PARTS.map(str::to_owned).to_vec(),
        rows,
    }
}

fn row(report: &Report, case: &Case, way: &Way) -> Row {
    let parts = parts(way);
    let all = parts.iter().sum::<u64>().max(1) as f64;
    let (largest, name) = parts.iter().zip(PARTS).max().unwrap_or((&0, ""));
    let adapter = way.adapter.and_then(|number| report.adapter(number));
    let adapter = adapter.map_or(&way.name, |it| &it.name);
    let numbered = parts.into_iter().enumerate().filter(|(_, it)| *it > 0);
    Row {
        name: format!("{}, {adapter}", size(case.bytes)),
        figure: format!(
            "{}; {name} {:.0} %",
            time(way.end_to_end.median),
            *largest as f64 / all * 100.0
        ),
        parts: numbered
            .map(|(at, it)| (at, it as f64 / all, format!("{} {}", PARTS[at], time(it))))
            .collect(),
    }
}

fn table(report: &Report, subject: Subject, data: &str, cases: &[&Case]) -> Table {
    let mut rows = Vec::new();
    for case in cases {
        for way in ways(report, case) {
            let it = way.end_to_end;
            let mut row = vec![way.name.clone(), size(case.bytes)];
            row.extend([it.median, it.min, it.max].map(time));
            row.push(it.runs.to_string());
            let shown = |it: u64| if it == 0 { String::new() } else { time(it) };
            row.extend(parts(way).map(shown));
            rows.push(row);
        }
    }
    Table {
        caption: format!("{} of {data}: parts of the time", subject.name()),
        headings: [
            &["way", "size", "median", "fastest", "slowest", "runs"][..],
            &PARTS,
        ]
        .concat(),
        rows,
    }
}
