//! Every format round-trips its rows.

use std::io;
use std::sync::Arc;

#[cfg(any(feature = "parquet", feature = "ipc"))]
use arrow_array::cast::AsArray;
#[cfg(any(feature = "parquet", feature = "ipc"))]
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, BinaryViewArray, RecordBatch, UInt64Array};
use proptest::prelude::*;

use super::*;

type Rows = Vec<(Vec<u8>, u64)>;

fn batch(rows: &[(Vec<u8>, u64)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(rows.iter().map(|r| &r.0)));
    let counts: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.1)));
    RecordBatch::try_from_iter([("key", keys), ("count", counts)]).unwrap()
}

fn written(format: Format, rows: &[(Vec<u8>, u64)], batch_rows: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let whole = batch(rows);
    let mut writer = format.writer(&whole.schema(), &mut out).unwrap();
    for start in (0..rows.len()).step_by(batch_rows) {
        let length = batch_rows.min(rows.len() - start);
        writer.write(&whole.slice(start, length)).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    out
}

fn read_tsv(text: &[u8]) -> Rows {
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    let row = |line: &[u8]| {
        let fields: Vec<&[u8]> = line
            .strip_suffix(b"\n")
            .unwrap()
            .split(|&b| b == b'\t')
            .collect();
        let [key, count] = fields[..] else {
            panic!("{} fields in a row", fields.len())
        };
        (
            unescape(key).into_owned(),
            str::from_utf8(count).unwrap().parse().unwrap(),
        )
    };
    lines.map(row).collect()
}

fn read_csv(text: &[u8]) -> Rows {
    let mut rest = text.strip_prefix(b"key,count\n").unwrap();
    let mut rows = Rows::new();
    while !rest.is_empty() {
        let (key, behind) = read_csv_key(rest);
        let end = behind.iter().position(|&byte| byte == b'\n').unwrap();
        rows.push((
            key,
            str::from_utf8(&behind[..end]).unwrap().parse().unwrap(),
        ));
        rest = &behind[end + 1..];
    }
    rows
}

fn read_csv_key(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let comma = text.iter().position(|&byte| byte == b',').unwrap();
        return (text[..comma].to_vec(), &text[comma + 1..]);
    };
    let mut key = Vec::new();
    loop {
        match rest {
            [b'"', b'"', ..] => (key.push(b'"'), rest = &rest[2..]).1,
            [b'"', b',', rest @ ..] => return (key, rest),
            [byte, tail @ ..] => (key.push(*byte), rest = tail).1,
            [] => panic!("a quote without its end"),
        }
    }
}

fn read_json(text: &[u8]) -> Rows {
    let lines = str::from_utf8(text).unwrap().lines();
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let key = match &value["key"] {
            serde_json::Value::String(key) => key.clone().into_bytes(),
            _ => decode_base64(value["key_base64"].as_str().unwrap()).unwrap(),
        };
        (key, value["count"].as_u64().unwrap())
    };
    lines.map(row).collect()
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
fn rows_of(batches: impl IntoIterator<Item = RecordBatch>) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let counts = batch.column(1).as_primitive::<UInt64Type>().clone();
        let keys = batch.column(0).as_binary_view().clone();
        rows.extend((0..batch.num_rows()).map(|r| (keys.value(r).to_vec(), counts.value(r))));
    }
    rows
}

#[cfg(feature = "ipc")]
fn read_arrow(file: &[u8]) -> Rows {
    let reader = arrow_ipc::reader::FileReader::try_new(io::Cursor::new(file), None).unwrap();
    rows_of(reader.map(std::result::Result::unwrap))
}

#[cfg(feature = "parquet")]
fn read_parquet(file: &[u8]) -> Rows {
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    let mut stored = tempfile::tempfile().unwrap();
    stored.write_all(file).unwrap();
    let reader = ParquetRecordBatchReader::try_new(stored, 100).unwrap();
    rows_of(reader.map(std::result::Result::unwrap))
}

type Read = fn(&[u8]) -> Rows;

