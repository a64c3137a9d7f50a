//! Stores of every number of partitions against a map, over random epochs.

mod spilled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{ArrayRef, BinaryViewArray, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use keymill_kernels::{HashKey, Level, Tuning};
use proptest::prelude::*;

use super::super::fixtures::{Cell, Data, every_aggregate, expected, rows, sorted};
use super::super::{GroupShape, GroupTable};
use super::*;
use crate::aggregate::{count_rows, sum};

/// What happens to a store; batches are those of the data.
#[derive(Clone, Debug)]
enum Event {
    Merge { batch: usize, time: u64 },
    Evict { before: u64 },
    Commit,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0..5usize, 0..9u64).prop_map(|(batch, time)| Event::Merge { batch, time }),
        2 => (0..9u64).prop_map(|before| Event::Evict { before }),
        3 => Just(Event::Commit),
    ]
}

/// Types whose sums always fit.
fn data() -> impl Strategy<Value = Data> {
    Data::strategy(vec![
        DataType::Int8,
        DataType::UInt32,
        DataType::Float32,
        DataType::Float64,
    ])
}

fn stores(data: &Data) -> Vec<StateStore> {
    let tunings = [
        (Tuning::DEFAULT, 64, None),
        (Tuning::TINY, 1, None),
        (Tuning::TINY.all_colliding(), 4, Some(0)),
        (Tuning::DEFAULT.all_colliding(), 2, None),
        (Tuning::DEFAULT, 8, Some(0)),
        (Tuning::TINY, 16, Some(60_000)),
    ];
    let store = |(tuning, partitions, memory): (Tuning, usize, Option<usize>)| {
        let store = StateStore::for_group_by(&data.schema(), data.key_names(), every_aggregate());
        let store = store.unwrap().partitions(partitions).tuning(tuning);
        let store = store.hash_seed(partitions as u64);
        match memory {
            Some(memory) => store.memory(memory).build().unwrap(),
            None => store.build().unwrap(),
        }
    };
    tunings.into_iter().map(store).collect()
}

/// The state columns of some rows.
fn states_of(shape: &Arc<GroupShape>, data: &Data, batch: &[Vec<Cell>]) -> RecordBatch {
    let key = HashKey::from_seed(1);
    let mut table = GroupTable::new(shape, Level::best(), &Tuning::DEFAULT, key).unwrap();
    let batch = data.batch(batch);
    let (keys, arguments) = (shape.keys_of(&batch), shape.arguments_of(&batch, 0));
    table.update(&keys.unwrap(), &arguments.unwrap()).unwrap();
    let groups: Vec<u32> = (0..table.len() as u32).collect();
    table.states(&groups).unwrap()
}

/// Merges the states of an epoch, at even times batch by batch.
fn merge(store: &StateStore, batches: [RecordBatch; 2], time: u64) {
    #[cfg(feature = "stream")]
    if !time.is_multiple_of(2) {
        return store.merge_all(batches.into_iter().map(Ok), time).unwrap();
    }
    for batch in &batches {
        store.merge(batch, time).unwrap();
    }
}

fn snapshot(store: &StateStore) -> Vec<RecordBatch> {
    store.snapshot().unwrap().collect::<Result<_>>().unwrap()
}

/// A group as the test keeps it.
#[derive(Clone, Debug, Default)]
struct Group {
    values: Vec<Cell>,
    time: u64,
    changed: bool,
}

type Groups = BTreeMap<Vec<Cell>, Group>;

/// What a test knows, beside a store.
#[derive(Default)]
struct Model {
    groups: Groups,
    evicted: BTreeSet<Vec<Cell>>,
}

impl Model {
    fn merge(&mut self, batch: &[Vec<Cell>], time: u64) {
        for row in batch {
            let (value, key) = row.split_last().unwrap();
            let group = self.groups.entry(key.to_vec()).or_default();
            group.values.push(value.clone());
            group.time = group.time.max(time);
            group.changed = true;
        }
    }

    fn evict(&mut self, before: u64) -> usize {
        let lost = self.groups.extract_if(.., |_, group| group.time < before);
        let lost: Vec<Vec<Cell>> = lost.map(|(key, _)| key).collect();
        self.evicted.extend(lost.iter().cloned());
        lost.len()
    }

    fn commit(&mut self) {
        self.groups
            .values_mut()
            .for_each(|group| group.changed = false);
        self.evicted.clear();
    }

