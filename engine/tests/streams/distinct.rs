//! Duplicates and late rows: what is left out is what a plain loop leaves out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use keymill::arrow::array::RecordBatch;
use keymill::arrow::array::cast::AsArray;
use keymill::arrow::array::types::Int64Type;
use keymill::prelude::*;
use keymill::stream::{
    FilesSink, FolderSource, MemorySink, MemoryStream, OutputMode, RowSource, Trigger, Window, sum,
    tumbling,
};
use keymill::{ErrorKind, KeyedStream, StreamJob};
use proptest::prelude::*;

use crate::fixtures::engine;
use crate::recovery::{crash_at, parts_of};
use crate::windows::{Row, epochs, rows_of, seconds, text_of};

/// Key and sum.
type Sums = BTreeMap<String, i64>;

fn stream(engine: &Engine, source: RowSource) -> StreamJob {
    engine.stream(source).trigger(Trigger::AvailableNow)
}

fn sums(stream: StreamJob) -> KeyedStream {
    stream.group_by(["key"], ["sum(value)".parse().unwrap()])
}

/// The sums of results that have the key in this column.
fn sums_of(batches: &[RecordBatch], column: usize) -> Sums {
    let mut all = Sums::new();
    for batch in batches {
        let keys = batch.column(column).as_string::<i32>();
        let values = batch.column(column + 1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            *all.entry(keys.value(row).to_owned()).or_default() += values.value(row);
        }
    }
    all
}

fn as_sums(totals: BTreeMap<u8, i64>) -> Sums {
    totals
        .into_iter()
        .map(|(key, sum)| (format!("k{key}"), sum))
        .collect()
}

