//! Files of small pages: what is left out has no row of interest.
#![expect(clippy::single_range_in_vec_init, reason = "these are lists of ranges")]

mod metadata;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::prelude::*;
use crate::read::Table;
use crate::read::TableFormat;

/// A file with the columns of a batch.
fn file(batch: &RecordBatch, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// Pages of this number of rows.
fn pages_of(rows: usize) -> WriterPropertiesBuilder {
    let properties = WriterProperties::builder().set_data_page_row_count_limit(rows);
    properties.set_write_batch_size(rows)
}

fn opened(bytes: Vec<u8>) -> ParquetPieces {
    let memory = Arc::new(bytes) as Arc<dyn AsRef<[u8]> + Send + Sync>;
    let input = Input::new(super::super::Place::Memory(memory));
    let mut pieces = ParquetPieces::new(input, &MemoryBudget::new(1 << 30)).unwrap();
    pieces.schema().unwrap();
    pieces
}

/// The rows of each row group that are read.
fn wanted(pieces: &ParquetPieces, condition: &str) -> Vec<(usize, Option<Vec<Range<usize>>>)> {
    let condition: Expr = condition.parse().unwrap();
    let current = pieces.current.as_ref().unwrap();
    let wanted = current.wanted(Some(&condition));
    wanted.into_iter().map(|it| (it.group, it.rows)).collect()
}

#[test]
fn pages_without_a_row_of_interest_are_left_out() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let part = (0..40).map(|n| (n % 20 >= 5).then_some(n));
    let part: ArrayRef = Arc::new(part.collect::<Int64Array>());
    let floats = (0..40).map(|n| if n == 7 { f64::NAN } else { f64::from(n) });
    let floats: ArrayRef = Arc::new(floats.map(Some).collect::<Float64Array>());
    let batch = [("n", numbers), ("part", part), ("x", floats)];
    let batch = RecordBatch::try_from_iter(batch).unwrap();
    let properties = pages_of(5).set_max_row_group_row_count(Some(20));
    let pieces = opened(file(&batch, properties));
    let all = || Some(vec![0..20]);
    for (condition, expected) in [
        ("n = 12", vec![(0, Some(vec![10..15]))]),
        ("n >= 13", vec![(0, Some(vec![10..20])), (1, all())]),
        (
            "n IN (3, 33)",
            vec![(0, Some(vec![0..5])), (1, Some(vec![10..15]))],
        ),
        (
            "n < 3 OR n BETWEEN 11 AND 12",
            vec![(0, Some(vec![0..5, 10..15]))],
        ),
        ("n > 12 AND part < 17", vec![(0, Some(vec![10..20]))]),
        // Both may be true in the row group, but in different pages.
        ("n < 5 AND part > 7", vec![]),
        (
            "part IS NULL",
            vec![(0, Some(vec![0..5])), (1, Some(vec![0..5]))],
        ),
        (
            "part IS NOT NULL",
            vec![(0, Some(vec![5..20])), (1, Some(vec![5..20]))],
        ),
        (
            "part >= 0",
            vec![(0, Some(vec![5..20])), (1, Some(vec![5..20]))],
        ),
        // Its bounds leave NaN out, which is larger than all other values.
        ("x < 3", vec![(0, Some(vec![0..5]))]),
        ("x > 33", vec![(0, None), (1, None)]),
        ("n + 1 = 3", vec![(0, None), (1, None)]),
    ] {
        assert_eq!(wanted(&pieces, condition), expected, "{condition}");
    }
}

#[test]
fn bounds_of_pages_of_different_columns_are_combined() {
    // Pages of 256 short values and of fewer long ones.
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4000));
    let names = (0..4000).map(|n| format!("{n:0400}"));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let batch = RecordBatch::try_from_iter([("n", numbers), ("s", names)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_write_batch_size(16)
        .set_data_page_row_count_limit(256)
        .set_data_page_size_limit(20_000)
        .set_column_index_truncate_length(None);
    let pieces = opened(file(&batch, properties));
    let name = |n: usize| format!("{n:0400}");
    let condition = format!("n >= 2000 AND s <= '{}'", name(2100));
    let [(0, Some(rows))] = &wanted(&pieces, &condition)[..] else {
        panic!("no rows are left out");
    };
    let [rows] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(rows.start, 1792);
    assert!((2101..2048 + 256).contains(&rows.end), "{rows:?}");
}

#[test]
fn a_wrong_index_of_pages_is_not_used() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let bytes = file(&batch, pages_of(5));
    let sound = opened(bytes.clone());
    assert_eq!(wanted(&sound, "n = 12"), [(0, Some(vec![10..15]))]);
    let column = sound
        .current
        .as_ref()
        .unwrap()
        .metadata
        .metadata()
        .row_group(0)
        .column(0)
        .clone();
    let indexes = [
        (column.column_index_offset(), column.column_index_length()),
        (column.offset_index_offset(), column.offset_index_length()),
    ];
    for (start, length) in indexes {
        let (start, length) = (start.unwrap() as usize, length.unwrap() as usize);
        for byte in [0x00, 0x7f, 0xff] {
            let mut damaged = bytes.clone();
            damaged[start..start + length].fill(byte);
            assert_eq!(wanted(&opened(damaged), "n = 12"), [(0, None)], "{byte:x}");
        }
    }
}

