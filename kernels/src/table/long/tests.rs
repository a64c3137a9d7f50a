//! Compares keys of every length with a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn counts(table: &LongTable) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    table.for_each(|key, count| {
        let before = counts.insert(key.to_vec(), count);
        assert_eq!(before, None, "each key once");
    });
    assert_eq!(counts.len(), table.len());
    counts
}

fn keys() -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    let (longest, most) = if cfg!(miri) { (20, 10) } else { (40, 300) };
    let key = prop::collection::vec(prop::sample::select(&b"ab\0\xff"[..]), 0..longest);
    prop::collection::vec((key, 1..5u64), 0..most)
}

proptest! {
    #[test]
    fn every_key_has_the_sum_of_its_counts(all in keys(), colliding: bool) {
        let tuning = if colliding { Tuning::TINY.all_colliding() } else { Tuning::TINY };
        let mut expected = BTreeMap::new();
        for (key, count) in &all {
            *expected.entry(key.clone()).or_insert(0) += count;
        }
        let mut one_by_one = LongTable::new(&tuning, HashKey::from_seed(5));
        all.iter().for_each(|(key, count)| one_by_one.add(key, *count));
        prop_assert_eq!(&counts(&one_by_one), &expected);
        let mut together = LongTable::new(&tuning, HashKey::from_seed(5));
        for _ in 0..2 {
            together.add_all(all.iter().map(|(key, count)| (&key[..], *count)));
            prop_assert_eq!(&counts(&together), &expected);
            together.clear();
            prop_assert_eq!(together.len(), 0);
        }
    }

    #[test]
    fn slices_of_several_tables_add_up(all in keys(), bits in 0..4u32, colliding: bool) {
        let tuning = if colliding { Tuning::TINY.all_colliding() } else { Tuning::TINY };
        let mut tables = [1, 2, 3].map(|_| LongTable::new(&tuning, HashKey::from_seed(9)));
        let mut expected = BTreeMap::new();
        for (i, (key, count)) in all.iter().enumerate() {
            tables[i % 3].add(key, *count);
            *expected.entry(key.clone()).or_insert(0) += count;
        }
        let mut seen = BTreeMap::new();
        let tables = tables.each_ref();
        for slice in 0..1 << bits {
            LongTable::add_up_in(&tables, slice, bits, |key, count| {
                assert_eq!(seen.insert(key.to_vec(), count), None);
            });
        }
        prop_assert_eq!(seen, expected);
    }
}

#[test]
#[cfg_attr(miri, ignore = "a statistic, without unsafe code of its own")]
fn keys_that_differ_in_one_byte_or_in_length_have_different_hashes() {
    let table = LongTable::new(&Tuning::DEFAULT, HashKey::from_seed(1));
    let mut seen = std::collections::HashSet::new();
    for length in 0..80 {
        let mut key = vec![0; length];
        assert!(seen.insert(table.hash(&key)), "{length} zeros");
        for at in 0..length {
            key[at] = 1;
            assert!(seen.insert(table.hash(&key)), "byte {at} of {length}");
            key[at] = 0;
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a statistic, without unsafe code of its own")]
fn keys_in_hash_order_do_not_crowd() {
    let keys = 50_000u64;
    let mut table = LongTable::new(&Tuning::DEFAULT, HashKey::from_seed(3));
    let mut sorted: Vec<_> = (0..keys)
        .map(|key| {
            let key = format!("a key of some length {key}").into_bytes();
            (table.hash(&key), key)
        })
        .collect();
    sorted.sort_unstable();
    let mut far = 0;
    for (hash, key) in &sorted {
        table.add(key, 1);
        let steps = (0..table.slots.len()).position(|step| {
            let slot = table.slots[(table.home(*hash) + step) & (table.slots.len() - 1)];
            place_in(slot).is_some_and(|place| table.records.key(place) == key)
        });
        far += usize::from(steps.expect("it is there") > FAR_FROM_HOME);
    }
    assert!(far * 20 < sorted.len(), "{far} keys are far from home");
}

#[test]
fn a_table_that_held_a_very_long_key_becomes_small_again() {
    let mut table = LongTable::new(&Tuning::TINY, HashKey::from_seed(7));
    table.add(&vec![7; 100_000], 1);
    assert!(table.bytes() > 100_000);
    table.clear();
    assert!(
        table.bytes() <= Tuning::TINY.flush_bytes,
        "{} bytes",
        table.bytes()
    );
    let keys = if cfg!(miri) { 50 } else { 5000u32 };
    (0..keys).for_each(|key| table.add(&key.to_be_bytes(), 1));
    table.clear();
    assert!(
        table.bytes() <= Tuning::TINY.flush_bytes,
        "{} bytes",
        table.bytes()
    );
    table.add(b"a key", 2);
    assert_eq!(
        counts(&table).into_iter().collect::<Vec<_>>(),
        [(b"a key".to_vec(), 2)]
    );
}
