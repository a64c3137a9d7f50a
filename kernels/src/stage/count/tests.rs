//! Compares the fused count with a simple loop, at every level and with the default and tiny sizes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Counter, Slices, split};
use crate::{HashSeed, KeyCounts, Level, TokenRule, Tuning};

type Counts = BTreeMap<Vec<u8>, u64>;

const SEED: u64 = 11;

fn counts_of(groups: &KeyCounts) -> Counts {
    let mut counts = Counts::new();
    groups.for_each(|key, count| {
        let earlier = counts.insert(key.to_vec(), count);
        assert_eq!(earlier, None, "a key occurs twice");
    });
    counts
}

fn expected(texts: &[Vec<u8>]) -> Counts {
    let mut counts = Counts::new();
    for text in texts {
        for token in text.split(|byte| matches!(byte, 9..=13 | b' ')) {
            if !token.is_empty() {
                *counts.entry(token.to_vec()).or_default() += 1;
            }
        }
    }
    counts
}

fn each_setting(mut check: impl FnMut(Level, &Tuning)) {
    for level in Level::available() {
        for tuning in [Tuning::DEFAULT, Tuning::TINY] {
            check(level, &tuning);
            check(level, &tuning.all_colliding());
        }
    }
}

fn counter(level: Level, tuning: &Tuning) -> Counter {
    Counter::new(level, &TokenRule::Whitespace, tuning, SEED)
}

/// Texts of few distinct bytes, so that words repeat, hold NULs, and cross every boundary.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop_oneof![
        6 => Just(b'a'),
        3 => Just(b'b'),
        3 => Just(b' '),
        1 => Just(b'\n'),
        1 => Just(0),
        1 => any::<u8>().prop_filter("no lead of a white-space character", |byte| {
            !matches!(byte, 0xc2 | 0xe1..=0xe3)
        }),
    ];
    let size = if cfg!(miri) { 0..100 } else { 0..1000 };
    prop::collection::vec(prop::collection::vec(byte, size), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 100 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn counts_equal_those_of_a_simple_loop(texts in texts()) {
        let expected = expected(&texts);
        each_setting(|level, tuning| {
            let mut counter = counter(level, tuning);
            texts.iter().for_each(|text| counter.push(text));
            assert_eq!(counter.tokens(), expected.values().sum::<u64>());
            let mut groups = KeyCounts::default();
            counter.drain_into(&mut groups);
            assert_eq!(counts_of(&groups), expected);
            assert!(counter.is_empty());
        });
    }

    #[test]
    fn flushed_and_split_partitions_hold_every_count_once(texts in texts()) {
        let expected = expected(&texts);
        each_setting(|level, tuning| {
            let mut partitions = vec![KeyCounts::default(); 3];
            let mut counter = counter(level, tuning);
            for text in &texts {
                counter.push(text);
                counter.flush(&mut partitions);
            }
            let mut whole = Counts::new();
            for partition in &partitions {
                let mut parts = vec![KeyCounts::default(); 2];
                split(partition, level, HashSeed(SEED), &mut parts);
                for part in &parts {
                    counter.absorb(part);
                    let mut groups = KeyCounts::default();
                    counter.drain_into(&mut groups);
                    for (key, count) in counts_of(&groups) {
                        assert_eq!(whole.insert(key, count), None, "a key in two partitions");
                    }
                }
            }
            assert_eq!(whole, expected);
        });
    }

    #[test]
    fn slices_hold_every_count_of_every_counter(texts in texts(), slices in (0..4u32).prop_map(|bits| 1 << bits)) {
        each_setting(|level, tuning| {
            let tuning = Tuning { flush_bytes: usize::MAX, bypass_bytes: usize::MAX, ..*tuning };
            let counters = texts.iter().map(|text| {
                let mut counter = counter(level, &tuning);
                counter.push(text);
                counter
            });
            let cut = Slices::new(counters.collect(), slices).ok().expect("all in tables");
            let mut places = BTreeMap::new();
            let (mut whole, mut sums) = (Counts::new(), KeyCounts::default());
            for slice in 0..slices {
                let mut groups = KeyCounts::default();
                cut.copy_to(slice, &mut groups);
                groups.for_each(|key, count| {
                    assert_eq!(*places.entry(key.to_vec()).or_insert(slice), slice);
                    *whole.entry(key.to_vec()).or_default() += count;
                });
                cut.add_up_to(slice, &mut sums);
            }
            assert_eq!(whole, expected(&texts));
            assert_eq!(counts_of(&sums), whole);
        });
    }
}

#[test]
fn slices_are_refused_if_tables_differ_or_lack_groups() {
    let full = |seed: u64, flush_bytes: usize| {
        let tuning = Tuning {
            flush_bytes,
            bypass_bytes: usize::MAX,
            ..Tuning::TINY
        };
        let mut counter = Counter::new(Level::Scalar, &TokenRule::Whitespace, &tuning, seed);
        for number in 0..100 {
            counter.push(format!("key-{number}").as_bytes());
        }
        counter
    };
    let roomy = usize::MAX;
    let refused = |counters: Vec<Counter>, slices: usize| {
        let held: usize = counters.iter().map(Counter::len).sum();
        let back = Slices::new(counters, slices).err().expect("refused");
        assert_eq!(back.iter().map(Counter::len).sum::<usize>(), held);
    };
    assert!(Slices::new(vec![full(1, roomy), full(1, roomy)], 4).is_ok());
    refused(vec![full(1, roomy), full(2, roomy)], 4);
    refused(vec![full(1, roomy), full(1, 64)], 4);
    refused(vec![full(1, roomy), full(1, roomy)], 3);
}

#[test]
fn keys_at_the_bounds_of_length_classes_are_distinguished() {
    let lengths = [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 4096, 70_000];
    each_setting(|level, tuning| {
        let mut counter = counter(level, tuning);
        let mut expected = Counts::new();
        for length in lengths {
            for last in [b'x', b'y', 0] {
                let mut key = vec![b'x'; length];
                key.push(last);
                for _ in 0..3 {
                    counter.push(&key);
                }
                expected.insert(key, 3);
            }
        }
        let mut groups = KeyCounts::default();
        counter.drain_into(&mut groups);
        assert_eq!(counts_of(&groups), expected);
    });
}

#[test]
fn invalid_sizes_change_no_result() {
    let text = b"to be or not to be that is the question ".repeat(9);
    let expected = expected(std::slice::from_ref(&text));
    for tile_bytes in [0, 1, 100, 70_000, 1 << 20] {
        let tuning = Tuning {
            tile_bytes,
            table_slots: 3,
            partitions: 0,
            check_bytes: 0,
            ..Tuning::TINY
        };
        let mut counter = counter(Level::best(), &tuning);
        counter.push(&text);
        let mut groups = KeyCounts::default();
        counter.drain_into(&mut groups);
        assert_eq!(counts_of(&groups), expected, "{tile_bytes}");
    }
}
