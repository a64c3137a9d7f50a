//! What makes the figures of a report doubtful, in words.

use crate::figures::{ratio, size, time};
use crate::model::{Case, Report, Way};

/// A way is noisy if its slowest run takes more than 1.5 times its median.
const NOISY: (u64, u64) = (3, 2);

/// Short runs are noisy on every machine, and decide nothing.
const SHORT_NS: u64 = 100_000;

/// A machine is busy above this load per core, in hundredths.
const BUSY: u32 = 30;

/// Maximum number of noisy ways that are named.
const MOST_NAMED: usize = 3;

/// Returns the reasons to doubt the figures, the most important one first.
pub(crate) fn doubts(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    if !report.answers_agree {
        found.extend(
            report
                .disagreements
                .iter()
                .map(|it| format!("Answers differ: {it}.")),
        );
    }
    if report.machine.build == "debug" {
        found.push("This is a debug build, which is many times slower.".to_owned());
    }
    if report.interrupted {
        let text = "The comparison was stopped before its end: what was not measured is missing.";
        found.push(text.to_owned());
    }
    found.extend(failed(report));
    found.extend(load(report));
    found.extend(software(report));
    found.extend(noise(report));
    found.extend(once(report));
    found
}

fn failed(report: &Report) -> Option<String> {
    let names: Vec<String> = report
        .failures
        .iter()
        .map(|it| format!("{} ({})", it.what, it.error))
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "These ways failed and have no figures: {}.",
            names.join("; ")
        )
    })
}

/// Other programs take time from the measured ones.
fn load(report: &Report) -> Option<String> {
    let load = report.load_before?;
    let cores = report.machine.cores;
    (load > cores.saturating_mul(BUSY)).then(|| {
        format!(
            "Other programs were running: the load was {:.1} on {cores} cores before the start.",
            f64::from(load) / 100.0
        )
    })
}

fn software(report: &Report) -> Option<String> {
    let software = report.adapters.iter().filter(|it| it.is_software);
    let names: Vec<&str> = software.map(|it| it.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} is software that runs on the processor. Its figures say nothing about a GPU.",
            names.join(", ")
        )
    })
}

fn ways(report: &Report) -> impl Iterator<Item = (&Case, &Way)> {
    let cases = report.cases.iter();
    cases.flat_map(|case| case.ways.iter().map(move |way| (case, way)))
}

/// Other load on the machine or a processor that changes its clock makes runs differ.
fn noise(report: &Report) -> Option<String> {
    let long = || ways(report).filter(|(_, way)| way.end_to_end.median >= SHORT_NS);
    let (times, of) = NOISY;
    let is_noisy = |way: &Way| way.end_to_end.max / times > way.end_to_end.median / of;
    let mut noisy: Vec<(&Case, &Way)> = long().filter(|(_, way)| is_noisy(way)).collect();
    let (count, all) = (noisy.len(), long().count());
    if count == 0 {
        return None;
    }
    let spread = |way: &Way| way.end_to_end.max as f64 / way.end_to_end.median.max(1) as f64;
    noisy.sort_by(|one, other| spread(other.1).total_cmp(&spread(one.1)));
    let named = noisy.iter().take(MOST_NAMED).map(|(case, way)| {
        let it = way.end_to_end;
        format!(
            "{} of {}, {}, {}: the slowest run took {}, {} times the median",
            case.subject.name(),
            case.data,
            size(case.bytes),
            way.name,
            time(it.max),
            ratio(it.max, it.median)
        )
    });
    let named: Vec<String> = named.collect();
    Some(format!(
        "{count} of {all} figures have a wide spread, as on a machine with other load or a processor \
         that changes its clock. The worst: {}.",
        named.join("; ")
    ))
}

/// A figure of one run has no spread.
fn once(report: &Report) -> Option<String> {
    let all = ways(report).count();
    let once = ways(report)
        .filter(|(_, way)| way.end_to_end.runs < 2)
        .count();
    (once > 0).then(|| {
        format!("{once} of {all} figures come from a single run, because time was short: they have no spread.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{adapter, count, report};

    #[test]
    fn a_quiet_report_has_no_doubts() {
        let mut report = report(vec![adapter("Pebble", false)]);
        report.cases = vec![count(1 << 20, 10, &[5])];
        assert_eq!(doubts(&report), [""; 0]);
    }

    #[test]
    fn a_wide_spread_and_single_runs_are_named() {
        let mut report = report(vec![]);
        report.cases = vec![count(1 << 20, 10, &[])];
        report.cases[0].ways[0].end_to_end.max = 100_000_000;
        report.cases[0].ways[1].end_to_end.runs = 1;
        let [noise, once] = &doubts(&report)[..] else {
            panic!("{:?}", doubts(&report))
        };
        assert!(
            noise.starts_with("1 of 2 figures have a wide spread"),
            "{noise}"
        );
        assert!(noise.contains("avx2, 1 thread") && noise.contains("5.00 times the median"));
        assert!(
            once.starts_with("1 of 2 figures come from a single run"),
            "{once}"
        );
        // Short runs are always noisy.
        report.cases[0].ways[0].end_to_end.median = SHORT_NS - 1;
        assert_eq!(doubts(&report).len(), 1);
    }

    #[test]
    fn software_failures_and_debug_builds_are_named() {
        let mut report = report(vec![adapter("llvmpipe", true)]);
        report.machine.build = "debug".to_owned();
        report.failures.push(crate::model::Failure {
            what: "count: Pebble".to_owned(),
            error: "lost".to_owned(),
            adapter: Some(0),
        });
        report.interrupted = true;
        report.machine.cores = 2;
        report.load_before = Some(1412);
        report.answers_agree = false;
        report.disagreements.push("avx2 answered 5".to_owned());
        let found = doubts(&report).join("\n");
        for words in [
            "avx2 answered 5",
            "debug build",
            "stopped before its end",
            "the load was 14.1 on 2 cores",
            "count: Pebble (lost)",
            "llvmpipe is software",
        ] {
            assert!(found.contains(words), "{found}");
        }
    }
}
