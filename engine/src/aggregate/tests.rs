//! The names of aggregates, their types, and states that are none.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, UInt64Array};
use arrow_schema::DataType;

use super::*;

#[test]
fn aggregates_are_read_and_shown_alike() {
    for (text, shown) in [
        ("count", "count(*)"),
        ("count(*)", "count(*)"),
        (" count(a b) ", "count(a b)"),
        ("sum(x)", "sum(x)"),
        ("min(x)", "min(x)"),
        ("max(x)", "max(x)"),
        ("mean(f(x))", "mean(f(x))"),
    ] {
        let call: AggregateExpr = text.parse().unwrap();
        assert_eq!(
            (call.to_string(), call.output_name()),
            (shown.into(), shown.into())
        );
    }
    for text in [
        "",
        "sum",
        "sum(*)",
        "median(x)",
        "count()",
        "count(",
        "count)",
        "(x)",
    ] {
        let parsed = text.parse::<AggregateExpr>();
        assert_eq!(parsed.unwrap_err().kind(), ErrorKind::Config, "{text}");
    }
}

#[test]
fn types_of_answers_follow_from_those_of_values() {
    let of =
        |name: &str, input: &DataType| by_name(name).unwrap().output_type(Some(input)).unwrap();
    for input in [
        DataType::Int8,
        DataType::UInt16,
        DataType::Float32,
        DataType::Float64,
    ] {
        assert_eq!(of("min", &input), input);
        assert_eq!(of("max", &input), input);
        assert_eq!(of("mean", &input), DataType::Float64);
        assert_eq!(of("count", &input), DataType::UInt64);
    }
    assert_eq!(of("sum", &DataType::Int8), DataType::Int64);
    assert_eq!(of("sum", &DataType::UInt8), DataType::UInt64);
    assert_eq!(of("sum", &DataType::Float32), DataType::Float64);
    for name in ["sum", "min", "max", "mean"] {
        for input in [None, Some(&DataType::Utf8)] {
            let error = by_name(name).unwrap().output_type(input).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
        }
    }
}

#[test]
fn columns_that_are_no_state_are_refused() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"no state"[..]]));
    let null: ArrayRef = Arc::new(UInt64Array::from(vec![None]));
    for (name, input, states) in [
        ("count", DataType::Int64, vec![numbers.clone()]),
        ("count", DataType::Int64, vec![null]),
        ("sum", DataType::Int64, vec![numbers.clone()]),
        ("sum", DataType::Float64, vec![numbers.clone()]),
        ("sum", DataType::Float64, vec![bytes.clone()]),
        ("sum", DataType::Float64, vec![]),
        ("min", DataType::Int32, vec![numbers.clone()]),
        ("max", DataType::Float64, vec![bytes]),
        ("mean", DataType::Int64, vec![numbers]),
    ] {
        let aggregate = by_name(name).unwrap();
        let mut accumulator = aggregate.accumulator(Some(&input), Level::best()).unwrap();
        accumulator.resize(1);
        let error = accumulator.merge(&[0], &states).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "{name}");
    }
}
