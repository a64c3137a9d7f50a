//! The names of aggregates, their types, and states that are none.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, UInt64Array};
use arrow_schema::DataType;

use super::*;

mod integers;
mod oracle;
mod statistics;
mod values;

#[test]
fn aggregates_are_read_and_shown_alike() {
    for (text, shown) in [
        ("count", "count(*)"),
        ("count(*)", "count(*)"),
        ("sum(x)", "sum(x)"),
        ("min(x)", "min(x)"),
        ("max(x)", "max(x)"),
        ("quantile(x,0.90)", "quantile(x, 0.9)"),
        ("corr(x , y)", "corr(x, y)"),
        ("string_agg(x, ',')", "string_agg(x, ',')"),
        ("string_agg(x, '(it''s')", "string_agg(x, '(it''s')"),
        ("top(x, 3)", "top(x, 3)"),
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
        "product(*)",
        "mode(x)",
        "count(x, y)",
        "corr(x)",
        "sum(x, 2)",
        "sum(x,)",
        "median(x, 0.5)",
        "quantile(x)",
        "quantile(x, y)",
        "quantile(x, 1.5)",
        "quantile(x, -0.1)",
        "quantile(x, NaN)",
        "top(x, 0)",
        "top(x, 1000000)",
        "top(x, 2.5)",
        "string_agg(x)",
        "string_agg(x, 'a)",
        "sum((x)",
        "sum(x))",
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
    let of = |name: &str, input: &DataType| {
        let aggregate = made(name);
        aggregate.output_type(std::slice::from_ref(input)).unwrap()
    };
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
    let (decimal, date) = (DataType::Decimal64(10, 2), DataType::Date32);
    assert_eq!(of("sum", &decimal), DataType::Decimal128(38, 2));
    assert_eq!(of("mean", &decimal), DataType::Float64);
    assert_eq!(of("median", &DataType::Int8), DataType::Float64);
    assert_eq!(of("median", &date), date);
    for name in ["min", "max", "any", "first", "last"] {
        for input in [&decimal, &date, &DataType::Utf8View, &DataType::Boolean] {
            assert_eq!(of(name, input), *input);
        }
    }
    for name in ["sum", "mean", "product", "var", "median", "bit_or"] {
        for inputs in [&[][..], &[DataType::Utf8], &[DataType::Float16]] {
            let error = made(name).output_type(inputs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    let list = DataType::new_list(DataType::Int8, true);
    for (name, _) in names().filter(|(name, _)| *name != "count") {
        let error = made(name).output_type(std::slice::from_ref(&list));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Config, "{name}");
        let lists = std::slice::from_ref(&list);
        assert!(made(name).accumulator(lists, Level::best()).is_err());
    }
}

/// The aggregate of a name, with any parameters.
fn made(name: &str) -> Arc<dyn Aggregate> {
    let entry = entry(name).unwrap();
    let parameters = vec!["1".to_owned(); entry.parameters];
    (entry.make)(&parameters).unwrap()
}

#[test]
fn every_name_is_read_as_it_is_shown() {
    for (name, usage) in names().filter(|(name, _)| *name != "count") {
        let call: AggregateExpr = usage.parse().unwrap();
        let found = (call.aggregate().name(), call.to_string());
        assert_eq!(found, (name, usage.to_owned()));
    }
    assert_eq!(quantile("x", 0.25).to_string(), "quantile(x, 0.25)");
    assert_eq!(string_agg("x", "a'").to_string(), "string_agg(x, 'a''')");
    for wrong in [quantile("x", 1.5), quantile("x", f64::NAN), top("x", 0)] {
        let error = wrong.aggregate().output_type(&[DataType::Int8]);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
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
        ("max", DataType::Float64, vec![bytes.clone()]),
        ("product", DataType::Int64, vec![numbers.clone()]),
        ("var", DataType::Int64, vec![numbers.clone()]),
        ("median", DataType::Int64, vec![numbers.clone()]),
        ("top", DataType::Int64, vec![numbers.clone()]),
        ("count_distinct", DataType::Int64, vec![numbers.clone()]),
        ("approx_distinct", DataType::Int64, vec![bytes.clone()]),
        (
            "first",
            DataType::Int64,
            vec![numbers.clone(), numbers.clone()],
        ),
        (
            "string_agg",
            DataType::Utf8,
            vec![bytes.clone(), numbers.clone()],
        ),
        ("bit_or", DataType::Int32, vec![numbers.clone()]),
        ("mean", DataType::Int64, vec![numbers]),
    ] {
        let mut accumulator = made(name).accumulator(&[input], Level::best()).unwrap();
        accumulator.resize(1);
        let error = accumulator.merge(&[0], &states).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "{name}");
    }
}
