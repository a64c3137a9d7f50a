use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt8Type};
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::read::MemorySource;

fn schema() -> SchemaRef {
    let field = |name, of| Field::new(name, of, true);
    let fields = [
        ("site", DataType::Utf8),
        ("n", DataType::Int64),
        ("x", DataType::Float64),
    ];
    Arc::new(Schema::new(
        fields.map(|(name, of)| field(name, of)).to_vec(),
    ))
}

const CSV: LineFormat = LineFormat::Csv {
    delimiter: b',',
    has_header: false,
};

#[test]
fn values_are_read_and_bad_lines_are_counted() {
    let lines = "a,1,2.5\n\"b,\"\"c\",-7, 1e3\r\nd,x,1\ne,1,2,3\nf\ng,,0.1";
    let rows = RowLines::new(CSV, schema()).unwrap();
    let batch = rows.decode(lines.as_bytes()).unwrap();
    let sites: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(sites, [Some("a"), Some("b,\"c"), Some("f"), Some("g")]);
    let numbers: Vec<_> = batch.column(1).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(numbers, [Some(1), Some(-7), None, None]);
    let floats: Vec<_> = batch
        .column(2)
        .as_primitive::<Float64Type>()
        .iter()
        .collect();
    assert_eq!(floats, [Some(2.5), Some(1e3), None, Some(0.1)]);
    assert_eq!(rows.rejected(), 2);
}

#[test]
fn quotes_end_with_their_line() {
    let lines = "\"a\nb,1\n\"c\",2\n\n\"\",\"3\"\n,4\n\"e";
    let rows = RowLines::new(CSV, schema()).unwrap();
    let batch = rows.decode(lines.as_bytes()).unwrap();
    let sites: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(sites, [Some("b"), Some("c"), Some(""), None]);
    let numbers = batch.column(1).as_primitive::<Int64Type>().values();
    assert_eq!(numbers, &[1, 2, 3, 4]);
    assert_eq!(rows.rejected(), 2);
}

#[test]
fn types_without_a_parser_are_cast() {
    let types = [DataType::UInt8, DataType::Utf8View, DataType::Float32];
    let fields = types.map(|of| Field::new(of.to_string(), of, true));
    let rows = RowLines::new(CSV, Arc::new(Schema::new(fields.to_vec()))).unwrap();
    let batch = rows
        .decode(b"255,a b,0.5\n256,c,1\n, d ,\"-1\"\n1,\xff,2\n")
        .unwrap();
    let small = batch.column(0).as_primitive::<UInt8Type>().iter();
    assert_eq!(small.collect::<Vec<_>>(), [Some(255), None]);
    let texts = batch.column(1).as_string_view().iter();
    assert_eq!(texts.collect::<Vec<_>>(), [Some("a b"), Some(" d ")]);
    let floats = batch.column(2).as_primitive::<Float32Type>().values();
    assert_eq!(floats, &[0.5, -1.0]);
    assert_eq!(rows.rejected(), 2);
    let of = DataType::Struct(Vec::<Field>::new().into());
    let list = Arc::new(Schema::new(vec![Field::new("s", of, true)]));
    let error = RowLines::new(CSV, list).unwrap_err();
    assert!(
        error.to_string().contains("no text can be read as"),
        "{error}"
    );
}

/// The two texts of each line, by the `csv` crate; `None` for a line that is no row.
fn by_crate(lines: &str) -> Vec<Option<[String; 2]>> {
    let lines = lines.lines().filter(|line| !line.is_empty());
    let row = |line: &str| {
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(line.as_bytes());
        let row = reader.records().next()?.unwrap();
        // One more field shows whether the last quote is closed.
        let longer = format!("{line},");
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(longer.as_bytes());
        let is_open = reader.records().next()?.unwrap().len() == row.len();
        let value = |column: usize| row.get(column).unwrap_or("").to_owned();
        (!is_open && row.len() <= 2).then(|| [value(0), value(1)])
    };
    lines.map(row).collect()
}

