//! One run of the comparison, from the machine's limits to the recommendation.

use std::path::PathBuf;
use std::time::Instant;

use keymill::{Cancel, Engine, Level, Result, TokenRule};

use crate::data::{self, Origin};
use crate::figures::size;
use crate::measure::adapter::{self, Device};
use crate::measure::cpu::{self, Runner};
use crate::measure::memory;
use crate::model::{Data, FORMAT, Machine, Report, VERSION};
use crate::plan::{self, Budget, FULL, Plan, QUICK};
use crate::session::Session;
use crate::{agreement, clock, crossover, recommend, targets};

/// What is asked of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whether 30 seconds must do; else it takes up to five minutes.
    pub quick: bool,
    /// A file to measure; seeded texts if there is none.
    pub data: Option<PathBuf>,
    /// What a token is.
    pub tokens: TokenRule,
    /// The command, for the report's head.
    pub command: String,
    /// Asked between runs.
    pub cancel: Cancel,
}

/// Where a comparison is.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is measured now.
    pub what: String,
    /// How much of the work is done, by weight, from 0 to 1.
    pub done: f64,
}

impl Step {
    /// Something that is done before the cases.
    fn first(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            done: 0.0,
        }
    }
}

/// Measures, and concludes. `watch` is called before each case.
///
/// # Errors
///
/// [`keymill::ErrorKind::Source`] for a file that cannot be read, and
/// [`keymill::ErrorKind::Cancelled`]. Ways that fail and answers that differ are no errors: the
/// report tells of them, and [`Report::is_sound`] knows.
///
/// # Examples
///
/// ```no_run
/// use keymill_report::{Request, compare, to_markdown};
///
/// let request = Request { quick: true, data: Some("book.txt".into()), ..Request::default() };
/// let report = compare(&request, &mut |step| eprintln!("{}", step.what))?;
/// println!("{}", to_markdown(&report));
/// # Ok::<(), keymill::Error>(())
/// ```
pub fn compare(request: &Request, watch: &mut dyn FnMut(&Step)) -> Result<Report> {
    let plan = if request.quick { &QUICK } else { &FULL };
    let begun = Instant::now();
    let mut report = head(request, plan);
    let memory = memory_given()?;
    let largest = plan.largest(memory);
    let all = data::choose(plan, request.data.as_deref(), largest, &mut report.notes)?;
    note_what_is_left_out(&mut report, plan, largest);
    watch(&Step::first("how fast memory is read"));
    report.memory_read = memory::read(memory_buffer(plan, &report.machine, memory));
    watch(&Step::first("adapters"));
    let devices = adapter::find();
    report.adapters = devices.iter().map(Device::describe).collect();
    let cases = weight(plan, &all);
    let has_gpu = devices.iter().any(|it| it.is_open() && !it.is_software());
    let beside = match devices.is_empty() {
        true => 0.0,
        false => plan::weight_beside(cases, has_gpu),
    };
    let total = cases + 2.0 * beside;
    let mut session = Session {
        request,
        plan,
        runners: runners(&devices, &mut report.notes)?,
        devices,
        budget: Budget::new(begun + plan.time, total),
        total,
        watch,
        report: &mut report,
    };
    for (data, origin) in all {
        session.run(data, &origin)?;
    }
    session.resident(beside, memory)?;
    session.variants(beside)?;
    conclude(&mut report);
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

fn head(request: &Request, plan: &Plan) -> Report {
    Report {
        format: FORMAT.to_owned(),
        version: VERSION,
        command: request.command.clone(),
        plan: plan.name.to_owned(),
        started: clock::now(),
        machine: Machine::read(),
        tokens: request.tokens.to_string(),
        ..Report::default()
    }
}

/// What runs jobs: on the CPU, on each adapter that they can tell from the others, and wherever they
/// see fit.
fn runners(devices: &[Device], notes: &mut Vec<String>) -> Result<Vec<Runner>> {
    let mut runners = cpu::runners()?;
    for device in devices.iter().filter(|device| device.is_open()) {
        match device.runner()? {
            Ok(runner) => runners.push(runner),
            Err(why) => notes.push(why),
        }
    }
    Ok(runners)
}

/// The memory that this process may use: an engine takes half of it, control groups considered.
fn memory_given() -> Result<u64> {
    let engine = Engine::builder().level(Level::Scalar).threads(1).build()?;
    Ok(2 * engine.memory() as u64)
}

/// A buffer that no cache holds, and that leaves most of the memory free.
fn memory_buffer(plan: &Plan, machine: &Machine, memory: u64) -> usize {
    let largest_cache = machine.caches.iter().map(|cache| cache.bytes).max();
    let wanted = plan.memory_buffer.max(4 * largest_cache.unwrap_or(0));
    usize::try_from(wanted.min(memory / 8)).unwrap_or(64 << 20)
}

fn note_what_is_left_out(report: &mut Report, plan: &Plan, largest: u64) {
    let above = plan.sizes.iter().filter(|bytes| **bytes > largest);
    let above: Vec<String> = above.map(|bytes| size(*bytes)).collect();
    if !above.is_empty() {
        report.notes.push(format!(
            "{} left out: this machine has not the memory for it.",
            above.join(", ")
        ));
    }
    if report.machine.build == "debug" {
        let note = "This is a debug build: its times mean nothing. Build with --release.";
        report.notes.push(note.to_owned());
    }
}

fn conclude(report: &mut Report) {
    tell_most_bytes(report);
    let all = [&report.cases, &report.resident, &report.variants];
    report.disagreements = all.map(|cases| agreement::disagreements(cases)).concat();
    report.answers_agree = report.disagreements.is_empty();
    report.crossovers = crossover::all(report);
    report.measures = targets::all(report);
    report.gpu_lost = recommend::gpu_lost(report);
    report.recommendations = recommend::recommend(report);
}

/// Of some data sizes were left out, and of some more lay on an adapter than jobs were given.
fn tell_most_bytes(report: &mut Report) {
    let all = [&report.cases, &report.resident, &report.variants];
    let all: Vec<_> = all.into_iter().flatten().collect();
    for data in &mut report.data {
        let of_it = all.iter().filter(|case| case.data == data.name);
        let measured = of_it.filter(|case| !case.ways.is_empty());
        data.bytes = measured.map(|case| case.bytes).max().unwrap_or(0);
    }
}

/// The weight of all cases.
fn weight(plan: &Plan, all: &[(Data, Origin)]) -> f64 {
    let mut total = 0.0;
    for (data, origin) in all {
        for bytes in plan.sizes_of(data.bytes) {
            let subjects = origin.subjects().iter();
            total += subjects.map(|it| plan::weight(*it, bytes)).sum::<f64>();
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{count, report};

    #[test]
    fn data_has_the_most_bytes_that_were_measured_wherever_that_was() {
        let mut report = report(vec![]);
        let mut failed = count(9 << 20, 10, &[]);
        failed.ways.clear();
        report.cases = vec![count(5, 10, &[]), count(7, 10, &[]), failed];
        tell_most_bytes(&mut report);
        assert_eq!(report.data[0].bytes, 7);
        report.resident = vec![count(99, 10, &[])];
        tell_most_bytes(&mut report);
        assert_eq!(report.data[0].bytes, 99);
    }
}
