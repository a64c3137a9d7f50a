//! Variances, regressions, quantiles and largest values, against exact fractions of small integers.

use std::cmp::Ordering;

use arrow_schema::DataType;
use num_bigint::BigInt;
use proptest::prelude::*;

use super::oracle::{Case, Expected, Row, test};
use crate::state::fixtures::Cell;

/// The rows where no column is null.
fn pairs(rows: &[Row]) -> Vec<(i128, i128)> {
    let both = |row: &Row| Some((whole(&row.x)?, whole(&row.y)?));
    rows.iter().filter_map(both).collect()
}

/// A value in sixteenths: tests have integers, or floats of whole sixteenths.
fn whole(cell: &Cell) -> Option<i128> {
    match cell {
        Cell::Float(bits) => Some((f64::from_bits(*bits) * 16.0) as i128),
        cell => cell.as_int(),
    }
}

fn xs(rows: &[Row]) -> Vec<i128> {
    rows.iter().filter_map(|row| whole(&row.x)).collect()
}

/// `n Σab − Σa Σb`
fn deviation(values: impl Iterator<Item = (i128, i128)> + Clone) -> i128 {
    let count = values.clone().count() as i128;
    let products: i128 = values.clone().map(|(one, other)| one * other).sum();
    let one: i128 = values.clone().map(|it| it.0).sum();
    let other: i128 = values.map(|it| it.1).sum();
    count * products - one * other
}

/// A quotient of two exact doubles, which the processor rounds once.
fn quotient(dividend: i128, divisor: i128) -> Cell {
    assert!(dividend.unsigned_abs() < 1 << 53 && divisor.unsigned_abs() < 1 << 53);
    match divisor {
        0 => Cell::Null,
        divisor => Cell::float(dividend as f64 / divisor as f64),
    }
}

/// The double nearest to the root of a quotient, found among the neighbours of a first guess.
fn root(dividend: i128, divisor: i128) -> Cell {
    if divisor == 0 {
        return Cell::Null;
    }
    let mut guess = (dividend as f64 / divisor as f64).sqrt();
    if guess == 0.0 {
        return Cell::float(0.0);
    }
    // Twice the middle between a double and the next one is an integer of units of 2^-1100.
    let compare = |below: f64| {
        let units = |value: f64| {
            let bits = value.to_bits();
            let exponent = bits >> 52;
            BigInt::from(bits & ((1 << 52) - 1) | 1 << 52) << (exponent + 25)
        };
        let twice = units(below) + units(below.next_up());
        let square: BigInt = &twice * &twice * divisor;
        square.cmp(&(BigInt::from(dividend) << 2202u32))
    };
    while compare(guess) == Ordering::Less {
        guess = guess.next_up();
    }
    while compare(guess.next_down()) == Ordering::Greater {
        guess = guess.next_down();
    }
    Cell::float(guess)
}

fn variance(rows: &[Row], less: i128, unit: i128) -> (i128, i128) {
    let values = xs(rows);
    let count = values.len() as i128;
    let deviation = deviation(values.iter().map(|&value| (value, value)));
    if count <= less {
        return (0, 0);
    }
    (deviation, count * (count - less) * unit)
}

fn is_float(rows: &[Row]) -> bool {
    rows.iter().any(|row| matches!(row.x, Cell::Float(_)))
}

/// The square of the unit of the values.
fn unit(rows: &[Row]) -> i128 {
    if is_float(rows) { 256 } else { 1 }
}

fn var(rows: &[Row]) -> Expected {
    let (dividend, divisor) = variance(rows, 1, unit(rows));
    Some(quotient(dividend, divisor))
}

fn var_pop(rows: &[Row]) -> Expected {
    let (dividend, divisor) = variance(rows, 0, unit(rows));
    Some(quotient(dividend, divisor))
}

fn stddev(rows: &[Row]) -> Expected {
    let (dividend, divisor) = variance(rows, 1, unit(rows));
    Some(root(dividend, divisor))
}

fn stddev_pop(rows: &[Row]) -> Expected {
    let (dividend, divisor) = variance(rows, 0, unit(rows));
    Some(root(dividend, divisor))
}

