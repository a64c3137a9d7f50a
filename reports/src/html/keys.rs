//! Cardinality and skew: sums by key over few and many keys.

use super::chart::Style;
use super::chart::axis::{Axis, BELOW, BESIDE};
use super::chart::lines::{Form, Lines, Point, Series};
use super::markup::Markup;
use super::table::Table;
use crate::crossover::{best_on_cpu, on_adapter};
use crate::figures::{rows_a_second, size, time};
use crate::model::{Case, Kind, Report, Subject, Way};

pub(super) fn add(page: &mut Markup, report: &Report) {
    let cases = largest(report);
    if cases.is_empty() {
        return;
    }
    page.section("keys",
        "Few keys, many keys, skewed keys",
        "Sums of 64-bit values by key, on the largest data. The more keys, the larger the table, until \
         it leaves the caches. By Zipf's law few keys have most of the rows.",
    );
    page.chart(chart(report, &cases).drawing());
    table(report, &cases).add(page);
}

/// Returns the largest case of each set of rows.
fn largest(report: &Report) -> Vec<&Case> {
    let mut cases: Vec<&Case> = Vec::new();
    for case in &report.cases {
        if case.subject != Subject::ReduceByKey || case.ways.is_empty() {
            continue;
        }
        match cases.iter_mut().find(|it| it.data == case.data) {
            Some(before) if before.bytes < case.bytes => *before = case,
            Some(_) => {}
            None => cases.push(case),
        }
    }
    cases
}

fn kind(report: &Report, case: &Case) -> &'static str {
    let data = report.data.iter().find(|it| it.name == case.data);
    match data.map(|it| it.kind) {
        _ if case.data.contains("zipf") => "64-bit keys by Zipf's law",
        Some(Kind::TextRows) => "text keys",
        _ => "64-bit keys, uniform",
    }
}

fn chart(report: &Report, cases: &[&Case]) -> Lines {
    let mut series: Vec<Series> = Vec::new();
    for case in cases {
        let cpu = best_on_cpu(case).map(|way| ("CPU".to_owned(), way));
        let adapters = report.adapters.iter().zip(0..);
        let adapters =
            adapters.filter_map(|(it, number)| Some((it.name.clone(), on_adapter(case, number)?)));
        for (place, way) in cpu.into_iter().chain(adapters) {
            let name = format!("{}, {place}", kind(report, case));
            add_point(&mut series, name, point(way), way.adapter.is_some());
        }
    }
    for one in &mut series {
        one.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    let points = || series.iter().flat_map(|it| &it.points);
    let keys: Vec<f64> = points().map(|it| it.x).collect();
    let rates: Vec<f64> = points()
        .flat_map(|it| [it.y, it.range.0, it.range.1])
        .collect();
    let words: Vec<String> = points().map(|it| it.hover.clone()).collect();
    Lines {
        id: "keys".to_owned(),
        title: "Sums by key: rows per second by number of keys".to_owned(),
        description: words.join("; ") + ".",
        x: Axis::log("distinct keys", &keys, count, BELOW),
        y: Axis::log("rows per second", &rates, count, BESIDE),
        series,
        guides: vec![],
    }
}

fn add_point(series: &mut Vec<Series>, name: String, point: Point, is_square: bool) {
    match series.iter_mut().find(|it| it.name == name) {
        Some(known) => known.points.push(point),
        None => series.push(Series {
            name,
            style: Style {
                colour: series.len(),
                is_square,
                is_dashed: false,
            },
            form: Form::Both,
            points: vec![point],
        }),
    }
}

fn point(way: &Way) -> Point {
    let per_second = |ns: u64| way.answer.rows as f64 / ns.max(1) as f64 * 1e9;
    let it = way.end_to_end;
    Point {
        x: way.answer.groups as f64,
        y: per_second(it.median),
        range: (per_second(it.max), per_second(it.min)),
        hover: format!(
            "{} with {} keys",
            rows_a_second(per_second(it.median)),
            way.answer.groups
        ),
    }
}

/// Formats a round number: `100`, `10 k`, `1 M`.
fn count(number: f64) -> String {
    let units = [(1e9, " G"), (1e6, " M"), (1e3, " k")];
    match units.into_iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => format!("{:.0}{name}", number / unit),
        None => format!("{number:.0}"),
    }
}

fn table(report: &Report, cases: &[&Case]) -> Table {
    let mut rows = Vec::new();
    for case in cases {
        let adapters = 0..report.adapters.len() as u32;
        let adapters = adapters.filter_map(|number| on_adapter(case, number));
        for way in best_on_cpu(case).into_iter().chain(adapters) {
            let it = way.end_to_end;
            rows.push(vec![
                case.data.clone(),
                way.name.clone(),
                way.answer.groups.to_string(),
                size(case.bytes),
                time(it.median),
                time(it.min),
                time(it.max),
                it.runs.to_string(),
                rows_a_second(point(way).y),
            ]);
        }
    }
    Table {
        caption: "Sums by key, the best way on the CPU and each adapter".to_owned(),
        headings: vec![
            "rows", "way", "keys", "size", "median", "fastest", "slowest", "runs", "rate",
        ],
        rows,
    }
}
