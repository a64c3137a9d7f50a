//! Sessions: their results are those of a plain loop over the rows.

use std::collections::BTreeMap;
use std::fs;

use keymill::arrow::array::RecordBatch;
use keymill::arrow::array::cast::AsArray;
use keymill::arrow::array::types::{Int64Type, TimestampMillisecondType, UInt64Type};
use keymill::prelude::*;
use keymill::stream::{MemorySink, MemoryStream, OutputMode, checkpoint, session};
use proptest::prelude::*;

use crate::fixtures::engine;
use crate::recovery::check_crashes;
use crate::windows::{Row, epochs, query, rows_of, seconds, text_of};

/// Key and start, end, count, sum.
type Results = BTreeMap<(String, i64), (i64, u64, i64)>;

fn results_of(batches: &[RecordBatch]) -> Results {
    let mut results = Results::new();
    for batch in batches {
        let time = |column: usize| {
            batch
                .column(column)
                .as_primitive::<TimestampMillisecondType>()
        };
        let keys = batch.column(2).as_string::<i32>();
        let counts = batch.column(3).as_primitive::<UInt64Type>();
        let sums = batch.column(4).as_primitive::<Int64Type>();
        assert_eq!(batch.num_columns(), 5);
        for row in 0..batch.num_rows() {
            let key = (keys.value(row).to_owned(), time(0).value(row));
            let values = (time(1).value(row), counts.value(row), sums.value(row));
            assert_eq!(results.insert(key, values), None, "a session is there once");
        }
    }
    results
}

/// A session of a plain loop.
#[derive(Clone)]
struct Session {
    key: u8,
    first: i64,
    last: i64,
    count: u64,
    sum: i64,
    epoch: usize,
}

/// What a plain loop computes of each epoch, and the rows that it leaves out.
fn plain(
    epochs: &[Vec<Row>],
    gap: i64,
    delay: Option<i64>,
    mode: OutputMode,
    flushes: bool,
) -> (Vec<Results>, u64) {
    let mut open: Vec<Session> = Vec::new();
    let (mut watermark, mut late) = (i64::MIN, 0);
    let mut all = Vec::new();
    let is_complete = mode == OutputMode::Complete;
    let written = |sessions: &mut dyn Iterator<Item = &Session>| -> Results {
        let of = |it: &Session| {
            (
                (format!("k{}", it.key), it.first),
                (it.last + gap, it.count, it.sum),
            )
        };
        sessions.map(of).collect()
    };
    for (epoch, rows) in epochs.iter().enumerate() {
        for &(time, key, value) in rows {
            if !is_complete && time + gap <= watermark {
                late += 1;
                continue;
            }
            let mut joined = Session {
                key,
                first: time,
                last: time,
                count: 1,
                sum: value,
                epoch,
            };
            open.retain(|it| {
                let touches = it.key == key && time < it.last + gap && it.first < time + gap;
                if touches {
                    joined.first = joined.first.min(it.first);
                    joined.last = joined.last.max(it.last);
                    joined.count += it.count;
                    joined.sum += it.sum;
                }
                !touches
            });
            open.push(joined);
        }
        let largest = rows.iter().map(|row| row.0).max();
        if let (Some(delay), Some(largest)) = (delay, largest) {
            watermark = watermark.max(largest - 1000 * delay);
        }
        let is_closed = |it: &&Session| it.last + gap <= watermark;
        all.push(match mode {
            OutputMode::Complete => written(&mut open.iter()),
            OutputMode::Update => written(&mut open.iter().filter(|it| it.epoch == epoch)),
            _ => written(&mut open.iter().filter(is_closed)),
        });
        if !is_complete {
            open.retain(|it| !is_closed(&it));
        }
    }
    if flushes && !open.is_empty() {
        all.push(written(&mut open.iter()));
    }
    (all, late)
}

