//! Sums of products against wide integers.

use proptest::prelude::*;

use super::*;

/// A total as a number of 2⁻²¹⁴⁸, in digits of 32 bits and two's complement.
type Wide = Vec<u32>;

const WIDE: usize = DIGITS + 4;

fn plain(products: &[(Factor, Factor)]) -> Wide {
    let mut total = vec![0u32; WIDE];
    for (x, y) in products {
        let digits = u128::from(x.digits) * u128::from(y.digits);
        let position = x.position + y.position;
        let mut addend = vec![0u32; WIDE];
        for bit in (0..128).filter(|bit| digits >> bit & 1 == 1) {
            let at = (position + bit) as usize;
            addend[at / 32] |= 1 << (at % 32);
        }
        if x.negative != y.negative {
            negate(&mut addend);
        }
        let mut carry = 0u64;
        for (digit, more) in total.iter_mut().zip(addend) {
            carry += u64::from(*digit) + u64::from(more);
            *digit = carry as u32;
            carry >>= 32;
        }
    }
    total
}

fn negate(digits: &mut [u32]) {
    let mut carry = true;
    for digit in digits {
        (*digit, carry) = (!*digit).overflowing_add(u32::from(carry));
    }
}

fn wide(total: &ExactTotal) -> Wide {
    let mut digits = vec![0; WIDE];
    let first = (total.power + 2 * ONE as i32) / 32;
    digits[first as usize..][..total.digits.len()].copy_from_slice(&total.digits);
    if total.negative {
        negate(&mut digits);
    }
    digits
}

fn factor() -> impl Strategy<Value = Factor> {
    prop_oneof![
        3 => (-1000.0..1000.0f64).prop_map(|value| Factor::of_float(value).unwrap()),
        2 => any::<u64>().prop_map(|bits| Factor::of_float(f64::from_bits(bits & !(1 << 62))).unwrap_or(Factor::ZERO)),
        2 => any::<i64>().prop_map(Factor::from),
        1 => any::<u64>().prop_map(Factor::from),
        1 => proptest::sample::select(vec![f64::MAX, f64::MIN, 5e-324, -5e-324, 0.0, -0.0])
            .prop_map(|value| Factor::of_float(value).unwrap()),
    ]
}

fn integer() -> impl Strategy<Value = i64> {
    let ends = vec![i64::MIN, i64::MAX, -1, 0, 1, 1 << 31];
    prop_oneof![-100..100i64, any::<i64>(), proptest::sample::select(ends)]
}

fn sum_of(products: &[(Factor, Factor)]) -> ProductSum {
    let mut sum = ProductSum::default();
    sum.resize(2);
    for products in products.chunks(7) {
        let (xs, ys): (Vec<_>, Vec<_>) = products.iter().copied().unzip();
        sum.update(&vec![1; xs.len()], &xs, &ys);
    }
    sum
}

