//! Compares minima and maxima with plain loops.

use core::cmp::Ordering;

use proptest::prelude::*;

use super::*;

const GROUPS: usize = 5;

fn floats() -> impl Strategy<Value = f64> {
    let special = [
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        proptest::sample::select(special.to_vec()),
    ]
}

/// Returns the first value by `order`; NaN only if there is no other value.
fn first(values: &[f64], order: impl Fn(&f64, &f64) -> Ordering) -> Option<f64> {
    let numbers = values.iter().copied().filter(|value| !value.is_nan());
    numbers.min_by(order).or(values.first().copied())
}

fn same(one: Option<f64>, other: Option<f64>) -> bool {
    let key = |value: f64| {
        if value.is_nan() {
            None
        } else {
            Some(value.to_bits())
        }
    };
    one.map(key) == other.map(key)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

    #[test]
    fn floats_are_in_total_order(
        rows in proptest::collection::vec((0..GROUPS as u32, floats(), any::<bool>()), 0..64),
        plain in proptest::collection::vec((0..GROUPS as u32, floats()), 0..16),
    ) {
        let bits: Vec<u8> = rows
            .chunks(8)
            .map(|rows| rows.iter().rev().fold(0, |bits, row| bits << 1 | u8::from(row.2)))
            .collect();
        let ids: Vec<u32> = rows.iter().map(|row| row.0).collect();
        let values: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let (plain_ids, plain_values): (Vec<u32>, Vec<f64>) = plain.iter().copied().unzip();
        let (mut min, mut max) = (Min::<f64>::default(), Max::<f64>::default());
        min.resize(GROUPS);
        max.resize(GROUPS);
        let valid = Validity::new(&bits, 0, rows.len());
        min.update_valid(&ids, &values, valid);
        max.update_valid(&ids, &values, valid);
        min.update(&plain_ids, &plain_values);
        max.update(&plain_ids, &plain_values);
        for id in 0..GROUPS as u32 {
            let with_nulls = rows.iter().filter(|row| row.2).map(|row| (row.0, row.1));
            let mine = with_nulls.chain(plain.iter().copied()).filter(|row| row.0 == id);
            let mine: Vec<f64> = mine.map(|row| row.1).collect();
            let least = first(&mine, f64::total_cmp);
            let largest = first(&mine, |one, other| other.total_cmp(one));
            prop_assert!(same(min.value(id), least), "{:?} of {mine:?}", min.value(id));
            prop_assert!(same(max.value(id), largest), "{:?} of {mine:?}", max.value(id));
        }
    }

    #[test]
    fn integers_are_in_their_order(
        rows in proptest::collection::vec((0..GROUPS as u32, any::<u64>()), 0..64),
    ) {
        let ids: Vec<u32> = rows.iter().map(|row| row.0).collect();
        let unsigned: Vec<u64> = rows.iter().map(|row| row.1).collect();
        let signed: Vec<i64> = unsigned.iter().map(|&value| value as i64).collect();
        let (mut min, mut max) = (Min::<i64>::default(), Max::<u64>::default());
        min.resize(GROUPS);
        max.resize(GROUPS);
        min.update(&ids, &signed);
        max.update(&ids, &unsigned);
        for id in 0..GROUPS as u32 {
            let mine = || rows.iter().filter(|row| row.0 == id).map(|row| row.1);
            prop_assert_eq!(min.value(id), mine().map(|value| value as i64).min());
            prop_assert_eq!(max.value(id), mine().max());
        }
    }
}

#[test]
fn the_extreme_integers_are_valid_values() {
    let mut min = Min::<i64>::default();
    min.resize(3);
    min.update(&[0, 1], &[i64::MAX, i64::MIN]);
    let values: Vec<_> = (0..3).map(|id| min.value(id)).collect();
    assert_eq!(values, [Some(i64::MAX), Some(i64::MIN), None]);
    min.clear();
    min.resize(1);
    assert!(min.value(0).is_none() && min.bytes() > 0);
}
