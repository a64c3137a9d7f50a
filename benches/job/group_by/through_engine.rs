//! The same groups by whole jobs: Arrow batches in memory, an engine, and all groups out.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use keymill::aggregate::{AggregateExpr, max, min, sum};
use keymill::{BatchLimits, DeviceChoice, Engine, Order};
use keymill_bench::{Rows, TextRows, scaled};

/// Rows of a batch.
const BATCH: usize = 64 << 10;
/// Bytes that a job may take: no job here spills.
const MEMORY: usize = 4 << 30;

fn engine(threads: usize) -> Engine {
    let engine = Engine::builder().threads(threads).memory(MEMORY);
    let engine = engine.device(DeviceChoice::Cpu).build();
    engine.expect("an engine on the processor")
}

fn batches<const N: usize>(columns: [(&str, ArrayRef); N]) -> Vec<RecordBatch> {
    let whole = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let rows = whole.num_rows();
    let firsts = (0..rows).step_by(BATCH);
    firsts
        .map(|first| whole.slice(first, BATCH.min(rows - first)))
        .collect()
}

fn int_keys(rows: &Rows) -> ArrayRef {
    let keys = rows.keys.iter().map(|key| key.cast_signed());
    Arc::new(Int64Array::from_iter_values(keys))
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Runs a job, and counts its groups.
fn groups_of(
    engine: &Engine,
    batches: &[RecordBatch],
    keys: &[&str],
    aggregates: &[AggregateExpr],
) -> usize {
    let job = engine.read_batches(batches.to_vec());
    let job = job.group_by(keys.to_vec()).agg(aggregates.to_vec());
    let groups = job.stream(Order::None, BatchLimits::default());
    let batches = groups.expect("the columns are there");
    batches
        .map(|batch| batch.expect("the sums fit").num_rows())
        .sum()
}

fn hashbrown_ints(batches: &[RecordBatch]) -> usize {
    let mut sums = HashMap::<i64, i64, RandomState>::default();
    for batch in batches {
        let [keys, values] = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>());
        for (&key, &value) in keys.values().iter().zip(values.values()) {
            *sums.entry(key).or_insert(0) += value;
        }
    }
    sums.len()
}

fn hashbrown_strings(batches: &[RecordBatch]) -> usize {
    let mut sums = HashMap::<Vec<u8>, i64, RandomState>::default();
    for batch in batches {
        let keys = batch.column(0).as_string::<i32>();
        let values = batch.column(1).as_primitive::<Int64Type>();
        for (row, &value) in values.values().iter().enumerate() {
            *sums.entry_ref(keys.value(row).as_bytes()).or_insert(0) += value;
        }
    }
    sums.len()
}

/// One key on one thread, against a loop over the same batches.
fn against(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    batches: &[RecordBatch],
    rival: fn(&[RecordBatch]) -> usize,
) {
    let engine = engine(1);
    let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    group.throughput(Throughput::Elements(rows as u64));
    assert_eq!(
        groups_of(&engine, batches, &["k"], &[sum("v")]),
        rival(batches)
    );
    group.bench_function(format!("hashbrown-foldhash-batches/{name}"), |bencher| {
        bencher.iter(|| rival(batches));
    });
    group.bench_function(format!("keymill-job/{name}"), |bencher| {
        bencher.iter(|| groups_of(&engine, batches, &["k"], &[sum("v")]));
    });
}

/// Two keys and three aggregates, on one thread and on two.
fn two_keys(group: &mut BenchmarkGroup<'_, WallTime>) {
    let rows = Rows::random(scaled(8_000_000), scaled(100_000), true);
    let numbers = rows.keys.iter().map(|key| (key % 100) as i32);
    let names = rows.keys.iter().map(|key| format!("name-{}", key / 100));
    let batches = batches([
        ("number", Arc::new(Int32Array::from_iter_values(numbers))),
        ("name", Arc::new(StringArray::from_iter_values(names))),
        ("v", ints(&rows.values)),
    ]);
    group.throughput(Throughput::Elements(rows.keys.len() as u64));
    let aggregates = [sum("v"), min("v"), max("v")];
    for threads in [1, 2] {
        let engine = engine(threads);
        group.bench_function(
            format!("keymill-job/two-keys-{threads}-threads"),
            |bencher| {
                bencher.iter(|| groups_of(&engine, &batches, &["number", "name"], &aggregates));
            },
        );
    }
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("job/group_by");
    group.sample_size(10);
    for (count, groups, name) in [
        (4_000_000, 100, "ints-1e2"),
        (8_000_000, 100_000, "ints-1e5"),
        (20_000_000, 10_000_000, "ints-1e7"),
    ] {
        let rows = Rows::random(scaled(count), scaled(groups), false);
        let batches = batches([("k", int_keys(&rows)), ("v", ints(&rows.values))]);
        against(&mut group, name, &batches, hashbrown_ints);
    }
    let rows = Rows::random(scaled(8_000_000), scaled(100_000), false);
    let floats = rows.values.iter().map(|&value| value as f64 / 100.0);
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values(floats));
    let of_floats = batches([("k", int_keys(&rows)), ("v", floats)]);
    let one = engine(1);
    group.bench_function("keymill-job/floats-1e5", |bencher| {
        bencher.iter(|| groups_of(&one, &of_floats, &["k"], &[sum("v")]));
    });
    let rows = TextRows::mid_sized(&Rows::random(scaled(4_000_000), scaled(100_000), false));
    let keys = rows.keys().map(|key| String::from_utf8_lossy(key));
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(keys));
    let strings = batches([("k", keys), ("v", ints(&rows.values))]);
    against(&mut group, "strings-1e5", &strings, hashbrown_strings);
    two_keys(&mut group);
    group.finish();
}
