//! Runs a comparison, from the machine's limits to the recommendation.

use std::path::PathBuf;
use std::time::Instant;

use keymill::{Cancel, Engine, ErrorKind, Level, Result, TokenRule};

use crate::data::{self, Origin};
use crate::figures::size;
use crate::measure::adapter::{self, Device};
use crate::measure::job::{self, Runner};
use crate::measure::{memory, reference};
use crate::model::{Data, FORMAT, Machine, Report, Spread, VERSION};
use crate::plan::{self, Budget, FULL, Plan, QUICK};
use crate::session::Session;
use crate::{agreement, clock, crossover, doubts, machine, needed, recommend, targets};

/// The request for a comparison.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whether to measure for 30 seconds instead of up to five minutes.
    pub quick: bool,
    /// Files to measure; `-` is standard input. Without them seeded texts are measured.
    pub data: Vec<PathBuf>,
    /// The token rule.
    pub tokens: TokenRule,
    /// The command line, which the report contains.
    pub command: String,
    /// Stops the comparison between two runs.
    pub cancel: Cancel,
}

/// The progress of a comparison.
#[derive(Clone, Debug)]
pub struct Step {
    /// The current measurement.
    pub what: String,
    /// The part of the work that is done, from 0 to 1.
    pub done: f64,
}

impl Step {
    /// A step before the cases.
    fn first(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            done: 0.0,
        }
    }
}