    fn answers(&self, only_changed: bool) -> Vec<Vec<Cell>> {
        let groups = self.groups.iter();
        let groups = groups.filter(|(_, group)| group.changed || !only_changed);
        groups
            .map(|(key, group)| [key.clone(), expected(&group.values)].concat())
            .collect()
    }

    fn keys_and_times(&self, only_changed: bool) -> Vec<(Vec<Cell>, Cell)> {
        let groups = self.groups.iter();
        let groups = groups.filter(|(_, group)| group.changed || !only_changed);
        groups
            .map(|(key, group)| (key.clone(), Cell::Int(group.time.into())))
            .collect()
    }
}

/// Keys and times of batches in the schema of snapshots, sorted.
fn keys_and_times(batches: &[RecordBatch], keys: usize) -> Vec<(Vec<Cell>, Cell)> {
    let rows = sorted(batches).into_iter();
    rows.map(|row| (row[..keys].to_vec(), row[row.len() - 1].clone()))
        .collect()
}

fn check(store: &StateStore, model: &Model, data: &Data) {
    assert_eq!(sorted(&store.changed().unwrap()), model.answers(true));
    assert_eq!(store.len(), model.groups.len());
    let keys = data.key_types.len();
    let delta = store.delta().unwrap();
    assert_eq!(
        keys_and_times(delta.states(), keys),
        model.keys_and_times(true)
    );
    assert_eq!(
        store.changed_len().unwrap(),
        model.keys_and_times(true).len()
    );
    let evicted: BTreeSet<Vec<Cell>> = rows(delta.evicted()).into_iter().collect();
    assert_eq!(evicted, model.evicted);
    assert_eq!(
        keys_and_times(&snapshot(store), keys),
        model.keys_and_times(false)
    );
    for rows_of in &data.batches {
        let columns = data.batch(rows_of).columns()[..keys].to_vec();
        let there = rows_of.iter().map(|row| &row[..keys]);
        let wanted = there.filter_map(|key| {
            let group = model.groups.get(key)?;
            Some([key.to_vec(), expected(&group.values)].concat())
        });
        assert_eq!(
            rows([&store.get(&columns).unwrap()]),
            wanted.collect::<Vec<_>>()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn epochs_are_those_of_a_map(
        data in data(),
        events in proptest::collection::vec(event(), 1..14),
        checkpoint in 0..14usize,
    ) {
        let shape = Arc::clone(&stores(&data)[0].schemas.shape);
        let mut snapshots = Vec::new();
        for (number, (store, replica)) in stores(&data).iter().zip(stores(&data).iter().rev()).enumerate() {
            let mut model = Model::default();
            let mut is_copied = false;
            for (at, event) in events.iter().enumerate() {
                match *event {
                    Event::Merge { batch, time } => {
                        let batch = &data.batches[batch % data.batches.len()];
                        let (first, second) = batch.split_at(batch.len() / 2);
                        let halves = [first, second].map(|rows| states_of(&shape, &data, rows));
                        merge(store, halves, time);
                        model.merge(batch, time);
                    }
                    Event::Evict { before } => {
                        prop_assert_eq!(store.evict(before).unwrap(), model.evict(before));
                    }
                    Event::Commit => {
                        if is_copied {
                            replica.apply(&store.delta().unwrap()).unwrap();
                            prop_assert_eq!(sorted(&snapshot(replica)), sorted(&snapshot(store)));
                            prop_assert!(replica.delta().unwrap().is_empty());
                        } else if at >= checkpoint {
                            replica.restore(&snapshot(store)).unwrap();
                            is_copied = true;
                        }
                        store.commit().unwrap();
                        model.commit();
                        prop_assert!(store.delta().unwrap().is_empty());
                    }
                }
                check(store, &model, &data);
            }
            snapshots.push(sorted(&snapshot(store)));
            prop_assert_eq!(&snapshots[number], &snapshots[0]);
            replica.restore(&snapshot(store)).unwrap();
            model.commit();
            check(replica, &model, &data);
            for time in [0, 5, 9] {
                prop_assert_eq!(replica.evict(time).unwrap(), model.evict(time));
            }
        }
    }
}

/// A store of sums by a number, and the state of one epoch.
fn sums() -> (
    StateStore,
    impl Fn(std::ops::Range<u64>, i64) -> RecordBatch,
) {
    let key = Field::new("key", DataType::UInt64, false);
    let input = Schema::new(vec![key, Field::new("v", DataType::Int64, false)]);
    let store = StateStore::for_group_by(&input, ["key"], [count_rows(), sum("v")]).unwrap();
    let store = store.partitions(8).build().unwrap();
    let shape = Arc::clone(&store.schemas.shape);
    let states = move |keys: std::ops::Range<u64>, value: i64| {
        let rows = (keys.end - keys.start) as usize;
        let keys: ArrayRef = Arc::new(UInt64Array::from_iter_values(keys));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![value; rows]));
        let random = HashKey::from_seed(1);
        let mut table = GroupTable::new(&shape, Level::best(), &Tuning::DEFAULT, random).unwrap();
        table.update(&[keys], &[values]).unwrap();
        let groups: Vec<u32> = (0..table.len() as u32).collect();
        table.states(&groups).unwrap()
    };
    (store, states)
}