/// Variances of decimals with two digits after the point.
fn decimal_var(rows: &[Row]) -> Expected {
    let (dividend, divisor) = variance(rows, 1, 10_000);
    Some(quotient(dividend, divisor))
}

type Statistic = fn(&[Row]) -> Expected;

fn case(call: &'static str, x: &DataType, y: &DataType, oracle: Statistic) -> Case {
    Case {
        call,
        x: x.clone(),
        y: y.clone(),
        oracle,
    }
}

fn integers() -> BoxedStrategy<Cell> {
    (-100..100i128).prop_map(Cell::Int).boxed()
}

fn floats() -> BoxedStrategy<Cell> {
    (-2000..2000i32)
        .prop_map(|value| Cell::float(f64::from(value) / 16.0))
        .boxed()
}

fn none() -> BoxedStrategy<Cell> {
    Just(Cell::Null).boxed()
}

#[test]
fn variances_are_exact_and_rounded_once() {
    let any = DataType::Int8;
    let cases: [(&str, Statistic); 4] = [
        ("var(x)", var),
        ("var_pop(x)", var_pop),
        ("stddev(x)", stddev),
        ("stddev_pop(x)", stddev_pop),
    ];
    for (call, oracle) in cases {
        test(
            &case(call, &DataType::Int32, &any, oracle),
            &integers(),
            &none(),
            40,
        );
        test(
            &case(call, &DataType::Float64, &any, oracle),
            &floats(),
            &none(),
            40,
        );
        test(
            &case(call, &DataType::Float32, &any, oracle),
            &floats(),
            &none(),
            20,
        );
    }
    let decimal = DataType::Decimal128(18, 2);
    test(
        &case("var(x)", &decimal, &any, decimal_var),
        &integers(),
        &none(),
        20,
    );
}

/// The sums of a regression: of both columns, of `x` and of `y`.
fn deviations(rows: &[Row]) -> (i128, i128, i128, i128) {
    let pairs = pairs(rows);
    let both = deviation(pairs.iter().copied());
    let one = deviation(pairs.iter().map(|it| (it.0, it.0)));
    let other = deviation(pairs.iter().map(|it| (it.1, it.1)));
    (pairs.len() as i128, both, one, other)
}

fn covar(rows: &[Row]) -> Expected {
    let (count, both, ..) = deviations(rows);
    let pairs = if count < 2 { 0 } else { count * (count - 1) };
    Some(quotient(both, pairs))
}

fn covar_pop(rows: &[Row]) -> Expected {
    let (count, both, ..) = deviations(rows);
    Some(quotient(both, count * count))
}

fn corr(rows: &[Row]) -> Expected {
    let (_, both, one, other) = deviations(rows);
    Some(match root(both * both, one * other) {
        Cell::Float(bits) if both < 0 => Cell::float(-f64::from_bits(bits)),
        root => root,
    })
}

fn slope(rows: &[Row]) -> Expected {
    let (_, both, _, other) = deviations(rows);
    Some(quotient(both, other))
}

fn intercept(rows: &[Row]) -> Expected {
    let pairs = pairs(rows);
    let sum = |of: fn(&(i128, i128)) -> i128| pairs.iter().map(of).sum::<i128>();
    let dividend = sum(|it| it.0) * sum(|it| it.1 * it.1) - sum(|it| it.1) * sum(|it| it.0 * it.1);
    Some(quotient(dividend, deviations(rows).3))
}

fn r2(rows: &[Row]) -> Expected {
    let (_, both, one, other) = deviations(rows);
    Some(match (one, other) {
        (0, other) if other != 0 => Cell::float(1.0),
        _ => quotient(both * both, one * other),
    })
}

#[test]
fn regressions_are_exact_and_rounded_once() {
    let cases: [(&str, Statistic); 6] = [
        ("corr(x, y)", corr),
        ("covar(x, y)", covar),
        ("covar_pop(x, y)", covar_pop),
        ("slope(x, y)", slope),
        ("intercept(x, y)", intercept),
        ("r2(x, y)", r2),
    ];
    // Small, so that the oracle has exact doubles.
    let small = (-8..8i128).prop_map(Cell::Int).boxed();
    for (call, oracle) in cases {
        let (x, y) = (DataType::Int16, DataType::UInt8);
        let natural = (0..4i128).prop_map(Cell::Int).boxed();
        test(&case(call, &x, &y, oracle), &small, &natural, 40);
        let (x, y) = (DataType::Int64, DataType::Decimal64(10, 0));
        test(&case(call, &x, &y, oracle), &small, &small, 20);
    }
}