/// Measures, and returns a report. `watch` is called before each case.
///
/// # Errors
///
/// [`keymill::ErrorKind::Source`] for a file that cannot be read, and
/// [`keymill::ErrorKind::Cancelled`] if nothing was measured before. A comparison that is cancelled
/// later returns what was measured, and [`Report::interrupted`] is set. Ways that fail and answers that differ are not errors: the
/// report contains them, and [`Report::is_sound`] returns false.
///
/// # Examples
///
/// ```no_run
/// use keymill_report::{Request, compare, to_markdown};
///
/// let request = Request { quick: true, data: vec!["book.txt".into()], ..Request::default() };
/// let report = compare(&request, &mut |step| eprintln!("{}", step.what))?;
/// println!("{}", to_markdown(&report));
/// # Ok::<(), keymill::Error>(())
/// ```
pub fn compare(request: &Request, watch: &mut dyn FnMut(&Step)) -> Result<Report> {
    let plan = if request.quick { &QUICK } else { &FULL };
    let begun = Instant::now();
    let mut report = head(request, plan);
    let memory = usable_memory()?;
    let largest = plan.largest(memory);
    let all = data::choose(plan, &request.data, largest, &mut report.notes)?;
    note_omissions(&mut report, plan, largest);
    watch(&Step::first("rate of reading memory"));
    report.memory_read = memory::read(memory_buffer(plan, &report.machine, memory));
    let loop_before = reference::times();
    request.cancel.check()?;
    watch(&Step::first("adapters"));
    let devices = adapter::find();
    request.cancel.check()?;
    report.adapters = devices.iter().map(Device::describe).collect();
    let cases = weight(plan, &all);
    let has_gpu = devices.iter().any(|it| it.is_open() && !it.is_software());
    let adapters = match devices.is_empty() {
        true => 0.0,
        false => plan::adapter_weight(cases, has_gpu),
    };
    let total = cases + 2.0 * adapters;
    let mut session = Session {
        request,
        plan,
        runners: runners(&devices, &mut report.notes)?,
        devices,
        budget: Budget::new(begun + plan.time.saturating_sub(plan.latency), total),
        total,
        watch,
        report: &mut report,
    };
    let measured = session.all(all, adapters, memory);
    keep_measured(measured, &mut report)?;
    let times = [loop_before, reference::times()].concat();
    report.reference = Spread::of(times).unwrap_or_default();
    conclude(&mut report);
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// Keeps what was measured before a comparison was cancelled.
fn keep_measured(measured: Result<()>, report: &mut Report) -> Result<()> {
    match measured {
        Err(error) if error.kind() == ErrorKind::Cancelled && !report.cases.is_empty() => {
            report.interrupted = true;
            Ok(())
        }
        other => other,
    }
}

fn head(request: &Request, plan: &Plan) -> Report {
    Report {
        format: FORMAT.to_owned(),
        version: VERSION,
        command: request.command.clone(),
        plan: plan.name.to_owned(),
        started: clock::now(),
        machine: Machine::read(),
        load_before: machine::load(),
        tokens: request.tokens.to_string(),
        ..Report::default()
    }
}

/// Creates the runners of jobs: on the CPU, on each adapter that a job can choose by its name, and
/// with `auto`.
fn runners(devices: &[Device], notes: &mut Vec<String>) -> Result<Vec<Runner>> {
    let mut runners = job::runners()?;
    for device in devices.iter().filter(|device| device.is_open()) {
        match device.runner()? {
            Ok(runner) => runners.push(runner),
            Err(why) => notes.push(why),
        }
    }
    Ok(runners)
}

/// Returns the memory that this process may use, which is twice the default budget of an engine.
fn usable_memory() -> Result<u64> {
    let engine = Engine::builder().level(Level::Scalar).threads(1).build()?;
    Ok(2 * engine.memory() as u64)
}

/// Returns the size of a buffer that is larger than all caches and leaves most of the memory free.
fn memory_buffer(plan: &Plan, machine: &Machine, memory: u64) -> usize {
    let largest_cache = machine.caches.iter().map(|cache| cache.bytes).max();
    let wanted = plan.memory_buffer.max(4 * largest_cache.unwrap_or(0));
    usize::try_from(wanted.min(memory / 8)).unwrap_or(64 << 20)
}

fn note_omissions(report: &mut Report, plan: &Plan, largest: u64) {
    let above = plan.sizes.iter().filter(|bytes| **bytes > largest);
    let above: Vec<String> = above.map(|bytes| size(*bytes)).collect();
    if !above.is_empty() {
        report.notes.push(format!(
            "{} left out: this machine has too little memory.",
            above.join(", ")
        ));
    }
    if report.machine.build == "debug" {
        let note = "This is a debug build: its times are not meaningful. Build with --release.";
        report.notes.push(note.to_owned());
    }
}

fn conclude(report: &mut Report) {
    set_measured_bytes(report);
    let all = [&report.cases, &report.resident, &report.variants];
    report.disagreements = all.map(|cases| agreement::disagreements(cases)).concat();
    report.answers_agree = report.disagreements.is_empty();
    report.crossovers = crossover::all(report);
    report.needed = needed::needed(report);
    report.measures = targets::all(report);
    report.gpu_lost = recommend::gpu_lost(report);
    report.recommendations = recommend::recommend(report);
    report.doubts = doubts::doubts(report);
}

/// Sets the bytes of each data set to the maximum that was measured. Some sizes may be left out, and
/// resident data may be larger than that of jobs.
fn set_measured_bytes(report: &mut Report) {
    let all = [&report.cases, &report.resident, &report.variants];
    let all: Vec<_> = all.into_iter().flatten().collect();
    for data in &mut report.data {
        let of_it = all.iter().filter(|case| case.data == data.name);
        let measured = of_it.filter(|case| !case.ways.is_empty());
        data.bytes = measured.map(|case| case.bytes).max().unwrap_or(0);
    }
}

/// Returns the weight of all cases.
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
    fn a_cancelled_comparison_keeps_what_was_measured() {
        let cancelled = || Err(keymill::Error::new(ErrorKind::Cancelled, "stopped"));
        let mut report = report(vec![]);
        let error = keep_measured(cancelled(), &mut report).unwrap_err();
        assert_eq!(
            (error.kind(), report.interrupted),
            (ErrorKind::Cancelled, false)
        );
        report.cases = vec![count(5, 10, &[])];
        keep_measured(cancelled(), &mut report).unwrap();
        assert!(report.interrupted);
        let failed = Err(keymill::Error::new(ErrorKind::Source, "gone"));
        assert!(keep_measured(failed, &mut report).is_err());
    }

    #[test]
    fn data_has_the_maximum_of_measured_bytes() {
        let mut report = report(vec![]);
        let mut failed = count(9 << 20, 10, &[]);
        failed.ways.clear();
        report.cases = vec![count(5, 10, &[]), count(7, 10, &[]), failed];
        set_measured_bytes(&mut report);
        assert_eq!(report.data[0].bytes, 7);
        report.resident = vec![count(99, 10, &[])];
        set_measured_bytes(&mut report);
        assert_eq!(report.data[0].bytes, 99);
    }
}