#[test]
fn threads_read_while_another_one_merges() {
    let (store, states) = sums();
    let (is_over, keys) = (AtomicBool::new(false), 500u64);
    let wanted: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..keys));
    let read_all = || {
        let mut last = vec![0; keys as usize];
        let mut reads = 0;
        while !is_over.load(Ordering::SeqCst) || reads == 0 {
            let answers = store.get(std::slice::from_ref(&wanted)).unwrap();
            for row in rows([&answers]) {
                let values: Vec<i128> = row.iter().filter_map(Cell::as_int).collect();
                let [key, count, sum] = values[..] else {
                    panic!("{row:?}")
                };
                // Both of a group are of one moment, and no later read goes back.
                assert_eq!(sum, 3 * count);
                let last = &mut last[key as usize];
                assert!(*last <= count, "{key}: {last} {count}");
                *last = count;
            }
            assert!(store.len() <= keys as usize && store.size() > 0);
            reads += 1;
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read_all), scope.spawn(read_all)];
        for epoch in 0..100 {
            let first = epoch * 40 % 440;
            store.merge(&states(first..first + 100, 3), epoch).unwrap();
            let changed = store.changed().unwrap();
            assert_eq!(
                changed.iter().map(RecordBatch::num_rows).sum::<usize>(),
                100
            );
            store.commit().unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_eq!(store.len(), 500);
}

#[test]
fn a_snapshot_is_of_one_moment_or_an_error() {
    let (store, states) = sums();
    let keys = 100_000;
    store.merge(&states(0..keys, 1), 1).unwrap();
    let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(count(&store.changed().unwrap()), 100_000);
    assert_eq!(count(&snapshot(&store)), 100_000);
    let mut whole = store.snapshot().unwrap();
    assert!(whole.by_ref().take(2).all(|batch| batch.is_ok()));
    store.commit().unwrap();
    assert!(whole.by_ref().all(|batch| batch.is_ok()));
    let mut torn = store.snapshot().unwrap();
    assert!(torn.next().is_some_and(|batch| batch.is_ok()));
    store.merge(&states(0..1, 1), 2).unwrap();
    let error = torn.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(torn.next().is_none());
    // Batches end within a partition, also when groups are evicted or kept.
    store.merge(&states(0..keys - 10, 1), 3).unwrap();
    assert_eq!(store.evict(3).unwrap(), 10);
    assert_eq!(count(store.delta().unwrap().evicted()), 10);
    let left = RecordBatch::try_new(store.state_schema(), states(0..keys, 1).columns().to_vec());
    let left = store.get(&left.unwrap().columns()[..1]).unwrap();
    assert_eq!(left.num_rows(), 99_990);
    assert_eq!(store.evict(4).unwrap(), 99_990);
    assert_eq!(count(store.delta().unwrap().evicted()), 100_000);
    assert!(store.is_empty() && store.changed().unwrap().is_empty());
}

