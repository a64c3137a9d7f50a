//! What more threads gain.

use super::chart::bars::{Bars, Row};
use super::markup::Markup;
use super::sizes::{cases_of, titled};
use super::table::Table;
use crate::crossover::subjects;
use crate::figures::{ratio, size, time};
use crate::model::{Case, Part, Report, Subject, Way};

/// The best way with one thread, and the best with all threads.
struct Gain<'a> {
    case: &'a Case,
    one: &'a Way,
    all: &'a Way,
}

pub(super) fn add(page: &mut Markup, report: &Report) {
    let gains: Vec<Gain<'_>> = gains(report);
    if gains.is_empty() {
        return;
    }
    page.section(
        "threads",
        "What threads gain",
        "One thread against all threads, with the best SIMD level, on the largest data. Twice the \
         threads gain less than twice the speed where the memory is the limit.",
    );
    page.chart(Some(chart(&gains).draw()));
    table(&gains).add(page);
}

fn gains(report: &Report) -> Vec<Gain<'_>> {
    let subjects = subjects(report).into_iter();
    subjects
        .filter_map(|(subject, data)| {
            let case = *cases_of(report, subject, data).last()?;
            let fastest = |is_one: bool| {
                let ways = case.ways.iter().filter(|way| way.part != Part::Auto);
                let ways = ways.filter(|way| way.threads.is_some_and(|it| (it == 1) == is_one));
                ways.min_by_key(|way| way.end_to_end.median)
            };
            Some(Gain {
                case,
                one: fastest(true)?,
                all: fastest(false)?,
            })
        })
        .collect()
}

/// Returns the word count of each text, and one data set of each stage: the others are in the table.
fn shown<'a, 'b>(gains: &'b [Gain<'a>]) -> Vec<&'b Gain<'a>> {
    let mut shown: Vec<&Gain<'_>> = Vec::new();
    for gain in gains {
        let is_known = shown.iter().any(|it| it.case.subject == gain.case.subject);
        if gain.case.subject == Subject::Count || !is_known {
            shown.push(gain);
        }
    }
    shown
}

fn gain(it: &Gain<'_>) -> f64 {
    it.one.end_to_end.median as f64 / it.all.end_to_end.median.max(1) as f64
}

fn chart(gains: &[Gain<'_>]) -> Bars {
    let rows = shown(gains).into_iter().map(|it| Row {
        name: format!(
            "{}, {}, {}",
            titled(it.case.subject),
            it.case.data,
            size(it.case.bytes)
        ),
        figure: format!("{:.2}×", gain(it)),
        parts: vec![(0, gain(it), format!("{:.2} times one thread", gain(it)))],
    });
    let rows: Vec<Row> = rows.collect();
    let words: Vec<String> = rows
        .iter()
        .map(|it| format!("{}: {}", it.name, it.figure))
        .collect();
    let threads = gains.first().and_then(|it| it.all.threads).unwrap_or(0);
    Bars {
        id: "threads".to_owned(),
        title: format!("{threads} threads: times the speed of one thread"),
        description: words.join("; ") + ".",
        legend: vec![],
        rows,
    }
}

fn table(gains: &[Gain<'_>]) -> Table {
    let mut rows = Vec::new();
    for gain in gains {
        for way in [gain.one, gain.all] {
            let it = way.end_to_end;
            rows.push(vec![
                format!("{}, {}", gain.case.subject.name(), gain.case.data),
                way.name.clone(),
                size(gain.case.bytes),
                time(it.median),
                time(it.min),
                time(it.max),
                it.runs.to_string(),
                ratio(gain.one.end_to_end.median, it.median),
            ]);
        }
    }
    Table {
        caption: "One thread and all threads".to_owned(),
        headings: vec![
            "stage",
            "way",
            "size",
            "median",
            "fastest",
            "slowest",
            "runs",
            "times one thread",
        ],
        rows,
    }
}
