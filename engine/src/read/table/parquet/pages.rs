//! Rows of a row group that have no row of interest, by the statistics of its pages.
//!
//! ```text
//! pages of a   |----- 0 -----|----- 1 -----|     a > 5 may be true in 1
//! pages of b   |--- 0 ---|--- 1 ---|-- 2 --|     b = 3 may be true in 1
//! rows                       |-----|             a > 5 AND b = 3
//! ```

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, UInt32Array};
use arrow_select::take::take;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::ColumnOrder;
use parquet::file::metadata::ParquetMetaData;

use super::bounds::{Bounds, as_integers, may_match, statistics};
use crate::expr::Expr;

/// Returns ranges of rows, in order, outside of which the condition is true for no row; `None` where this is
/// not known.
pub(super) fn rows_that_may_match(
    file: &ArrowReaderMetadata,
    group: usize,
    condition: &Expr,
) -> Option<Vec<Range<usize>>> {
    let mut starts = BTreeSet::new();
    condition.each_column(&mut |name| {
        starts.extend(
            Pages::of(file, group, name)
                .into_iter()
                .flat_map(|it| it.starts),
        );
    });
    let starts: Vec<usize> = starts.into_iter().collect();
    let may_match = may_match(condition, |name| {
        Pages::of(file, group, name)?.bounds(&starts)
    })?;
    let ends = starts.iter().skip(1).copied();
    let ends = ends.chain([rows_of(file.metadata(), group)?]);
    let ranges = starts.iter().zip(ends).map(|(&start, end)| start..end);
    let mut matching: Vec<Range<usize>> = Vec::new();
    for (range, may_match) in ranges.zip(may_match.values()) {
        match matching.last_mut() {
            Some(last) if may_match && last.end == range.start => last.end = range.end,
            _ if may_match => matching.push(range),
            _ => {}
        }
    }
    Some(matching)
}

/// Returns how many pages of some columns are not read if only these rows of a row group are, and of how many.
/// Columns without an index of pages do not count.
pub(super) fn pages_left_out(
    file: &ParquetMetaData,
    group: usize,
    columns: &ProjectionMask,
    rows: &[Range<usize>],
) -> (u64, u64) {
    let leaves = 0..file.row_group(group).num_columns();
    let read = leaves.filter(|&leaf| columns.leaf_included(leaf));
    let (mut left_out, mut all) = (0, 0);
    for starts in read.filter_map(|leaf| starts(file, group, leaf)) {
        for (page, &start) in starts.iter().enumerate() {
            let end = starts.get(page + 1).copied().unwrap_or(usize::MAX);
            let is_read = rows.iter().any(|rows| rows.start < end && rows.end > start);
            left_out += u64::from(!is_read);
            all += 1;
        }
    }
    (left_out, all)
}

/// The pages of a column in a row group, and their bounds.
struct Pages {
    /// The first row of each page.
    starts: Vec<usize>,
    of: Bounds,
}

impl Pages {
    fn of(file: &ArrowReaderMetadata, group: usize, name: &str) -> Option<Self> {
        let (converter, number) = statistics(file, name)?;
        let metadata = file.metadata();
        let order = metadata.file_metadata().column_order(number);
        if !matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)) {
            return None;
        }
        let starts = starts(metadata, group, number)?;
        let ends = starts.iter().skip(1).copied();
        let ends = ends.chain([rows_of(metadata, group)?]);
        let rows = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| (end - start) as i64);
        let (pages, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        let nulls = converter.data_page_null_counts(pages, offsets, [&group]);
        let of = Bounds {
            min: converter.data_page_mins(pages, offsets, [&group]).ok()?,
            max: converter.data_page_maxes(pages, offsets, [&group]).ok()?,
            nulls: as_integers(&nulls.ok()?),
            rows: Arc::new(Int64Array::from_iter_values(rows)),
        };
        let is_whole = |column: &ArrayRef| column.len() == starts.len();
        let are_whole = [&of.min, &of.max, &of.nulls].into_iter().all(is_whole);
        are_whole.then_some(Self { starts, of })
    }

    /// Returns the bounds of the pages that some rows are in.
    fn bounds(&self, rows: &[usize]) -> Option<Bounds> {
        let page = |row: &usize| self.starts.partition_point(|start| start <= row) as u32 - 1;
        let pages = UInt32Array::from_iter_values(rows.iter().map(page));
        let of_pages = |column: &ArrayRef| take(column, &pages, None).ok();
        let Bounds {
            min,
            max,
            nulls,
            rows,
        } = &self.of;
        Some(Bounds {
            min: of_pages(min)?,
            max: of_pages(max)?,
            nulls: of_pages(nulls)?,
            rows: of_pages(rows)?,
        })
    }
}

/// The first row of each page of a column; `None` if they are not known, or wrong.
fn starts(file: &ParquetMetaData, group: usize, leaf: usize) -> Option<Vec<usize>> {
    let pages = file.offset_index()?.get(group)?.get(leaf)?.page_locations();
    let starts = pages
        .iter()
        .map(|page| usize::try_from(page.first_row_index).ok());
    let starts = starts.collect::<Option<Vec<_>>>()?;
    let is_sound = starts.first() == Some(&0)
        && starts.is_sorted_by(|one, next| one < next)
        && starts.last() < rows_of(file, group).as_ref();
    is_sound.then_some(starts)
}

fn rows_of(file: &ParquetMetaData, group: usize) -> Option<usize> {
    usize::try_from(file.row_group(group).num_rows()).ok()
}
