//! Tables of times for each subject and data, and of the crossovers.

use super::{Page, prose, titled};
use crate::crossover::{best_on_cpu, subjects};
use crate::figures::{bandwidth, rate, ratio, rows_a_second, size, time};
use crate::model::{Case, Report, Spread, Subject, Unit, Way};
use crate::since;
use crate::targets::target;

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

/// The parts of an adapter's time. The CPU has no such parts.
const PARTS: [&str; 4] = ["kernel", "upload", "readback", "launch"];

/// Writes what changed since an earlier report.
pub(super) fn since(page: &mut Page, report: &Report) {
    let Some(it) = &report.since else {
        return;
    };
    page.title(since::TITLE);
    page.line(&prose(&since::sentence(it)));
    for (title, changes) in [("Slower", &it.slower), ("Faster", &it.faster)] {
        if !changes.is_empty() {
            page.line(&format!("\n{title}:\n"));
            page.heading(&since::HEADINGS);
        }
        for change in changes {
            page.row(since::row(change).iter().map(String::as_str));
        }
    }
}

pub(super) fn cases(page: &mut Page, report: &Report) {
    if report
        .cases
        .iter()
        .any(|case| on_adapters(case).next().is_some())
    {
        page.title("How to read the tables");
        page.line(
            "An adapter's times are end to end, from memory to memory. The kernel is timed by the \
             adapter's clock, or is the rest of the whole if it has no clock. Upload, readback and \
             launch are measured alone, after each run. Other work of the host is only in the whole. \
             A job overlaps its parts, so they have no times.",
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

/// Writes the table of resident data.
pub(super) fn resident(page: &mut Page, report: &Report) {
    if report.resident.is_empty() {
        return;
    }
    page.title("Data that is resident on the adapter");
    page.line(
        "Data that is already in the adapter's memory, in chunks of maximum size. The kernel's time \
         is the cost. For comparison: the CPU's best level with all threads on the same data.\n",
    );
    page.heading(&[
        "subject",
        "data",
        "size",
        "way",
        "kernel",
        "runs",
        "rate",
        "end to end",
    ]);
    for case in &report.resident {
        for way in &case.ways {
            let alone = way.kernel.unwrap_or(way.end_to_end);
            page.row([
                case.subject.name(),
                &prose(&case.data),
                &size(case.bytes),
                &way.name,
                &time(alone.median),
                &alone.runs.to_string(),
                &rate_of(case, way, alone.median),
                &time(way.end_to_end.median),
            ]);
        }
    }
}

/// Returns the rate: rows for `hash_partition`, bytes for other subjects.
fn rate_of(case: &Case, way: &Way, nanoseconds: u64) -> String {
    match case.subject {
        Subject::HashPartition => {
            rows_a_second(way.answer.rows as f64 / nanoseconds.max(1) as f64 * 1e9)
        }
        _ => rate(case.bytes, nanoseconds),
    }
}

/// Writes the table of what a GPU would have to reach.
pub(super) fn needed(page: &mut Page, report: &Report) {
    if report.needed.is_empty() {
        return;
    }
    page.title("What a GPU would have to reach");
    page.line("The rate of a kernel that begins after the copy and is as fast as the CPU.\n");
    page.heading(&[
        "data",
        "size",
        "the CPU's best",
        "bus",
        "copies over it",
        "kernel needs",
    ]);
    for it in &report.needed {
        let kernel = it.kernel.map(bandwidth);
        page.row([
            prose(&it.data).as_str(),
            &size(it.bytes),
            &bandwidth(it.cpu),
            &it.bus,
            &bandwidth(it.bus_rate),
            kernel
                .as_deref()
                .unwrap_or("none is enough: the copy takes longer than the CPU"),
        ]);
    }
}

/// Writes the table of the latency of small batches.
pub(super) fn latency(page: &mut Page, report: &Report) {
    if report.latency.is_empty() {
        return;
    }
    page.title("Latency of small batches");
    page.heading(&[
        "way", "data", "size", "50 %", "90 %", "99 %", "slowest", "runs",
    ]);
    for it in &report.latency {
        page.row([
            it.way.as_str(),
            &prose(&it.data),
            &size(it.bytes),
            &time(it.p50),
            &time(it.p90),
            &time(it.p99),
            &time(it.max),
            &it.runs.to_string(),
        ]);
    }
}

/// Writes the table of shader variants.
pub(super) fn variants(page: &mut Page, report: &Report) {
    if report.variants.is_empty() {
        return;
    }
    page.title("Shader variants");
    page.line(
        "Times of the kernels, by the features that the shaders use beyond the WGSL core and whether \
         they have run-time checks. A time below that of the base is a gain.\n",
    );
    page.heading(&[
        "subject",
        "size",
        "shaders",
        "kernel",
        "fastest",
        "slowest",
        "runs",
        "times the base",
    ]);
    for case in &report.variants {
        let Some(base) = case.ways.first().and_then(|way| way.kernel) else {
            continue;
        };
        for way in &case.ways {
            let Some(kernel) = way.kernel else { continue };
            page.row([
                case.subject.name(),
                &size(case.bytes),
                &way.name,
                &time(kernel.median),
                &time(kernel.min),
                &time(kernel.max),
                &kernel.runs.to_string(),
                &ratio(kernel.median, base.median),
            ]);
        }
    }
}

/// Writes the table of figures and their targets for a GPU.
pub(super) fn measures(page: &mut Page, report: &Report) {
    if report.measures.is_empty() {
        return;
    }
    page.title("Targets for a GPU");
    page.line(
        "Computed from the tables above, at the measured sizes. The targets are for a GPU of the \
         H200's class: the minimum, then the goal. Software has no targets.\n",
    );
    page.heading(&[
        "measure", "on", "data", "size", "median", "minimum", "maximum", "runs", "target",
    ]);
    for it in &report.measures {
        let adapter = it.adapter.and_then(|number| report.adapter(number));
        let (what, target) = target(it.name, &it.data);
        let shown = |figure: u64| match it.unit {
            Unit::BytesPerSecond => bandwidth(figure),
            Unit::RowsPerSecond => rows_a_second(figure as f64),
            Unit::Nanoseconds => time(figure),
            Unit::Thousandths => ratio(figure, 1000),
        };
        let has_target = adapter.is_none_or(|it| !it.is_software);
        page.row([
            what,
            &adapter.map_or_else(|| "all".to_owned(), titled),
            &prose(&it.data),
            &size(it.bytes),
            &shown(it.figure.median),
            &shown(it.figure.min),
            &shown(it.figure.max),
            &it.figure.runs.to_string(),
            if has_target { target } else { "" },
        ]);
    }
}

pub(super) fn crossovers(page: &mut Page, report: &Report) {
    page.title("Crossover, end to end");
    if report.crossovers.is_empty() {
        page.line("No adapter was measured.");
        return;
    }
    page.line(
        "The size from which an adapter is faster than the best way on the CPU, with any level and any \
         number of threads.\n",
    );
    page.heading(&["subject", "data", "adapter", "faster from"]);
    for it in &report.crossovers {
        let adapter = report.adapter(it.adapter).map(titled).unwrap_or_default();
        let from = match it.bytes {
            None => format!("none up to {}", size(it.up_to_bytes)),
            Some(bytes) if bytes == it.from_bytes => {
                format!("{}, the smallest measured size", size(bytes))
            }
            Some(bytes) => size(bytes),
        };
        page.row([it.subject.name(), &prose(&it.data), &adapter, &from]);
    }
}
