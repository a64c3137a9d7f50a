//! Compares every level and window with big integers, and with Python's `math.fsum`.

use core::cmp::Ordering;

use proptest::prelude::*;

use super::*;

/// A magnitude in units of 2⁻¹⁰⁷⁴, the lowest 32 bits first.
type Big = Vec<u32>;

fn big(value: f64) -> Big {
    let bits = value.to_bits();
    let exponent = bits >> 52 & 2047;
    let digits = bits & ((1 << 52) - 1) | u64::from(exponent != 0) << 52;
    let mut big = vec![digits as u32, (digits >> 32) as u32];
    let zeros = exponent.max(1) - 1;
    (0..zeros / 32).for_each(|_| big.insert(0, 0));
    times(&big, 1 << (zeros % 32))
}

fn times(big: &Big, factor: u64) -> Big {
    let mut carry = 0u128;
    let mut product: Big = Vec::new();
    for &digit in big.iter().chain(&[0, 0]) {
        carry += u128::from(digit) * u128::from(factor);
        product.push(carry as u32);
        carry >>= 32;
    }
    while product.len() > 1 && product.last() == Some(&0) {
        product.pop();
    }
    product
}

fn plus(one: &Big, other: &Big) -> Big {
    let (mut sum, mut carry) = (Vec::new(), 0);
    for at in 0..=one.len().max(other.len()) {
        let digit = |big: &Big| u64::from(*big.get(at).unwrap_or(&0));
        carry += digit(one) + digit(other);
        sum.push(carry as u32);
        carry >>= 32;
    }
    sum
}

/// Subtracts `other`, which must not be larger than `one`.
fn minus(one: &Big, other: &Big) -> Big {
    let (mut rest, mut borrow) = (Vec::new(), 0);
    for (at, &digit) in one.iter().enumerate() {
        let less = i64::from(digit) - i64::from(*other.get(at).unwrap_or(&0)) + borrow;
        rest.push(less as u32);
        borrow = less >> 32;
    }
    rest
}

fn compare(one: &Big, other: &Big) -> Ordering {
    let length = one.len().max(other.len());
    let digits = |big: &Big| {
        (0..length)
            .rev()
            .map(|at| *big.get(at).unwrap_or(&0))
            .collect::<Big>()
    };
    digits(one).cmp(&digits(other))
}

/// Finds the double nearest to `total / count`, by bisection over all doubles.
fn nearest(total: &Big, count: u64) -> f64 {
    let largest = f64::MAX.to_bits();
    let of = |bits: u64| match bits > largest {
        // The number after the largest double.
        true => times(&big(2f64.powi(1023)), 2),
        false => big(f64::from_bits(bits)),
    };
    let (mut low, mut high) = (0, largest + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match compare(&times(&of(middle), count), total) {
            Ordering::Greater => high = middle,
            _ => low = middle,
        }
    }
    let twice_middle = times(&plus(&of(low), &of(high)), count);
    let is_above = match compare(&times(total, 2), &twice_middle) {
        Ordering::Less => false,
        Ordering::Equal => low % 2 == 1,
        Ordering::Greater => true,
    };
    f64::from_bits(if is_above { high } else { low })
}

/// Returns the exact sum divided by `count`, rounded once.
fn oracle(values: &[f64], count: u64) -> f64 {
    let has = |value: f64| values.contains(&value);
    let infinities = (has(f64::INFINITY), has(f64::NEG_INFINITY));
    match infinities {
        _ if values.iter().any(|value| value.is_nan()) => return f64::NAN,
        (true, true) => return f64::NAN,
        (true, false) => return f64::INFINITY,
        (false, true) => return f64::NEG_INFINITY,
        (false, false) => {}
    }
    let total = |negative: bool| {
        let some = values
            .iter()
            .filter(|value| value.is_sign_negative() == negative);
        some.fold(vec![0], |sum, value| plus(&sum, &big(value.abs())))
    };
    let (above, below) = (total(false), total(true));
    match compare(&above, &below) {
        Ordering::Equal => 0.0,
        Ordering::Greater => nearest(&minus(&above, &below), count),
        Ordering::Less => -nearest(&minus(&below, &above), count),
    }
}

/// Returns whether two doubles are the same, or both NaN.
fn same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
}

fn sum_of(level: Level, window: Option<FloatWindow>, values: &[f64]) -> FloatSum {
    let mut sum = FloatSum::new(level, window);
    sum.resize(2);
    sum.update(&vec![1; values.len()], values);
    sum
}

fn windows() -> [Option<FloatWindow>; 4] {
    let of = |value: f64| Some(FloatWindow::of(&[value]));
    [None, of(1.0), of(f64::MAX), of(f64::MIN_POSITIVE)]
}

