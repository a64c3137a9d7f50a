//! Compares every level, size and hash with the oracle.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::oracle::{Reduced, reduce_by_key};
use crate::stage::tokenize::Span;

/// Maximum number of rows of a case; Miri is slow.
const MOST_ROWS: usize = if cfg!(miri) { 40 } else { 600 };

type All = (Count, Sum, Min, Max);

/// Every level with the default sizes and the tiny ones, each also with one hash for all keys.
fn settings() -> Vec<(Level, Tuning)> {
    let tuning = [Tuning::DEFAULT, Tuning::TINY];
    let tuning = tuning.into_iter().flat_map(|l| [l, l.all_colliding()]);
    let setting = |tuning| {
        Level::available()
            .into_iter()
            .map(move |level| (level, tuning))
    };
    tuning.flat_map(setting).collect()
}

fn reducer<K: IntKey, A: Aggregate>((level, tuning): (Level, Tuning)) -> ReduceByKey<K, A> {
    ReduceByKey::new(level, tuning, HashKey::from_seed(7))
}

/// Drains a reducer and returns its rows ordered by key; checks the sizes of batches.
fn drained<K: IntKey, A: Aggregate>(
    reducer: &mut ReduceByKey<K, A>,
    order: Order,
) -> Vec<(K, A::Output)> {
    let most = reducer.sizes.tile_rows;
    let size = reducer.size();
    let mut rows = Vec::new();
    reducer.drain(order, |keys, outputs| {
        assert!(keys.len() == outputs.len() && (1..=most).contains(&keys.len()));
        rows.extend(keys.iter().copied().zip(outputs.iter().copied()));
    });
    assert_eq!(rows.len(), size);
    assert_eq!(reducer.size(), 0);
    if order == Order::Any {
        rows.sort_unstable_by_key(|&(key, _)| key);
    }
    rows
}

fn expected<K: IntKey>(keys: &[K], values: &[i64]) -> Vec<(K, (u64, i128, i64, i64))> {
    let row = |(key, all): (K, Reduced)| (key, (all.count, all.sum, all.min, all.max));
    reduce_by_key(keys, values).into_iter().map(row).collect()
}

/// Reduces rows cut into batches, and again after a drain.
fn check<K: IntKey>(keys: &[K], values: &[i64], batch: usize) {
    let expected = expected(keys, values);
    for setting in settings() {
        let mut reducer = reducer::<K, All>(setting);
        for order in [Order::ByKey, Order::Any] {
            for (keys, values) in keys.chunks(batch).zip(values.chunks(batch)) {
                reducer.update(keys, values);
            }
            assert_eq!(
                drained(&mut reducer, order),
                expected,
                "{setting:?} {order:?}"
            );
        }
    }
}

/// Keys of one of several kinds: few, dense, far apart, extreme, and all of these.
fn keys() -> impl Strategy<Value = Vec<u64>> {
    let key = prop_oneof![
        0u64..8,
        1000u64..1300,
        (0u64..200).prop_map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        (0u32..64).prop_map(|bit| 1 << bit),
        (0u64..4).prop_map(|i| u64::MAX - i),
        any::<u64>(),
    ];
    let mixed = proptest::collection::vec(key, 0..MOST_ROWS);
    let dense = proptest::collection::vec(500u64..700, 0..MOST_ROWS);
    let few = proptest::collection::vec((0u64..20).prop_map(|i| i << 58 | i), 0..MOST_ROWS);
    prop_oneof![mixed, dense, few]
}

/// Values that are small, or so large that sums exceed 64 bits.
fn values(rows: usize) -> impl Strategy<Value = Vec<i64>> {
    let any = proptest::collection::vec(any::<i64>(), rows);
    let small = proptest::collection::vec(-1000i64..1000, rows);
    let ends = prop_oneof![Just(i64::MAX), Just(i64::MIN), -1i64..=1];
    prop_oneof![any, small, proptest::collection::vec(ends, rows)]
}

