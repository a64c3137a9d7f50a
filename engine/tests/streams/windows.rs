//! Windows: their results are those of a plain loop over the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use keymill::arrow::array::RecordBatch;
use keymill::arrow::array::cast::AsArray;
use keymill::arrow::array::types::{Int64Type, TimestampMillisecondType, UInt64Type};
use keymill::arrow::schema::{DataType, Field, Schema};
use keymill::prelude::*;
use keymill::read::{LineFormat, RowLines};
use keymill::stream::{
    MemorySink, MemoryStream, OutputMode, RowSource, StreamSource, Trigger, Window, sliding,
    tumbling,
};
use keymill::{ErrorKind, KeyedStream};
use proptest::prelude::*;

use crate::fixtures::engine;
use crate::recovery::check_crashes;

/// A time in milliseconds, a key, a value.
pub(crate) type Row = (i64, u8, i64);

/// Window start, key, count, sum.
type Results = BTreeMap<(i64, String), (u64, i64)>;

const SIZES: [(i64, i64); 4] = [(10, 10), (10, 5), (12, 5), (9, 3)];

pub(crate) fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

/// Rows of the columns `ts`, `key` and `value`.
pub(crate) fn rows_of(source: impl StreamSource + 'static) -> RowSource {
    let fields = [
        ("ts", DataType::Utf8),
        ("key", DataType::Utf8),
        ("value", DataType::Int64),
    ];
    let fields = fields.map(|(name, of)| Field::new(name, of, true));
    let format = LineFormat::Csv {
        delimiter: b',',
        has_header: false,
    };
    let lines = RowLines::new(format, Arc::new(Schema::new(fields.to_vec())));
    RowSource::new(source, lines.unwrap())
}

pub(crate) fn text_of(rows: &[Row]) -> String {
    let lines = rows.iter().map(|(time, key, value)| {
        let sign = if *time < 0 { "-" } else { "" };
        let (seconds, milliseconds) = (time.abs() / 1000, time.abs() % 1000);
        format!("{sign}{seconds}.{milliseconds:03},k{key},{value}\n")
    });
    lines.collect()
}

pub(crate) fn query(
    engine: &Engine,
    source: RowSource,
    window: Window,
    mode: OutputMode,
) -> KeyedStream {
    let stream = engine.stream(source).trigger(Trigger::AvailableNow);
    let calls = ["count", "sum(value)"].map(|call| call.parse().unwrap());
    stream.group_by(["key"], calls).window(window).mode(mode)
}

fn results_of(batches: &[RecordBatch], size: i64) -> Results {
    let mut results = Results::new();
    for batch in batches {
        let starts = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let ends = batch.column(1).as_primitive::<TimestampMillisecondType>();
        let keys = batch.column(2).as_string::<i32>();
        let counts = batch.column(3).as_primitive::<UInt64Type>();
        let sums = batch.column(4).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            assert_eq!(ends.value(row), starts.value(row) + 1000 * size);
            let key = (starts.value(row), keys.value(row).to_owned());
            let before = results.insert(key, (counts.value(row), sums.value(row)));
            assert_eq!(before, None, "a window and key is there once");
        }
    }
    results
}

/// What a plain loop computes of each epoch, and the rows that it leaves out.
fn plain(
    epochs: &[Vec<Row>],
    (size, slide): (i64, i64),
    delay: Option<i64>,
    mode: OutputMode,
    flushes: bool,
) -> (Vec<Results>, u64) {
    let (size, slide) = (1000 * size, 1000 * slide);
    let mut state = Results::new();
    let (mut watermark, mut late) = (i64::MIN, 0);
    let mut all = Vec::new();
    for rows in epochs {
        let mut changed = BTreeSet::new();
        let closed = if mode == OutputMode::Complete {
            i64::MIN
        } else {
            watermark
        };
        for &(time, key, value) in rows {
            let last = time.div_euclid(slide) * slide;
            late += u64::from(last + size <= closed);
            let mut start = last;
            while start + size > time {
                if start + size > closed {
                    let key = (start, format!("k{key}"));
                    let entry = state.entry(key.clone()).or_default();
                    *entry = (entry.0 + 1, entry.1 + value);
                    changed.insert(key);
                }
                start -= slide;
            }
        }
        let largest = rows.iter().map(|row| row.0).max();
        if let (Some(delay), Some(largest)) = (delay, largest) {
            watermark = watermark.max(largest - 1000 * delay);
        }
        let is_closed = |key: &(i64, String)| key.0 + size <= watermark;
        let written = state.iter().filter(|(key, _)| match mode {
            OutputMode::Complete => true,
            OutputMode::Update => changed.contains(key),
            _ => is_closed(key),
        });
        all.push(written.map(|(key, value)| (key.clone(), *value)).collect());
        if mode != OutputMode::Complete {
            state.retain(|key, _| !is_closed(key));
        }
    }
    if flushes && !state.is_empty() {
        all.push(state);
    }
    (all, late)
}

