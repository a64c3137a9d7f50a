//! Statistics and page indexes that are wrong, old or incomplete leave nothing out.

use parquet::basic::ColumnOrder;
use parquet::file::metadata::{FileMetaData, ParquetMetaDataBuilder};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::statistics::Statistics;

use super::*;

/// A file of the numbers from 0 to 39, in eight pages of a row group.
fn numbers() -> ParquetPieces {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    opened(file(&batch, pages_of(5)))
}

/// The metadata of a file and its index of pages, after a change.
fn altered(
    pieces: &ParquetPieces,
    alter: impl FnOnce(ParquetMetaDataBuilder) -> ParquetMetaDataBuilder,
) -> ArrowReaderMetadata {
    let indexed = pieces.current.as_ref().unwrap().indexed().unwrap();
    let builder = indexed.metadata().as_ref().clone().into_builder();
    let metadata = Arc::new(alter(builder).build());
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()).unwrap()
}

/// The same with other places of pages.
fn with_pages(alter: impl FnOnce(&mut Vec<PageLocation>)) -> ArrowReaderMetadata {
    altered(&numbers(), |mut builder| {
        let mut index = builder.take_offset_index().unwrap();
        alter(&mut index[0][0].page_locations);
        builder.set_offset_index(Some(index))
    })
}

fn rows_for_12(file: &ArrowReaderMetadata) -> Option<Vec<Range<usize>>> {
    pages::rows_that_may_match(file, 0, &"n = 12".parse().unwrap())
}

#[test]
fn pages_that_are_not_one_after_the_other_are_not_used() {
    let with_firsts = |firsts: [i64; 8]| {
        with_pages(|pages| {
            let pages = pages.iter_mut().zip(firsts);
            pages.for_each(|(page, first)| page.first_row_index = first);
        })
    };
    let sound = with_firsts([0, 5, 10, 15, 20, 25, 30, 35]);
    assert_eq!(rows_for_12(&sound), Some(vec![10..15]));
    for firsts in [
        [1, 5, 10, 15, 20, 25, 30, 35],
        [0, 5, 10, 20, 15, 25, 30, 35],
        [0, 5, 10, 10, 20, 25, 30, 35],
        [0, 5, 10, 15, 20, 25, 30, 40],
        [-1, 5, 10, 15, 20, 25, 30, 35],
        [0, 5, 10, 15, 20, 25, 30, i64::MIN],
    ] {
        assert_eq!(rows_for_12(&with_firsts(firsts)), None, "{firsts:?}");
    }
}

#[test]
fn pages_without_bounds_are_not_used() {
    // The eighth page has bounds, and no place.
    let fewer = with_pages(|pages| pages.truncate(7));
    assert_eq!(rows_for_12(&fewer), None);
    let none = altered(&numbers(), |builder| builder.set_column_index(None));
    assert_eq!(rows_for_12(&none), None);
}

#[test]
fn bounds_in_an_unknown_order_are_not_used() {
    let with_order = |order: Option<ColumnOrder>| {
        altered(&numbers(), |builder| {
            let all = builder.build();
            let of = all.file_metadata();
            let file = FileMetaData::new(
                of.version(),
                of.num_rows(),
                of.created_by().map(str::to_owned),
                of.key_value_metadata().cloned(),
                of.schema_descr_ptr(),
                order.map(|order| vec![order]),
            );
            ParquetMetaDataBuilder::new(file)
                .set_row_groups(all.row_groups().to_vec())
                .set_column_index(all.column_index().cloned())
                .set_offset_index(all.offset_index().cloned())
        })
    };
    let known = numbers();
    let known = known.current.as_ref().unwrap().metadata.metadata().clone();
    let known = known.file_metadata().column_order(0);
    assert_eq!(rows_for_12(&with_order(Some(known))), Some(vec![10..15]));
    for order in [
        None,
        Some(ColumnOrder::UNDEFINED),
        Some(ColumnOrder::UNKNOWN),
    ] {
        assert_eq!(rows_for_12(&with_order(order)), None, "{order:?}");
    }
}

#[test]
fn the_index_is_not_used_where_all_rows_are_read() {
    let wrong = with_pages(|pages| pages.iter_mut().for_each(|page| page.offset += 1));
    let read = |condition: &str| -> Result<usize> {
        let mut pieces = numbers();
        pieces.current.as_mut().unwrap().indexed = OnceCell::from(Some(wrong.clone()));
        pieces.keep_rows(&condition.parse().unwrap());
        let piece = pieces.next(&Resources::default())?.unwrap();
        let mut rows = 0;
        piece.decode(&mut |batch: RecordBatch| {
            rows += batch.num_rows();
            Ok(())
        })?;
        Ok(rows)
    };
    assert_eq!(read("n >= 0").unwrap(), 40);
    // Where some are left out, a page is looked for where the index says.
    assert_eq!(read("n >= 5").unwrap_err().kind(), ErrorKind::Format);
}

#[test]
fn pages_of_which_no_row_is_read_are_counted() {
    let pieces = numbers();
    let indexed = pieces.current.as_ref().unwrap().indexed().unwrap();
    let columns = ProjectionMask::all();
    for (rows, left_out) in [
        (vec![], 8),
        (vec![0..40], 0),
        (vec![10..15], 7),
        (vec![9..15], 6),
        (vec![10..16], 6),
        (vec![14..15], 7),
        (vec![0..1, 39..40], 6),
    ] {
        let counts = pages::pages_left_out(indexed.metadata(), 0, &columns, &rows);
        assert_eq!(counts, (left_out, 8), "{rows:?}");
    }
}

#[test]
fn old_statistics_and_unknown_counts_of_nulls_leave_nothing_out() {
    let with_statistics = |nulls: Option<u64>, is_old: bool| {
        altered(&numbers(), |mut builder| {
            let groups = builder.take_row_groups().into_iter();
            let groups = groups.map(|group| {
                let columns = group.columns().iter().cloned();
                let columns = columns.map(|column| {
                    let statistics = Statistics::int64(Some(0), Some(39), None, nulls, is_old);
                    let column = column.into_builder().set_statistics(statistics);
                    column.build().unwrap()
                });
                let columns = columns.collect();
                let group = group.into_builder().set_column_metadata(columns);
                group.build().unwrap()
            });
            let groups = groups.collect();
            builder.set_row_groups(groups)
        })
    };
    for (nulls, is_old, condition, expected) in [
        (Some(0), false, "n IS NULL", vec![]),
        (None, false, "n IS NULL", vec![0]),
        (Some(0), false, "n = 50", vec![]),
        (Some(0), true, "n = 50", vec![0]),
    ] {
        let file = with_statistics(nulls, is_old);
        let groups = bounds::row_groups(&file, &condition.parse().unwrap());
        assert_eq!(groups, expected, "{nulls:?} {is_old} {condition}");
    }
}
