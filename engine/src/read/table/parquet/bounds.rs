//! Parts of a Parquet file that have no row of interest, by their statistics.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Schema};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::expr::bounds::{largest, least, nulls, rows};
use crate::expr::{Expr, coalesce, lit};

/// The bounds of a column: an item for each row group, or for each of some rows.
pub(super) struct Bounds {
    pub(super) min: ArrayRef,
    pub(super) max: ArrayRef,
    pub(super) nulls: ArrayRef,
    /// The numbers of rows that these are of.
    pub(super) rows: ArrayRef,
}

/// Returns the row groups that may have a row for which the condition is true; all of them where this is not
/// known.
pub(super) fn row_groups(file: &ArrowReaderMetadata, condition: &Expr) -> Vec<usize> {
    let all = file.metadata().num_row_groups();
    let may_match = may_match(condition, |name| of_row_groups(file, name));
    match may_match.filter(|groups| groups.len() == all) {
        Some(may_match) => (0..all).filter(|&group| may_match.value(group)).collect(),
        None => (0..all).collect(),
    }
}

/// Returns where the condition may be true for a row; `None` where bounds do not tell.
pub(super) fn may_match(
    condition: &Expr,
    mut bounds: impl FnMut(&str) -> Option<Bounds>,
) -> Option<BooleanArray> {
    let mut columns: Vec<(String, Bounds)> = Vec::new();
    condition.each_column(&mut |name| {
        let is_new = columns.iter().all(|(known, _)| known != name);
        if let Some(bounds) = is_new.then(|| bounds(name)).flatten() {
            columns.push((name.to_owned(), bounds));
        }
    });
    let type_of = |name: &str| {
        let column = columns.iter().find(|(known, _)| known == name)?;
        Some(column.1.min.data_type().clone())
    };
    let over_bounds = condition.over_bounds(&type_of)?;
    let named = columns.into_iter().flat_map(|(name, of)| {
        [
            (least(&name), of.min, true),
            (largest(&name), of.max, true),
            (nulls(&name), of.nulls, true),
            (rows(&name), of.rows, true),
        ]
    });
    let bounds = RecordBatch::try_from_iter_with_nullable(named);
    // An unknown bound gives null, and the rows are read. So they are after an error.
    let may_match = coalesce([over_bounds, lit(true)]);
    let may_match = may_match.evaluate(&bounds.ok()?).ok()?;
    may_match.as_boolean_opt().cloned()
}

/// Returns whether statistics of the columns may say for which rows a condition is true.
pub(super) fn may_tell(condition: &Expr, schema: &Schema) -> bool {
    let type_of = |name: &str| {
        let of = schema.field_with_name(name).ok()?.data_type();
        has_bounds(of).then(|| of.clone())
    };
    condition.over_bounds(&type_of).is_some()
}

/// Returns what reads the statistics of a column, and the number of the column; `None` where the format does
/// not say in which order they are.
pub(super) fn statistics<'a>(
    file: &'a ArrowReaderMetadata,
    name: &str,
) -> Option<(StatisticsConverter<'a>, usize)> {
    let schema = file.metadata().file_metadata().schema_descr();
    let converter = StatisticsConverter::try_new(name, file.schema(), schema).ok()?;
    let converter = converter.with_missing_null_counts_as_zero(false);
    let number = converter.parquet_column_index()?;
    let is_ordered = schema.column(number).physical_type() != PhysicalType::INT96;
    let is_known = has_bounds(converter.arrow_field().data_type());
    (is_ordered && is_known).then_some((converter, number))
}

/// The bounds of a column in each row group.
fn of_row_groups(file: &ArrowReaderMetadata, name: &str) -> Option<Bounds> {
    let metadata: &ParquetMetaData = file.metadata();
    let (converter, number) = statistics(file, name)?;
    let groups = || metadata.row_groups().iter();
    let mut statistics = groups().filter_map(|group| group.column(number).statistics());
    // Old ones may be in the order of signed bytes. Without a value there are no bounds at all.
    let is_old = |it: &Statistics| it.is_min_max_deprecated() && it.min_bytes_opt().is_some();
    if statistics.any(is_old) {
        return None;
    }
    let rows: Int64Array = groups().map(|group| Some(group.num_rows())).collect();
    Some(Bounds {
        min: converter.row_group_mins(groups()).ok()?,
        max: converter.row_group_maxes(groups()).ok()?,
        nulls: as_integers(&converter.row_group_null_counts(groups()).ok()?),
        rows: Arc::new(rows),
    })
}

pub(super) fn as_integers(counts: &UInt64Array) -> ArrayRef {
    let counts = counts.iter();
    let counts = counts.map(|count| count.and_then(|it| i64::try_from(it).ok()));
    Arc::new(counts.collect::<Int64Array>())
}

fn has_bounds(of: &DataType) -> bool {
    of.is_integer()
        || matches!(
            of,
            DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(..)
                | DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
        )
}

#[cfg(all(test, feature = "sql"))]
mod tests {
    use arrow_array::{Date32Array, Float64Array, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ArrowReaderOptions;
    use parquet::file::properties::WriterProperties;

    use super::*;

    /// A file of four row groups with ten rows each.
    fn file() -> bytes::Bytes {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
        let names = (0..40).map(|n| Some(format!("name {:02}", n / 10)));
        let names: ArrayRef = Arc::new(names.collect::<StringArray>());
        let days: ArrayRef = Arc::new(Date32Array::from_iter_values(0..40));
        let floats = (0..40).map(|n| if n == 15 { f64::NAN } else { f64::from(n) });
        let floats: ArrayRef = Arc::new(floats.map(Some).collect::<Float64Array>());
        let some = (0..40).map(|n| (n >= 10 && n != 25).then_some(n));
        let some: ArrayRef = Arc::new(some.collect::<Int64Array>());
        let columns = [
            ("n", numbers),
            ("s", names),
            ("day", days),
            ("x", floats),
            ("some", some),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let rows = WriterProperties::builder()
            .set_max_row_group_row_count(Some(10))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(rows)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn row_groups_without_a_row_of_interest_are_left_out() {
        let file = ArrowReaderMetadata::load(&file(), ArrowReaderOptions::new()).unwrap();
        assert_eq!(file.metadata().num_row_groups(), 4);
        for (condition, wanted) in [
            ("n = 12", vec![1]),
            ("n >= 20", vec![2, 3]),
            ("5 > n", vec![0]),
            ("n IN (3, 33)", vec![0, 3]),
            ("n BETWEEN 9 AND 10", vec![0, 1]),
            ("n < 5 OR n > 35", vec![0, 3]),
            ("n < 5 AND n > 35", vec![]),
            ("s = 'name 02'", vec![2]),
            ("s > 'name 02'", vec![3]),
            ("day < '1970-01-11'", vec![0]),
            ("some IS NULL", vec![0, 2]),
            ("some IS NOT NULL", vec![1, 2, 3]),
            // The first one has nulls only.
            ("some > 20", vec![2, 3]),
            // A NaN is larger than all other values, and in no bounds.
            ("x > 30", vec![0, 1, 2, 3]),
            ("x < 10", vec![0]),
            ("n + 1 = 3", vec![0, 1, 2, 3]),
            ("n = 3 AND length(s) > 0", vec![0]),
            ("n = 3 OR length(s) > 0", vec![0, 1, 2, 3]),
            ("n = 12 / 0", vec![0, 1, 2, 3]),
            ("n = NULL", vec![0, 1, 2, 3]),
        ] {
            let condition: Expr = condition.parse().unwrap();
            assert_eq!(row_groups(&file, &condition), wanted, "{condition}");
        }
    }
}
