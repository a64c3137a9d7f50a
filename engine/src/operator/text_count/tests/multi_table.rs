//! Tables that are drained without merging, and the conditions for it.

use super::*;
use crate::operator::Merged;

/// Enough words that no worker's table is small; the first ones are in every table.
fn many_words() -> Vec<Vec<u8>> {
    let numbers = (0..6 * SMALL_TABLE_GROUPS as u32).flat_map(|number| [number, number % 5]);
    let words = numbers.map(|number| format!("w{number}").into_bytes());
    let odd = [vec![b'x'; 100], b"a\0b".to_vec()];
    words.chain(odd.clone()).chain(odd).collect()
}

fn workers(resources: &Resources, words: &[Vec<u8>]) -> Vec<TextCount> {
    let workers = words.chunks(words.len().div_ceil(resources.threads));
    let workers = workers.map(|words| {
        let mut worker = operator(resources);
        worker.push(&text_of(words)).unwrap();
        worker
    });
    workers.collect()
}

/// Returns whether tables were drained without merging, and all counts.
fn drained_together(resources: &Resources, words: &[Vec<u8>], order: &Order) -> (bool, Rows) {
    let mut multi_table = MultiTable::new(workers(resources, words)).unwrap();
    let side_by_side = multi_table.has_tables();
    assert_eq!(multi_table.metrics().tokens, words.len() as u64);
    assert!(multi_table.groups_at_most() > 0);
    let mut rows = in_pool(resources.threads, || {
        rows_of(
            multi_table
                .drain(Drain::Values, order, BatchLimits::default())
                .unwrap(),
        )
    });
    if *order == Order::None {
        rows.sort();
    }
    let held = multi_table.operator.size();
    assert_eq!(resources.memory.taken(), held, "all other memory is freed");
    (side_by_side, rows)
}

#[test]
fn large_tables_are_drained_without_merging() {
    let words = many_words();
    let oracle = count(&words);
    for (partitions, threads) in [(1, 2), (2, 5), (256, 2), (1, 1), (256, 1)] {
        let limits = Tuning {
            partitions,
            bypass_bytes: usize::MAX,
            ..Tuning::DEFAULT
        };
        let resources = resources(limits, UNBOUNDED, threads);
        for order in [Order::None, Order::Key, Order::Count] {
            let (side_by_side, rows) = drained_together(&resources, &words, &order);
            assert!(side_by_side);
            assert!(
                rows == in_order(&oracle, &order),
                "{order:?} {partitions} {threads}"
            );
        }
    }
}

#[test]
fn small_tables_and_low_memory_are_merged() {
    let words = many_words();
    let few = &words[..1000];
    for (memory, words) in [(UNBOUNDED, few), (8 << 20, &words[..])] {
        let resources = resources(Tuning::DEFAULT, memory, 2);
        let (side_by_side, rows) = drained_together(&resources, words, &Order::Key);
        assert!(!side_by_side);
        assert!(rows == in_order(&count(words), &Order::Key));
    }
}

#[test]
fn tables_of_long_keys_are_drained_without_merging() {
    let words: Vec<_> = many_words()
        .into_iter()
        .map(|word| [&b"beyond-sixteen-bytes-"[..], &word].concat())
        .collect();
    let oracle = count(&words);
    let resources = resources(Tuning::DEFAULT, UNBOUNDED, 2);
    for order in [Order::None, Order::Count] {
        let (side_by_side, rows) = drained_together(&resources, &words, &order);
        assert!(side_by_side);
        assert!(rows == in_order(&oracle, &order));
    }
}

#[test]
fn operators_whose_keys_bypassed_the_table_are_merged() {
    let words: Vec<_> = (0..6 * SMALL_TABLE_GROUPS)
        .map(|number| format!("w{number}").into_bytes())
        .collect();
    let passing = Tuning {
        bypass_bytes: 1 << 10,
        check_bytes: 1 << 10,
        ..Tuning::DEFAULT
    };
    let resources = resources(passing, UNBOUNDED, 2);
    for order in [Order::None, Order::Count] {
        let (side_by_side, rows) = drained_together(&resources, &words, &order);
        assert!(!side_by_side);
        assert!(rows == in_order(&count(&words), &order));
    }
}

#[test]
fn a_token_lost_in_a_merge_is_an_error() {
    let words = many_words();
    let resources = resources(Tuning::DEFAULT, UNBOUNDED, 2);
    let mut operators = workers(&resources, &words);
    operators[0].held += 1;
    let mut multi_table = MultiTable::new(operators).unwrap();
    let error = multi_table
        .drain(Drain::Values, &Order::Count, BatchLimits::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}