proptest! {
    #[test]
    fn the_first_row_of_each_value_stays(
        epochs in epochs(),
        by_key in any::<bool>(),
        threads in 1..3_usize,
    ) {
        let (source, input) = MemoryStream::new();
        epochs.iter().for_each(|rows| input.push(text_of(rows)));
        let columns: &[&str] = if by_key { &["key", "value"] } else { &["value"] };
        let sink = MemorySink::new();
        let stream = stream(&engine(threads), rows_of(source)).drop_duplicates(columns.iter().copied());
        let mut query = sums(stream)
            .update_state(sum())
            .mode(OutputMode::Complete)
            .sink(sink.clone())
            .start()
            .unwrap();
        query.await_termination().unwrap();

        let (mut seen, mut totals) = (BTreeSet::new(), BTreeMap::<u8, i64>::new());
        let (mut expected, mut dropped) = (Vec::new(), 0);
        for rows in &epochs {
            for &(_, key, value) in rows {
                match seen.insert((by_key.then_some(key), value)) {
                    true => *totals.entry(key).or_default() += value,
                    false => dropped += 1,
                }
            }
            expected.push(as_sums(totals.clone()));
        }
        let written: Vec<Sums> = sink.epochs().iter().map(|(_, it)| sums_of(it, 0)).collect();
        prop_assert_eq!(written, expected);
        let progress = query.recent_progress();
        let states = progress.iter().map(|it| &it.state_operators[1]);
        prop_assert_eq!(states.map(|it| it.num_dropped_duplicate_rows).sum::<u64>(), dropped);
        let last = &progress.last().unwrap().state_operators[1];
        prop_assert_eq!(last.num_rows_total, seen.len() as u64);
        prop_assert_eq!(&last.operator_name, &format!("distinct on {}", columns.join(", ")));
    }

    /// Rows that are sent again with their time are counted once, and late rows go elsewhere.
    #[test]
    fn rows_that_are_sent_again_are_counted_once(epochs in epochs(), threads in 1..3_usize) {
        let window = tumbling(seconds(10)).on("ts").watermark(seconds(5));
        let (source, input) = MemoryStream::new();
        epochs.iter().for_each(|rows| input.push(text_of(rows).repeat(2)));
        let (sink, late_sink) = (MemorySink::new(), MemorySink::new());
        let stream = stream(&engine(threads), rows_of(source)).drop_duplicates(["ts", "key", "value"]);
        let mut query = sums(stream)
            .window(window)
            .mode(OutputMode::Append)
            .flush_windows()
            .sink(sink.clone())
            .late_rows_to(late_sink.clone())
            .start()
            .unwrap();
        query.await_termination().unwrap();

        let (mut watermark, mut late) = (i64::MIN, Vec::new());
        let (mut seen, mut totals) = (BTreeSet::new(), BTreeMap::<u8, i64>::new());
        for rows in &epochs {
            for row in rows.iter().chain(rows) {
                if row.0.div_euclid(10_000) * 10_000 + 10_000 <= watermark {
                    late.push(row.2);
                } else if seen.insert(row) {
                    *totals.entry(row.1).or_default() += row.2;
                }
            }
            let largest = rows.iter().map(|row| row.0).max();
            watermark = watermark.max(largest.unwrap_or(i64::MIN) - 5000);
        }
        let written: Vec<RecordBatch> = sink.epochs().into_iter().flat_map(|(_, it)| it).collect();
        prop_assert_eq!(sums_of(&written, 2), as_sums(totals));
        let written = late_sink.epochs().into_iter().flat_map(|(_, it)| it);
        let written: Vec<i64> = written
            .flat_map(|batch| batch.column(2).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        prop_assert_eq!(written, late);
    }
}

#[test]
fn values_are_forgotten_when_the_watermark_has_passed() {
    let (source, input) = MemoryStream::new();
    for second in 0..100 {
        input.push(format!("{second},k,{second}\n"));
    }
    let stream = stream(&engine(1), rows_of(source)).drop_duplicates(["value"]);
    let window = tumbling(seconds(4)).on("ts").watermark(seconds(4));
    let mut query = sums(stream)
        .window(window)
        .sink(MemorySink::new())
        .start()
        .unwrap();
    query.await_termination().unwrap();
    let progress = query.recent_progress();
    let states = progress
        .iter()
        .map(|it| it.state_operators[1].num_rows_total);
    let largest = states.max().unwrap();
    // A row is late after at most 8 seconds, and half a second is rounding.
    assert!((8..=14).contains(&largest), "{largest}");
}

#[test]
fn values_are_forgotten_after_a_time() {
    let (source, input) = MemoryStream::new();
    let sink = MemorySink::new();
    let within = Duration::from_millis(300);
    let stream = engine(1).stream(rows_of(source));
    let mut query = sums(stream.drop_duplicates_within(["value"], within))
        .sink(sink.clone())
        .start()
        .unwrap();
    let wait_for = |epochs: usize| {
        while sink.epochs().len() < epochs {
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    input.push("1,a,1\n1,a,1\n");
    wait_for(1);
    // Three sixteenths more than the time.
    std::thread::sleep(Duration::from_millis(360));
    input.push("1,a,1\n2,a,2\n");
    wait_for(2);
    query.stop(true);
    query.await_termination().unwrap();
    let written: Vec<Sums> = sink.epochs().iter().map(|(_, it)| sums_of(it, 0)).collect();
    assert_eq!(written.iter().map(|it| it["a"]).collect::<Vec<_>>(), [1, 3]);
    let last = query.last_progress().unwrap();
    assert_eq!(last.state_operators.len(), 1);
    assert_eq!(last.state_operators[0].num_rows_total, 2);
}

#[test]
fn a_crash_at_any_step_keeps_duplicates_and_late_rows_exact() {
    let root = tempfile::tempdir().unwrap();
    let input = root.path().join("in");
    fs::create_dir(&input).unwrap();
    for file in 0..6_i64 {
        let rows: Vec<Row> = (0..60)
            .map(|row| {
                (
                    (7 * file - row % 20) * 1000,
                    (row % 3) as u8,
                    row % 35 + 20 * file,
                )
            })
            .collect();
        fs::write(input.join(format!("{file:04}")), text_of(&rows)).unwrap();
    }
    let run = |name: &str| {
        let folder = root.path().join(name);
        let source = rows_of(FolderSource::new(&input));
        sums(stream(&engine(2), source).drop_duplicates(["value"]))
            .window(tumbling(seconds(5)).on("ts").watermark(seconds(4)))
            .mode(OutputMode::Append)
            .max_files_per_epoch(1)
            .snapshot_every(2)
            .sink(FilesSink::new(folder.join("out")))
            .late_rows_to(FilesSink::new(folder.join("late")))
            .checkpoint(folder.join("checkpoint"))
    };
    let written = |name: &str| {
        let folder = root.path().join(name);
        (
            parts_of(&folder.join("out")),
            parts_of(&folder.join("late")),
        )
    };
    run("without-faults").run().unwrap();
    let expected = written("without-faults");
    assert_eq!(expected.0.len(), 6);
    // The first epoch has no late rows.
    assert_eq!(expected.1.len(), 5);
    for &point in KeyedStream::kill_points() {
        for epoch in [2, 5] {
            // The sink of late rows comes first.
            for time in [0, 1] {
                let name = format!("{point}-{epoch}-{time}");
                let passed = std::sync::atomic::AtomicU64::new(0);
                let is_there = move |at, number| {
                    (at, number) == (point, epoch)
                        && passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == time
                };
                if crash_at(run(&name), is_there) {
                    run(&name).run().unwrap();
                }
                assert!(written(&name) == expected, "{name}");
            }
        }
    }
}

#[test]
fn the_columns_must_not_change_between_restarts() {
    let root = tempfile::tempdir().unwrap();
    let run = |columns: &'static [&'static str]| {
        let (source, input) = MemoryStream::new();
        input.push("1,a,1\n");
        let stream = stream(&engine(1), rows_of(source));
        let stream = match columns.is_empty() {
            true => stream,
            false => stream.drop_duplicates(columns.iter().copied()),
        };
        let query = sums(stream).update_state(sum()).sink(MemorySink::new());
        query.checkpoint(root.path().join("checkpoint")).run()
    };
    run(&["value"]).unwrap();
    run(&["value"]).unwrap();
    for columns in [&["key"][..], &[]] {
        let error = run(columns).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint);
        assert!(error.message().contains("distinct on value"), "{error}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let rows = || stream(&engine(1), rows_of(MemoryStream::new().0));
    let refused = |query: KeyedStream| {
        let error = query.sink(MemorySink::new()).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        error.to_string()
    };
    let unknown = refused(sums(rows().drop_duplicates(["id"])));
    assert!(unknown.contains("no column `id`"), "{unknown}");
    let none = refused(sums(rows().drop_duplicates([""; 0])));
    assert!(none.contains("name the columns"), "{none}");
    let early = refused(sums(rows().drop_duplicates(["key"]).filter_rows(|_| true)));
    assert!(early.contains("call drop_duplicates last"), "{early}");
    let texts = engine(1)
        .stream(MemoryStream::new().0)
        .drop_duplicates(["key"]);
    let texts = refused(texts.tokenize(whitespace()).count_by_key());
    assert!(texts.contains("the source gives text"), "{texts}");
    let window = |window: Window| window.on("ts").watermark(seconds(1));
    let both = rows().drop_duplicates_within(["key"], seconds(1));
    let both = refused(sums(both).window(window(tumbling(seconds(1)))));
    assert!(both.contains("the watermark says"), "{both}");

    let late = refused(sums(rows()).late_rows_to(MemorySink::new()));
    assert!(late.contains("set a watermark"), "{late}");
    let files = || FilesSink::new("/tmp/never-written");
    let same = sums(rows()).window(window(tumbling(seconds(1))));
    let same = refused(same.late_rows_to(files()).sink(files()));
    assert!(same.contains("both results and late rows"), "{same}");
}
