use super::*;
use proptest::prelude::*;

/// The records by the `csv` crate.
fn oracle(text: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .terminator(::csv::Terminator::Any(b'\n'))
        .has_headers(false)
        .flexible(true)
        .from_reader(text);
    let records = reader
        .byte_records()
        .map(|record| record.expect("memory can be read"));
    records
        .map(|record| record.iter().map(<[u8]>::to_vec).collect())
        .collect()
}

/// The records by the index, without quotes and without empty lines, which the `csv` crate skips.
fn records(level: Level, text: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    let mut index = FieldIndex::default();
    index.read(level, text, delimiter);
    let rows = (0..index.rows()).map(|row| index.fields(row));
    let rows = rows.filter(|fields| fields.len() != 1 || !index.field(fields.start).is_empty());
    rows.map(|fields| {
        let fields = fields.map(|field| &text[index.field(field)]);
        fields.map(|field| unquoted(field).into_owned()).collect()
    })
    .collect()
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just("a"), 4 => Just(","), 3 => Just("\n"), 3 => Just("\""), 1 => Just("\"\""),
        1 => Just("\",\""), 1 => Just("\r\n"), 1 => Just("\0"), 1 => Just("ä;"),
        1 => Just("a long field without anything special in it"),
    ];
    proptest::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn records_are_those_of_the_csv_crate(text in texts()) {
        for level in Level::available() {
            for delimiter in [b',', b';', 0] {
                let expected = oracle(&text, delimiter);
                prop_assert_eq!(records(level, &text, delimiter), expected, "{}", level.name());
            }
        }
    }

    #[test]
    fn spans_are_the_fields_of_a_column_without_crs(text in texts(), column in 0..3usize) {
        for level in Level::available() {
            let (mut index, mut spans) = (FieldIndex::default(), Vec::new());
            index.read(level, &text, b',');
            let rows = (0..index.rows()).map(|row| index.fields(row));
            let rows: Vec<_> = rows.filter(|fields| fields.len() > column).collect();
            let firsts: Vec<u32> = rows.iter().map(|fields| fields.start as u32).collect();
            let fields = |spans: &[Span]| -> Vec<Vec<u8>> {
                let places = spans.iter().map(|it| it.start as usize..it.end as usize);
                places.map(|place| text[place].to_vec()).collect()
            };
            index.spans(&firsts, column, &mut spans);
            let expected = rows.iter().map(|row| text[index.field(row.start + column)].to_vec());
            let mut expected: Vec<Vec<u8>> = expected.collect();
            prop_assert_eq!(fields(&spans), &expected[..]);
            index.cut_crs(&text, &mut spans);
            for field in &mut expected {
                field.pop_if(|byte| *byte == b'\r');
            }
            prop_assert_eq!(fields(&spans), expected);
        }
    }

    #[test]
    fn the_last_record_ends_where_the_index_says(text in texts()) {
        for level in Level::available() {
            let last = last_record(level, &text, b',');
            let mut ends = Vec::new();
            exact::scan(&text, b',', |at, is_record| ends.extend(is_record.then_some(at + 1)));
            prop_assert_eq!((last.end, last.records), (ends.last().copied(), ends.len()));
            let before = &text[..last.end.unwrap_or(0)];
            prop_assert_eq!(last.lines, before.split(|&byte| byte == b'\n').count() - 1);
        }
    }
}

#[test]
fn an_open_quote_is_told() {
    let open = |text: &[u8]| {
        let mut index = FieldIndex::default();
        index.read(Level::best(), text, b',');
        (index.is_open(), index.rows())
    };
    assert_eq!(open(b"a,\"b\nc,d\n"), (true, 1));
    assert_eq!(open(b"a,b\"\nc,\"d\n"), (true, 2));
    assert_eq!(open(b"a,\"b\"\n"), (false, 1));
    assert_eq!(open(b""), (false, 0));
}
