//! Keys to group ids to sums: the kernels under the group-by operator, and whole jobs, against
//! hashbrown's `entry` loop.
//!
//! It stands with the jobs because it has no stage of its own: it is a key table, an accumulator and,
//! for many groups, `hash_partition`.
#![forbid(unsafe_code)]

#[path = "group_by/through_engine.rs"]
mod through_engine;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use keymill_bench::{Rows, TextRows, scaled};
use keymill_kernels::accumulate::{FloatSum, Sum};
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::{HashKey, HashSeed, IntKeyTable, KeyTable, Level, Tuning};

/// Rows of a batch, as an engine would cut them.
const BATCH: usize = 8192;
/// Rows that are partitioned at a time.
const PARTITION_BATCH: usize = 1 << 16;
/// Partitions of the many groups.
const PARTITIONS: usize = 256;

/// An integer key table and the sums of its groups.
struct IntGroups {
    table: IntKeyTable,
    sums: Sum<i64>,
    ids: Vec<u32>,
}

impl IntGroups {
    fn new() -> Self {
        Self {
            table: IntKeyTable::new(&Tuning::DEFAULT, HashKey::random()),
            sums: Sum::new(Level::best()),
            ids: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.table.clear();
        self.sums.clear();
    }

    fn update(&mut self, keys: &[u64], values: &[i64]) {
        for (keys, values) in keys.chunks(BATCH).zip(values.chunks(BATCH)) {
            self.ids.clear();
            let interned = self.table.intern(Level::best(), keys, &mut self.ids);
            interned.expect("few enough keys");
            self.sums.resize(self.table.len());
            self.sums.update(&self.ids, values);
        }
    }

    fn for_each(&self, mut visit: impl FnMut(u64, i128)) {
        for (id, &key) in (0..).zip(self.table.keys()) {
            visit(key, self.sums.total(id).expect("every group has a row"));
        }
    }
}

/// Partitions all rows by the stable hash, then reduces each partition.
struct PartitionedGroups {
    stage: HashPartition,
    rows: Partitioned,
    keys: Vec<Vec<u64>>,
    values: Vec<Vec<i64>>,
    groups: IntGroups,
}

impl PartitionedGroups {
    fn new() -> Self {
        Self {
            stage: HashPartition::new(Level::best(), HashSeed(7), PARTITIONS),
            rows: Partitioned::default(),
            keys: vec![Vec::new(); PARTITIONS],
            values: vec![Vec::new(); PARTITIONS],
            groups: IntGroups::new(),
        }
    }

