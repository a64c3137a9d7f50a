//! Aggregates of integers and decimals.

use arrow_schema::DataType;
use proptest::prelude::*;

use super::oracle::{Case, Expected, Row, test};
use crate::state::fixtures::{Cell, INTEGERS, cell, ends};

/// The values of `x` that are not null.
fn integers(rows: &[Row]) -> Vec<i128> {
    rows.iter().filter_map(|row| row.x.as_int()).collect()
}

fn product(rows: &[Row]) -> Option<i128> {
    let factors = integers(rows);
    if factors.contains(&0) {
        return Some(0);
    }
    factors.iter().try_fold(1i128, |all, &one| {
        all.checked_mul(one)
            .filter(|all| all.unsigned_abs() < 1 << 65)
    })
}

fn signed_product(rows: &[Row]) -> Expected {
    within(product(rows), rows, &DataType::Int64)
}

fn unsigned_product(rows: &[Row]) -> Expected {
    within(product(rows), rows, &DataType::UInt64)
}

/// The answer, if it fits a type; null if no row has a value.
fn within(answer: Option<i128>, rows: &[Row], of: &DataType) -> Expected {
    if integers(rows).is_empty() {
        return Some(Cell::Null);
    }
    let (least, most) = ends(of).unwrap();
    answer
        .filter(|answer| (least..=most).contains(answer))
        .map(Cell::Int)
}

fn small(of: &DataType) -> BoxedStrategy<Cell> {
    let least = if of.is_signed_integer() { -3 } else { 0 };
    prop_oneof![3 => (least..4i128).prop_map(Cell::Int), 1 => cell(of)].boxed()
}

fn of(
    call: &'static str,
    x: &DataType,
    signed: fn(&[Row]) -> Expected,
    unsigned: fn(&[Row]) -> Expected,
) -> Case {
    Case {
        call,
        x: x.clone(),
        y: DataType::Int64,
        oracle: if x.is_signed_integer() {
            signed
        } else {
            unsigned
        },
    }
}

#[test]
fn products_are_those_of_plain_code() {
    for x in INTEGERS {
        let case = of("product(x)", &x, signed_product, unsigned_product);
        test(&case, &small(&x), &Just(Cell::Null).boxed(), 20);
    }
}

fn folded(rows: &[Row], of: fn(i128, i128) -> i128) -> Expected {
    let answer = integers(rows).into_iter().reduce(of);
    Some(answer.map_or(Cell::Null, Cell::Int))
}

#[test]
fn bits_are_those_of_plain_code() {
    for x in INTEGERS {
        let and: fn(&[Row]) -> Expected = |rows| folded(rows, |one, other| one & other);
        let or: fn(&[Row]) -> Expected = |rows| folded(rows, |one, other| one | other);
        let xor: fn(&[Row]) -> Expected = |rows| folded(rows, |one, other| one ^ other);
        for (call, oracle) in [("bit_and(x)", and), ("bit_or(x)", or), ("bit_xor(x)", xor)] {
            let case = of(call, &x, oracle, oracle);
            test(&case, &cell(&x), &Just(Cell::Null).boxed(), 6);
        }
    }
}

/// The sum of decimals, if it has at most 38 digits.
fn decimal_sum(rows: &[Row]) -> Expected {
    let values = integers(rows);
    if values.is_empty() {
        return Some(Cell::Null);
    }
    // In two parts, so that nothing overflows.
    let unit = 10i128.pow(20);
    let low: i128 = values.iter().map(|value| value % unit).sum();
    let high: i128 = values.iter().map(|value| value / unit).sum();
    let total = (high + low / unit)
        .checked_mul(unit)?
        .checked_add(low % unit)?;
    (total.unsigned_abs() < 10u128.pow(38)).then_some(Cell::Int(total))
}

fn decimal_mean(rows: &[Row]) -> Expected {
    let values = integers(rows);
    let total: i128 = values.iter().sum();
    let count = values.len() as i128 * 100;
    // Both are exact doubles.
    Some(match values.is_empty() {
        true => Cell::Null,
        false => Cell::float(total as f64 / count as f64),
    })
}

#[test]
fn sums_and_means_of_decimals_are_exact() {
    let types = [
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 2),
        DataType::Decimal128(38, 2),
    ];
    for (x, digits) in types.into_iter().zip([9, 18, 38]) {
        let case = |call, oracle| Case {
            call,
            x: x.clone(),
            y: DataType::Int64,
            oracle,
        };
        let (small, none) = (
            (-1000..1000i128).prop_map(Cell::Int).boxed(),
            Just(Cell::Null),
        );
        let none = none.boxed();
        test(&case("mean(x)", decimal_mean), &small, &none, 20);
        let most = 10i128.pow(digits) - 1;
        let large = proptest::sample::select(vec![most, -most, 1, -1, most / 2 + 1]);
        let any = prop_oneof![large.prop_map(Cell::Int), small].boxed();
        test(&case("sum(x)", decimal_sum), &any, &none, 40);
    }
}
