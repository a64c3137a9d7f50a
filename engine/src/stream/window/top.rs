//! The first rows of each window.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use crate::{Error, ErrorKind, Result};

/// Keeps the first rows of each window, of results that are ordered by window.
pub(in crate::stream) struct TopOfWindows {
    rows: usize,
    window: Option<i64>,
    taken: usize,
}

impl TopOfWindows {
    pub(in crate::stream) fn new(rows: usize) -> Self {
        Self {
            rows,
            window: None,
            taken: 0,
        }
    }

    /// The rows of the next results that are kept.
    pub(in crate::stream) fn of(&mut self, results: &RecordBatch) -> Result<RecordBatch> {
        let starts = results.column(0).as_primitive::<TimestampMillisecondType>();
        let is_kept = starts.values().iter().map(|&start| {
            if self.window != Some(start) {
                (self.window, self.taken) = (Some(start), 0);
            }
            self.taken += 1;
            Some(self.taken <= self.rows)
        });
        filter_record_batch(results, &is_kept.collect::<BooleanArray>()).map_err(|cause| {
            Error::new(ErrorKind::Internal, "rows cannot be left out").with_source(cause)
        })
    }
}
