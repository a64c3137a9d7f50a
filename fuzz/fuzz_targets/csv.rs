//! Fields and records of comma-separated values, on every level, compared with the `csv` crate; their numbers
//! with the standard library.
#![no_main]

use std::ops::Range;

use keymill_kernels::Level;
use keymill_kernels::parse;
use keymill_kernels::stage::csv::{FieldIndex, last_record, unquoted};
use keymill_kernels::stage::tokenize::Span;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let expected = by_crate(text);
    for level in Level::available() {
        let mut index = FieldIndex::default();
        index.read(level, text, b',');
        let rows = (0..index.rows()).map(|row| index.fields(row));
        let rows = rows.filter(|row| row.len() != 1 || !index.field(row.start).is_empty());
        let found: Vec<Vec<Vec<u8>>> = rows
            .map(|row| {
                let fields = row.map(|field| &text[index.field(field)]);
                fields.map(|field| unquoted(field).into_owned()).collect()
            })
            .collect();
        assert_eq!(found, expected, "{}", level.name());
        let fields = (0..index.rows()).flat_map(|row| index.fields(row));
        let spans: Vec<Span> = fields.map(|field| span_of(index.field(field))).collect();
        check_columns(level, text, &spans);
        let last = last_record(level, text, b',');
        assert!(last.end.is_none_or(|end| text[end - 1] == b'\n'));
    }
});

fn span_of(field: Range<usize>) -> Span {
    let [start, end] = [field.start, field.end].map(|place| place as u32);
    Span { start, end }
}

/// Checks the numbers of a column, and each on its own.
fn check_columns(level: Level, text: &[u8], spans: &[Span]) {
    let (mut integers, mut no_integers) = (Vec::new(), Vec::new());
    parse::integers(level, text, spans, &mut integers, &mut no_integers);
    let (mut floats, mut no_floats) = (Vec::new(), Vec::new());
    parse::floats(level, text, spans, &mut floats, &mut no_floats);
    for (row, span) in (0..).zip(spans) {
        let field = span.start as usize..span.end as usize;
        check_numbers(text, field.clone());
        if no_integers.binary_search(&row).is_err() {
            let found = integers[row as usize];
            assert_eq!(Some(found), parse::integer_in(text, field.clone()));
        }
        if no_floats.binary_search(&row).is_err() {
            let found = floats[row as usize].to_bits();
            assert_eq!(Some(found), parse::float_in(text, field).map(f64::to_bits));
        }
    }
}

fn check_numbers(text: &[u8], field: Range<usize>) {
    let value = str::from_utf8(&text[field.clone()]).ok();
    let integer = value.and_then(|value| value.parse::<i64>().ok());
    assert_eq!(parse::integer_in(text, field.clone()), integer);
    let float = value.and_then(|value| value.parse::<f64>().ok());
    let found = parse::float_in(text, field);
    assert_eq!(found.map(f64::to_bits), float.map(f64::to_bits));
}

fn by_crate(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let reader = csv::ReaderBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .has_headers(false)
        .flexible(true)
        .from_reader(text);
    let records = reader.into_byte_records();
    let records = records.map(|record| record.expect("memory can be read"));
    records
        .map(|record| record.iter().map(<[u8]>::to_vec).collect())
        .collect()
}
