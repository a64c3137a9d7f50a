//! Rows are reduced by key in two reducers, which are merged. The groups are those of the oracle,
//! in order.
#![no_main]

use arbitrary::Arbitrary;
use keymill_fuzz::each_setting;
use keymill_kernels::oracle::{self, Reduced};
use keymill_kernels::stage::reduce_by_key::{
    Count, IntKey, Max, Min, Order, ReduceByBytes, ReduceByKey, Sum,
};
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashKey, Level, Tuning};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Job {
    seed: u64,
    split: u16,
    merge_at: u16,
    keys: Keys,
    values: Vec<i64>,
}

/// Sparse keys, and keys dense enough to be array indices.
#[derive(Arbitrary, Debug)]
enum Keys {
    Bytes(Vec<u8>),
    Wide(Vec<u64>),
    Signed(Vec<i64>),
    Narrow(Vec<u32>),
    NarrowSigned(Vec<i32>),
    /// A text, and the start and end of each key in it.
    Texts(Vec<u8>, Vec<(u16, u16)>),
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
        Keys::Texts(text, places) => reduce_texts(&job, text, places),
    }
});

/// Returns one value for each of `rows` rows.
fn values(job: &Job, rows: usize) -> Vec<i64> {
    let pick = |row: usize| job.values.get(row % job.values.len().max(1)).copied();
    (0..rows).map(|row| pick(row).unwrap_or(1)).collect()
}

/// Reduces spans in two batches. The spans may overlap and have any order.
fn reduce_texts(job: &Job, text: &[u8], places: &[(u16, u16)]) {
    let place = |at: u16| u32::from(at) % (text.len() as u32 + 1);
    let spans = places.iter().map(|&(one, other)| Span {
        start: place(one).min(place(other)),
        end: place(one).max(place(other)),
    });
    let spans: Vec<Span> = spans.collect();
    let keys: Vec<&[u8]> = spans.iter().map(|span| span.of(text)).collect();
    let values = values(job, keys.len());
    let expected = oracle::reduce_by_key(&keys, &values);
    let split = usize::from(job.split).min(keys.len());
    each_setting(|level, tuning| {
        let mut reducer: ReduceByBytes<(Count, Sum, Min, Max)> =
            ReduceByBytes::new(level, *tuning, HashKey::from_seed(job.seed));
        for (spans, values) in [
            (&spans[..split], &values[..split]),
            (&spans[split..], &values[split..]),
        ] {
            reducer
                .update(text, spans, values)
                .expect("spans are within the text");
        }
        let mut wanted = expected.iter();
        reducer.drain(Order::ByKey, |key, (count, sum, min, max)| {
            let all = Reduced {
                count,
                sum,
                min,
                max,
            };
            assert_eq!(Some((&key, &all)), wanted.next(), "{level} {tuning:?}");
        });
        assert_eq!(wanted.next(), None, "{level} {tuning:?}");
    });
}

fn reduce<K: IntKey>(job: &Job, keys: &[K]) {
    let values = values(job, keys.len());
    let expected: Vec<(K, Reduced)> = oracle::reduce_by_key(keys, &values).into_iter().collect();
    each_setting(|level, tuning| {
        assert_eq!(
            reduced(job, level, tuning, keys, &values),
            expected,
            "{level} {tuning:?}"
        );
        let mut counter: ReduceByKey<K, Count> =
            ReduceByKey::new(level, *tuning, HashKey::from_seed(job.seed));
        counter.count(keys);
        assert_eq!(counter.size(), expected.len(), "{level} {tuning:?}");
        let mut counts = Vec::new();
        counter.for_each(|key, count| counts.push((key, count)));
        counts.sort_unstable();
        let wanted: Vec<(K, u64)> = expected
            .iter()
            .map(|(key, all)| (*key, all.count))
            .collect();
        assert_eq!(counts, wanted, "{level} {tuning:?}");
    });
}

/// Reduces the first rows in one reducer, in two batches, and the other rows in a second reducer.
/// Then merges both and returns the groups.
fn reduced<K: IntKey>(
    job: &Job,
    level: Level,
    tuning: &Tuning,
    keys: &[K],
    values: &[i64],
) -> Vec<(K, Reduced)> {
    let new = || -> ReduceByKey<K, (Count, Sum, Min, Max)> {
        ReduceByKey::new(level, *tuning, HashKey::from_seed(job.seed))
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
