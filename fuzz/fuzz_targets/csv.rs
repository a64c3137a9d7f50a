//! Fields and records of comma-separated values, on every level, compared with the `csv` crate; their numbers
//! with the standard library.
#![no_main]

use std::ops::Range;

use keymill_kernels::Level;
use keymill_kernels::parse;
use keymill_kernels::stage::csv::{FieldIndex, last_record, unquoted};
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
        for field in (0..index.rows()).flat_map(|row| index.fields(row)) {
            check_numbers(text, index.field(field));
        }
        let last = last_record(level, text, b',');
        assert!(last.end.is_none_or(|end| text[end - 1] == b'\n'));
    }
});

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
