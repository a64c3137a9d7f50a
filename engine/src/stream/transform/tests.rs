use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;

use super::*;

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let columns = columns
        .iter()
        .map(|(name, column)| (*name, column.clone(), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn stream() -> RecordBatch {
    batch(&[
        (
            "site",
            texts(&[Some("a"), Some("b"), None, Some("x"), Some("a")]),
        ),
        (
            "count",
            ints(&[Some(1), Some(2), Some(3), Some(4), Some(5)]),
        ),
    ])
}

fn join(kind: JoinKind, table: RecordBatch) -> Result<RecordBatch> {
    let join = Join {
        table: StaticTable::new("sites", &[table])?,
        kind,
        on: vec![("site".to_owned(), "name".to_owned())],
    };
    let stream = stream();
    (Box::new(join).bind(&stream.schema())?.apply)(&stream)
}

fn table() -> RecordBatch {
    batch(&[
        ("name", texts(&[Some("b"), Some("a"), Some("a"), None])),
        (
            "owner",
            texts(&[Some("bo"), Some("al"), None, Some("nobody")]),
        ),
    ])
}

#[test]
fn an_inner_join_has_a_row_for_each_pair_and_null_equals_nothing() {
    let expected = batch(&[
        (
            "site",
            texts(&[Some("a"), Some("a"), Some("b"), Some("a"), Some("a")]),
        ),
        (
            "count",
            ints(&[Some(1), Some(1), Some(2), Some(5), Some(5)]),
        ),
        (
            "owner",
            texts(&[Some("al"), None, Some("bo"), Some("al"), None]),
        ),
    ]);
    assert_eq!(join(JoinKind::Inner, table()).unwrap(), expected);
}

#[test]
fn a_left_join_keeps_the_rows_that_the_table_lacks() {
    let joined = join(JoinKind::Left, table()).unwrap();
    assert_eq!(joined.num_rows(), 7);
    let expected = texts(&[Some("al"), None, Some("bo"), None, None, Some("al"), None]);
    assert_eq!(joined.column(2), &expected);
}

#[test]
fn joins_that_do_not_fit_are_refused() {
    let refused = |table| join(JoinKind::Inner, table).unwrap_err().to_string();
    let other = batch(&[("name", ints(&[Some(1)]))]);
    assert!(refused(other).contains("`name` of the table `sites` is Int64"));
    let other = batch(&[("title", texts(&[None]))]);
    assert!(refused(other).contains("no column `name`"));
    let other = batch(&[("name", texts(&[None])), ("count", texts(&[None]))]);
    assert!(refused(other).contains("both have a column `count`"));
}

#[test]
fn functions_see_values_and_make_rows() {
    let columns = [("twice", DataType::Int64), ("site", DataType::Utf8)];
    let fields = columns.map(|(name, of)| arrow_schema::Field::new(name, of, true));
    let map = FlatMapRows {
        schema: Arc::new(arrow_schema::Schema::new(fields.to_vec())),
        run: |row: Row<'_>, rows: &mut Rows| {
            for _ in 0..row.int("count").unwrap_or(0) / 3 {
                rows.push([row.int("count").map(|it| 2 * it).into(), row.value("site")]);
            }
        },
    };
    let stream = stream();
    let made = (Box::new(map).bind(&stream.schema()).unwrap().apply)(&stream).unwrap();
    let expected = batch(&[
        ("twice", ints(&[Some(6), Some(8), Some(10)])),
        ("site", texts(&[None, Some("x"), Some("a")])),
    ]);
    assert_eq!(made, expected);

    let wrong = FlatMapRows {
        schema: expected.schema(),
        run: |_: Row<'_>, rows: &mut Rows| rows.push([Value::Float(1.0), Value::Null]),
    };
    let error = (Box::new(wrong).bind(&stream.schema()).unwrap().apply)(&stream).unwrap_err();
    assert!(error.message().contains("[Float(1.0), Null]"), "{error}");

    let filter = FilterRows(|row: Row<'_>| row.text("site") == Some("a"));
    let kept = (Box::new(filter).bind(&stream.schema()).unwrap().apply)(&stream).unwrap();
    assert_eq!(kept.column(1), &ints(&[Some(1), Some(5)]));
}