/// Values with similar exponents, any exponents, special values, and values that cancel others.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let special = [
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        2.2250738585072014e-308,
        f64::MAX,
        f64::MIN,
        1e16,
    ];
    let value = prop_oneof![
        4 => -1000.0..1000.0f64,
        2 => any::<u64>().prop_map(|bits| f64::from_bits(bits & !(1 << 62))),
        1 => any::<u64>().prop_map(|bits| f64::from_bits(bits | 0x7f << 55)),
        2 => proptest::sample::select(special.to_vec()),
    ];
    let finite = value.prop_map(|value| if value.is_finite() { value } else { 0.5 });
    let most = if cfg!(miri) { 6 } else { 60 };
    (proptest::collection::vec(finite, 0..most), any::<bool>()).prop_map(|(mut values, cancel)| {
        if cancel {
            let negated: Vec<f64> = values.iter().skip(1).map(|value| -value).collect();
            values.extend(negated);
        }
        values
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 150 }))]

    #[test]
    fn sums_and_means_are_exact_and_rounded_once(values in values(), count in 1..u64::MAX) {
        let expected = oracle(&values, 1);
        let count = if values.len() % 2 == 0 { count } else { values.len() as u64 };
        let mean = oracle(&values, count);
        for level in Level::available() {
            for window in windows() {
                let sum = sum_of(level, window, &values);
                let none = values.is_empty();
                prop_assert_eq!((sum.sum(0), sum.sum(1).is_none()), (None, none));
                if let Some(sum) = sum.sum(1) {
                    prop_assert!(same(sum, expected), "{sum:e} for {expected:e}");
                }
                if let Some(got) = sum.mean(1, count) {
                    prop_assert!(same(got, mean), "{got:e} for {mean:e} of {count}");
                }
            }
        }
    }

    #[test]
    fn states_depend_on_the_values_alone(values in values(), cut in 0usize..60, specials in 0u8..8) {
        let mut values = values;
        let all = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let chosen = (0..3).filter(|bit| specials >> bit & 1 == 1).map(|bit| all[bit]);
        values.splice(0..0, chosen.collect::<Vec<_>>());
        let cut = cut.min(values.len());
        let state_of = |sum: &FloatSum| {
            let mut state = Vec::new();
            sum.write_state(1, &mut state);
            state
        };
        let expected = state_of(&sum_of(Level::Scalar, None, &values));
        let backward: Vec<f64> = values.iter().rev().copied().collect();
        for window in windows() {
            let sum = sum_of(Level::best(), window, &backward);
            prop_assert_eq!(&state_of(&sum), &expected);
            // Two parts, merged directly and by their states.
            let other = sum_of(Level::best(), windows()[cut % 4], &values[cut..]);
            let mut merged = sum_of(Level::best(), window, &values[..cut]);
            let mut by_state = FloatSum::new(Level::best(), None);
            by_state.resize(2);
            by_state.merge_state(1, &state_of(&other)).unwrap();
            by_state.merge_state(1, &state_of(&merged)).unwrap();
            merged.merge(&[0, 1], &other);
            prop_assert_eq!(&state_of(&merged), &expected);
            prop_assert_eq!(&state_of(&by_state), &expected);
            let total = by_state.sum(1).unwrap_or_default();
            prop_assert!(same(total, oracle(&values, 1)));
            // Values after a state are added to it.
            by_state.update(&[1, 1], &[3.0, -3.0]);
            if !values.is_empty() {
                prop_assert_eq!(&state_of(&by_state), &expected);
            }
        }
    }

    #[test]
    fn broken_states_change_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..30), flags in 0u8..64) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = flags;
        }
        let mut sum = sum_of(Level::best(), None, &[1.0]);
        let mut before = Vec::new();
        sum.write_state(1, &mut before);
        let mut one = FloatSum::new(Level::best(), None);
        one.resize(1);
        let mut after = Vec::new();
        match sum.merge_state(1, &bytes) {
            Err(BrokenState) => {
                sum.write_state(1, &mut after);
                prop_assert_eq!(after, before);
            }
            // An accepted state is written the same again.
            Ok(()) => {
                one.merge_state(0, &bytes).unwrap();
                one.write_state(0, &mut after);
                prop_assert_eq!(after, bytes);
            }
        }
    }
}

#[test]
fn sums_equal_those_of_python_fsum() {
    let cases: [(&[f64], f64); 7] = [
        (&[0.1; 10], 1.0),
        (&[1e16, 1.0, -1e16, 2e-16], 1.0000000000000002),
        (&[1e15, 0.1, 0.1, -1e15], 0.2),
        (&[5e-324, 5e-324, 1.0, -1.0], 1e-323),
        (&[1.0, 1.1102230246251565e-16], 1.0),
        (&[1.0, 1.1102230246251565e-16, 5e-324], 1.0000000000000002),
        (
            &[1.0000000000000002, 1.1102230246251565e-16],
            1.0000000000000004,
        ),
    ];
    for (values, expected) in cases {
        for window in windows() {
            let sum = sum_of(Level::best(), window, values).sum(1);
            assert_eq!(
                sum.map(f64::to_bits),
                Some(expected.to_bits()),
                "{values:?}"
            );
        }
    }
}

