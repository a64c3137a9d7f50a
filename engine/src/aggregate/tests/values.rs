//! Aggregates of values of any type: the smallest, the first, the number of different ones.

use std::collections::BTreeSet;

use arrow_schema::{DataType, TimeUnit};
use proptest::prelude::*;

use super::oracle::{Case, Expected, Row, test};
use crate::Level;
use crate::state::fixtures::{Cell, Form, KEYS, cell, cells as read_cells, column, float_cell};

fn types() -> Vec<DataType> {
    let more = [DataType::Time64(TimeUnit::Nanosecond)];
    KEYS.into_iter().chain(more).collect()
}

fn present(rows: &[Row]) -> Vec<Cell> {
    let values = rows.iter().map(|row| row.x.clone());
    values.filter(|value| *value != Cell::Null).collect()
}

/// The smallest or the largest value; NaN only if there is nothing else.
fn extreme(rows: &[Row], is_max: bool) -> Expected {
    let mut values = present(rows);
    values.sort_by(|one, other| match (one.as_float(), other.as_float()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    });
    let nan = Cell::float(f64::NAN);
    if values.iter().any(|value| *value != nan) {
        values.retain(|value| *value != nan);
    }
    let found = if is_max {
        values.last()
    } else {
        values.first()
    };
    Some(found.cloned().unwrap_or(Cell::Null))
}

fn case(call: &'static str, x: &DataType, oracle: fn(&[Row]) -> Expected) -> Case {
    Case {
        call,
        x: x.clone(),
        y: DataType::Int8,
        oracle,
    }
}

fn test_all(call: &'static str, oracle: fn(&[Row]) -> Expected, runs: u32) {
    for x in types() {
        test(
            &case(call, &x, oracle),
            &cell(&x),
            &Just(Cell::Null).boxed(),
            runs,
        );
    }
}

#[test]
fn the_smallest_and_largest_of_every_type_are_found() {
    test_all("min(x)", |rows| extreme(rows, false), 8);
    test_all("max(x)", |rows| extreme(rows, true), 8);
    test_all("any(x)", |rows| extreme(rows, false), 2);
}

#[test]
fn the_first_and_last_of_every_type_are_those_of_the_whole_input() {
    test_all(
        "first(x)",
        |rows| Some(present(rows).first().cloned().unwrap_or(Cell::Null)),
        10,
    );
    test_all(
        "last(x)",
        |rows| Some(present(rows).last().cloned().unwrap_or(Cell::Null)),
        10,
    );
}

fn distinct(rows: &[Row]) -> i128 {
    let zero = Cell::float(-0.0);
    let same = |value| {
        if value == zero {
            Cell::float(0.0)
        } else {
            value
        }
    };
    let different: BTreeSet<Cell> = present(rows).into_iter().map(same).collect();
    different.len() as i128
}

#[test]
fn different_values_of_every_type_are_counted() {
    test_all(
        "count_distinct(x)",
        |rows| Some(Cell::Int(distinct(rows))),
        10,
    );
    let of_floats = case("count_distinct(x)", &DataType::Float64, |rows| {
        Some(Cell::Int(distinct(rows)))
    });
    test(&of_floats, &float_cell(), &Just(Cell::Null).boxed(), 30);
}

/// The estimate for all values at once.
fn estimate(rows: &[Row], of: &DataType) -> Expected {
    let cells: Vec<Cell> = rows.iter().map(|row| row.x.clone()).collect();
    let call = crate::aggregate::approx_distinct("x");
    let inputs = std::slice::from_ref(of);
    let mut whole = call.aggregate().accumulator(inputs, Level::Scalar).unwrap();
    whole.resize(1);
    let ids = vec![0; cells.len()];
    whole
        .update(&ids, &[column(of, &cells, Form::Plain)])
        .unwrap();
    Some(read_cells(&whole.finish(&[0]).unwrap()).remove(0))
}

#[test]
fn estimates_depend_on_the_values_alone() {
    let (integers, text) = (DataType::Int64, DataType::Utf8);
    let of_integers = case("approx_distinct(x)", &integers, |rows| {
        estimate(rows, &DataType::Int64)
    });
    let any = any::<i64>()
        .prop_map(|value| Cell::Int(value.into()))
        .boxed();
    test(&of_integers, &any, &Just(Cell::Null).boxed(), 20);
    let of_text = case("approx_distinct(x)", &text, |rows| {
        estimate(rows, &DataType::Utf8)
    });
    test(&of_text, &cell(&text), &Just(Cell::Null).boxed(), 20);
}

#[test]
fn strings_are_joined_in_the_order_of_the_input() {
    fn joined(rows: &[Row]) -> Expected {
        let strings = present(rows).into_iter().map(|cell| match cell {
            Cell::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no string"),
        });
        let strings: Vec<Vec<u8>> = strings.collect();
        Some(match strings.is_empty() {
            true => Cell::Null,
            false => Cell::Bytes(strings.join(&b", "[..])),
        })
    }
    for x in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        let case = case("string_agg(x, ', ')", &x, joined);
        test(&case, &cell(&x), &Just(Cell::Null).boxed(), 40);
    }
}
