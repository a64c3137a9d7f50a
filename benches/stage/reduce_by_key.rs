//! Sums i64 values by u64 keys and by keys of bytes, compared with hashbrown's `entry` loop. A
//! plain read of the rows is the upper bound.
#![forbid(unsafe_code)]

use core::hash::BuildHasherDefault;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use keymill::probe::{self, Resident, Stage};
use keymill_bench::{Rows, TextRows, probed};
use keymill_kernels::stage::reduce_by_key::{
    Aggregate, Count, Max, Min, ReduceByBytes, ReduceByKey, Sum,
};
use keymill_kernels::{HashKey, Level, Tuning};
use rapidhash::fast::RapidHasher;

/// Clears the reducer, reduces the rows, and returns the number of groups.
fn with_keymill<A: Aggregate>(reducer: &mut ReduceByKey<u64, A>, rows: &Rows) -> usize {
    reducer.clear();
    reducer.update(&rows.keys, &rows.values);
    reducer.size()
}

fn read(rows: &Rows) -> u64 {
    let keys = rows.keys.iter().fold(0, |all, key| all ^ key);
    let values = rows.values.iter().fold(0, |all, &value| all ^ value);
    keys ^ values as u64
}

fn assert_answer(reducer: &mut ReduceByKey<u64, Sum>, rows: &Rows) {
    let expected = rows.rival::<foldhash::fast::RandomState>();
    assert_eq!(with_keymill(reducer, rows), expected.len());
    reducer.for_each(|key, sum| assert_eq!(sum, i128::from(expected[&key])));
}

fn bench_rows(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rows: &Rows) {
    group.throughput(Throughput::ElementsAndBytes {
        elements: rows.keys.len() as u64,
        bytes: 16 * rows.keys.len() as u64,
    });
    group.bench_function(format!("read/{name}"), |bencher| {
        bencher.iter(|| read(black_box(rows)));
    });
    group.bench_function(format!("hashbrown-foldhash/{name}"), |bencher| {
        bencher.iter(|| black_box(rows).rival::<foldhash::fast::RandomState>());
    });
    group.bench_function(format!("hashbrown-rapidhash/{name}"), |bencher| {
        bencher.iter(|| black_box(rows).rival::<BuildHasherDefault<RapidHasher>>());
    });
    let resident =
        Resident::rows(&rows.keys[..], &rows.values[..]).expect("there are as many values as keys");
    // The oracle is too slow for this number of rows, so the sums of all levels are compared with
    // hashbrown's.
    let stage = Stage::ReduceByKey;
    let probed_once = probe::run(&stage, Level::Scalar, &resident, 0);
    let expected = probed_once.expect("the stage accepts rows").answer;
    for level in Level::available() {
        let hash_key = HashKey::random();
        let mut sums = ReduceByKey::<u64, Sum>::new(level, Tuning::DEFAULT, hash_key);
        assert_answer(&mut sums, rows);
        group.bench_function(format!("{level}/{name}"), |bencher| {
            bencher.iter(|| with_keymill(&mut sums, black_box(rows)));
        });
        // A new reducer for each run, as in the hashbrown loops.
        group.bench_function(format!("{level}-fresh/{name}"), |bencher| {
            bencher.iter_custom(probed(&stage, level, &resident, expected));
        });
    }
    let (level, hash_key) = (Level::best(), HashKey::random());
    let mut all: ReduceByKey<u64, (Count, Sum, Min, Max)> =
        ReduceByKey::new(level, Tuning::DEFAULT, hash_key);
    assert_eq!(
        with_keymill(&mut all, rows),
        rows.rival::<foldhash::fast::RandomState>().len()
    );
    group.bench_function(format!("{level}-count-sum-min-max/{name}"), |bencher| {
        bencher.iter(|| with_keymill(&mut all, black_box(rows)));
    });
}

/// Measures keys of bytes. Their table is the same at all levels.
fn bench_text_rows(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rows: &TextRows) {
    let resident = rows.resident();
    group.throughput(Throughput::ElementsAndBytes {
        elements: rows.spans.len() as u64,
        bytes: resident.bytes() as u64,
    });
    group.bench_function(format!("hashbrown-foldhash/{name}"), |bencher| {
        bencher.iter(|| black_box(rows).rival::<foldhash::fast::RandomState>().len());
    });
    let expected_sums = rows.rival::<foldhash::fast::RandomState>();
    let mut expected = None;
    for level in Level::available() {
        let mut sums = ReduceByBytes::<Sum>::new(level, Tuning::DEFAULT, HashKey::random());
        let updated = sums.update(&rows.text, &rows.spans, &rows.values);
        updated.expect("spans are within the text");
        assert_eq!(sums.size(), expected_sums.len());
        sums.for_each(|key, sum| assert_eq!(sum, i128::from(expected_sums[key])));
        let stage = Stage::ReduceByKey;
        let probed_once = probe::run(&stage, level, &resident, 0);
        let answer = probed_once.expect("the stage accepts rows").answer;
        let expected = *expected.get_or_insert(answer);
        group.bench_function(format!("{level}-fresh/{name}"), |bencher| {
            bencher.iter_custom(probed(&stage, level, &resident, expected));
        });
    }
}

fn reduce_by_key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stage/reduce_by_key");
    group.sample_size(10);
    for (count, groups, name) in [
        (4_000_000, 100, "1e2"),
        (8_000_000, 100_000, "1e5"),
        (20_000_000, 10_000_000, "1e7"),
    ] {
        bench_rows(
            &mut group,
            &format!("groups-{name}"),
            &Rows::random(count, groups, false),
        );
        bench_rows(
            &mut group,
            &format!("dense-{name}"),
            &Rows::random(count, groups, true),
        );
    }
    for (count, groups, name) in [(4_000_000, 100, "1e2"), (4_000_000, 100_000, "1e5")] {
        let rows = TextRows::spelled(&Rows::random(count, groups, false));
        bench_text_rows(&mut group, &format!("bytes-{name}"), &rows);
    }
    group.finish();
}

criterion_group!(benches, reduce_by_key);
criterion_main!(benches);