/// Numbers with 120 binary exponents, more than a window holds.
fn wide(rows: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let exponent = (state >> 32) % 120;
        let fraction = (state >> 11) as f64 / 2f64.powi(53) * 2.0 - 1.0;
        fraction * 2f64.powi(exponent as i32 - 60)
    };
    (0..rows).map(|_| draw()).collect()
}

#[test]
fn a_thousand_values_of_all_sizes_sum_as_in_fsum() {
    let values = wide(1000);
    let expected = f64::from_bits(FSUM_OF_WIDE);
    for level in Level::available() {
        for window in windows() {
            assert_eq!(sum_of(level, window, &values).sum(1), Some(expected));
        }
    }
}

/// The result of `math.fsum` for the thousand values, in Python 3.
const FSUM_OF_WIDE: u64 = 0xc3b1_c262_49d3_b142;

#[test]
fn specials_follow_the_rules_of_ieee() {
    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    let cases = [
        (vec![1.0, nan], nan),
        (vec![infinite, 1.0, infinite], infinite),
        (vec![-infinite, f64::MAX], -infinite),
        (vec![infinite, -infinite], nan),
        (vec![-0.0, -0.0], 0.0),
        (vec![f64::MAX, f64::MAX], infinite),
        (vec![f64::MAX, f64::MAX, f64::MIN], f64::MAX),
    ];
    for (values, expected) in cases {
        let sum = sum_of(Level::best(), None, &values);
        let got = sum.sum(1).unwrap();
        assert!(same(got, expected), "{values:?}: {got}");
    }
    let sum = sum_of(Level::best(), None, &[f64::MAX, f64::MAX]);
    assert_eq!(sum.mean(1, 2), Some(f64::MAX), "only the mean is rounded");
    assert_eq!((sum.mean(1, 0), sum.mean(0, 2)), (None, None));
}

#[test]
fn nulls_add_nothing_and_a_group_of_nulls_is_null() {
    let ids = [0, 1, 0, 2, 1];
    let values = [1.5, f64::NAN, 2.5, f64::INFINITY, f64::NAN];
    let mut sum = FloatSum::new(Level::best(), None);
    sum.resize(4);
    sum.update_valid(&ids, &values, Validity::new(&[0b1010], 1, 5));
    let sums: Vec<_> = (0..4).map(|id| sum.sum(id)).collect();
    assert_eq!(sums, [Some(4.0), None, None, None]);
    sum.update(&[3, 1], &[0.0, -2.0]);
    let sums: Vec<_> = (0..4).map(|id| sum.sum(id)).collect();
    assert_eq!(sums, [Some(4.0), Some(-2.0), None, Some(0.0)]);
}

#[test]
fn large_sums_are_carried_before_they_overflow() {
    let value = f64::from_bits((1023 + 30) << 52 | ((1 << 52) - 1));
    let window = Some(FloatWindow::of(&[value]));
    let rows = 5;
    let mut sum = FloatSum::new(Level::best(), window);
    sum.resize(2);
    for _ in 0..rows {
        sum.update(&[0, 1], &[value, 1.0]);
        // As after enough rows to fill the window.
        sum.sums[0] *= 1 << 38;
        sum.bound = MAX_PART - 1;
    }
    let expected = times(&big(value), rows << 38);
    assert_eq!(sum.sum(0), Some(nearest(&expected, 1)));
    assert_eq!(sum.sum(1), Some(rows as f64));
    assert!(sum.bound <= MAX_PART && sum.side(0).is_some());
}

#[test]
fn many_groups_of_mixed_values_equal_the_oracle() {
    let groups = if cfg!(miri) { 3 } else { 40 };
    let values = wide(groups * 12);
    let ids: Vec<u32> = (0..values.len())
        .map(|row| (row * 7 % groups) as u32)
        .collect();
    for level in Level::available() {
        let mut sum = FloatSum::new(level, None);
        for (ids, values) in ids.chunks(17).zip(values.chunks(17)) {
            sum.resize(groups);
            sum.update(ids, values);
        }
        for group in 0..groups as u32 {
            let of = |(&id, &value): (&u32, &f64)| (id == group).then_some(value);
            let mine: Vec<f64> = ids.iter().zip(&values).filter_map(of).collect();
            assert_eq!(sum.sum(group), Some(oracle(&mine, 1)));
        }
        let (bytes, window) = (sum.bytes(), sum.window());
        sum.clear();
        sum.resize(1);
        assert!(sum.sum(0).is_none() && sum.window() == window && bytes > 0);
    }
}
