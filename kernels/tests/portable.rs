//! Runs every stage once on the portable level, with little data, so that Miri can run it.
//!
//! The tests of the stages are far larger. These cover the `unsafe` code of tables and buffers with
//! every kind of key, and every growth of a table, within a few seconds under Miri.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use keymill_kernels::oracle::{self, Reduced};
use keymill_kernels::stage::count::Counter;
use keymill_kernels::stage::frame::{Framer, last_boundary};
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::stage::lowercase::lowercase;
use keymill_kernels::stage::reduce_by_key::{Count, Max, Min, Order, ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::{Records, Tokenizer};
use keymill_kernels::{HashKey, HashSeed, KeyCounts, Level, TokenRule, Tuning};

const LEVEL: Level = Level::Scalar;

/// Keys of every class, repeated and new, a NUL, white space of two and three bytes, invalid UTF-8.
const TEXT: &[u8] = b"to be to n\0l\r\nfifteen_letters sixteen__letters seventeen_letters\n\n\
    one\xc2\xa0two\xe3\x80\x80\xff tail,,b \xe2\x80 be\n\
    012345678901234567890123456789012345678901234567890123456789012345 end";

fn rules() -> [TokenRule; 5] {
    let separator: Box<[u8]> = b",".as_slice().into();
    let index = 2.try_into().expect("two is not zero");
    [
        TokenRule::Whitespace,
        TokenRule::Words,
        TokenRule::Lines,
        TokenRule::Split(separator.clone()),
        TokenRule::Field { index, separator },
    ]
}

fn tunings() -> [Tuning; 2] {
    [Tuning::TINY, Tuning::TINY.all_colliding()]
}

fn counts_of(groups: &KeyCounts) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    groups.for_each(|key, count| *counts.entry(key.to_vec()).or_default() += count);
    counts
}

#[test]
fn tokens_and_lines() {
    let mut spans = Vec::new();
    for rule in rules() {
        let mut tokenizer = Tokenizer::new(LEVEL, &rule, &Tuning::TINY);
        let done = tokenizer
            .tokenize(TEXT, None, &mut spans)
            .expect("a short text");
        let tokens: Vec<&[u8]> = spans.iter().map(|span| span.of(TEXT)).collect();
        assert_eq!(tokens, oracle::tokenize(&rule, TEXT), "{rule:?}");
        assert_eq!(done.rejected, oracle::rejected(&rule, TEXT));

        let records = Records::from_u32(&[0, 5, 5, 40, 41]).expect("they ascend");
        tokenizer
            .tokenize(TEXT, Some(records), &mut spans)
            .expect("records of the text");
        let cells = [&TEXT[..5], &TEXT[5..40], &TEXT[40..41]];
        let expected: Vec<&[u8]> = cells
            .iter()
            .flat_map(|cell| oracle::tokenize(&rule, cell))
            .collect();
        let tokens: Vec<&[u8]> = spans.iter().map(|span| span.of(TEXT)).collect();
        assert_eq!(tokens, expected, "{rule:?}");

        let cut = last_boundary(LEVEL, &rule, TEXT).expect("every rule finds a cut here");
        let (left, right) = (&TEXT[..cut.end], &TEXT[cut.next..]);
        let both = [
            oracle::tokenize(&rule, left),
            oracle::tokenize(&rule, right),
        ]
        .concat();
        assert_eq!(both, oracle::tokenize(&rule, TEXT), "{rule:?}");
    }
    Framer::new(LEVEL, &Tuning::TINY)
        .frame(TEXT, &mut spans)
        .expect("a short text");
    let lines: Vec<&[u8]> = spans.iter().map(|span| span.of(TEXT)).collect();
    assert_eq!(lines, oracle::frame(TEXT));
}

#[test]
fn lower_case() {
    let text = "ÄRGER Σ \u{130} ok \u{1F600}".as_bytes();
    let mut out = Vec::new();
    assert_eq!(lowercase(LEVEL, text, &mut out), LEVEL);
    assert_eq!(out, oracle::lowercase(text));
}

#[test]
fn counts_through_partitions() {
    let colliding = Tuning::TINY.all_colliding();
    let settings = rules().map(|rule| (rule, Tuning::TINY));
    for (rule, tuning) in settings.iter().chain([&(TokenRule::Lines, colliding)]) {
        let mut expected = oracle::count(rule, TEXT);
        expected.values_mut().for_each(|count| *count *= 2);
        let mut counter = Counter::new(LEVEL, rule, tuning, 7);
        let mut partitions = vec![KeyCounts::default(); 2];
        counter.push(TEXT);
        counter.flush(&mut partitions);
        counter.push(TEXT);
        partitions.iter().for_each(|part| counter.absorb(part));
        assert_eq!(counter.tokens(), expected.values().sum::<u64>());
        let mut groups = KeyCounts::default();
        counter.drain_into(&mut groups);
        assert_eq!(counts_of(&groups), expected, "{rule:?}");
    }
}

#[test]
fn rows_by_partition() {
    let seed = HashSeed(7);
    let mut stage = HashPartition::new(LEVEL, seed, 3);
    let mut rows = Partitioned::default();
    let offsets = [0u32, 2, 5, 5, 41, 44, 61, 80];
    stage.bytes(TEXT, &offsets, &mut rows);
    let hashes: Vec<u64> = offsets
        .windows(2)
        .map(|ends| &TEXT[ends[0] as usize..ends[1] as usize])
        .map(|key| keymill_kernels::stable_hash::hash_bytes(seed, key))
        .collect();
    for (partition, expected) in oracle::hash_partition(&hashes, 3).iter().enumerate() {
        assert_eq!(rows.rows_of(partition), expected);
    }
}

#[test]
fn rows_reduced() {
    let near: Vec<u64> = (0..60).map(|row| row * row % 23).collect();
    let far: Vec<u64> = near.iter().map(|key| (key << 58) ^ (key * 7919)).collect();
    let values: Vec<i64> = (0..60).map(|row| i64::MAX >> (row % 9) | row).collect();
    for (keys, tuning) in [near, far]
        .iter()
        .flat_map(|keys| tunings().map(|tuning| (keys, tuning)))
    {
        let new = || -> ReduceByKey<u64, (Count, Sum, Min, Max)> {
            ReduceByKey::new(LEVEL, tuning, HashKey::from_seed(7))
        };
        let (mut first, mut second) = (new(), new());
        first.update(&keys[..20], &values[..20]);
        second.update(&keys[20..], &values[20..]);
        first.merge(&mut second);
        let mut groups = BTreeMap::new();
        first.drain(Order::ByKey, |keys, outputs| {
            for (&key, &(count, sum, min, max)) in keys.iter().zip(outputs) {
                groups.insert(
                    key,
                    Reduced {
                        count,
                        sum,
                        min,
                        max,
                    },
                );
            }
        });
        assert_eq!(groups, oracle::reduce_by_key(keys, &values));
    }
}
