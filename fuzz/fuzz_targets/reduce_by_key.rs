//! Rows reduced by key, in two reducers that are merged: the oracle's groups, in order.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::each_setting;
use keymill_kernels::oracle::{self, Reduced};
use keymill_kernels::stage::reduce_by_key::{Count, IntKey, Max, Min, Order, ReduceByKey, Sum};
use keymill_kernels::{Level, Limits, Secret};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job {
    seed: u64,
    split: u16,
    merge_at: u16,
    keys: Keys,
    values: Vec<i64>,
}

/// Keys far apart, and keys near enough to be addressed without a hash.
#[derive(Arbitrary, Debug)]
enum Keys {
    Bytes(Vec<u8>),
    Wide(Vec<u64>),
    Signed(Vec<i64>),
    Narrow(Vec<u32>),
    NarrowSigned(Vec<i32>),
}

fuzz_target!(|job: Job| {
    match &job.keys {
        Keys::Bytes(keys) => {
            let keys: Vec<u64> = keys.iter().map(|&key| u64::from(key)).collect();
            reduce(&job, &keys);
        }
        Keys::Wide(keys) => reduce(&job, keys),
        Keys::Signed(keys) => reduce(&job, keys),
        Keys::Narrow(keys) => reduce(&job, keys),
        Keys::NarrowSigned(keys) => reduce(&job, keys),
    }
});

fn reduce<K: IntKey>(job: &Job, keys: &[K]) {
    let pick = |row: usize| job.values.get(row % job.values.len().max(1)).copied();
    let values: Vec<i64> = (0..keys.len()).map(|row| pick(row).unwrap_or(1)).collect();
    let expected: Vec<(K, Reduced)> = oracle::reduce_by_key(keys, &values).into_iter().collect();
    each_setting(|level, limits| {
        assert_eq!(
            reduced(job, level, limits, keys, &values),
            expected,
            "{level} {limits:?}"
        );
        let mut counter: ReduceByKey<K, Count> =
            ReduceByKey::new(level, *limits, Secret::from_seed(job.seed));
        counter.count(keys);
        assert_eq!(counter.size(), expected.len(), "{level} {limits:?}");
        let mut counts = Vec::new();
        counter.for_each(|key, count| counts.push((key, count)));
        counts.sort_unstable();
        let wanted: Vec<(K, u64)> = expected
            .iter()
            .map(|(key, all)| (*key, all.count))
            .collect();
        assert_eq!(counts, wanted, "{level} {limits:?}");
    });
}

/// The first rows in one reducer, in two batches, the others in a second; then both in one.
fn reduced<K: IntKey>(
    job: &Job,
    level: Level,
    limits: &Limits,
    keys: &[K],
    values: &[i64],
) -> Vec<(K, Reduced)> {
    let new = || -> ReduceByKey<K, (Count, Sum, Min, Max)> {
        ReduceByKey::new(level, *limits, Secret::from_seed(job.seed))
    };
    let (mut mine, mut other) = (new(), new());
    let merge_at = usize::from(job.merge_at).min(keys.len());
    let split = usize::from(job.split).min(merge_at);
    mine.update(&keys[..split], &values[..split]);
    mine.update(&keys[split..merge_at], &values[split..merge_at]);
    other.update(&keys[merge_at..], &values[merge_at..]);
    mine.merge(&mut other);

    let mut rows = Vec::new();
    mine.drain(Order::ByKey, |keys, outputs| {
        rows.extend(
            keys.iter()
                .zip(outputs)
                .map(|(&key, &(count, sum, min, max))| {
                    (
                        key,
                        Reduced {
                            count,
                            sum,
                            min,
                            max,
                        },
                    )
                }),
        );
    });
    assert_eq!(mine.size(), 0);
    rows
}