const READERS: &[(Format, Read)] = &[
    (Format::Tsv, read_tsv),
    (Format::Csv, read_csv),
    (Format::Json, read_json),
    #[cfg(feature = "ipc")]
    (Format::Arrow, read_arrow),
    #[cfg(feature = "parquet")]
    (Format::Parquet, read_parquet),
];

/// Returns keys that need escapes in some format, with lengths around the 12 bytes of an inline view.
fn awkward_keys() -> Vec<Vec<u8>> {
    let awkward: [&[u8]; 14] = [
        b"",
        b"\t",
        b"\n",
        b"\r",
        b"\\",
        b"\"",
        b",",
        b"\0",
        b"\xff",
        b"\xe2\x82",
        b"\\t",
        b" ",
        "é漢字🦀".as_bytes(),
        b"\x1b[31m",
    ];
    let mut keys = Vec::new();
    for padding in [0, 1, 7, 8, 11, 12, 15, 16, 17, 40] {
        for piece in awkward {
            keys.push([piece, &b"x".repeat(padding)].concat());
            keys.push([&b"x".repeat(padding), piece].concat());
        }
    }
    keys
}

#[test]
fn every_format_round_trips_awkward_keys() {
    let rows: Rows = awkward_keys()
        .into_iter()
        .zip((0..64).map(|n| u64::MAX >> n).cycle())
        .collect();
    for &(format, read) in READERS {
        for batch_rows in [1, 3, 1000] {
            assert_eq!(read(&written(format, &rows, batch_rows)), rows, "{format}");
        }
    }
}

#[cfg(feature = "parallel")]
#[test]
fn every_format_writes_many_pieces_in_order_on_any_threads() {
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(every_format_writes_many_pieces_in_order);
    }
}

#[test]
fn every_format_writes_many_pieces_in_order() {
    let rows: Rows = (0..300_000u64)
        .map(|n| (n.wrapping_mul(0x9e37_79b9).to_string().into_bytes(), n))
        .collect();
    for &(format, read) in READERS {
        let found = read(&written(format, &rows, 70_001));
        assert!(found == rows, "{format}: rows differ");
    }
}

#[test]
fn an_empty_result_is_readable() {
    for &(format, read) in READERS {
        assert_eq!(read(&written(format, &[], 1)), Rows::new(), "{format}");
    }
}

#[test]
fn huge_keys_are_written() {
    let rows: Rows = (0..9)
        .map(|n| (vec![b'a' + n; 1 << 20], u64::from(n)))
        .collect();
    for &(format, read) in READERS {
        assert!(read(&written(format, &rows, 2)) == rows, "{format}");
    }
}

#[test]
fn the_formats_are_as_documented() {
    let rows = [(b"to be".to_vec(), 7), (b"\xff\t\"".to_vec(), 12)];
    assert_eq!(written(Format::Tsv, &rows, 9), b"to be\t7\n\xff\\t\"\t12\n");
    assert_eq!(
        written(Format::Csv, &rows, 9),
        b"key,count\nto be,7\n\"\xff\t\"\"\",12\n"
    );
    assert_eq!(
        String::from_utf8(written(Format::Json, &rows, 9)).unwrap(),
        "{\"key\":\"to be\",\"count\":7}\n{\"key_base64\":\"/wki\",\"count\":12}\n"
    );
}

#[test]
fn markdown_is_one_line_a_row() {
    let rows = [(b"to|be\\".to_vec(), 7), (b"a\nb".to_vec(), 12)];
    assert_eq!(
        String::from_utf8(written(Format::Markdown, &rows, 9)).unwrap(),
        "| key | count |\n|---|---:|\n| to\\|be\\\\ | 7 |\n| a b | 12 |\n"
    );
}

