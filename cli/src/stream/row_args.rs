//! Columns, keys and aggregates of rows.
#![forbid(unsafe_code)]

use std::sync::Arc;

use keymill::aggregate::AggregateExpr;
use keymill::arrow::schema::{DataType, Field, Schema};
use keymill::read::{LineFormat, RowLines};
use keymill::stream::{RowSource, StreamSource};
use keymill::{Error, ErrorKind, Result};

use crate::args::{SourceArgs, StreamArgs};

/// The names of types, as they are written after a column.
const TYPES: [(&str, DataType); 5] = [
    ("text", DataType::Utf8),
    ("int", DataType::Int64),
    ("float", DataType::Float64),
    ("bool", DataType::Boolean),
    ("date", DataType::Date32),
];

/// The aggregates of `--agg`; without it the rows are counted.
pub(super) fn aggregates(args: &StreamArgs) -> Result<Vec<AggregateExpr>> {
    match args.agg.is_empty() {
        true => Ok(vec!["count".parse()?]),
        false => {
            let lists = args.agg.iter().map(|calls| AggregateExpr::list(calls));
            Ok(lists.collect::<Result<Vec<_>>>()?.concat())
        }
    }
}

/// How the lines of a source are rows; `None` if the source gives rows by itself, or text is wanted.
pub(super) fn lines(form: &SourceArgs, args: &StreamArgs) -> Result<Option<RowLines>> {
    if args.key.is_empty() || form.columns.is_empty() {
        return Ok(None);
    }
    let fields: Vec<Field> = form
        .columns
        .iter()
        .map(|column| field(column, args))
        .collect::<Result<_>>()?;
    let format = match form.json {
        true => LineFormat::Json,
        false => LineFormat::Csv {
            delimiter: form.delimiter,
            has_header: form.header,
        },
    };
    RowLines::new(format, Arc::new(Schema::new(fields))).map(Some)
}

/// The rows of a source of lines, if rows are wanted.
pub(super) fn rows(
    source: Box<dyn StreamSource>,
    lines: Option<RowLines>,
    args: &StreamArgs,
) -> Result<Box<dyn StreamSource>> {
    match lines {
        Some(lines) => Ok(RowSource::new(source, lines).into()),
        None if args.key.is_empty() || source.schema()?.is_some() => Ok(source),
        None => {
            let message = "rows need the names of their columns: --columns site,count";
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

/// A column: `site`, `count:int`. Without a type, a column that is aggregated has floats, and any
/// other one has text.
fn field(column: &str, args: &StreamArgs) -> Result<Field> {
    let (name, of) = match column.split_once(':') {
        Some((name, of)) => {
            let known = TYPES.iter().find(|(known, _)| *known == of);
            let known = known.ok_or_else(|| {
                let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                let message = format!("`{column}`: `{of}` is not a type; the types are {names}");
                Error::new(ErrorKind::Config, message)
            })?;
            (name, known.1.clone())
        }
        None if is_aggregated(column, args) => (column, DataType::Float64),
        None => (column, DataType::Utf8),
    };
    Ok(Field::new(name, of, true))
}

/// Returns whether an aggregate that takes numbers has this column, which is no key.
fn is_aggregated(column: &str, args: &StreamArgs) -> bool {
    const OF_ANY_TYPE: [&str; 5] = [
        "count",
        "count_distinct",
        "approx_distinct",
        "string_agg",
        "any",
    ];
    let is_key = args.key.iter().any(|key| key == column);
    let calls = aggregates(args).unwrap_or_default();
    let has_numbers = |call: &AggregateExpr| {
        !OF_ANY_TYPE.contains(&call.name()) && call.inputs().contains(&column.into())
    };
    !is_key && calls.iter().any(has_numbers)
}
