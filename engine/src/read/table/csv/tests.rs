use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_cast::parse::Parser;
use proptest::prelude::*;

use super::*;
use crate::read::table::Table;
use crate::{Resources, Tuning};

const COLUMNS: [&str; 7] = [
    "i:int",
    "f:float",
    "d:decimal(10,2)",
    "b:bool",
    "t:timestamp",
    "day:date",
    "s:text",
];

/// A row as text, so that floats are compared by their bits; nulls are empty.
type Row = [String; COLUMNS.len()];

/// The rows of a table in chunks of 64 bytes, and the number of bad rows.
fn rows(text: &str, level: Level) -> (Vec<Row>, u64) {
    let columns = COLUMNS.map(|column| column.parse::<Column>().unwrap());
    let table = Table::of_bytes(text.to_owned()).format(TableFormat::Csv);
    let table = table.header(false).columns(columns).bad_rows(BadRows::Skip);
    let resources = Resources {
        level,
        tuning: Tuning::TINY,
        ..Resources::default()
    };
    let mut pieces = table.open(&resources).unwrap();
    let mut rows = Vec::new();
    while let Some(piece) = pieces.next(&resources).unwrap() {
        let decoded = piece.decode(&mut |batch: RecordBatch| {
            rows.extend((0..batch.num_rows()).map(|row| row_of(&batch, row)));
            Ok(())
        });
        decoded.unwrap();
    }
    (rows, pieces.finish(u64::MAX).unwrap())
}

fn row_of(batch: &RecordBatch, row: usize) -> Row {
    let mut number = 0;
    COLUMNS.map(|_| {
        let column = batch.column(number);
        number += 1;
        match (number, column.is_valid(row)) {
            (_, false) => String::new(),
            (1, _) => column.as_primitive::<Int64Type>().value(row).to_string(),
            (2, _) => bits(column.as_primitive::<Float64Type>().value(row)),
            (3, _) => column
                .as_primitive::<Decimal128Type>()
                .value(row)
                .to_string(),
            (4, _) => column.as_boolean().value(row).to_string(),
            (5, _) => {
                let times = column.as_primitive::<TimestampMicrosecondType>();
                times.value(row).to_string()
            }
            (6, _) => column.as_primitive::<Date32Type>().value(row).to_string(),
            _ => column.as_string::<i32>().value(row).to_owned(),
        }
    })
}

fn bits(value: f64) -> String {
    format!("{:x}", value.to_bits())
}

/// The value of a column in plain code; `None` if it is bad.
fn value(column: usize, text: &str) -> Option<String> {
    let trimmed = text.trim();
    Some(match (column, trimmed) {
        (6, _) => text.to_owned(),
        (_, "") => String::new(),
        (0, text) => text.parse::<i64>().ok()?.to_string(),
        (1, text) => bits(text.parse().ok()?),
        (2, text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let fraction = format!("{:0<2}", fraction.trim_end_matches('0'));
            let cents = format!("{whole}{fraction}").parse::<i64>().ok()?;
            (fraction.len() == 2 && cents.abs() < 10i64.pow(10)).then(|| cents.to_string())?
        }
        (3, text) => match text.to_lowercase().as_str() {
            "true" | "t" | "1" | "yes" => "true".to_owned(),
            "false" | "f" | "0" | "no" => "false".to_owned(),
            _ => return None,
        },
        (4, text) => TimestampMicrosecondType::parse(text)?.to_string(),
        (_, text) => {
            let is_date = text.len() == 10;
            is_date.then(|| Date32Type::parse(text))??.to_string()
        }
    })
}

/// The rows by the `csv` crate, and the number of bad rows.
fn by_crate(text: &str) -> (Vec<Row>, u64) {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let (mut rows, mut bad) = (Vec::new(), 0);
    for record in reader.records() {
        let record = record.unwrap();
        let values = record.iter().enumerate();
        let values: Option<Vec<_>> = values
            .map(|(column, text)| value(column.min(6), text))
            .collect();
        match values.and_then(|values| Row::try_from(values).ok()) {
            Some(row) => rows.push(row),
            None => bad += 1,
        }
    }
    (rows, bad)
}

/// Records with values that are mostly of their types.
fn texts() -> impl Strategy<Value = String> {
    let value =
        |pattern: &'static str| prop_oneof![20 => pattern, 1 => "x| 7 |".prop_map(String::from)];
    let row = (
        value("-?[0-9]{1,20}"),
        value("-?[0-9]{1,4}(\\.[0-9]{1,16})?(e-?[0-9]{1,2})?"),
        value("-?[0-9]{1,8}(\\.[0-9]{1,2}0{0,2})?|-?[0-9]{9}|1\\.234"),
        value("true|False|t|no|1"),
        value(
            "20[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,7})?",
        ),
        value("[0-2][0-9]{3}-(0[1-9]|1[0-2])-[0-3][0-9]"),
        "[a-z ü]{0,40}|a,b|a\nb|a\"b",
        0..40u8,
    );
    let row = row.prop_map(|(a, b, c, d, e, f, g, form)| {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let needs_quotes = g.contains(['"', ',', '\n']);
        let g = if needs_quotes { quoted(&g) } else { g };
        let end = if form % 2 == 0 { "\n" } else { "\r\n" };
        match form {
            0 => format!("{a},{b}{end}{end}"),
            1 => format!("{a},{b},{c},{d},{e},{f},{g},more{end}"),
            2..6 => format!(
                "{},{b},\" {c} \",{d},{e},{},{g}{end}",
                quoted(&a),
                quoted(&f)
            ),
            _ => format!("{a},{b},{c},{d},{e},{f},{g}{end}"),
        }
    });
    proptest::collection::vec(row, 0..40).prop_map(|rows| rows.concat())
}

proptest! {
    #[test]
    fn rows_are_those_of_the_csv_crate(text in texts()) {
        let expected = by_crate(&text);
        for level in Level::available() {
            prop_assert_eq!(&rows(&text, level), &expected, "{}", level.name());
        }
    }
}

#[test]
fn bad_rows_have_the_line_and_the_value() {
    let text = "n,s\n1,a\n\n\"2\",\"x\ny\"\nz,b\n3\n4,\"c";
    let path = std::env::temp_dir().join(format!("keymill-bad-{}", std::process::id()));
    let policies = [BadRows::Skip, BadRows::Reject(path.clone()), BadRows::Fail];
    let columns = ["n:int".parse::<Column>().unwrap()];
    let errors = policies.map(|policy| {
        let table = Table::of_bytes(text).format(TableFormat::Csv);
        let batches = table.columns(columns.clone()).bad_rows(policy).batches();
        let rows = Iterator::map(batches, |batch| batch.map(|batch| batch.num_rows()));
        rows.sum::<Result<usize>>()
            .map_err(|error| error.to_string())
    });
    let first = "`memory`, line 6, column `n`: `z` is not an integer of 64 bits";
    assert_eq!((&errors[0], &errors[1]), (&Ok(2), &Ok(2)));
    assert!(
        errors[2].as_ref().unwrap_err().starts_with(first),
        "{errors:?}"
    );
    let rejected = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let expected = "\nz,b\n# `memory`, line 7: 1 value where 2 are expected\n3\n# `memory`, line 8: a quote is not \
                    closed\n4,\"c\n";
    assert_eq!(rejected, format!("# {first}{expected}"));
}