fn rows() -> impl Strategy<Value = (Vec<u64>, Vec<i64>)> {
    keys().prop_flat_map(|keys| (values(keys.len()), Just(keys)).prop_map(|(v, k)| (k, v)))
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 48 })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn results_equal_those_of_the_oracle((keys, values) in rows(), batch in 1..MOST_ROWS) {
        check(&keys, &values, batch);
    }

    #[test]
    fn keys_of_every_width_reduce_as_by_the_oracle((keys, values) in rows()) {
        check(&keys.iter().map(|&key| key as i64).collect::<Vec<_>>(), &values, 77);
        check(&keys.iter().map(|&key| key as u32).collect::<Vec<_>>(), &values, 77);
        check(&keys.iter().map(|&key| key as i32).collect::<Vec<_>>(), &values, 77);
    }

    #[test]
    fn merged_parts_equal_the_whole((keys, values) in rows(), cut in 0..MOST_ROWS) {
        let cut = cut.min(keys.len());
        let whole = expected(&keys, &values);
        for setting in settings() {
            let (mut first, mut second) = (reducer::<u64, All>(setting), reducer::<u64, All>(setting));
            first.update(&keys[..cut], &values[..cut]);
            second.update(&keys[cut..], &values[cut..]);
            first.merge(&mut second);
            prop_assert_eq!(drained(&mut first, Order::ByKey), &whole[..], "{:?}", setting);
            let part = expected(&keys[cut..], &values[cut..]);
            prop_assert_eq!(drained(&mut second, Order::ByKey), part, "{:?}", setting);
        }
    }
}

#[test]
fn each_aggregate_alone_gives_the_same_as_in_a_tuple() {
    let keys: Vec<u64> = (0..500).map(|i| i * i % 97).collect();
    let values: Vec<i64> = (0..500).map(|i| (i * 7919) % 1009 - 500).collect();
    let oracle = reduce_by_key(&keys, &values);
    for setting in settings() {
        fn alone<A: Aggregate>(
            setting: (Level, Tuning),
            keys: &[u64],
            values: &[i64],
        ) -> BTreeMap<u64, A::Output> {
            let mut reducer = reducer::<u64, A>(setting);
            reducer.update(keys, values);
            let mut seen = BTreeMap::new();
            reducer.for_each(|key, output| assert!(seen.insert(key, output).is_none()));
            seen
        }
        let count = alone::<Count>(setting, &keys, &values);
        let sum = alone::<Sum>(setting, &keys, &values);
        let wide = alone::<WideSum>(setting, &keys, &values);
        let min_max = alone::<(Min, Max)>(setting, &keys, &values);
        for (key, all) in &oracle {
            assert_eq!(
                (count[key], sum[key], wide[key]),
                (all.count, all.sum, all.sum)
            );
            assert_eq!(min_max[key], (all.min, all.max));
        }
        assert_eq!([count.len(), sum.len(), min_max.len()], [oracle.len(); 3]);
        let mut counter = reducer::<u64, Count>(setting);
        counter.count(&keys);
        assert_eq!(drained(&mut counter, Order::ByKey), Vec::from_iter(count));
    }
}

#[test]
fn sums_may_exceed_64_bits_and_return() {
    for setting in settings() {
        let mut sums = reducer::<u64, Sum>(setting);
        for _ in 0..3 {
            sums.update(&[0, 5, 0, 5], &[i64::MAX, i64::MIN, i64::MAX, i64::MIN]);
        }
        sums.update(&[5; 6], &[i64::MAX; 6]);
        let rows = drained(&mut sums, Order::ByKey);
        assert_eq!(rows, [(0, 6 * i128::from(i64::MAX)), (5, -6)]);
        sums.update(&[5], &[1]);
        assert_eq!(drained(&mut sums, Order::ByKey), [(5, 1)]);
        // One more than fits in 64 bits; the bound exceeds them by little, too.
        sums.update(&[5], &[i64::MAX]);
        sums.update(&[5], &[1]);
        assert_eq!(drained(&mut sums, Order::ByKey), [(5, 1 << 63)]);
    }
}

