//! Group-by over Arrow batches: every thread count, budget and cut gives the answers of a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray,
    StringViewArray,
};
use arrow_schema::ArrowError;
use keymill::aggregate::{count_rows, max, mean, min, sum};
use keymill::prelude::*;
use keymill::read::RecordBatches;
use keymill::{Result, Tuning};

/// A key, an integer and a float of each row.
type Row = (Option<String>, i64, f64);

fn rows(count: usize, groups: usize) -> Vec<Row> {
    let mut state = 9u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    let row = |_| {
        let key = random() as usize % groups;
        let key = (key > 0).then(|| format!("key {key}"));
        let value = random() as i64 - (1 << 30);
        let float = value as f64 * 10f64.powi(random() as i32 % 20);
        (key, value, float)
    };
    (0..count).map(row).collect()
}

fn batch(rows: &[Row]) -> RecordBatch {
    let keys = rows.iter().map(|row| row.0.as_deref());
    let keys: ArrayRef = Arc::new(keys.collect::<StringArray>());
    let values = rows.iter().map(|row| row.1);
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    let floats = rows.iter().map(|row| row.2);
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values(floats));
    RecordBatch::try_from_iter([("k", keys), ("v", values), ("f", floats)]).unwrap()
}

fn batches(rows: &[Row], rows_each: usize) -> Vec<RecordBatch> {
    rows.chunks(rows_each).map(batch).collect()
}

/// A count, a sum, the smallest and the largest value, and the bits of two floats.
type Answer = (u64, i64, i64, i64, u64, u64);

fn answers<'a>(all: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<(Option<String>, Answer)> {
    let mut rows = Vec::new();
    for batch in all {
        let keys = batch.column(0).as_string::<i32>();
        let count = batch.column(1).as_primitive::<UInt64Type>();
        let ints = [2, 3, 4].map(|column| batch.column(column).as_primitive::<Int64Type>());
        let floats = [5, 6].map(|column| batch.column(column).as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            let key = keys.is_valid(row).then(|| keys.value(row).to_owned());
            let [sum, min, max] = ints.map(|column| column.value(row));
            let [total, mean] = floats.map(|column| column.value(row).to_bits());
            rows.push((key, (count.value(row), sum, min, max, total, mean)));
        }
    }
    rows
}

/// Groups rows; batches are cut at `rows_each`.
fn grouped(engine: &Engine, rows: &[Row], rows_each: usize) -> keymill::AggregateJob {
    let job = engine.read_batches(batches(rows, rows_each));
    let floats = [sum("f"), mean("f")];
    let ints = [count_rows(), sum("v"), min("v"), max("v")];
    job.group_by(["k"]).agg(ints.into_iter().chain(floats))
}

/// The answers of a map, but for floats: those are compared among the ways of running.
fn of_a_map(rows: &[Row]) -> BTreeMap<Option<String>, (u64, i64, i64, i64)> {
    let mut groups = BTreeMap::new();
    for (key, value, _) in rows {
        let group = groups.entry(key.clone());
        let (count, sum, min, max) = group.or_insert((0, 0, i64::MAX, i64::MIN));
        *count += 1;
        *sum += value;
        *min = (*min).min(*value);
        *max = (*max).max(*value);
    }
    groups
}

fn nulls_last(rows: &mut [(Option<String>, Answer)]) {
    rows.sort_by(|one, other| (one.0.is_none(), &one.0).cmp(&(other.0.is_none(), &other.0)));
}

#[test]
fn threads_budgets_and_cuts_change_no_bit() {
    let rows = rows(30_000, 5000);
    let whole = Engine::builder().threads(1).seed(1).build().unwrap();
    let groups = grouped(&whole, &rows, rows.len()).collect().unwrap();
    let wanted = answers(groups.batches());
    let ints = wanted
        .iter()
        .map(|(key, all)| (key.clone(), (all.0, all.1, all.2, all.3)));
    assert_eq!(ints.collect::<BTreeMap<_, _>>(), of_a_map(&rows));
    let mut sorted = wanted.clone();
    nulls_last(&mut sorted);
    assert!(wanted == sorted, "ordered by key");
    let tiny = [Tuning::TINY, Tuning::TINY.all_colliding()];
    for (tuning, rows_each) in [(Tuning::DEFAULT, 1000), (tiny[0], 777), (tiny[1], 5000)] {
        // All keys of a table on one chain take their time.
        let some = if tuning == tiny[1] { 3000 } else { rows.len() };
        let wanted = answers(
            grouped(&whole, &rows[..some], some)
                .collect()
                .unwrap()
                .batches(),
        );
        for (threads, memory) in [(1, 1 << 20), (2, 200 << 10), (5, 64 << 20)] {
            let engine = Engine::builder()
                .threads(threads)
                .memory(memory)
                .tuning(tuning);
            let engine = engine.build().unwrap();
            let groups = grouped(&engine, &rows[..some], rows_each)
                .collect()
                .unwrap();
            let found = answers(groups.batches());
            assert!(
                found == wanted,
                "{threads} threads, {memory} bytes, {tuning:?}"
            );
            assert_eq!(groups.num_rows(), wanted.len());
            assert_eq!(groups.metrics().groups, wanted.len() as u64);
        }
    }
}