#[test]
fn a_delta_removes_what_was_evicted_and_keeps_what_came_again() {
    let ((store, states), (replica, _)) = (sums(), sums());
    store.merge(&states(0..100, 1), 1).unwrap();
    store.commit().unwrap();
    replica.restore(&snapshot(&store)).unwrap();
    store.merge(&states(0..40, 1), 2).unwrap();
    assert_eq!(store.evict(2).unwrap(), 60);
    store.merge(&states(30..50, 5), 3).unwrap();
    let delta = store.delta().unwrap();
    assert_eq!(
        (rows(delta.states()).len(), rows(delta.evicted()).len()),
        (50, 60)
    );
    replica.apply(&delta).unwrap();
    assert_eq!((replica.len(), store.len()), (50, 50));
    assert_eq!(sorted(&snapshot(&replica)), sorted(&snapshot(&store)));
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_of_the_answer_and_no_harm_to_the_state() {
    let (store, states) = sums();
    store.merge(&states(0..3, i64::MAX), 1).unwrap();
    store.merge(&states(1..2, i64::MAX), 2).unwrap();
    let error = store.changed().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    assert!(
        error.to_string().contains("`sum(v)` of the key `1`"),
        "{error}"
    );
    store.merge(&states(1..2, -i64::MAX), 3).unwrap();
    assert_eq!(sorted(&store.changed().unwrap()).len(), 3);
}

#[test]
fn the_states_of_a_text_count_are_merged_as_they_are() {
    let epoch = |words: &[&str], counts: &[u64]| {
        let words: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(words));
        let counts: ArrayRef = Arc::new(UInt64Array::from(counts.to_vec()));
        RecordBatch::try_new(crate::count_schema(), vec![words, counts]).unwrap()
    };
    let store = StateStore::for_counts().unwrap().build().unwrap();
    assert_eq!(store.state_schema(), crate::count_schema());
    assert_eq!(store.schema(), crate::count_schema());
    store
        .merge(
            &epoch(&["be", "", "a word of twenty byte"], &[2, 1, u64::MAX]),
            0,
        )
        .unwrap();
    store
        .merge(&epoch(&["be", "a word of twenty byte"], &[3, 7]), 0)
        .unwrap();
    let wanted = epoch(&["", "a word of twenty byte", "be"], &[1, u64::MAX, 5]);
    assert_eq!(sorted(&store.changed().unwrap()), rows([&wanted]));
}

#[test]
fn what_is_no_state_is_refused_and_a_broken_store_is_restored() {
    let input = Schema::new(vec![
        Field::new("key", DataType::UInt64, false),
        Field::new("v", DataType::Float64, false),
    ]);
    let store = StateStore::for_group_by(&input, ["key"], [sum("v")])
        .unwrap()
        .build()
        .unwrap();
    let key: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
    let broken: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![&b"\xff"[..]]));
    let other = RecordBatch::new_empty(crate::count_schema());
    let kind = |result: Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(store.merge(&other, 0)), ErrorKind::State);
    assert_eq!(store.changed_len().unwrap(), 0, "nothing was begun");
    let wrong = store.get(std::slice::from_ref(&broken)).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Format);
    assert_eq!(
        wrong.to_string(),
        "the key has columns of UInt64; it was asked for with columns of Binary"
    );
    let delta = Delta::new(Vec::new(), vec![other.clone()]);
    assert_eq!(kind(store.apply(&delta)), ErrorKind::State);
    assert_eq!(store.changed_len().unwrap(), 0, "nothing was begun");

    let snapshot = snapshot(&store);
    let states = RecordBatch::try_new(store.state_schema(), vec![key.clone(), broken]).unwrap();
    assert_eq!(kind(store.merge(&states, 0)), ErrorKind::State);
    assert_eq!(kind(store.commit()), ErrorKind::State);
    assert_eq!(
        store.get(std::slice::from_ref(&key)).unwrap_err().kind(),
        ErrorKind::State
    );
    store.restore(&snapshot).unwrap();
    store.commit().unwrap();
    assert_eq!(store.get(&[key]).unwrap().num_rows(), 0);
}

#[test]
fn versions_are_checked() {
    let store = StateStore::for_counts().unwrap().build().unwrap();
    let mut metadata = crate::count_schema().metadata().clone();
    metadata.insert("keymill.version".into(), "2".into());
    let newer = Schema::new_with_metadata(crate::count_schema().fields().clone(), metadata.clone());
    let newer = RecordBatch::new_empty(Arc::new(newer));
    let error = store.merge(&newer, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("version 2"), "{error}");
    let timed = store.snapshot_schema();
    let timed = Schema::new_with_metadata(timed.fields().clone(), metadata);
    let error = store
        .restore([&RecordBatch::new_empty(Arc::new(timed))])
        .unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn a_null_where_there_can_be_none_is_refused() {
    let store = StateStore::for_counts().unwrap().build().unwrap();
    let words: ArrayRef = Arc::new(BinaryViewArray::from_iter([None::<&[u8]>]));
    let counts: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
    let nullable = RecordBatch::try_from_iter([("key", words), ("count", counts)]).unwrap();
    let error = store.merge(&nullable, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert_eq!(error.to_string(), "column `key` of the state has a null");
}

#[test]
fn partitions_are_a_power_of_two() {
    for (partitions, is_right) in [
        (0, false),
        (1, true),
        (3, false),
        (256, true),
        (1 << 17, false),
    ] {
        let store = StateStore::for_counts()
            .unwrap()
            .partitions(partitions)
            .build();
        assert_eq!(store.is_ok(), is_right, "{partitions}");
    }
}