#[test]
fn dates_times_and_decimals_are_texts() {
    use arrow_array::{Date32Array, Decimal128Array, TimestampMicrosecondArray};
    let decimals = Decimal128Array::from(vec![Some(-1250), None]);
    let columns: [(&str, ArrayRef); 3] = [
        ("day", Arc::new(Date32Array::from(vec![Some(0), Some(-1)]))),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None])),
        ),
        (
            "x",
            Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let text = |format: Format| {
        let mut out = Vec::new();
        let mut writer = format.writer(&batch.schema(), &mut out).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        String::from_utf8(out).unwrap()
    };
    let rows = "1970-01-01\t1970-01-01T00:00:01.500\t-12.50\n1969-12-31\t\\N\t\\N\n";
    assert_eq!(text(Format::Tsv), rows);
    let heading = "| day | at | x |\n|---|---|---:|\n";
    let cells = "| 1970-01-01 | 1970-01-01T00:00:01.500 | -12.50 |\n| 1969-12-31 |  |  |\n";
    assert_eq!(text(Format::Markdown), [heading, cells].concat());
}

#[test]
fn a_tsv_key_contains_no_tab_or_line_end() {
    let rows: Rows = awkward_keys().into_iter().map(|key| (key, 7)).collect();
    let text = written(Format::Tsv, &rows, 9);
    let count = |wanted| text.iter().filter(|&&byte| byte == wanted).count();
    assert_eq!(
        (count(b'\t'), count(b'\n'), count(b'\r')),
        (rows.len(), rows.len(), 0)
    );
}

#[cfg(feature = "table")]
#[test]
fn a_table_is_aligned_and_safe_to_show() {
    let rows = [
        (b"the".to_vec(), 1_234_567),
        ("漢字".as_bytes().to_vec(), 999),
        (b"\x1b[31m\xff\n".to_vec(), 1000),
        (vec![b'x'; 100], 1),
    ];
    let narrow = "\
key                     count
────────────────  ───────────
the                 1,234,567
漢字                      999
\\x1b[31m\\xff\\n          1,000
";
    let text = String::from_utf8(written(Format::Table, &rows[..3], 9)).unwrap();
    let squeezed = |text: &str| {
        text.lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(squeezed(&text)[2..], squeezed(narrow)[2..]);
    use unicode_width::UnicodeWidthStr;
    let widths: Vec<usize> = text.lines().map(|line| line.width()).collect();
    assert!(widths.iter().all(|&width| width == widths[0]), "{text}");
    let cut = String::from_utf8(written(Format::Table, &rows[3..], 9)).unwrap();
    assert!(cut.contains("xxx…  "), "{cut}");
}

#[cfg(feature = "table")]
#[test]
fn a_table_fits_the_terminal() {
    use unicode_width::UnicodeWidthStr;
    let rows = [
        (b"a word that is long".to_vec(), 1_234_567),
        ("漢字漢字漢字漢字漢字".as_bytes().to_vec(), 999),
    ];
    let whole = batch(&rows);
    for columns in [20, 15, 1] {
        let mut out = Vec::new();
        let writer = Format::Table.writer_within(Some(columns), &whole.schema(), &mut out);
        let mut writer = writer.unwrap();
        writer.write(&whole).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let text = String::from_utf8(out).unwrap();
        // Numbers are not truncated, and a text column has at least room for `…`.
        let most = columns.max("…  1,234,567".width());
        let widths: Vec<usize> = text.lines().map(|line| line.width()).collect();
        assert!(
            widths.iter().all(|&width| width == most),
            "{columns}:\n{text}"
        );
        assert!(text.contains("1,234,567") && text.contains('…'), "{text}");
    }
}

#[test]
fn a_failing_output_is_a_sink_error_that_keeps_its_cause() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let whole = batch(&[(b"a".to_vec(), 1)]);
    for format in Format::ALL {
        let Ok(mut writer) = format.writer(&whole.schema(), Full) else {
            continue;
        };
        let error = writer
            .write(&whole)
            .and_then(|()| writer.finish())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Sink, "{format}: {error}");
        let cause = std::error::Error::source(&error).unwrap();
        let cause: &io::Error = cause.downcast_ref().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::StorageFull, "{format}");
    }
}

proptest! {
    #[test]
    fn any_rows_round_trip(rows in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), any::<u64>()), 0..50), batch_rows in 1usize..60) {
        for &(format, read) in READERS {
            prop_assert_eq!(read(&written(format, &rows, batch_rows)), rows.clone());
        }
    }
}