#[test]
fn a_stream_has_the_order_and_the_limits_it_was_asked_for() {
    let rows = rows(4000, 300);
    let engine = Engine::builder()
        .threads(2)
        .memory(1 << 20)
        .build()
        .unwrap();
    let job = || grouped(&engine, &rows, 100);
    let mut wanted = answers(job().collect().unwrap().batches());
    let stream = |order, limits| -> Vec<RecordBatch> {
        let batches = job().stream(order, limits).unwrap();
        batches.collect::<Result<_>>().unwrap()
    };
    wanted.sort_by_key(|(_, all)| std::cmp::Reverse(all.1));
    let by_sum = Order::Columns(vec![OrderBy::new("sum(v)").descending()]);
    let first = stream(by_sum, BatchLimits::new(1, 1 << 20).top(7));
    assert_eq!(first.len(), 7);
    assert_eq!(answers(&first), wanted[..7]);
    wanted.sort_by_key(|(_, all)| all.3);
    let by_max = Order::Columns(vec![OrderBy::new("max(v)")]);
    assert_eq!(answers(&stream(by_max, BatchLimits::default())), wanted);
    nulls_last(&mut wanted);
    let mut unordered = answers(&stream(Order::None, BatchLimits::new(10, 1 << 20)));
    nulls_last(&mut unordered);
    assert_eq!(unordered, wanted);
    wanted.sort_by_key(|(_, all)| std::cmp::Reverse(all.0));
    let by_count = stream(Order::Count, BatchLimits::default().top(40));
    assert_eq!(answers(&by_count), wanted[..40]);
}

#[test]
fn jobs_that_cannot_be_say_why() {
    let engine = Engine::builder().threads(2).build().unwrap();
    let rows = [batch(&rows(10, 3))];
    let job = || engine.read_batches(rows.clone());
    let none: [&str; 0] = [];
    for (job, message) in [
        (job().group_by(["x"]).count(), "there is no column `x`"),
        (
            job().group_by(["k"]).agg([sum("y")]),
            "there is no column `y`",
        ),
        (job().group_by(none).count(), "group by at least one column"),
        (
            job().group_by(["k"]).agg([sum("k")]),
            "`sum` takes integers, floats and decimals",
        ),
        (
            job().group_by(["k"]).agg([sum("v").alias("k")]),
            "two columns of the answer are called `k`",
        ),
        (
            engine
                .read_batches(Vec::<RecordBatch>::new())
                .group_by(["k"])
                .count(),
            "the input has no batch",
        ),
    ] {
        let error = job.collect().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let by = Order::Columns(vec![OrderBy::new("x")]);
    let by_x = job()
        .group_by(["k"])
        .count()
        .stream(by, BatchLimits::default());
    assert_eq!(by_x.map(|_| ()).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn a_sum_that_does_not_fit_names_the_key_and_the_column() {
    let engine = Engine::builder().threads(2).build().unwrap();
    let key = |name: &str| Some(name.to_owned());
    let large = (key("a key"), i64::MAX, 0.0);
    let rows = [large.clone(), (key("b"), 1, 0.0), large];
    let job = engine.read_batches(batches(&rows, 1)).group_by(["k"]);
    let error = job.agg([sum("v").alias("total")]).collect().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    let message = error.to_string();
    assert!(
        message.starts_with("`sum(v)` of the key `a key` is 18446744073709551614"),
        "{message}"
    );
    // What is taken away again does not matter.
    let negative = (key("a key"), i64::MIN, 0.0);
    let rows = [rows.to_vec(), vec![negative]].concat();
    let job = engine.read_batches(batches(&rows, 1)).group_by(["k"]);
    let groups = job.agg([sum("v")]).collect().unwrap();
    let sums = groups.to_batch().unwrap();
    let sums = sums.column(1).as_primitive::<Int64Type>();
    assert_eq!(sums.values(), &[i64::MAX - 1, 1]);
}

#[test]
fn batches_that_fail_end_the_job() {
    let engine = Engine::builder().threads(2).build().unwrap();
    let good = || batch(&rows(10, 3));
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a"]));
    let other = RecordBatch::try_from_iter([("k", views), ("v", good().column(1).slice(0, 1))]);
    let broken = || Err(ArrowError::ComputeError("the disk is gone".to_owned()));
    for (batches, kind) in [
        (vec![Ok(good()), Ok(other.unwrap())], ErrorKind::Format),
        (vec![Ok(good()), broken()], ErrorKind::Source),
        (vec![broken()], ErrorKind::Source),
    ] {
        let job = engine.read_batches(batches).group_by(["k"]);
        let error = job.agg([sum("v")]).collect().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn a_reader_without_batches_has_no_groups() {
    let engine = Engine::builder().threads(2).build().unwrap();
    let schema = batch(&[]).schema();
    let reader = RecordBatchIterator::new(Vec::new(), schema);
    let job = engine.read_record_batches(RecordBatches::of_reader(reader));
    let groups = job.group_by(["k"]).agg([sum("v")]).collect().unwrap();
    assert_eq!(groups.num_rows(), 0);
    assert_eq!(groups.to_batch().unwrap().num_columns(), 2);
}

#[test]
fn a_cancelled_job_stops() {
    let engine = Engine::builder().threads(2).build().unwrap();
    let cancel = Cancel::default();
    let stop = cancel.clone();
    let endless = (0..).map(move |number| {
        if number == 20 {
            stop.cancel();
        }
        batch(&rows(100, 50))
    });
    let job = engine.read_batches(endless).cancel(&cancel);
    let error = job.group_by(["k"]).count().collect().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