pub(crate) fn epochs() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let row = (-20_000_i64..80_000, 0..4_u8, -5..100_i64);
    let epoch = prop::collection::vec(row, 1..30);
    // Coarse times lie on the borders of windows, and exactly a gap apart.
    let step = prop::sample::select(vec![1, 100, 1000]);
    (prop::collection::vec(epoch, 1..8), step).prop_map(|(mut epochs, step)| {
        // Time goes on, with rows that are late.
        for (number, epoch) in (0..).zip(&mut epochs) {
            let time = |row: &Row| (row.0 + 15_000 * number) / step * step;
            epoch.iter_mut().for_each(|row| row.0 = time(row));
        }
        epochs
    })
}

proptest! {
    #[test]
    fn windows_are_those_of_a_plain_loop(
        epochs in epochs(),
        size in prop::sample::select(&SIZES[..]),
        delay in prop::option::of(0..20_i64),
        mode in prop::sample::select(vec![OutputMode::Complete, OutputMode::Update, OutputMode::Append]),
        threads in 1..3_usize,
        flushes in any::<bool>(),
    ) {
        let flushes = flushes && mode == OutputMode::Append;
        let window = sliding(seconds(size.0), seconds(size.1)).on("ts");
        let window = match delay {
            Some(delay) => window.watermark(seconds(delay)),
            None => window,
        };
        let (source, input) = MemoryStream::new();
        epochs.iter().for_each(|rows| input.push(text_of(rows)));
        let sink = MemorySink::new();
        let query = query(&engine(threads), rows_of(source), window, mode).sink(sink.clone());
        let query = if flushes { query.flush_windows() } else { query };
        let mut query = match query.start() {
            Ok(query) => query,
            Err(error) => {
                prop_assert!(delay.is_none() && mode == OutputMode::Append, "{}", error);
                return Ok(());
            }
        };
        query.await_termination().unwrap();
        let (expected, late) = plain(&epochs, size, delay, mode, flushes);
        let written = sink.epochs();
        let written: Vec<Results> = written.iter().map(|(_, it)| results_of(it, size.0)).collect();
        prop_assert_eq!(written, expected);
        let progress = query.recent_progress();
        let dropped = progress.iter().map(|it| it.state_operators[0].num_rows_dropped_by_watermark);
        prop_assert_eq!(dropped.sum::<u64>(), late);
    }
}

#[test]
fn a_crash_at_any_step_loses_no_window_and_doubles_none() {
    let root = tempfile::tempdir().unwrap();
    let input = root.path().join("in");
    fs::create_dir(&input).unwrap();
    for file in 0..6_i64 {
        let rows: Vec<Row> = (0..50)
            .map(|row| ((7 * file + row % 13) * 1000, (row % 3) as u8, row))
            .collect();
        fs::write(input.join(format!("{file:04}")), text_of(&rows)).unwrap();
    }
    check_crashes(root.path(), |source| {
        let window = sliding(seconds(10), seconds(5))
            .on("ts")
            .watermark(seconds(4));
        query(&engine(1), rows_of(source), window, OutputMode::Append)
    });
}

