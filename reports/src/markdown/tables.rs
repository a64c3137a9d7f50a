//! Tables of times: one for each subject and data, and the crossovers.

use super::{Page, titled};
use crate::crossover::{best_on_cpu, subjects};
use crate::figures::{rate, ratio, size, time};
use crate::model::{Case, Report, Spread, Subject, Way};

const TIMES: [&str; 8] = [
    "size",
    "way",
    "median",
    "fastest",
    "slowest",
    "runs",
    "rate",
    "times the CPU's best",
];

/// Where the time of an adapter went; the CPU has no such parts.
const PARTS: [&str; 4] = ["kernel", "upload", "readback", "launch"];

pub(super) fn cases(page: &mut Page, report: &Report) {
    if report
        .cases
        .iter()
        .any(|case| on_adapters(case).next().is_some())
    {
        page.title("What the tables say");
        page.line(
            "An adapter's times are end to end, from memory to memory. Its kernel is by its own \
             clock, or, where it has none, what is left of the whole; upload, readback and launch \
             are measured alone, behind each run. What the host does besides is in the whole only.",
        );
    }
    for (subject, data) in subjects(report) {
        page.title(&format!("{}: {data}", titled_subject(subject)));
        let cases = report.cases.iter();
        let of = cases.filter(|case| case.subject == subject && case.data == data);
        let of: Vec<&Case> = of.collect();
        let has_adapters = of.iter().any(|case| on_adapters(case).next().is_some());
        if has_adapters {
            page.heading(&[&TIMES[..], &PARTS].concat());
        } else {
            page.heading(&TIMES);
        }
        for case in of {
            for way in &case.ways {
                row(page, case, way, has_adapters);
            }
        }
    }
}

fn titled_subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Count => "count (the word count)",
        _ => subject.name(),
    }
}

fn on_adapters(case: &Case) -> impl Iterator<Item = &Way> {
    case.ways.iter().filter(|way| way.adapter.is_some())
}

fn row(page: &mut Page, case: &Case, way: &Way, has_adapters: bool) {
    let spread = way.end_to_end;
    let best = best_on_cpu(case).map(|best| best.end_to_end.median);
    let mut cells = vec![
        size(case.bytes),
        way.name.clone(),
        time(spread.median),
        time(spread.min),
        time(spread.max),
        spread.runs.to_string(),
        rate(case.bytes, spread.median),
        best.map_or_else(String::new, |best| ratio(spread.median, best)),
    ];
    if has_adapters {
        let parts = [way.kernel, way.upload, way.readback, way.launch];
        let shown = |part: Option<Spread>| part.map_or_else(String::new, |it| time(it.median));
        cells.extend(parts.map(shown));
    }
    page.row(cells.iter().map(String::as_str));
}

pub(super) fn crossovers(page: &mut Page, report: &Report) {
    page.title("Crossover, end to end");
    if report.crossovers.is_empty() {
        page.line("No adapter was measured.");
        return;
    }
    page.line(
        "From which size on an adapter is faster than the best way on the CPU: one core for a stage, \
         all of them for the word count.\n",
    );
    page.heading(&["subject", "data", "adapter", "faster from"]);
    for it in &report.crossovers {
        let adapter = report.adapter(it.adapter).map(titled).unwrap_or_default();
        let from = match it.bytes {
            None => format!("none up to {}", size(it.up_to_bytes)),
            Some(bytes) if bytes == it.from_bytes => {
                format!("{}, the smallest that was measured", size(bytes))
            }
            Some(bytes) => size(bytes),
        };
        page.row([it.subject.name(), &it.data, &adapter, &from]);
    }
}
