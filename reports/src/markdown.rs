//! The report as a page of Markdown: the answer first, then a summary, then tables by question.

mod tables;

use std::fmt::Write;

use crate::doubts::doubts;
use crate::figures::{bandwidth, size, time};
use crate::model::{Adapter, Case, Report, Spread};
use crate::summary;

/// Returns a report as Markdown, for people.
///
/// # Examples
///
/// ```
/// let report = keymill_report::Report::default();
/// assert!(keymill_report::to_markdown(&report).contains("## In short"));
/// ```
#[must_use]
pub fn to_markdown(report: &Report) -> String {
    let mut page = Page::default();
    page.line("# CPU and GPU compared\n");
    for recommended in &report.recommendations {
        let data = prose(&recommended.data);
        page.line(&format!("**{data}**: {}\n", recommended.text));
    }
    doubted(&mut page, report);
    page.title("In short");
    for (name, value) in summary::lines(report) {
        page.item(name, &prose(&value));
    }
    tables::since(&mut page, report);
    tables::cases(&mut page, report);
    tables::crossovers(&mut page, report);
    lost(&mut page, report);
    limits(&mut page, report);
    tables::needed(&mut page, report);
    tables::latency(&mut page, report);
    tables::resident(&mut page, report);
    tables::variants(&mut page, report);
    tables::measures(&mut page, report);
    page.title("The machine and the data");
    head(&mut page, report);
    adapters(&mut page, report);
    answers(&mut page, report);
    notes(&mut page, report);
    page.0.trim_end().to_owned() + "\n"
}

/// The text of the page.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn title(&mut self, text: &str) {
        self.line(&format!("\n## {}\n", prose(text)));
    }

    /// Writes a row of a table. A bar in a cell is escaped, because it would end the cell.
    fn row<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) {
        let cells = cells.into_iter();
        let cells: Vec<String> = cells
            .map(|cell| cell.replace('|', "\\|").replace(is_line_end, " "))
            .collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn heading(&mut self, cells: &[&str]) {
        self.row(cells.iter().copied());
        self.line(&format!("|{}", "---|".repeat(cells.len())));
    }

    fn item(&mut self, name: &str, value: &str) {
        self.line(&format!("- {name}: {value}"));
    }
}

/// Returns a text as one line with escaped Markdown characters.
fn prose(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '<' | '[' | '&' => plain.extend(['\\', character]),
            _ if is_line_end(character) => plain.push(' '),
            _ => plain.push(character),
        }
    }
    plain
}

/// Returns a text as a code span. It has more backticks than any run in the text, as CommonMark
/// requires.
fn code(text: &str) -> String {
    let text = text.replace(is_line_end, " ");
    let most = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(most + 1);
    match most {
        0 => format!("{fence}{text}{fence}"),
        _ => format!("{fence} {text} {fence}"),
    }
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r')
}

fn doubted(page: &mut Page, report: &Report) {
    let doubts = doubts(report);
    if doubts.is_empty() {
        return;
    }
    page.title("Read these figures with care");
    doubts
        .iter()
        .for_each(|it| page.line(&format!("- {}", prose(it))));
}

fn head(page: &mut Page, report: &Report) {
    let machine = &report.machine;
    page.item("command", &code(&report.command));
    let took = time(report.took_ms.saturating_mul(1_000_000));
    page.item("started", &format!("{}, took {took}", report.started));
    let build = format!("{}, {} build", machine.keymill, machine.build);
    page.item("keymill", &build);
    let unknown = || "unknown".to_owned();
    let processor = machine.processor.clone().unwrap_or_else(unknown);
    let cores = format!("{processor}, {} cores", machine.cores);
    page.item("processor", &cores);
    page.item("levels", &machine.levels.join(", "));
    let caches = machine.caches.iter();
    let caches: Vec<String> = caches
        .map(|cache| format!("{} {}", cache.name, size(cache.bytes)))
        .collect();
    if !caches.is_empty() {
        page.item("caches", &caches.join(", "));
    }
    let memory = machine.memory_bytes.map_or_else(unknown, size);
    page.item("memory", &memory);
    let kernel = machine.kernel.clone().unwrap_or_default();
    let system = format!("{} {kernel}, {}", machine.system, machine.architecture);
    page.item("system", &system);
    page.item("fingerprint", &machine.fingerprint);
    for data in &report.data {
        page.item(
            &format!("data {}", code(&data.name)),
            &format!("{}; up to {}", data.description, size(data.bytes)),
        );
    }
    page.item("tokens", &report.tokens);
}