fn state_of(sum: &ProductSum) -> Vec<u8> {
    let mut state = Vec::new();
    sum.write_state(1, &mut state);
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

    #[test]
    fn totals_are_exact_and_states_depend_on_them_alone(
        products in proptest::collection::vec((factor(), factor()), 0..30),
        cut in 0..30usize,
    ) {
        let sum = sum_of(&products);
        let expected = plain(&products);
        prop_assert_eq!(&wide(&sum.total(1)), &expected);
        prop_assert!(sum.total(0).digits.is_empty());
        let cut = cut.min(products.len());
        let mut reversed = products.clone();
        reversed.reverse();
        let mut merged = sum_of(&reversed[..cut]);
        merged.merge_state(1, &state_of(&sum_of(&reversed[cut..]))).unwrap();
        prop_assert_eq!(wide(&merged.total(1)), expected);
        prop_assert_eq!(state_of(&merged), state_of(&sum));
        merged.reset(&[1]);
        prop_assert!(merged.total(1).digits.is_empty());
    }

    #[test]
    fn integers_are_summed_as_their_factors(
        rows in proptest::collection::vec((integer(), integer(), factor(), 0..4), 0..40),
        cut in 0..40usize,
    ) {
        let products: Vec<_> = rows.iter().map(|&(x, y, other, kind)| match kind {
            0 => (x.into(), Factor::ONE),
            1 | 2 => (x.into(), y.into()),
            _ => (other, other),
        }).collect();
        let expected = plain(&products);
        for only_integers in [false, true] {
            let add = |sum: &mut ProductSum, rows: &[(i64, i64, Factor, i32)]| {
                sum.resize(2);
                for &(x, y, other, kind) in rows {
                    match kind {
                        0 => sum.update_integers(&[1], &[x]),
                        1 | 2 => sum.update_integer_products(&[1], &[x], &[y]),
                        _ if only_integers => {}
                        _ => sum.update(&[1], &[other], &[other]),
                    }
                }
            };
            let integers = products.iter().zip(&rows).filter(|(_, row)| row.3 < 3);
            let integers: Vec<_> = integers.map(|(product, _)| *product).collect();
            let expected = if only_integers { plain(&integers) } else { expected.clone() };
            let (mut one, mut other) = (ProductSum::default(), ProductSum::default());
            let (first, last) = rows.split_at(cut.min(rows.len()));
            add(&mut one, first);
            add(&mut other, last);
            one.merge_state(1, &state_of(&other)).unwrap();
            prop_assert_eq!(&wide(&one.total(1)), &expected);
            prop_assert!(one.total(0).digits.is_empty());
            let by_factors = if only_integers { sum_of(&integers) } else { sum_of(&products) };
            prop_assert_eq!(state_of(&one), state_of(&by_factors));
            let mut merged = ProductSum::default();
            merged.resize(2);
            merged.merge_state(1, &state_of(&one)).unwrap();
            prop_assert_eq!(state_of(&merged), state_of(&one));
            one.reset(&[0, 1]);
            prop_assert!(one.total(1).digits.is_empty());
        }
    }

    #[test]
    fn broken_states_are_refused(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
        let mut sum = sum_of(&[]);
        if sum.merge_state(1, &bytes).is_ok() {
            prop_assert_eq!(state_of(&sum), bytes);
        } else {
            prop_assert!(sum.total(1).digits.is_empty());
        }
    }
}

#[test]
fn products_of_the_largest_integers_do_not_overflow() {
    let most = Factor::from(u64::MAX);
    let rows = 1000;
    let mut sum = ProductSum::default();
    sum.resize(1);
    for _ in 0..rows {
        sum.update(&[0], &[most], &[most]);
    }
    let state = |sum: &ProductSum| {
        let mut state = Vec::new();
        sum.write_state(0, &mut state);
        state
    };
    // Doubling the total again and again leaves the window, and stays exact.
    for _ in 0..200 {
        let before = state(&sum);
        sum.merge_state(0, &before).unwrap();
    }
    let total = sum.total(0);
    let bits = 32 * total.digits.len() as i32 - total.digits.last().unwrap().leading_zeros() as i32;
    assert_eq!(total.power + bits, 128 + 10 + 200);
    assert!(sum.bytes() > 0);
}

#[test]
fn sums_of_integers_outgrow_128_bits() {
    let mut sum = ProductSum::default();
    sum.resize(2);
    // 2¹²⁶ each, which overflows at the second.
    for _ in 0..8 {
        sum.update_integer_products(&[1], &[i64::MIN], &[i64::MIN]);
    }
    assert_eq!(
        (sum.total(1).digits, sum.total(1).power),
        (vec![1 << 5], 124)
    );
    sum.update_integer_products(&[1; 8], &[i64::MIN; 8], &[i64::MIN; 8]);
    sum.update_integers(&[1], &[-3]);
    let digits = vec![u32::MAX - 47, u32::MAX, u32::MAX, u32::MAX, (1 << 6) - 1];
    assert_eq!((sum.total(1).digits, sum.total(1).power), (digits, -4));
    sum.clear();
    sum.resize(2);
    assert!(sum.total(1).digits.is_empty());
}