proptest::proptest! {
    #[test]
    fn lines_are_rows_of_their_own(text in "([ab]|,|\"|\n){0,60}", at in 0..60usize) {
        let fields = ["x", "y"].map(|name| Field::new(name, DataType::Utf8, true));
        let rows = RowLines::new(CSV, Arc::new(Schema::new(fields.to_vec()))).unwrap();
        let texts = |lines: &str| {
            let batch = rows.decode(lines.as_bytes()).unwrap();
            let columns = [0, 1].map(|column| batch.column(column).as_string::<i32>().clone());
            let value = |row: usize| columns.each_ref().map(|column| column.value(row).to_owned());
            (0..batch.num_rows()).map(value).collect::<Vec<_>>()
        };
        let expected = by_crate(&text);
        let good: Vec<_> = expected.iter().flatten().cloned().collect();
        proptest::prop_assert_eq!(&texts(&text), &good);
        let bad = (expected.len() - good.len()) as u64;
        proptest::prop_assert_eq!(rows.rejected(), bad);
        // Any split between lines gives the same rows.
        let cut = text.char_indices().filter(|(_, c)| *c == '\n').nth(at % 5);
        let (first, second) = text.split_at(cut.map_or(0, |(at, _)| at + 1));
        proptest::prop_assert_eq!([texts(first), texts(second)].concat(), good);
    }
}

#[test]
fn reasons_are_given_for_the_lines_that_are_rejected() {
    let csv = RowLines::new(CSV, schema()).unwrap();
    let json = RowLines::new(LineFormat::Json, schema()).unwrap();
    for (rows, line, says) in [
        (
            &csv,
            "d,x,1",
            Some("column `n`: `x` is not of the type Int64"),
        ),
        (&csv, "e,1,2,3\n", Some("4 values where 3 are expected")),
        (&csv, "\"e\n", Some("a quote is not closed")),
        (&csv, "f,,\n", None),
        (&csv, "g\n", None),
        (&json, "{\"n\":\"text\"}", Some("text")),
        (&json, "nonsense\n", Some("Json")),
        (&json, "{\"n\":3}\n", None),
    ] {
        let why = rows.why_rejected(line.as_bytes());
        assert_eq!(why.is_some(), says.is_some(), "{line}: {why:?}");
        let why = why.unwrap_or_default();
        assert!(why.contains(says.unwrap_or_default()), "{line}: {why}");
        // The same lines are rejected.
        let before = rows.rejected();
        rows.decode(line.as_bytes()).unwrap();
        assert_eq!(
            rows.rejected() - before,
            u64::from(says.is_some()),
            "{line}"
        );
    }
}

#[test]
fn json_objects_are_rows() {
    let lines =
        "{\"n\":3,\"site\":\"a\",\"other\":[1]}\n\nnot json\n{\"x\":0.5}\n{\"n\":\"text\"}\n";
    let rows = RowLines::new(LineFormat::Json, schema()).unwrap();
    let batch = rows.decode(lines.as_bytes()).unwrap();
    let sites: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(sites, [Some("a"), None]);
    let floats: Vec<_> = batch
        .column(2)
        .as_primitive::<Float64Type>()
        .iter()
        .collect();
    assert_eq!(floats, [None, Some(0.5)]);
    assert_eq!(rows.rejected(), 2);
}

#[test]
fn a_source_is_read_to_its_end_in_whole_lines() {
    let text: String = (0..100_000)
        .map(|row| format!("site{},{row},0\n", row % 7))
        .collect();
    let with_header = LineFormat::Csv {
        delimiter: b',',
        has_header: true,
    };
    for (format, skipped) in [(CSV, 0), (with_header, 2)] {
        let rows = RowLines::new(format, schema()).unwrap();
        let source = MemorySource::new(text.clone()).and("last,7,1");
        let batches = rows.rows_of(Arc::new(source)).unwrap();
        let batches: Vec<RecordBatch> = batches.collect::<Result<_>>().unwrap();
        assert!(batches.len() > 3);
        let read: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(read, 100_001 - skipped);
    }
}