    fn sum(&mut self, rows: &Rows, mut each: impl FnMut(&IntGroups)) {
        self.keys.iter_mut().for_each(Vec::clear);
        self.values.iter_mut().for_each(Vec::clear);
        let keys = rows.keys.chunks(PARTITION_BATCH);
        for (keys, values) in keys.zip(rows.values.chunks(PARTITION_BATCH)) {
            self.stage.u64s(keys, &mut self.rows);
            self.rows.append_to(keys, &mut self.keys);
            self.rows.append_to(values, &mut self.values);
        }
        for (keys, values) in self.keys.iter().zip(&self.values) {
            self.groups.clear();
            self.groups.update(keys, values);
            each(&self.groups);
        }
    }
}

fn bench_ints(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rows: &Rows) {
    group.throughput(Throughput::Elements(rows.keys.len() as u64));
    let expected = rows.rival::<RandomState>();
    let mut groups = IntGroups::new();
    groups.update(&rows.keys, &rows.values);
    assert_eq!(groups.table.len(), expected.len());
    groups.for_each(|key, sum| assert_eq!(sum, i128::from(expected[&key])));
    group.bench_function(format!("hashbrown-foldhash/{name}"), |bencher| {
        bencher.iter(|| black_box(rows).rival::<RandomState>());
    });
    group.bench_function(format!("keymill/{name}"), |bencher| {
        bencher.iter(|| {
            groups.clear();
            groups.update(black_box(&rows.keys), &rows.values);
        });
    });
    group.bench_function(format!("keymill-fresh/{name}"), |bencher| {
        bencher.iter(|| IntGroups::new().update(black_box(&rows.keys), &rows.values));
    });
}

fn bench_partitioned(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rows: &Rows) {
    let expected = rows.rival::<RandomState>();
    let mut groups = PartitionedGroups::new();
    let mut found = 0;
    groups.sum(rows, |groups| {
        found += groups.table.len();
        groups.for_each(|key, sum| assert_eq!(sum, i128::from(expected[&key])));
    });
    assert_eq!(found, expected.len());
    group.bench_function(format!("keymill-partitioned/{name}"), |bencher| {
        bencher.iter(|| groups.sum(black_box(rows), |groups| _ = black_box(groups.table.len())));
    });
}

fn with_hashbrown(rows: &TextRows) -> HashMap<Vec<u8>, i64, RandomState> {
    let mut sums = HashMap::default();
    for (key, &value) in rows.keys().zip(&rows.values) {
        *sums.entry_ref(key).or_insert(0) += value;
    }
    sums
}

fn bench_bytes(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rows: &TextRows) {
    group.throughput(Throughput::Elements(rows.spans.len() as u64));
    let expected = with_hashbrown(rows);
    let mut table = KeyTable::new(&Tuning::DEFAULT, HashKey::random());
    let mut sums = Sum::<i64>::new(Level::best());
    let mut ids = Vec::new();
    let mut run = |table: &mut KeyTable, sums: &mut Sum<i64>| {
        table.clear();
        sums.clear();
        let spans = rows.spans.chunks(BATCH);
        for (spans, values) in spans.zip(rows.values.chunks(BATCH)) {
            ids.clear();
            let interned = table.intern_spans(&rows.text, spans, &mut ids);
            interned.expect("spans lie in their text");
            sums.resize(table.size());
            sums.update(&ids, values);
        }
    };
    run(&mut table, &mut sums);
    assert_eq!(table.size(), expected.len());
    for id in 0..table.size() as u32 {
        let sum = i128::from(expected[table.emit(id)]);
        assert_eq!(sums.total(id), Some(sum));
    }
    group.bench_function(format!("hashbrown-foldhash/{name}"), |bencher| {
        bencher.iter(|| with_hashbrown(black_box(rows)).len());
    });
    group.bench_function(format!("keymill/{name}"), |bencher| {
        bencher.iter(|| run(&mut table, &mut sums));
    });
}

/// Exact float sums beside integer sums over the same keys, ids and all.
fn bench_floats(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rows: &Rows) {
    group.throughput(Throughput::Elements(rows.keys.len() as u64));
    let values: Vec<f64> = rows
        .values
        .iter()
        .map(|&value| value as f64 / 100.0)
        .collect();
    let mut table = IntKeyTable::new(&Tuning::DEFAULT, HashKey::random());
    let mut sums = FloatSum::new(Level::best(), None);
    let mut ids = Vec::new();
    let mut run = |sums: &mut FloatSum| {
        table.clear();
        sums.clear();
        for (keys, values) in rows.keys.chunks(BATCH).zip(values.chunks(BATCH)) {
            ids.clear();
            let interned = table.intern(Level::best(), keys, &mut ids);
            interned.expect("few enough keys");
            sums.resize(table.len());
            sums.update(&ids, values);
        }
        table.len()
    };
    let groups = run(&mut sums);
    // Their total is that of the integers.
    let exact = rows.rival::<RandomState>();
    let hundredths = exact.values().sum::<i64>() as f64 / 100.0;
    let sum = (0..groups as u32)
        .filter_map(|id| sums.sum(id))
        .sum::<f64>();
    assert!((sum - hundredths).abs() < 1e-6, "{sum} and {hundredths}");
    group.bench_function(format!("keymill-float/{name}"), |bencher| {
        bencher.iter(|| run(&mut sums));
    });
}

fn group_by(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("job/group_by");
    group.sample_size(10);
    for (count, groups, name) in [(4_000_000, 100, "1e2"), (8_000_000, 100_000, "1e5")] {
        let rows = Rows::random(scaled(count), scaled(groups), false);
        bench_ints(&mut group, &format!("groups-{name}"), &rows);
        bench_floats(&mut group, &format!("groups-{name}"), &rows);
        let dense = Rows::random(scaled(count), scaled(groups), true);
        bench_ints(&mut group, &format!("dense-{name}"), &dense);
    }
    let rows = Rows::random(scaled(20_000_000), scaled(10_000_000), false);
    bench_ints(&mut group, "groups-1e7", &rows);
    bench_partitioned(&mut group, "groups-1e7", &rows);
    drop(rows);
    for (groups, name) in [(100, "1e2"), (100_000, "1e5")] {
        let rows = TextRows::mid_sized(&Rows::random(scaled(4_000_000), scaled(groups), false));
        bench_bytes(&mut group, &format!("bytes-{name}"), &rows);
    }
    group.finish();
}

criterion_group!(benches, group_by, through_engine::bench);
criterion_main!(benches);