fn answers(page: &mut Page, report: &Report) {
    page.title("Answers");
    let cases = report.cases.iter();
    let cases: Vec<&Case> = cases
        .chain(&report.resident)
        .chain(&report.variants)
        .collect();
    let ways: usize = cases.iter().map(|case| case.ways.len()).sum();
    let checked = report.cases.iter().filter(|case| case.expected.is_some());
    if report.answers_agree {
        page.line(&format!(
            "All answers agree: {ways} ways in {} cases, {} of them checked with the oracle.",
            cases.len(),
            checked.count()
        ));
    } else {
        page.line("**Answers disagree.**\n");
        report
            .disagreements
            .iter()
            .for_each(|it| page.line(&format!("- {}", prose(it))));
    }
    if !report.failures.is_empty() {
        page.line("\nThese failed:\n");
    }
    for failure in &report.failures {
        page.item(&prose(&failure.what), &prose(&failure.error));
    }
}

fn limits(page: &mut Page, report: &Report) {
    page.title("The limits of the machine");
    page.heading(&["limit", "median", "minimum", "maximum", "runs"]);
    let read = &report.memory_read;
    let of = size(read.buffer_bytes);
    let name = format!("memory read, 1 core, {of}");
    spread_row(page, &name, &read.one_core, bandwidth);
    let name = format!("memory read, {} threads, {of}", read.threads);
    spread_row(page, &name, &read.all_cores, bandwidth);
    for adapter in &report.adapters {
        if let Some(limits) = &adapter.limits {
            let named = |what: &str| format!("{what}, {}", titled(adapter));
            spread_row(page, &named("upload"), &limits.upload, bandwidth);
            spread_row(page, &named("upload, pinned"), &limits.pinned, bandwidth);
            spread_row(page, &named("readback"), &limits.readback, bandwidth);
            spread_row(page, &named("launch"), &limits.launch_ns, time);
        }
    }
    if report.adapters.iter().any(|it| it.limits.is_some()) {
        page.line(
            "\nEach run of an adapter's limits is the best of five tries. A pinned upload is only a \
             copy from host memory that the adapter can read. Other uploads first copy the bytes to \
             such memory.",
        );
    }
}

fn spread_row(page: &mut Page, name: &str, spread: &Spread, shown: fn(u64) -> String) {
    let figures = [spread.median, spread.min, spread.max].map(shown);
    let runs = spread.runs.to_string();
    let [median, least, most] = &figures;
    page.row([name, median, least, most, &runs]);
}

/// Returns an adapter's name and label, so that software is not mistaken for a GPU.
fn titled(adapter: &Adapter) -> String {
    match adapter.is_software {
        true => format!("{} (*{}*)", adapter.name, adapter.label),
        false => format!("{} ({})", adapter.name, adapter.label),
    }
}

fn adapters(page: &mut Page, report: &Report) {
    page.title("Adapters");
    if report.adapters.is_empty() {
        page.line("None was found.");
        return;
    }
    page.heading(&[
        "adapter",
        "interface",
        "driver",
        "maximum binding",
        "measured",
    ]);
    for adapter in &report.adapters {
        let measured = match &adapter.not_measured {
            None => "yes",
            Some(why) => &format!("no: {why}"),
        };
        page.row([
            titled(adapter).as_str(),
            &adapter.interface,
            &adapter.driver,
            &size(adapter.binding_bytes),
            measured,
        ]);
    }
}

fn lost(page: &mut Page, report: &Report) {
    page.title("Where the GPU lost");
    let mut gpus = report.adapters.iter().filter(|it| !it.is_software);
    if !report.gpu_lost.is_empty() {
        report
            .gpu_lost
            .iter()
            .for_each(|it| page.line(&format!("- {}", prose(it))));
    } else if gpus.any(|gpu| gpu.not_measured.is_none()) {
        page.line("At none of the measured sizes.");
    } else {
        page.line("No GPU was measured.");
    }
}

fn notes(page: &mut Page, report: &Report) {
    if report.notes.is_empty() {
        return;
    }
    page.title("Notes");
    report
        .notes
        .iter()
        .for_each(|it| page.line(&format!("- {it}")));
}

#[cfg(test)]
mod tests;
