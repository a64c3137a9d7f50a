use super::*;
use crate::fixtures::{count, report};
use crate::model::Spread;

/// Returns a report of one case whose best way took `milliseconds`, when the loop took `reference`.
fn at(started: &str, milliseconds: u64, reference: u64) -> Report {
    let mut report = report(vec![]);
    report.started = started.to_owned();
    report.reference = Spread::of(vec![reference; 3]).unwrap();
    report.cases = vec![count(1 << 20, milliseconds, &[])];
    for way in &mut report.cases[0].ways {
        way.end_to_end.runs = 9;
    }
    report
}

fn folder() -> (tempfile::TempDir, History) {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(&folder.path().join("new/history")).unwrap();
    (folder, history)
}

#[test]
fn a_report_is_compared_with_the_latest_of_the_same_machine() {
    let (_folder, history) = folder();
    let mut now = at("2026-01-03T00:00:00Z", 20, 100);
    history.compare(&mut now).unwrap();
    assert_eq!(now.since, None);
    // Of another version, which the fingerprint tells.
    let mut before = at("2026-01-02T00:00:00Z", 10, 100);
    before.machine.keymill = "0.0.1".to_owned();
    before.machine.fingerprint = "of 0.0.1".to_owned();
    assert!(history.add(&before).unwrap());
    assert!(history.add(&at("2026-01-01T00:00:00Z", 30, 100)).unwrap());
    let mut other = at("2026-01-02T12:00:00Z", 50, 100);
    other.machine.cores = 99;
    assert!(history.add(&other).unwrap());
    // Neither other work nor other tokens.
    for (started, plan, tokens) in [
        ("2026-01-02T13:00:00Z", "full", "whitespace"),
        ("2026-01-02T14:00:00Z", "quick", "lines"),
    ] {
        let mut other = at(started, 50, 100);
        (other.plan, other.tokens) = (plan.to_owned(), tokens.to_owned());
        assert!(history.add(&other).unwrap());
    }
    history.compare(&mut now).unwrap();
    let since = now.since.unwrap();
    assert_eq!(since.started, "2026-01-02T00:00:00Z");
    let ratios: Vec<u64> = since.slower.iter().map(|it| it.ratio).collect();
    assert_eq!(ratios, [2000, 2000]);
    assert_eq!((since.compared, since.faster.len()), (2, 0));
}

#[test]
fn a_slower_machine_is_not_a_slower_program() {
    let before = at("2026-01-01T00:00:00Z", 10, 100);
    let since = diff::since(&before, &at("2026-01-02T00:00:00Z", 20, 200));
    assert_eq!(since.reference, 2000);
    assert!(since.slower.is_empty() && since.faster.is_empty());
    // The program became twice as fast, which the slower machine hides.
    let since = diff::since(&before, &at("2026-01-02T00:00:00Z", 10, 200));
    assert_eq!(since.faster[0].ratio, 500);
}

#[test]
fn noise_is_not_a_change() {
    let before = at("2026-01-01T00:00:00Z", 100, 100);
    // No run overlaps, but the change is small.
    let since = diff::since(&before, &at("2026-01-02T00:00:00Z", 108, 100));
    assert!(since.slower.is_empty());
    // The change is large, but the runs overlap.
    let mut wide = at("2026-01-02T00:00:00Z", 150, 100);
    for way in &mut wide.cases[0].ways {
        way.end_to_end.min = way.end_to_end.median / 2;
    }
    assert!(diff::since(&before, &wide).slower.is_empty());
    // The change is large, but there are few runs.
    let mut few = at("2026-01-02T00:00:00Z", 200, 100);
    few.cases[0].ways[0].end_to_end.runs = 3;
    let since = diff::since(&before, &few);
    assert_eq!((since.too_few_runs, since.slower.len()), (1, 1));
}

#[test]
fn incomplete_and_unsound_reports_are_not_added() {
    let (_folder, history) = folder();
    let mut report = at("2026-01-01T00:00:00Z", 10, 100);
    report.interrupted = true;
    assert!(!history.add(&report).unwrap());
    report.interrupted = false;
    report.answers_agree = false;
    assert!(!history.add(&report).unwrap());
    assert!(history.paths().unwrap().is_empty());
}

#[test]
fn other_versions_are_left_out_and_broken_reports_are_named() {
    let (_folder, history) = folder();
    let mut report = at("2026-01-01T00:00:00Z", 10, 100);
    history.add(&report).unwrap();
    let path = history.paths().unwrap().remove(0);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"version\": 5", "\"version\": 3")).unwrap();
    history.compare(&mut report).unwrap();
    assert_eq!(report.since, None);
    fs::write(&path, "{").unwrap();
    let error = history.compare(&mut report).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(
        error.to_string().contains("2026-01-01T00-00-00Z-.json"),
        "{error}"
    );
}
