//! One partition that is spilled and loaded, with changes between.

use super::*;
use crate::spill::SpillSpace;

/// A partition of sums, and the state columns of keys.
fn partition() -> (
    StorePartition,
    impl Fn(std::ops::Range<u64>, i64) -> RecordBatch,
) {
    let (store, states) = sums();
    let table = store.partitions[0].read().unwrap().table.empty_copy();
    (StorePartition::new(&store.schemas, table.unwrap()), states)
}

/// The key, the count and the sum of each group in memory.
fn content(partition: &StorePartition) -> Vec<[i128; 3]> {
    let groups: Vec<u32> = (0..partition.table.len() as u32).collect();
    let answers = partition.answers(&groups).unwrap();
    let row = |row: Vec<Cell>| {
        let values: Vec<i128> = row.iter().filter_map(Cell::as_int).collect();
        values.try_into().unwrap()
    };
    let mut content: Vec<[i128; 3]> = rows([&answers]).into_iter().map(row).collect();
    content.sort_unstable();
    content
}

/// State columns with a time, as a snapshot has them.
fn timed(states: &RecordBatch) -> RecordBatch {
    let (mut other, _) = partition();
    other.merge(states, 7).unwrap();
    let groups: Vec<u32> = (0..other.table.len() as u32).collect();
    other.timed_states(&groups).unwrap()
}

fn spill_and_load(partition: &mut StorePartition, space: &SpillSpace) {
    partition.spill(space).unwrap();
    assert_eq!(partition.table.len(), 0);
    partition.load(space).unwrap();
}

#[test]
fn what_changes_after_loading_is_written_by_a_later_spill() {
    let (mut partition, states) = partition();
    let space = SpillSpace::new(None);
    partition.merge(&states(0..3, 1), 0).unwrap();
    spill_and_load(&mut partition, &space);
    partition.merge(&states(0..1, 5), 1).unwrap();
    let expected = [[0, 2, 6], [1, 1, 1], [2, 1, 1]];
    assert_eq!(content(&partition), expected);
    // The next epoch changes another group.
    partition.commit();
    partition.merge(&states(2..3, 1), 2).unwrap();
    spill_and_load(&mut partition, &space);
    let expected = [[0, 2, 6], [1, 1, 1], [2, 2, 2]];
    assert_eq!(content(&partition), expected);
    assert_eq!(partition.changed_len(), 1);
}

#[test]
fn groups_replaced_in_memory_are_spilled_anew() {
    let (mut partition, states) = partition();
    let space = SpillSpace::new(None);
    partition.merge(&states(0..3, 1), 0).unwrap();
    partition.commit();
    spill_and_load(&mut partition, &space);
    partition.replace(&timed(&states(1..2, 9))).unwrap();
    spill_and_load(&mut partition, &space);
    assert_eq!(content(&partition), [[0, 1, 1], [1, 1, 9], [2, 1, 1]]);
}

#[test]
fn groups_are_replaced_and_removed_on_disk() {
    let (mut partition, states) = partition();
    let space = SpillSpace::new(None);
    partition.merge(&states(0..4, 1), 0).unwrap();
    partition.commit();
    partition.spill(&space).unwrap();
    partition.replace(&timed(&states(1..6, 9))).unwrap();
    let replaced = [
        [0, 1, 1],
        [1, 1, 9],
        [2, 1, 9],
        [3, 1, 9],
        [4, 1, 9],
        [5, 1, 9],
    ];
    let copy = partition.loaded_copy().unwrap();
    assert_eq!(content(&copy), replaced);
    // What was replaced before is removed, and what is replaced afterwards is there.
    let keys: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2, 4]));
    let keys = RecordBatch::try_new(partition.schemas.keys.clone(), vec![keys]).unwrap();
    partition.remove_on_disk(&space, &keys).unwrap();
    partition.replace(&timed(&states(2..3, 3))).unwrap();
    assert!(partition.is_replaced() && partition.len() >= 6);
    partition.load(&space).unwrap();
    assert_eq!(
        content(&partition),
        [[0, 1, 1], [2, 1, 3], [3, 1, 9], [5, 1, 9]]
    );
}
