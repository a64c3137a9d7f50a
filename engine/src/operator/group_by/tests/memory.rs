//! Group-by with little memory: what is partitioned, spilled and cut again.

use std::collections::HashMap;

use arrow_array::types::Int64Type;

use super::*;

#[test]
fn a_partition_that_is_too_large_is_cut_again() {
    let resources = resources(Tuning::TINY, 64 << 10);
    let mut one = sums(&resources);
    let rows = many_rows(20_000);
    for _ in 0..2 {
        for first in (0..rows.num_rows()).step_by(1000) {
            one.push(&rows.slice(first, 1000)).unwrap();
        }
    }
    one.spill().unwrap();
    let before = one.metrics().spilled_bytes;
    assert!(before > 200 << 10, "{before}");
    let batches = one.drain(Drain::Values, &Order::None, BatchLimits::default());
    let mut batches = batches.unwrap();
    let mut groups = 0;
    for batch in &mut batches {
        let batch = batch.unwrap();
        groups += batch.num_rows();
        let totals = batch.column(1).as_primitive::<Int64Type>();
        let keys = batch.column(0).as_string::<i32>();
        for (key, total) in keys.iter().zip(totals.values()) {
            assert_eq!(key.unwrap(), format!("key {}", total / 2));
        }
    }
    assert_eq!((groups, batches.groups()), (20_000, 20_000));
    assert!(batches.spilled_bytes() > 100 << 10, "parts were written");
    drop((batches, one));
    assert_eq!(resources.memory.taken(), 0);
}

#[test]
fn memory_stays_near_the_budget_whatever_is_pushed() {
    let long: String = "long ".repeat(2000);
    for threads in [1, 2] {
        let budget = 4 << 20;
        let resources = Resources {
            threads,
            ..resources(Tuning::DEFAULT, budget)
        };
        let mut one = sums(&resources);
        for round in 0..40i64 {
            let names: Vec<String> = (0..200).map(|n| format!("{long}{round}/{n}")).collect();
            let keys: Vec<_> = names.iter().map(|name| Some(name.as_str())).collect();
            one.push(&batch_of(&keys, &[round; 200])).unwrap();
            // One batch may be on top of it.
            let taken = resources.memory.taken();
            assert!(taken <= budget + (4 << 20), "{taken} bytes of {budget}");
            assert!(one.size() <= taken);
        }
        let mut groups = 0;
        let limits = BatchLimits::default();
        for batch in one.drain(Drain::Values, &Order::None, limits).unwrap() {
            groups += batch.unwrap().num_rows();
            let taken = resources.memory.taken();
            assert!(taken <= budget + (4 << 20), "{taken} bytes of {budget}");
        }
        assert_eq!(groups, 40 * 200);
    }
}

#[test]
fn a_cancelled_operator_stops_and_gives_the_memory_back() {
    let cancel = Cancel::default();
    let resources = Resources {
        cancel: cancel.clone(),
        ..resources(Tuning::TINY, 40 << 10)
    };
    let [mut pushing, mut draining] = [sums(&resources), sums(&resources)];
    pushing.push(&many_rows(100)).unwrap();
    draining.push(&many_rows(1000)).unwrap();
    draining.spill().unwrap();
    let limits = BatchLimits::new(1, 1);
    let mut batches = draining.drain(Drain::Values, &Order::None, limits).unwrap();
    assert!(batches.next().unwrap().is_ok());
    cancel.cancel();
    let error = pushing.push(&many_rows(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let error = batches.find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(batches.next().is_none());
    drop((pushing, draining, batches));
    assert_eq!(resources.memory.taken(), 0);
}

/// More groups than a reducer of integer keys keeps when it moves to one table of group ids.
const MANY_GROUPS: i64 = 140_000;

/// Integer keys that are far apart, each with a value that belongs to it and `round`.
fn integer_rows(groups: std::ops::Range<i64>, round: i64) -> RecordBatch {
    let key = |group: i64| group.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(groups.clone().map(key)));
    let values = groups.map(|group| (group % 1000) * (round + 1));
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("k", keys), ("v", values)]).unwrap()
}

/// Operators that have reduced integer keys, with half of the groups in common.
fn integer_operators(workers: i64, resources: &Resources) -> Vec<GroupBy> {
    let aggregates = [count_rows(), sum("v"), min("v"), max("v")];
    let make = |worker: i64| {
        let schema = integer_rows(0..0, 0).schema();
        let mut one = GroupBy::new(&schema, &[col("k")], &aggregates, resources).unwrap();
        for round in 0..2 {
            let first = worker * MANY_GROUPS / 2;
            one.push(&integer_rows(first..first + MANY_GROUPS, round))
                .unwrap();
        }
        one
    };
    (0..workers).map(make).collect()
}

/// Count, sum, minimum and maximum of each key.
fn integer_groups(workers: i64) -> HashMap<i64, [i64; 4]> {
    let mut groups = HashMap::new();
    for worker in 0..workers {
        let first = worker * MANY_GROUPS / 2;
        for batch in (0..2).map(|round| integer_rows(first..first + MANY_GROUPS, round)) {
            let [keys, values] = [0, 1].map(|n| batch.column(n).as_primitive::<Int64Type>());
            for (&key, &value) in keys.values().iter().zip(values.values()) {
                let [count, sum, min, max] = groups.entry(key).or_insert([0, 0, value, value]);
                (*count, *sum) = (*count + 1, *sum + value);
                (*min, *max) = (value.min(*min), value.max(*max));
            }
        }
    }
    groups
}

/// A reducer of integer keys that takes more than an eighth of the memory gives its groups to
/// partitions first, and these to disk where memory is short.
#[test]
fn large_reducers_of_integer_keys_are_partitioned_when_they_are_drained() {
    let unbounded = resources(Tuning::DEFAULT, UNBOUNDED);
    let size = integer_operators(1, &unbounded)[0].size();
    for workers in [1, 2] {
        let expected = integer_groups(workers as i64);
        // The memory, what others hold of it, and whether partitions are used and spilled.
        for (memory, held, is_split, spills) in [
            (9 * workers * size, 0, workers > 1, false),
            (7 * workers * size, 0, true, false),
            (2 * workers * size, workers * size / 2, true, true),
        ] {
            let resources = Resources {
                threads: workers,
                ..resources(Tuning::DEFAULT, memory)
            };
            let operators = integer_operators(workers as i64, &resources);
            assert!(operators.iter().all(|one| one.metrics().spilled_bytes == 0));
            resources.memory.take(held);
            let mut merged = GroupBy::merge_all(operators).unwrap();
            let limits = BatchLimits::default();
            let batches = merged.drain(Drain::Values, &Order::None, limits).unwrap();
            let batches: Vec<RecordBatch> = batches.collect::<Result<_>>().unwrap();
            let of_partitions = batches.len() >= Tuning::DEFAULT.partitions;
            assert_eq!(of_partitions, is_split, "{} batches", batches.len());
            assert_eq!(merged.metrics().spilled_bytes > 0, spills);
            let found = rows(&batches);
            assert_eq!(found.len(), expected.len());
            for row in found {
                let values: Vec<i64> = row
                    .iter()
                    .map(|cell| cell.as_int().unwrap().try_into().unwrap())
                    .collect();
                assert_eq!(values[1..], expected[&values[0]]);
            }
            drop(merged);
            assert_eq!(resources.memory.taken(), held);
        }
    }
}
