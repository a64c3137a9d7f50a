//! Rows and groups are in the partition that their stable hash selects, at all levels, and after a
//! partition is split.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::{Counts, offsets, summed};
use keymill_kernels::stable_hash::{hash_bytes, partition_of, split_again};
use keymill_kernels::stage::count::{Counter, split};
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::{HashSeed, KeyCounts, Level, TokenRule, Tuning, oracle};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job<'a> {
    seed: u64,
    partitions: u8,
    integers: Vec<u64>,
    cuts: Vec<u16>,
    text: &'a [u8],
}

fuzz_target!(|job: Job| {
    let seed = HashSeed(job.seed);
    let count = usize::from(job.partitions % 16 + 1);
    let offsets = offsets(&job.cuts, job.text);
    let keys: Vec<&[u8]> = offsets
        .windows(2)
        .map(|ends| &job.text[ends[0] as usize..ends[1] as usize])
        .collect();
    for level in Level::available() {
        rows(level, seed, count, &job, &offsets, &keys);
        groups(level, seed, count, &keys);
    }
});

fn rows(level: Level, seed: HashSeed, count: usize, job: &Job, offsets: &[u32], keys: &[&[u8]]) {
    let mut stage = HashPartition::new(level, seed, count);
    let mut out = Partitioned::default();
    let check = |out: &Partitioned, hashes: Vec<u64>| {
        let expected = oracle::hash_partition(&hashes, count);
        for (partition, rows) in expected.iter().enumerate() {
            assert_eq!(out.rows_of(partition), rows, "{level} {partition}");
        }
        assert_eq!(out.rows().len(), hashes.len());
    };
    stage.bytes(job.text, offsets, &mut out);
    check(&out, keys.iter().map(|key| hash_bytes(seed, key)).collect());
    stage.u64s(&job.integers, &mut out);
    check(
        &out,
        job.integers
            .iter()
            .map(|n| hash_bytes(seed, &n.to_le_bytes()))
            .collect(),
    );
    let narrow: Vec<u32> = job.integers.iter().map(|&n| n as u32).collect();
    stage.u32s(&narrow, &mut out);
    check(
        &out,
        narrow
            .iter()
            .map(|n| hash_bytes(seed, &n.to_le_bytes()))
            .collect(),
    );
}

fn groups(level: Level, seed: HashSeed, count: usize, keys: &[&[u8]]) {
    let mut groups = KeyCounts::default();
    let mut expected = Counts::new();
    for (n, key) in (1..).zip(keys) {
        groups.push(key, n);
        *expected.entry(key.to_vec()).or_default() += n;
    }
    let mut counter = Counter::new(level, &TokenRule::Whitespace, &Tuning::TINY, seed.0);
    let mut partitions = vec![KeyCounts::default(); count];
    counter.absorb(&groups);
    counter.flush(&mut partitions);
    assert!(counter.is_empty());
    assert_eq!(summed(&partitions), expected, "{level}");
    check_partitions(&partitions, |key| {
        partition_of(hash_bytes(seed, key), count as u32)
    });

    for whole in &partitions {
        let mut parts = vec![KeyCounts::default(); 3];
        split(whole, level, seed, &mut parts);
        assert_eq!(summed(&parts), summed([whole]), "{level}");
        check_partitions(&parts, |key| split_again(hash_bytes(seed, key), 3));
    }
}

fn check_partitions(partitions: &[KeyCounts], partition_of_key: impl Fn(&[u8]) -> u32) {
    for (partition, groups) in (0..).zip(partitions) {
        groups.for_each(|key, _| assert_eq!(partition_of_key(key), partition, "{key:?}"));
    }
}
