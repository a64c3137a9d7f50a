//! Figures of reports with invented times.

use super::*;
use crate::fixtures::{adapter, count, limits, report};
use crate::model::Answer;

fn of(report: &Report, name: MeasureName) -> Vec<Measure> {
    let all = all(report).into_iter();
    all.filter(|it| it.name == name).collect()
}

/// Returns a case with a stage on an adapter. Its kernel takes a tenth of the milliseconds.
fn case(subject: Subject, data: &str, bytes: u64, rows: u64, milliseconds: u64) -> Case {
    let mut case = count(bytes, 1000, &[milliseconds]);
    case.subject = subject;
    data.clone_into(&mut case.data);
    for way in &mut case.ways {
        way.answer = Answer {
            rows,
            ..way.answer.clone()
        };
    }
    case
}

fn rows(name: &str) -> Data {
    Data {
        name: name.to_owned(),
        kind: Kind::Rows,
        description: String::new(),
        is_given: false,
        bytes: 1,
    }
}

#[test]
fn resident_figures_are_the_kernel_s_at_the_largest_size() {
    let mut report = report(vec![adapter("Pebble", false)]);
    let of_size = |bytes| case(Subject::Tokenize, "zipf-30k", bytes, 7, 100);
    report.resident = vec![of_size(50_000_000), of_size(1_000_000_000)];
    let keys = case(Subject::HashPartition, "keys-u32", 4 << 28, 1 << 28, 100);
    report.resident.push(keys);
    let found = of(&report, MeasureName::TokenizeResident);
    // A tenth of 100 ms for 1 GB.
    assert_eq!((found.len(), found[0].bytes), (1, 1_000_000_000));
    assert_eq!(found[0].figure.median, 100_000_000_000);
    assert!(found[0].figure.min <= found[0].figure.median);
    assert!(found[0].figure.median <= found[0].figure.max);
    let found = of(&report, MeasureName::HashPartitionResident);
    assert_eq!(found[0].figure.median, (1u64 << 28) * 100);
    assert_eq!(found[0].unit, Unit::RowsPerSecond);
}

#[test]
fn rows_have_figures_by_groups_and_zipf_is_compared_with_uniform() {
    let mut report = report(vec![adapter("Pebble", false)]);
    report
        .data
        .extend(["rows-100", UNIFORM.name, ZIPF.name].map(rows));
    let of_data = |data, ms| case(Subject::ReduceByKey, data, 1 << 20, 1 << 16, ms);
    report.cases = vec![
        of_data("rows-100", 10),
        of_data(UNIFORM.name, 20),
        of_data(ZIPF.name, 30),
    ];
    let found = of(&report, MeasureName::ReduceByKeyResident);
    let names: Vec<&str> = found.iter().map(|it| it.data.as_str()).collect();
    assert_eq!(names, ["rows-100", UNIFORM.name]);
    let found = of(&report, MeasureName::ZipfAgainstUniform);
    assert_eq!((found.len(), found[0].figure.median), (1, 1500));
}

#[test]
fn rows_with_text_keys_have_a_figure_without_a_target() {
    let mut report = report(vec![adapter("Pebble", false)]);
    let texts = Data {
        kind: Kind::TextRows,
        ..rows("text-rows-100k")
    };
    report.data.extend([rows(UNIFORM.name), texts]);
    let of_data = |data| case(Subject::ReduceByKey, data, 1 << 20, 1 << 15, 10);
    report.cases = vec![of_data(UNIFORM.name), of_data("text-rows-100k")];
    let integers = of(&report, MeasureName::ReduceByKeyResident);
    assert_eq!((integers.len(), &*integers[0].data), (1, UNIFORM.name));
    let texts = of(&report, MeasureName::ReduceByTextKeyResident);
    assert_eq!((texts.len(), &*texts[0].data), (1, "text-rows-100k"));
    // 2¹⁵ rows per millisecond.
    assert_eq!(texts[0].figure.median, (1 << 15) * 1000);
    assert_eq!(target(texts[0].name, &texts[0].data).1, "");
}

#[test]
fn streams_are_compared_with_copies_and_auto_with_the_better_device() {
    let mut report = report(vec![adapter("Pebble", false)]);
    report.adapters[0].limits = Some(limits(1_000_000_000));
    // The CPU's job takes 20 ms, and the adapter's stage 50.
    let mut small = count(1_000_000, 20, &[50]);
    let mut large = count(10_000_000, 20, &[50]);
    let job = |part, adapter, from: &Way, factor: u64| Way {
        part,
        adapter,
        end_to_end: inverted(from.end_to_end, |time| time * factor),
        ..from.clone()
    };
    for case in [&mut small, &mut large] {
        case.ways[1].part = Part::Job;
        let (cpu, adapter) = (case.ways[1].clone(), case.ways[2].clone());
        case.ways.push(job(Part::Job, Some(0), &adapter, 2));
        case.ways.push(job(Part::Auto, None, &cpu, 3));
    }
    report.cases = vec![small, large];
    // 10 MB are copied in 10 ms, and the job took 100.
    let found = of(&report, MeasureName::StreamedAgainstPinned);
    assert_eq!((found[0].bytes, found[0].figure.median), (10_000_000, 100));
    let found = of(&report, MeasureName::MicroBatch);
    assert_eq!(
        (found[0].bytes, found[0].figure.median),
        (1_000_000, 50_000_000)
    );
    let found = of(&report, MeasureName::AutoAgainstBetter);
    assert_eq!((found[0].adapter, found[0].figure.median), (None, 3000));
}

#[test]
fn without_adapters_there_are_no_figures() {
    let mut report = report(vec![]);
    report.cases = vec![count(1 << 20, 10, &[])];
    assert_eq!(all(&report), []);
}