#[test]
fn groups_move_through_all_tables() {
    let tuning = Tuning::TINY;
    let mut sums = reducer::<u64, Sum>((Level::best(), tuning));
    let mut seen = Vec::new();
    let mut keys: Vec<u64> = Vec::new();
    for i in 0..400u64 {
        let key = if i < 1 {
            i
        } else {
            i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        keys.push(key);
        sums.update(&[key], &[1]);
        let Width::Narrow(groups) = &sums.groups else {
            panic!("ones do not need 128 bits");
        };
        if seen.last() != Some(&groups.table_name()) {
            seen.push(groups.table_name());
        }
    }
    assert_eq!(seen, ["dense", "small", "large", "partitioned"]);
    assert!(sums.bytes() > 0);
    assert_eq!(sums.size(), keys.len());
}

#[test]
fn the_key_that_marks_free_slots_is_counted_too() {
    for setting in settings() {
        let mut counts = reducer::<u64, Count>(setting);
        let powers: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
        // Distant keys first, so that the powers do not go to a dense table.
        let rows = [&[u64::MAX, u64::MAX - 7][..], &powers, &powers, &[0, 0, 0]].concat();
        for keys in rows.chunks(5) {
            counts.count(keys);
        }
        let ones = vec![0; rows.len()];
        let expected = reduce_by_key(&rows, &ones);
        let expected: Vec<_> = expected
            .iter()
            .map(|(&key, all)| (key, all.count))
            .collect();
        assert_eq!(drained(&mut counts, Order::ByKey), expected, "{setting:?}");
    }
}

#[test]
#[should_panic(expected = "one value for each key")]
fn too_few_values_are_refused() {
    reducer::<u64, Sum>((Level::Scalar, Tuning::TINY)).update(&[1, 2], &[3]);
}

/// Keys of bytes; some are empty, have a common prefix, or are not UTF-8.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop_oneof![Just(0), Just(b'a'), any::<u8>()];
    let key = prop_oneof![
        proptest::collection::vec(byte, 0..4),
        (0u8..5, 0usize..40).prop_map(|(last, bytes)| [&vec![b'k'; bytes][..], &[last]].concat()),
    ];
    proptest::collection::vec(key, 0..MOST_ROWS)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn keys_of_bytes_are_reduced_as_by_the_oracle(
        (keys, values) in texts().prop_flat_map(|keys| (Just(keys.clone()), values(keys.len()))),
        batch in 1..MOST_ROWS,
    ) {
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let expected = reduce_by_key(&slices, &values);
        let text = keys.concat();
        let spans: Vec<Span> = keys
            .iter()
            .scan(0, |end, key| {
                let start = *end;
                *end += key.len() as u32;
                Some(Span { start, end: *end })
            })
            .collect();
        for (level, tuning) in settings() {
            let mut reducer: ReduceByBytes<All> =
                ReduceByBytes::new(level, tuning, HashKey::from_seed(7));
            for order in [Order::ByKey, Order::Any] {
                for (spans, values) in spans.chunks(batch).zip(values.chunks(batch)) {
                    reducer.update(&text, spans, values).unwrap();
                }
                prop_assert_eq!(reducer.size(), expected.len());
                let mut found = Vec::new();
                reducer.drain(order, |key, (count, sum, min, max)| {
                    let all = Reduced { count, sum, min, max };
                    found.push((key.to_vec(), all));
                });
                if order == Order::Any {
                    found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
                }
                let wanted = expected.iter().map(|(key, all)| (key.to_vec(), *all));
                prop_assert_eq!(found, wanted.collect::<Vec<_>>());
                prop_assert_eq!(reducer.size(), 0);
            }
        }
    }
}

#[test]
fn a_key_outside_the_text_changes_nothing() {
    let mut sums = ReduceByBytes::<Sum>::new(Level::best(), Tuning::TINY, HashKey::from_seed(7));
    let spans = [(0, 1), (2, 4)].map(|(start, end)| Span { start, end });
    assert!(sums.update(b"abc", &spans, &[1, 2]).is_err());
    assert_eq!(sums.size(), 0);
    sums.for_each(|key, sum| panic!("{key:?} has {sum}"));
}
