//! Compares integer keys, single and in pairs, with a hash map of the standard library.

use std::collections::HashMap;
use std::hash::Hash;

use proptest::prelude::*;

use super::*;
use crate::PairKeyTable;

/// Every level with the default sizes and the tiny ones, each also with one hash for all keys.
fn settings() -> Vec<(Level, Tuning)> {
    let tuning = [Tuning::DEFAULT, Tuning::TINY];
    let tuning = tuning.into_iter().flat_map(|l| [l, l.all_colliding()]);
    // The default sizes without collisions, and the tiny ones with them.
    let tuning = tuning.step_by(if cfg!(miri) { 3 } else { 1 });
    let on_levels = |tuning| {
        Level::available()
            .into_iter()
            .map(move |level| (level, tuning))
    };
    tuning.flat_map(on_levels).collect()
}

/// Returns the ids that keys get in order of first arrival.
fn oracle<K: Copy + Eq + Hash>(seen: &mut HashMap<K, u32>, keys: &[K]) -> Vec<u32> {
    let id_of = |&key: &K| {
        let fresh = seen.len() as u32;
        *seen.entry(key).or_insert(fresh)
    };
    keys.iter().map(id_of).collect()
}

/// Interns batches of keys twice, with a clear between, and compares with the oracle.
fn check(level: Level, tuning: &Tuning, batches: &[Vec<u64>]) {
    let mut ints = IntKeyTable::new(tuning, HashKey::from_seed(3));
    let mut pairs = PairKeyTable::new(tuning, HashKey::from_seed(3));
    for round in 0..2 {
        let mut seen = HashMap::new();
        let (mut expected, mut ids, mut pair_ids) = (vec![9], vec![9], vec![9]);
        for keys in batches {
            expected.extend(oracle(&mut seen, keys));
            ints.intern(level, keys, &mut ids).unwrap();
            // Many of these differ only in the second word, the others only in the first.
            let keys: Vec<_> = keys.iter().map(|&key| [key & !0xf, key & 0xf]).collect();
            pairs.intern(level, &keys, &mut pair_ids).unwrap();
        }
        assert!(ids == expected, "{level} {tuning:?} round {round}");
        assert!(pair_ids == expected, "{level} {tuning:?} round {round}");
        assert_eq!((ints.len(), pairs.len()), (seen.len(), seen.len()));
        for (&key, &id) in &seen {
            assert_eq!(ints.keys()[id as usize], key);
            assert_eq!(pairs.keys()[id as usize], [key & !0xf, key & 0xf]);
        }
        for key in batches
            .iter()
            .flatten()
            .flat_map(|&key| [key, !key, key ^ 1])
        {
            let id = seen.get(&key).copied();
            assert_eq!(ints.get(key), id, "{level} {tuning:?} {key}");
            assert_eq!(pairs.get([key & !0xf, key & 0xf]), id, "{tuning:?} {key}");
        }
        let bytes = (ints.bytes(), pairs.bytes());
        ints.clear();
        pairs.clear();
        assert!(ints.is_empty() && pairs.is_empty());
        assert_eq!((ints.bytes(), pairs.bytes()), bytes, "memory is kept");
        assert_eq!((ints.get(7), pairs.get([0, 7])), (None, None));
        ints.reserve(5).unwrap();
        pairs.reserve(5).unwrap();
    }
}

/// Small numbers, neighbours of a large one, any numbers, and the extremes.
fn key() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..50u64,
        2 => (0..50u64).prop_map(|key| (1 << 40) + key),
        1 => any::<u64>(),
        1 => proptest::sample::select(vec![0, u64::MAX, 1 << 63, u64::MAX - 1]),
    ]
}

/// Batches of keys, of one kind or of all kinds.
fn batches() -> impl Strategy<Value = Vec<Vec<u64>>> {
    let most = if cfg!(miri) { 8 } else { 400 };
    let any = proptest::collection::vec(key(), 0..most);
    let small = proptest::collection::vec(7..300u64, 0..most);
    proptest::collection::vec(prop_oneof![any, small], 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 24 }))]

    #[test]
    fn ids_are_in_order_of_first_arrival(batches in batches()) {
        for (level, tuning) in settings() {
            check(level, &tuning, &batches);
        }
    }
}

