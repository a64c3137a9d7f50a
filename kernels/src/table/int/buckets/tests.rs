//! The places of keys, for many hash keys and orders of arrival.

use super::*;
use crate::stage::reduce_by_key::Count;
use crate::table::HashKey;

#[test]
fn few_groups_are_in_their_homes_with_any_hash_key() {
    for seed in 0..if cfg!(miri) { 1 } else { 100 } {
        let mut table = BucketTable::<Count, 1>::new(TableSizes {
            slots: 1 << 12,
            prefetch_bytes: 1 << 18,
            fill: 1,
            hash: IntHash::new(HashKey::from_seed(seed), u64::MAX),
        });
        let groups = if cfg!(miri) { 20 } else { 100 };
        for key in 0..groups {
            table.add(key << 20, 0);
        }
        assert_eq!(table.len(), groups as usize);
        assert!(table.displaced <= 1, "{} with seed {seed}", table.displaced);
        let mut counts = Vec::new();
        table.for_each(|key, count| counts.push((key, count)));
        counts.sort_unstable();
        assert!((0..groups).all(|key| counts[key as usize] == (key << 20, 1)));
    }
}

#[test]
#[cfg_attr(miri, ignore = "a statistic, without unsafe code of its own")]
fn groups_in_hash_order_of_another_table_do_not_crowd() {
    let sizes = TableSizes {
        slots: 1 << 6,
        prefetch_bytes: 1 << 18,
        fill: 7,
        hash: IntHash::new(HashKey::from_seed(3), u64::MAX),
    };
    let groups = 100_000;
    let mut one = BucketTable::<Count, 4>::new(sizes);
    (0..groups).for_each(|key: u64| one.add(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0));
    let mut other = BucketTable::<Count, 4>::new(sizes);
    let mut far = 0;
    one.for_each(|key, count| {
        other.merge(key, count);
        let Ok((bucket, _)) = other.find_or_free(key) else {
            panic!("{key} was merged")
        };
        let from_home = bucket.wrapping_sub(other.home(key)) % other.buckets.len();
        far += usize::from(from_home > FAR_FROM_HOME);
    });
    assert_eq!(other.len(), one.len());
    assert!(far * 50 < one.len(), "{far} keys are far from home");
}
