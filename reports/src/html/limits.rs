//! The roofline: what each stage reaches of what its code and the memory can do.

use super::chart::Style;
use super::chart::axis::{Axis, BELOW, BESIDE};
use super::chart::lines::{Form, Guide, Lines, Point, Series};
use super::facts::limits_table;
use super::markup::Markup;
use super::sizes::cases_of;
use super::table::Table;
use crate::crossover::{best_on_cpu, subjects};
use crate::figures::{rate, size};
use crate::model::{Case, Report, Subject};

/// A stage with its best rate at any size and its rate on the largest data, in bytes per second.
struct Reached {
    name: String,
    subject: Subject,
    best: f64,
    from_memory: f64,
    /// The range of the runs from memory.
    range: (f64, f64),
    hover: String,
}

impl Reached {
    fn point(&self) -> Point {
        Point {
            x: self.best,
            y: self.from_memory,
            range: self.range,
            hover: format!("{}: {}", self.name, self.hover),
        }
    }
}

/// The subjects, each with a colour.
const SUBJECTS: [Subject; 5] = [
    Subject::Count,
    Subject::Frame,
    Subject::Tokenize,
    Subject::HashPartition,
    Subject::ReduceByKey,
];

pub(super) fn add(page: &mut Markup, report: &Report) {
    page.section("limits",
        "What limits the speed: a roofline",
        "Each point is one stage on the CPU with one data set. To the right: its best rate at any size, \
         often while the data is in the caches. Upwards: its rate on the largest data. A point on the \
         sloping line is limited by its code, and a point at the horizontal line by the memory.",
    );
    let reached = all(report);
    if !reached.is_empty() && report.memory_read.all_cores.median > 0 {
        page.chart(chart(report, &reached).drawing());
        table(report, &reached).add(page);
    }
    limits_table(page, report);
}

fn all(report: &Report) -> Vec<Reached> {
    let subjects = subjects(report).into_iter();
    subjects
        .filter_map(|(subject, data)| one(&cases_of(report, subject, data)))
        .collect()
}

fn one(cases: &[&Case]) -> Option<Reached> {
    let (small, large) = (cases.first()?, cases.last()?);
    let per_second = |case: &Case, ns: u64| case.bytes as f64 / ns.max(1) as f64 * 1e9;
    let peak = cases
        .iter()
        .filter_map(|case| Some(per_second(case, best_on_cpu(case)?.end_to_end.median)));
    let best = peak.fold(0.0, f64::max);
    let it = best_on_cpu(large)?.end_to_end;
    let from_memory = per_second(large, it.median);
    let shown = |it: f64| rate(it as u64, 1_000_000_000);
    (small.bytes < large.bytes && from_memory > 0.0).then(|| Reached {
        name: format!("{}, {}", large.subject.name(), large.data),
        subject: large.subject,
        best,
        from_memory,
        range: (per_second(large, it.max), per_second(large, it.min)),
        hover: format!(
            "best {}, {} at {}",
            shown(best),
            shown(from_memory),
            size(large.bytes)
        ),
    })
}

fn chart(report: &Report, reached: &[Reached]) -> Lines {
    let memory = report.memory_read.all_cores.median as f64;
    let one_core = report.memory_read.one_core.median as f64;
    let shown = |it: f64| rate(it as u64, 1_000_000_000);
    let xs: Vec<f64> = reached.iter().map(|it| it.best).chain([memory]).collect();
    let ys: Vec<f64> = reached
        .iter()
        .map(|it| it.from_memory)
        .chain([memory, one_core])
        .collect();
    let least = xs.iter().chain(&ys).copied().fold(f64::INFINITY, f64::min);
    let most = xs.iter().copied().fold(memory, f64::max) * 1.5;
    let roof = |x: f64, y: f64| Point {
        x,
        y,
        range: (y, y),
        hover: format!("at most {}", shown(y)),
    };
    let mut series = vec![Series {
        name: "the roof: code and memory".to_owned(),
        style: Style {
            colour: 6,
            ..Style::default()
        },
        form: Form::Line,
        points: vec![roof(least, least), roof(memory, memory), roof(most, memory)],
    }];
    for (colour, subject) in SUBJECTS.into_iter().enumerate() {
        let of = reached.iter().filter(|it| it.subject == subject);
        let points: Vec<Point> = of.map(Reached::point).collect();
        if !points.is_empty() {
            series.push(Series {
                name: subject.name().to_owned(),
                style: Style {
                    colour,
                    ..Style::default()
                },
                form: Form::Marks,
                points,
            });
        }
    }
    let words: Vec<String> = reached
        .iter()
        .map(|it| format!("{}: {}.", it.name, it.hover))
        .collect();
    Lines {
        id: "roofline".to_owned(),
        title: "Stages on the CPU against the limits of code and memory".to_owned(),
        description: words.join(" "),
        x: Axis::log("best rate at any size", &[least, most], shown, BELOW),
        y: Axis::log("rate on the largest data", &[least, memory], shown, BESIDE),
        guides: vec![Guide::Level(
            one_core,
            format!("memory, 1 core: {}", shown(one_core)),
        )],
        series,
    }
}

fn table(report: &Report, reached: &[Reached]) -> Table {
    let memory = report.memory_read.all_cores.median.max(1) as f64;
    let shown = |it: f64| rate(it as u64, 1_000_000_000);
    let rows = reached.iter().map(|it| {
        vec![
            it.name.clone(),
            shown(it.best),
            shown(it.from_memory),
            shown(it.range.0),
            shown(it.range.1),
            format!("{:.1} %", it.from_memory / memory * 100.0),
        ]
    });
    Table {
        caption: "The best way of each stage on the CPU".to_owned(),
        headings: vec![
            "stage",
            "best rate",
            "largest data: median",
            "slowest",
            "fastest",
            "of the memory’s rate",
        ],
        rows: rows.collect(),
    }
}
