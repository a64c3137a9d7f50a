//! Gives rows the pane that they are in, and leaves out those that are late.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arrow_array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::panes::Panes;
use super::windowed::START;
use super::{Window, event_time};
use crate::expr::Expr;
use crate::read::RecordBatches;
use crate::{Error, ErrorKind, Result};

/// Reads the times of rows.
#[derive(Clone, Debug)]
pub(in crate::stream) struct RowTimes {
    time: Expr,
    panes: Panes,
    schema: SchemaRef,
}

/// What was seen of the times of an epoch's rows.
#[derive(Debug)]
pub(in crate::stream) struct TimedRows {
    /// Rows whose last window ends here or before are late.
    watermark: Option<i64>,
    largest: AtomicI64,
    late: AtomicU64,
    without_time: AtomicU64,
}

impl TimedRows {
    pub(in crate::stream) fn new(watermark: Option<i64>) -> Self {
        Self {
            watermark,
            largest: AtomicI64::new(i64::MIN),
            late: AtomicU64::new(0),
            without_time: AtomicU64::new(0),
        }
    }

    /// The largest time.
    pub(in crate::stream) fn largest(&self) -> Option<i64> {
        let largest = self.largest.load(Ordering::Relaxed);
        (largest != i64::MIN).then_some(largest)
    }

    /// The rows that came after their windows were closed.
    pub(in crate::stream) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// The rows whose time is null, or no time.
    pub(in crate::stream) fn without_time(&self) -> u64 {
        self.without_time.load(Ordering::Relaxed)
    }
}

impl RowTimes {
    /// Reads times of rows of these columns; `None` if the window is of the time of arrival.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is no such column, or it has no times.
    pub(super) fn new(window: &Window, input: &SchemaRef) -> Result<Option<Self>> {
        let Some(time) = window.time() else {
            return Ok(None);
        };
        event_time::check(time.field(input)?.data_type(), time)?;
        let mut fields = vec![Arc::new(Field::new(START, DataType::Int64, true))];
        fields.extend(input.fields().iter().cloned());
        Ok(Some(Self {
            time: time.clone(),
            panes: Panes::new(window),
            schema: Arc::new(Schema::new(fields)),
        }))
    }

    /// The columns of the rows with their pane.
    pub(in crate::stream) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows that are not late, with the start of their pane as the first column.
    pub(in crate::stream) fn rows(
        &self,
        batches: RecordBatches,
        seen: Arc<TimedRows>,
    ) -> RecordBatches {
        let times = self.clone();
        batches.map(move |batch| times.batch(&batch, &seen))
    }

    fn batch(&self, batch: &RecordBatch, seen: &TimedRows) -> Result<RecordBatch> {
        let times = event_time::times_of(&self.time.evaluate(batch)?)?;
        let watermark = seen.watermark.unwrap_or(i64::MIN);
        let (mut largest, mut late) = (i64::MIN, 0);
        let is_kept = times.iter().map(|time| match time {
            Some(time) => {
                largest = largest.max(time);
                let is_late = self.panes.last_end(time) <= watermark;
                late += u64::from(is_late);
                !is_late
            }
            None => false,
        });
        let is_kept: BooleanArray = is_kept.map(Some).collect();
        seen.largest.fetch_max(largest, Ordering::Relaxed);
        seen.late.fetch_add(late, Ordering::Relaxed);
        let without_time = times.null_count() as u64;
        seen.without_time.fetch_add(without_time, Ordering::Relaxed);

        let panes: Int64Array = times.unary(|time| self.panes.pane_of(time));
        let mut columns: Vec<arrow_array::ArrayRef> = vec![Arc::new(panes)];
        columns.extend(batch.columns().iter().cloned());
        let all = RecordBatch::try_new(self.schema.clone(), columns).map_err(|cause| {
            let message = "a batch of the stream has other columns than its source said";
            Error::new(ErrorKind::Format, message).with_source(cause)
        })?;
        if is_kept.true_count() == all.num_rows() {
            return Ok(all);
        }
        filter_record_batch(&all, &is_kept).map_err(|cause| {
            Error::new(ErrorKind::Internal, "rows cannot be left out").with_source(cause)
        })
    }
}