#[test]
fn values_that_are_not_finite_give_nan() {
    let nan: Statistic = |rows| {
        Some(match xs_present(rows) {
            0 => Cell::Null,
            _ => Cell::float(f64::NAN),
        })
    };
    let special = proptest::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let special = special.prop_map(Cell::float).boxed();
    test(
        &case("var_pop(x)", &DataType::Float64, &DataType::Int8, nan),
        &special,
        &none(),
        20,
    );
}

fn xs_present(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.x != Cell::Null).count()
}

/// A quantile of integers, in thousandths.
fn quantile(rows: &[Row], thousandths: i128) -> Option<(i128, i128)> {
    let mut values = xs(rows);
    values.sort_unstable();
    let last = values.len().checked_sub(1)? as i128;
    let (place, rest) = (thousandths * last / 1000, thousandths * last % 1000);
    let lower = values[place as usize];
    let upper = values[(place as usize + 1).min(last as usize)];
    Some((lower * (1000 - rest) + upper * rest, 1000))
}

fn of_quantile(rows: &[Row], thousandths: i128) -> Expected {
    let unit = if is_float(rows) { 16 } else { 1 };
    let found = quantile(rows, thousandths);
    Some(found.map_or(Cell::Null, |(value, of)| quotient(value, of * unit)))
}

fn median(rows: &[Row]) -> Expected {
    of_quantile(rows, 500)
}

fn ninth(rows: &[Row]) -> Expected {
    of_quantile(rows, 900)
}

#[test]
fn quantiles_are_exact_and_rounded_once() {
    let any = DataType::Int8;
    let of: [(&str, Statistic); 2] = [("median(x)", median), ("quantile(x, 0.9)", ninth)];
    for (call, oracle) in of {
        for x in [
            DataType::Int32,
            DataType::UInt64,
            DataType::Decimal128(20, 0),
        ] {
            let values = (0..100i128).prop_map(Cell::Int).boxed();
            test(&case(call, &x, &any, oracle), &values, &none(), 20);
        }
        test(
            &case(call, &DataType::Float64, &any, oracle),
            &floats(),
            &none(),
            30,
        );
    }
    let rounded_down: Statistic = |rows| {
        let found = quantile(rows, 250);
        Some(found.map_or(Cell::Null, |(value, of)| Cell::Int(value.div_euclid(of))))
    };
    for x in [
        DataType::Date32,
        DataType::Time64(arrow_schema::TimeUnit::Nanosecond),
    ] {
        test(
            &case("quantile(x, 0.25)", &x, &any, rounded_down),
            &integers(),
            &none(),
            20,
        );
    }
}

#[test]
fn the_largest_values_are_in_order() {
    let top: Statistic = |rows| {
        let mut values: Vec<Cell> = rows.iter().map(|row| row.x.clone()).collect();
        values.retain(|value| *value != Cell::Null);
        values.sort_by(|one, other| match (one.as_float(), other.as_float()) {
            // NaN is last.
            (Some(one), Some(other)) => {
                (one.is_nan().cmp(&other.is_nan())).then(other.total_cmp(&one))
            }
            _ => other.cmp(one),
        });
        values.truncate(3);
        Some(if values.is_empty() {
            Cell::Null
        } else {
            Cell::List(values)
        })
    };
    for x in [
        DataType::Int8,
        DataType::UInt32,
        DataType::Decimal128(30, 4),
        DataType::Date32,
    ] {
        let values = (0..20i128).prop_map(Cell::Int).boxed();
        test(
            &case("top(x, 3)", &x, &DataType::Int8, top),
            &values,
            &none(),
            20,
        );
    }
    let values = crate::state::fixtures::float_cell();
    test(
        &case("top(x, 3)", &DataType::Float64, &DataType::Int8, top),
        &values,
        &none(),
        40,
    );
}
