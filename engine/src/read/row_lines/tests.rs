use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
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
