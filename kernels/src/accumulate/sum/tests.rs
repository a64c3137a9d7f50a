//! Compares sums and counts with plain 128-bit loops.

use proptest::prelude::*;

use super::*;
use crate::accumulate::Count;

const GROUPS: usize = 7;

/// Batches of rows: a group, a value, and whether it is valid.
fn batches<T: fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<Vec<(u32, T, bool)>>> {
    let row = (0..GROUPS as u32, value, any::<bool>());
    let rows = proptest::collection::vec(row, 0..if cfg!(miri) { 8 } else { 200 });
    proptest::collection::vec(rows, 0..5)
}

fn signed() -> impl Strategy<Value = i64> {
    prop_oneof![-100..100i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

fn unsigned() -> impl Strategy<Value = u64> {
    prop_oneof![0..100u64, any::<u64>(), Just(u64::MAX)]
}

/// The bits of some rows, from bit 3 on.
fn bits_of(valid: impl Iterator<Item = bool>) -> (Vec<u8>, usize) {
    let mut bits = vec![0xff];
    let mut rows = 0;
    for valid in valid {
        let at = 3 + rows;
        bits.resize(at / 8 + 1, 0xff);
        bits[at / 8] &= !(u8::from(!valid) << (at % 8));
        rows += 1;
    }
    (bits, rows)
}

/// Adds every second batch with nulls and the others without, and compares with a plain loop.
fn check<T: SumInput>(level: Level, batches: &[Vec<(u32, T, bool)>]) -> Result<(), TestCaseError> {
    let mut expected: [(Option<i128>, u64); GROUPS] = Default::default();
    let mut sum = Sum::<T>::new(level);
    let mut count = Count::default();
    for (number, rows) in batches.iter().enumerate() {
        let ids: Vec<u32> = rows.iter().map(|row| row.0).collect();
        let values: Vec<T> = rows.iter().map(|row| row.1).collect();
        sum.resize(GROUPS);
        count.resize(GROUPS);
        let with_nulls = number % 2 == 0;
        if with_nulls {
            let (bits, rows) = bits_of(rows.iter().map(|row| row.2));
            let valid = Validity::new(&bits, 3, rows);
            sum.update_valid(&ids, &values, valid);
            count.update_valid(&ids, valid);
        } else {
            sum.update(&ids, &values);
            count.update(&ids);
        }
        for &(id, value, valid) in rows {
            if valid || !with_nulls {
                let (total, count) = &mut expected[id as usize];
                *total = Some(total.unwrap_or(0) + value.into());
                *count += 1;
            }
        }
    }
    sum.resize(GROUPS);
    count.resize(GROUPS);
    let ids: Vec<u32> = (0..GROUPS as u32).collect();
    let totals: Vec<_> = ids.iter().map(|&id| sum.total(id)).collect();
    prop_assert_eq!(&totals, &expected.map(|group| group.0));
    prop_assert_eq!(count.counts(), expected.map(|group| group.1));
    // Merges all groups in reverse order.
    let backward: Vec<u32> = ids.iter().rev().copied().collect();
    sum.merge(&backward, totals.iter().copied()).unwrap();
    for id in ids {
        let (mine, other) = (totals[id as usize], totals[GROUPS - 1 - id as usize]);
        let both = mine.map_or(other, |mine| Some(mine + other.unwrap_or(0)));
        prop_assert_eq!(sum.total(id), both);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 64 }))]

    #[test]
    fn signed_sums_are_exact(batches in batches(signed())) {
        for level in Level::available() {
            check(level, &batches)?;
        }
    }

    #[test]
    fn unsigned_sums_are_exact(batches in batches(unsigned())) {
        for level in Level::available() {
            check(level, &batches)?;
        }
    }
}

#[test]
fn totals_stay_narrow_as_long_as_they_fit() {
    let is_narrow = |sum: &Sum<i64>| matches!(sum.totals, Totals::Narrow(_));
    let mut sum = Sum::<i64>::new(Level::best());
    sum.resize(2);
    for _ in 0..100 {
        // The bound alone would soon be too large; the totals are not.
        sum.update(&[0, 0, 1], &[i64::MAX / 8, -i64::MAX / 8, 5]);
        assert!(is_narrow(&sum));
    }
    assert_eq!((sum.total(0), sum.total(1)), (Some(0), Some(500)));
    sum.update(&[1], &[i64::MAX]);
    assert_eq!(sum.total(1), Some(i128::from(i64::MAX) + 500));
    assert!(!is_narrow(&sum));
    sum.clear();
    sum.resize(1);
    assert!(is_narrow(&sum) && sum.total(0).is_none());
}

#[test]
fn totals_beyond_128_bits_are_refused() {
    let mut sum = Sum::<u64>::new(Level::best());
    sum.resize(2);
    sum.merge(&[0, 1], [Some(i128::MAX), Some(-5)]).unwrap();
    assert_eq!(
        sum.merge(&[1, 0], [Some(4), Some(1)]),
        Err(SumOverflow { id: 0 })
    );
    assert_eq!((sum.total(0), sum.total(1)), (Some(i128::MAX), Some(-1)));
    assert_eq!(sum.merge(&[0], [None]), Ok(()));
}

#[test]
fn counts_merge() {
    let mut count = Count::default();
    count.resize(2);
    count.update(&[0, 1, 0]);
    count.merge(&[1, 0], &[10, u64::MAX]);
    assert_eq!(count.counts(), [u64::MAX, 11]);
    count.clear();
    count.resize(1);
    assert_eq!(count.counts(), [0]);
}
