//! Filters, selected columns and computed keys of streams.
#![cfg(feature = "csv")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{DataType, Field, Schema};
use keymill::ErrorKind;
use keymill::aggregate::sum;
use keymill::prelude::*;
use keymill::read::{LineFormat, RowLines};
use keymill::stream::{MemorySink, MemoryStream, RowSource, Trigger};

use crate::fixtures::engine;

#[test]
fn rows_are_filtered_and_computed_before_they_are_grouped() {
    let (source, input) = MemoryStream::new();
    input.push("a.org,3\nb.com,5\na.org,0\n");
    input.push("A.org,4\nb.com,-1\n");
    input.finish();
    let fields = vec![
        Field::new("site", DataType::Utf8, true),
        Field::new("count", DataType::Int64, true),
    ];
    let format = LineFormat::Csv {
        delimiter: b',',
        has_header: false,
    };
    let lines = RowLines::new(format, Arc::new(Schema::new(fields))).unwrap();
    let results = MemorySink::new();
    let stream = engine(2)
        .stream(RowSource::new(source, lines))
        .trigger(Trigger::AvailableNow)
        .filter(col("count").gt(lit(0)))
        .select([col("site").upper().alias("name"), col("count")]);
    let totals = stream.group_by(["name"], [sum(col("count") * lit(2))]);
    let totals = totals.update_state(keymill::stream::sum());
    totals.sink(results.clone()).run().unwrap();
    let last = results.epochs().pop().unwrap().1;
    let (names, sums) = (last[0].column(0), last[0].column(1));
    assert_eq!(names.as_string::<i32>().value(0), "A.ORG");
    assert_eq!(sums.as_primitive::<Int64Type>().value(0), 14);
}

#[test]
fn text_has_no_columns_to_filter() {
    let (source, _input) = MemoryStream::new();
    let stream = engine(1).stream(source).filter(col("count").gt(lit(0)));
    let counts = stream.tokenize(whitespace()).count_by_key();
    let error = counts
        .sink(MemorySink::new())
        .start()
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("no rows to filter"), "{error}");
}