#[test]
fn keys_of_every_pattern_are_distinguished() {
    let rows = if cfg!(miri) { 12 } else { 20_000u64 };
    let patterns: [fn(u64) -> u64; 6] = [
        |i| i,
        |i| u64::MAX - i,
        |i| i << 40,
        |i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        |i| i * i % 1009,
        |i| if i < 9000 { i } else { i << 20 },
    ];
    for (level, tuning) in settings() {
        // When all keys collide, each one is compared with all keys before it.
        let rows = if tuning.hash_mask == 0 {
            rows.min(600)
        } else {
            rows
        };
        for pattern in patterns.into_iter().step_by(if cfg!(miri) { 2 } else { 1 }) {
            let keys: Vec<u64> = (0..rows).map(pattern).collect();
            let again = keys.iter().rev().copied().collect();
            check(level, &tuning, &[keys, again]);
        }
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "it takes minutes, and reads no memory that the others do not"
)]
fn small_keys_are_dense_until_one_is_far() {
    let mut table = IntKeyTable::new(&Tuning::DEFAULT, HashKey::from_seed(3));
    let mut ids = Vec::new();
    for key in (0..20_000).rev() {
        table
            .intern(Level::best(), &[1_000_000 + key], &mut ids)
            .unwrap();
    }
    assert!(table.is_dense && table.len() == 20_000);
    table
        .intern(Level::best(), &[1 << 50, 1_000_000], &mut ids)
        .unwrap();
    assert!(!table.is_dense && ids[19_999..] == [19_999, 20_000, 19_999]);
    table.clear();
    assert!(table.is_dense);
    // Keys in no order widen the range again and again.
    let keys: Vec<u64> = (0..20_000).map(|i| i * 7919 % 60_013).collect();
    for keys in keys.chunks(4096) {
        table.intern(Level::best(), keys, &mut ids).unwrap();
        assert!(table.is_dense);
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "it takes minutes, and reads no memory that the others do not"
)]
fn few_keys_have_slots_and_many_do_not() {
    let settings = [
        (Tuning::DEFAULT, true),
        (Tuning::DEFAULT.all_colliding(), false),
    ];
    for (tuning, stays_in_use) in settings {
        let mut table = IntKeyTable::new(&tuning, HashKey::from_seed(3));
        let mut ids = Vec::new();
        for _ in 0..2 {
            let keys: Vec<u64> = (0..BATCH as u64).map(|i| (i % 100) << 40).collect();
            for _ in 0..3 {
                table.intern(Level::best(), &keys, &mut ids).unwrap();
            }
            assert!(
                ids.iter()
                    .zip(0..)
                    .all(|(&id, row)| id == row % BATCH as u32 % 100)
            );
            assert_eq!(
                (table.is_dense, table.direct.is_in_use()),
                (false, stays_in_use)
            );
            let keys: Vec<u64> = (0..600).map(|i| i << 40).collect();
            table.intern(Level::best(), &keys, &mut ids).unwrap();
            assert!(!table.direct.is_in_use() && table.len() == 600);
            table.clear();
            ids.clear();
        }
    }
}

#[test]
fn one_key_more_than_ids_is_an_error() {
    for first in [1, 1 << 50] {
        let mut table = IntKeyTable::new(&Tuning::TINY, HashKey::from_seed(3));
        table.keys.most = 3;
        let mut ids = vec![7];
        let keys = [first, first * 2, first, first * 3, first * 4, first];
        let full = InternError::TooManyKeys { most: 3 };
        assert_eq!(table.intern(Level::best(), &keys, &mut ids), Err(full));
        assert_eq!((&ids[..], table.len()), (&[7][..], 3));
        table.intern(Level::best(), &keys[..4], &mut ids).unwrap();
        assert_eq!(ids, [7, 0, 1, 0, 2]);
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri ends where memory does")]
fn a_table_without_memory_is_an_error() {
    let mut table = IntKeyTable::new(&Tuning::TINY, HashKey::from_seed(3));
    let mut ids = Vec::new();
    table
        .intern(Level::best(), &[1 << 50, 3], &mut ids)
        .unwrap();
    let mut pairs = PairKeyTable::new(&Tuning::TINY, HashKey::from_seed(3));
    for more in [usize::MAX, usize::MAX / 1024] {
        let error = table.reserve(more).unwrap_err();
        assert!(matches!(error, InternError::OutOfMemory { .. }), "{error}");
        assert!(pairs.reserve(more).is_err());
    }
    table.intern(Level::best(), &[3], &mut ids).unwrap();
    assert_eq!(ids, [0, 1, 1]);
}
