//! An epoch of 10,000 changed keys into a state of up to 10 million: merge, changed groups, delta.
//!
//! The time must follow the epoch and not the state: what a larger state may add are cache misses.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, UInt64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::StateStore;
use keymill::aggregate::{count_rows, sum};

/// Keys that change in an epoch.
const EPOCH: u64 = 10_000;
/// Epochs that take turns, so that no two neighbours change the same keys.
const EPOCHS: u64 = 64;

/// How many keys the state has: fewer when benches run as tests.
fn sizes() -> &'static [u64] {
    match std::env::args().any(|arg| arg == "--bench") {
        true => &[100_000, 1_000_000, 10_000_000],
        false => &[20_000],
    }
}

/// Different keys for different numbers, far from each other.
fn key(number: u64) -> u64 {
    let word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ word >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The state columns of keys with a count of 1 and a sum of 3 each.
fn states(schema: &Arc<Schema>, numbers: impl Iterator<Item = u64>) -> RecordBatch {
    let keys: PrimitiveArray<UInt64Type> = numbers.map(|number| Some(key(number))).collect();
    let rows = keys.len();
    let counts = PrimitiveArray::<UInt64Type>::from(vec![1; rows]);
    let sums = PrimitiveArray::<Decimal128Type>::from(vec![3; rows]);
    let sums = sums.with_data_type(DataType::Decimal128(38, 0));
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(counts), Arc::new(sums)];
    RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of the schema")
}

/// A store that has seen each key once.
fn filled(size: u64) -> StateStore {
    let key = Field::new("key", DataType::UInt64, false);
    let input = Schema::new(vec![key, Field::new("v", DataType::Int64, false)]);
    let store = StateStore::for_group_by(&input, ["key"], [count_rows(), sum("v")]);
    let store = store.and_then(|store| store.build());
    let store = store.expect("a store of sums");
    for first in (0..size).step_by(1 << 16) {
        let batch = states(&store.state_schema(), first..size.min(first + (1 << 16)));
        store.merge(&batch, 0).expect("all states fit");
    }
    store.commit().expect("the store is whole");
    store
}

/// The keys of an epoch lie anywhere in the state.
fn epoch(store: &StateStore, size: u64, number: u64) -> RecordBatch {
    let numbers = (0..EPOCH).map(|row| (number * EPOCH + row) * 7_919 % size);
    states(&store.state_schema(), numbers)
}

/// Merges an epoch, reads what changed, and ends it; gives how many groups changed, and the totals.
fn run(store: &StateStore, epoch: &RecordBatch, time: u64) -> (usize, u64, i64) {
    store.merge(epoch, time).expect("all states fit");
    let changed = store.changed().expect("all sums fit");
    let delta = store.delta().expect("all states fit");
    store.commit().expect("the store is whole");
    black_box(&delta);
    (
        delta.states().iter().map(RecordBatch::num_rows).sum(),
        total::<UInt64Type>(&changed, 1),
        total::<Int64Type>(&changed, 2),
    )
}

fn total<T: ArrowPrimitiveType>(batches: &[RecordBatch], column: usize) -> T::Native
where
    T::Native: std::iter::Sum,
{
    let columns = batches.iter().map(|batch| batch.column(column));
    columns
        .flat_map(|column| column.as_primitive::<T>().values().iter().copied())
        .sum()
}

fn merge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("state/merge");
    group
        .throughput(Throughput::Elements(EPOCH))
        .sample_size(50);
    for &size in sizes() {
        let store = filled(size);
        assert_eq!(store.len() as u64, size);
        let epochs: Vec<_> = (0..EPOCHS)
            .map(|number| epoch(&store, size, number))
            .collect();
        // Each key has been there once before.
        let expected = (EPOCH as usize, 2 * EPOCH, 6 * EPOCH as i64);
        assert_eq!(run(&store, &epochs[0], 1), expected);
        let mut time = 1;
        group.bench_function(format!("{EPOCH}-of-{size}"), |bencher| {
            bencher.iter(|| {
                time += 1;
                run(&store, &epochs[(time % EPOCHS) as usize], time)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, merge);
criterion_main!(benches);