proptest! {
    #[test]
    fn sessions_are_those_of_a_plain_loop(
        epochs in epochs(),
        gap in prop::sample::select(vec![1, 900, 5_000, 20_000]),
        delay in prop::option::of(0..20_i64),
        mode in prop::sample::select(vec![OutputMode::Complete, OutputMode::Update, OutputMode::Append]),
        threads in 1..3_usize,
        flushes in any::<bool>(),
    ) {
        let delay = delay.or((mode == OutputMode::Append).then_some(3));
        let flushes = flushes && mode == OutputMode::Append;
        let window = session(std::time::Duration::from_millis(gap)).on("ts");
        let window = match delay {
            Some(delay) => window.watermark(seconds(delay)),
            None => window,
        };
        let (source, input) = MemoryStream::new();
        epochs.iter().for_each(|rows| input.push(text_of(rows)));
        let sink = MemorySink::new();
        let query = query(&engine(threads), rows_of(source), window, mode).sink(sink.clone());
        let query = if flushes { query.flush_windows() } else { query };
        let mut query = query.start().unwrap();
        query.await_termination().unwrap();
        let (expected, late) = plain(&epochs, gap as i64, delay, mode, flushes);
        let written = sink.epochs();
        let written: Vec<Results> = written.iter().map(|(_, it)| results_of(it)).collect();
        prop_assert_eq!(written, expected);
        let progress = query.recent_progress();
        let dropped = progress.iter().map(|it| it.state_operators[0].num_rows_dropped_by_watermark);
        prop_assert_eq!(dropped.sum::<u64>(), late);
    }
}

#[test]
fn a_crash_at_any_step_loses_no_session_and_doubles_none() {
    let root = tempfile::tempdir().unwrap();
    let input = root.path().join("in");
    fs::create_dir(&input).unwrap();
    for file in 0..6_i64 {
        // Odd rows of a file join what even rows have begun.
        let rows: Vec<Row> = (0..40)
            .map(|row| {
                (
                    (9 * file - 5 * (row % 2) + row % 7) * 1000,
                    (row % 5) as u8,
                    row,
                )
            })
            .collect();
        fs::write(input.join(format!("{file:04}")), text_of(&rows)).unwrap();
    }
    check_crashes(root.path(), |source| {
        let window = session(seconds(3)).on("ts").watermark(seconds(4));
        query(&engine(1), rows_of(source), window, OutputMode::Append)
    });
}

#[test]
fn open_sessions_are_exported_and_go_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("checkpoint");
    let run = |texts: &[&'static str]| {
        let (source, input) = MemoryStream::new();
        texts.iter().for_each(|text| input.push(*text));
        let window = session(seconds(10)).on("ts").watermark(seconds(60));
        query(&engine(1), rows_of(source), window, OutputMode::Update)
            .sink(MemorySink::new())
            .checkpoint(&folder)
            .run()
            .unwrap();
        let batches: Vec<RecordBatch> = checkpoint::export(&folder)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        results_of(&batches)
    };
    let session_of = |start: i64, end: i64, count: u64, sum: i64| {
        (("a".to_owned(), 1000 * start), (1000 * end, count, sum))
    };
    let texts = [
        "20,a,1\n40,a,2\n",
        "29,a,4\n39.5,a,8\n",
        "11,a,16\n32,a,32\n",
    ];
    let expected = [
        vec![session_of(20, 30, 1, 1), session_of(40, 50, 1, 2)],
        vec![session_of(20, 39, 2, 5), session_of(39, 50, 2, 10)],
        vec![session_of(11, 50, 6, 63)],
    ];
    for (number, expected) in expected.into_iter().enumerate() {
        let mut expected: Results = expected.into_iter().collect();
        if number == 1 {
            // It begins at 39.5.
            let session = expected.remove(&("a".to_owned(), 39_000)).unwrap();
            expected.insert(("a".to_owned(), 39_500), session);
        }
        assert_eq!(run(&texts[..=number]), expected, "after {number}");
    }
}

#[test]
fn top_is_of_the_epoch() {
    let (source, input) = MemoryStream::new();
    input.push("1,a,5\n2,b,7\n3,c,6\n11,a,1\n12,b,3\n99,z,0\n");
    let sink = MemorySink::new();
    let window = session(seconds(5)).on("ts").watermark(seconds(0));
    query(&engine(1), rows_of(source), window, OutputMode::Append)
        .order_by(Order::Columns(vec![
            OrderBy::new("sum(value)").descending(),
        ]))
        .top(2)
        .sink(sink.clone())
        .run()
        .unwrap();
    let sums = results_of(&sink.epochs()[0].1)
        .into_values()
        .map(|(.., sum)| sum);
    let mut sums: Vec<i64> = sums.collect();
    sums.sort_unstable();
    assert_eq!(sums, [6, 7]);
}

#[test]
fn sessions_need_the_time_of_the_rows() {
    let (source, _) = MemoryStream::new();
    let query = query(
        &engine(1),
        rows_of(source),
        session(seconds(5)),
        OutputMode::Update,
    );
    let error = query.sink(MemorySink::new()).start().unwrap_err();
    assert!(
        error.message().contains("sessions need the time"),
        "{error}"
    );
}
