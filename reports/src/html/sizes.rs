//! Throughput by batch size, with the crossover.

use super::chart::Style;
use super::chart::axis::{Axis, BESIDE};
use super::chart::lines::{Form, Guide, Lines, Point, Series};
use super::markup::Markup;
use super::table::Table;
use crate::crossover::{best_on_cpu, subjects};
use crate::figures::{rate, ratio, size, time};
use crate::model::{Case, Part, Report, Spread, Subject, Way};

pub(super) fn add(page: &mut Markup, report: &Report) {
    if report.cases.is_empty() {
        return;
    }
    page.section(
        "sizes",
        "How fast, by batch size",
        "Bytes of input in a second, from bytes in memory to the answer in memory. A bar \
         through a point is the range of all runs. An adapter's time includes its copies.",
    );
    for (number, (subject, data)) in subjects(report).into_iter().enumerate() {
        let cases = cases_of(report, subject, data);
        page.element("h3", &format!("{}: {data}", titled(subject)));
        if matches!(subject, Subject::Count | Subject::GroupByCsv) {
            page.chart(chart(report, subject, &cases, number).drawing());
        }
        table(subject, data, &cases).add(page);
    }
}

/// Returns the cases of a subject and a data set, by size.
pub(super) fn cases_of<'a>(report: &'a Report, subject: Subject, data: &str) -> Vec<&'a Case> {
    let cases = report.cases.iter();
    let mut cases: Vec<&Case> = cases
        .filter(|case| case.subject == subject && case.data == data && !case.ways.is_empty())
        .collect();
    cases.sort_by_key(|case| case.bytes);
    cases
}

/// Returns what a subject does, in words.
pub(super) fn titled(subject: Subject) -> &'static str {
    match subject {
        Subject::Count => "Word count",
        Subject::Frame => "Finding lines",
        Subject::Tokenize => "Finding tokens",
        Subject::HashPartition => "Partitioning keys",
        Subject::ReduceByKey => "Sums by key",
        Subject::GroupByCsv => "Group-by of a CSV table",
    }
}

fn chart(report: &Report, subject: Subject, cases: &[&Case], number: usize) -> Lines {
    let data = cases.first().map_or("", |case| &case.data);
    let series = series(report, cases);
    let points = series.iter().flat_map(|it| &it.points);
    let memory = report.memory_read.all_cores.median as f64;
    let rates = points.flat_map(|it| [it.y, it.range.0, it.range.1]);
    let rates: Vec<f64> = rates.chain([memory]).collect();
    let sizes: Vec<f64> = cases.iter().map(|case| case.bytes as f64).collect();
    let words: Vec<String> = series.iter().filter_map(ends).collect();
    Lines {
        id: format!("sizes-{number}"),
        title: format!("{} of {data}: throughput by size", titled(subject)),
        description: words.join(" "),
        x: Axis::at("size of the batch", &sizes, |it| size(it as u64)),
        y: Axis::log(
            "bytes per second",
            &rates,
            |it| rate(it as u64, 1_000_000_000),
            BESIDE,
        ),
        guides: guides(report, subject, data),
        series,
    }
}

/// Describes a line by its first and its last point.
fn ends(series: &Series) -> Option<String> {
    let (first, last) = (series.points.first()?, series.points.last()?);
    Some(format!(
        "{}: from {} to {}.",
        series.name, first.hover, last.hover
    ))
}

/// The lines of a chart: the slowest and the best level with one thread, all levels with all threads,
/// and the adapters.
fn series(report: &Report, cases: &[&Case]) -> Vec<Series> {
    let mut names: Vec<&str> = Vec::new();
    for way in cases.iter().flat_map(|case| &case.ways) {
        if is_shown(report, way) && !names.contains(&way.name.as_str()) {
            names.push(&way.name);
        }
    }
    let named = names.into_iter().enumerate();
    named
        .filter_map(|(colour, name)| one(cases, name, colour))
        .collect()
}

fn is_shown(report: &Report, way: &Way) -> bool {
    let levels = &report.machine.levels;
    let ends = [levels.first(), levels.last()];
    match way.part {
        Part::Auto => false,
        Part::Job => true,
        Part::Stage => way.adapter.is_some() || ends.contains(&way.level.as_ref()),
    }
}

fn one(cases: &[&Case], name: &str, colour: usize) -> Option<Series> {
    let found = cases.iter().filter_map(|case| {
        let way = case.ways.iter().find(|way| way.name == name)?;
        Some((case.bytes, way))
    });
    let found: Vec<(u64, &Way)> = found.filter(|(bytes, _)| *bytes > 0).collect();
    let (_, first) = found.first()?;
    let style = Style {
        colour,
        is_dashed: first.threads == Some(1),
        is_square: first.adapter.is_some(),
    };
    let points = found
        .iter()
        .map(|(bytes, way)| point(*bytes, way.end_to_end));
    Some(Series {
        name: name.to_owned(),
        style,
        form: Form::Both,
        points: points.collect(),
    })
}

/// Returns the point of a size and a time, as bytes per second.
pub(super) fn point(bytes: u64, spread: Spread) -> Point {
    let rate_of = |ns: u64| bytes as f64 / ns.max(1) as f64 * 1e9;
    Point {
        x: bytes as f64,
        y: rate_of(spread.median),
        range: (rate_of(spread.max), rate_of(spread.min)),
        hover: format!("{} at {}", rate(bytes, spread.median), size(bytes)),
    }
}

fn guides(report: &Report, subject: Subject, data: &str) -> Vec<Guide> {
    let of = |it: &&crate::model::Crossover| it.subject == subject && it.data == data;
    let crossovers = report.crossovers.iter().filter(of);
    let mut guides: Vec<Guide> = crossovers
        .filter_map(|it| {
            let name = report
                .adapter(it.adapter)
                .map_or("an adapter", |it| &it.name);
            let from = it.bytes?;
            Some(Guide::At(
                from as f64,
                format!("{name} from {}", size(from)),
            ))
        })
        .collect();
    let memory = report.memory_read.all_cores.median as f64;
    let one = |bytes: f64| rate(bytes as u64, 1_000_000_000);
    if memory > 0.0 {
        guides.push(Guide::Level(
            memory,
            format!("reading memory: {}", one(memory)),
        ));
    }
    guides
}

/// Returns the table of all ways at all sizes.
pub(super) fn table(subject: Subject, data: &str, cases: &[&Case]) -> Table {
    let mut rows = Vec::new();
    for case in cases {
        let best = best_on_cpu(case).map(|best| best.end_to_end.median);
        for way in &case.ways {
            let it = way.end_to_end;
            rows.push(vec![
                way.name.clone(),
                size(case.bytes),
                time(it.median),
                time(it.min),
                time(it.max),
                it.runs.to_string(),
                rate(case.bytes, it.median),
                best.map_or_else(String::new, |best| ratio(it.median, best)),
            ]);
        }
    }
    Table {
        caption: format!("{} of {data}: all ways and sizes", titled(subject)),
        headings: vec![
            "way",
            "size",
            "median",
            "fastest",
            "slowest",
            "runs",
            "rate",
            "time ÷ CPU’s best",
        ],
        rows,
    }
}
