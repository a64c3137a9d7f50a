//! Groups handed to partitions: every key in the partition that its bytes' contract hash names,
//! at every level, and again where a partition is split.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::{Counts, counts_of};
use keymill_kernels::contract_hash::{hash_bytes, partition_of, split_again};
use keymill_kernels::stage::count::{Counter, split};
use keymill_kernels::{ContractSeed, Groups, Level, Limits, TokenRule};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job {
    seed: u64,
    partitions: u8,
    groups: Vec<(Vec<u8>, u32)>,
}

fuzz_target!(|job: Job| {
    let seed = ContractSeed(job.seed);
    let count = u32::from(job.partitions % 16 + 1);
    let mut groups = Groups::default();
    let mut expected = Counts::new();
    for (key, n) in &job.groups {
        let n = u64::from(*n) + 1;
        groups.push(key, n);
        *expected.entry(key.clone()).or_default() += n;
    }
    for level in Level::available() {
        let mut partitions = vec![Groups::default(); count as usize];
        let mut counter = Counter::new(level, &TokenRule::Whitespace, &Limits::TINY, job.seed);
        counter.absorb(&groups);
        counter.flush(&mut partitions);
        assert!(counter.is_empty());
        assert_eq!(counts_of(&partitions), expected, "{level}");
        all_at_home(&partitions, |key| {
            partition_of(hash_bytes(seed, key), count)
        });

        for whole in &partitions {
            let mut parts = vec![Groups::default(); 3];
            split(whole, level, seed, &mut parts);
            assert_eq!(counts_of(&parts), counts_of([whole]), "{level}");
            all_at_home(&parts, |key| split_again(hash_bytes(seed, key), 3));
        }
    }
});

fn all_at_home(partitions: &[Groups], home: impl Fn(&[u8]) -> u32) {
    for (here, groups) in (0..).zip(partitions) {
        groups.for_each(|key, _| assert_eq!(home(key), here, "{key:?}"));
    }
}