fn some<S: Strategy>(value: S) -> impl Strategy<Value = Option<S::Value>> {
    let is_some = proptest::bool::weighted(0.8);
    (is_some, value).prop_map(|(is_some, value)| is_some.then_some(value))
}

const FLOATS: [f64; 8] = [
    0.0,
    -0.0,
    1.5,
    -1.5,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    7.0,
];

/// Texts that begin alike, so that truncated bounds are of more than one.
const TEXTS: [&str; 7] = [
    "",
    "a",
    "abc",
    "abd",
    "ab\u{10ffff}x",
    "abc\u{e9}",
    "\u{10ffff}\u{10ffff}\u{10ffff}",
];

type Rows = Vec<(Option<i64>, Option<f64>, Option<&'static str>)>;

/// Rows in runs of equal ones, so that pages differ and some have only nulls or only NaN.
fn rows() -> impl Strategy<Value = Rows> {
    let row = (
        some(-4..4i64),
        some(select(&FLOATS[..])),
        some(select(&TEXTS[..])),
    );
    let run = (row, 1..12usize).prop_map(|(row, count)| vec![row; count]);
    (proptest::collection::vec(run, 0..12), any::<bool>()).prop_map(|(runs, is_sorted)| {
        let mut rows = runs.concat();
        if is_sorted {
            rows.sort_by_key(|row| row.0);
        }
        rows
    })
}

fn condition() -> impl Strategy<Value = String> {
    let of = select(&["=", "<>", "<", "<=", ">", ">="][..]);
    let constant = prop_oneof![
        (-4..4i64).prop_map(|it| format!("n OF {it}")),
        select(
            &[
                "0.0",
                "-0.0",
                "1.5",
                "7.0",
                "CAST('NaN' AS DOUBLE)",
                "CAST('-inf' AS DOUBLE)"
            ][..]
        )
        .prop_map(|it| format!("x OF {it}")),
        select(&TEXTS[..]).prop_map(|it| format!("s OF '{it}'")),
        select(
            &[
                "n IS NULL",
                "x IS NOT NULL",
                "s IS NULL",
                "n IN (2, 3, NULL)",
                "n BETWEEN -1 AND 1"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    let one = (constant, of).prop_map(|(constant, of)| constant.replace("OF", of));
    let join = select(&["AND", "OR"][..]);
    proptest::collection::vec((one, join), 1..4).prop_map(|parts| {
        let mut text = parts[0].0.clone();
        for (one, join) in &parts[1..] {
            text = format!("({text}) {join} {one}");
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn answers_are_those_of_all_rows(
        rows in rows(),
        condition in condition(),
        (page, group) in (1..9usize, 1..40usize),
        truncate in select(&[None, Some(1), Some(3)][..]),
        statistics in select(&[
            EnabledStatistics::Page,
            EnabledStatistics::Page,
            EnabledStatistics::Chunk,
            EnabledStatistics::None,
        ][..]),
        columns in select(vec![vec!["n"], vec!["s", "x"], vec!["n", "x", "s"]]),
    ) {
        let n: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
        let x: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>());
        let s: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<StringArray>());
        let batch = RecordBatch::try_from_iter_with_nullable([("n", n, true), ("x", x, true), ("s", s, true)]);
        let batch = batch.unwrap();
        let properties = pages_of(page)
            .set_max_row_group_row_count(Some(group))
            .set_column_index_truncate_length(truncate)
            .set_statistics_truncate_length(truncate)
            .set_statistics_enabled(statistics);
        let table = Table::of_bytes(file(&batch, properties)).format(TableFormat::Parquet);
        let engine = Engine::builder().threads(2).device(DeviceChoice::Cpu).build().unwrap();
        let answer = |job: crate::BatchJob| {
            let job = job.filter(condition.parse::<Expr>().unwrap());
            let rows = job.select(columns.iter().map(|name| col(*name))).collect().unwrap();
            format!("{:?}", rows.to_batch().unwrap())
        };
        prop_assert_eq!(answer(engine.read_table(table)), answer(engine.read_batches([batch])));
    }
}