#[test]
fn windows_of_the_time_of_arrival_close_by_the_clock() {
    let (source, input) = MemoryStream::new();
    let sink = MemorySink::new();
    let tokens = engine(1).stream(source).tokenize(whitespace());
    let mut query = tokens
        .count_by_key()
        .window(tumbling(Duration::from_millis(200)))
        .mode(OutputMode::Append)
        .sink(sink.clone())
        .start()
        .unwrap();
    input.push("to be or not to be");
    let counts = loop {
        let epochs = sink.epochs();
        let rows = epochs.iter().flat_map(|(_, batches)| batches);
        let rows: Vec<RecordBatch> = rows.filter(|it| it.num_rows() > 0).cloned().collect();
        if !rows.is_empty() {
            break rows;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    query.stop(true);
    query.await_termination().unwrap();
    let counts = &counts[0];
    assert_eq!(counts.schema().field(0).name(), "window_start");
    let keys = counts.column(2).as_binary_view();
    let totals = counts.column(3).as_primitive::<UInt64Type>();
    let rows: Vec<(&[u8], u64)> = (0..4)
        .map(|row| (keys.value(row), totals.value(row)))
        .collect();
    let expected: [(&[u8], u64); 4] = [(b"be", 2), (b"to", 2), (b"not", 1), (b"or", 1)];
    assert_eq!(rows, expected);
}

#[test]
fn windows_that_a_source_cannot_have_are_refused() {
    let (source, _) = MemoryStream::new();
    let ten = tumbling(seconds(10));
    let tokens = engine(1)
        .stream(source)
        .tokenize(whitespace())
        .count_by_key();
    let error = tokens
        .window(ten.clone().on("ts"))
        .sink(MemorySink::new())
        .start()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("no column `ts`"), "{error}");

    let refused = |window: Window, mode| {
        let (source, _) = MemoryStream::new();
        let job = query(&engine(1), rows_of(source), window, mode).sink(MemorySink::new());
        job.start().unwrap_err().to_string()
    };
    let no_watermark = refused(ten.clone().on("ts"), OutputMode::Append);
    assert!(
        no_watermark.contains("without a watermark none ever closes"),
        "{no_watermark}"
    );
    let no_column = refused(ten.on("when"), OutputMode::Update);
    assert!(no_column.contains("no column `when`"), "{no_column}");
}

#[test]
fn a_flush_writes_no_window_twice() {
    let root = tempfile::tempdir().unwrap();
    let sink = MemorySink::new();
    let run = |texts: &[&'static str], window: Window| {
        let (source, input) = MemoryStream::new();
        texts.iter().for_each(|text| input.push(*text));
        let query = query(&engine(1), rows_of(source), window, OutputMode::Append);
        let query = query.flush_windows().sink(sink.clone());
        let mut query = query
            .checkpoint(root.path().join("checkpoint"))
            .start()
            .unwrap();
        query.await_termination().unwrap();
        query.recent_progress()
    };
    let window = tumbling(seconds(10)).on("ts").watermark(seconds(100));
    let first = "1,a,1\n12,a,2\n";
    run(&[first], window.clone());
    // The first two rows are late: their windows were written.
    let progress = run(&[first, "2,a,4\n19,b,8\n20,b,16\n"], window);
    let late = progress[0].state_operators[0].num_rows_dropped_by_watermark;
    assert_eq!(late, 2);
    let written = sink.epochs();
    let rows: Vec<Results> = written.iter().map(|(_, it)| results_of(it, 10)).collect();
    let of = |rows: &[(i64, &str, u64, i64)]| -> Results {
        let rows = rows.iter();
        rows.map(|&(start, key, count, sum)| ((start, key.to_owned()), (count, sum)))
            .collect()
    };
    let first = of(&[(0, "a", 1, 1), (10_000, "a", 1, 2)]);
    let second = of(&[(20_000, "b", 1, 16)]);
    assert_eq!(rows, [of(&[]), first, of(&[]), second]);
    // Without windows in the mode append there is nothing to flush.
    let (source, _) = MemoryStream::new();
    let ten = tumbling(seconds(10)).on("ts").watermark(seconds(1));
    let query = query(&engine(1), rows_of(source), ten, OutputMode::Update);
    let error = query
        .flush_windows()
        .sink(MemorySink::new())
        .start()
        .unwrap_err();
    assert!(
        error.message().contains("a flush writes the windows"),
        "{error}"
    );
}

#[test]
fn another_window_is_another_query() {
    let root = tempfile::tempdir().unwrap();
    let run = |window: Window| {
        let (source, input) = MemoryStream::new();
        input.push("1,a,1\n");
        let job = query(&engine(1), rows_of(source), window, OutputMode::Update);
        job.sink(MemorySink::new())
            .checkpoint(root.path().join("checkpoint"))
            .run()
    };
    let window = |size| tumbling(seconds(size)).on("ts").watermark(seconds(1));
    run(window(10)).unwrap();
    // The delay may change.
    run(window(10).watermark(seconds(5))).unwrap();
    let error = run(window(20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    assert!(error.message().contains("windows of 20s by ts"), "{error}");
}

#[test]
fn top_is_of_each_window() {
    let (source, input) = MemoryStream::new();
    input.push("1,a,5\n2,b,7\n3,c,6\n11,a,1\n12,b,3\n99,z,0\n");
    let sink = MemorySink::new();
    let window = tumbling(seconds(10)).on("ts").watermark(seconds(0));
    query(&engine(1), rows_of(source), window, OutputMode::Append)
        .order_by(Order::Columns(vec![
            OrderBy::new("sum(value)").descending(),
        ]))
        .top(2)
        .sink(sink.clone())
        .run()
        .unwrap();
    let written = sink.epochs();
    let values: Vec<(i64, i64)> = results_of(&written[0].1, 10)
        .into_iter()
        .map(|((start, _), (_, sum))| (start / 1000, sum))
        .collect();
    assert_eq!(values, [(0, 7), (0, 6), (10, 1), (10, 3)]);
}
