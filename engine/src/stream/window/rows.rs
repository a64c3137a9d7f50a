//! Gives rows the pane that they are in, and leaves out those that are late.

use std::mem::take;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_arith::aggregate::max;
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
    delay: Option<i64>,
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
    /// The late rows, if they are wanted.
    late_rows: Option<Mutex<Vec<RecordBatch>>>,
}

impl TimedRows {
    pub(in crate::stream) fn new(watermark: Option<i64>, keeps_late_rows: bool) -> Self {
        Self {
            watermark,
            largest: AtomicI64::new(i64::MIN),
            late: AtomicU64::new(0),
            without_time: AtomicU64::new(0),
            late_rows: keeps_late_rows.then(Mutex::default),
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

    /// Takes the late rows, if they were kept.
    pub(in crate::stream) fn take_late_rows(&self) -> Vec<RecordBatch> {
        let rows = self.late_rows.as_ref();
        let rows = rows.map(|rows| take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner)));
        rows.unwrap_or_default()
    }

    fn keep_late_rows(&self, batch: &RecordBatch, is_late: &BooleanArray) -> Result<()> {
        if let Some(rows) = self.late_rows.as_ref().filter(|_| is_late.true_count() > 0) {
            let late = kept(batch, is_late)?;
            rows.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(late);
        }
        Ok(())
    }

    /// The rows whose time is null, or no time.
    pub(in crate::stream) fn without_time(&self) -> u64 {
        self.without_time.load(Ordering::Relaxed)
    }
}

/// The next multiple of a sixteenth of a time: groups are removed seldom, because that costs a walk over
/// them.
pub(in crate::stream) fn rounded_up(end: i64, time: i64) -> i64 {
    let step = (time / 16).max(1);
    end.div_euclid(step).saturating_add(1).saturating_mul(step)
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
            delay: window.delay(),
            panes: Panes::new(window),
            schema: Arc::new(Schema::new(fields)),
        }))
    }

    /// How far the watermark is behind the largest time, in milliseconds.
    pub(in crate::stream) fn delay(&self) -> Option<i64> {
        self.delay
    }

    /// When a row of a pane is late, and the delay of the watermark has passed; a little later, so that
    /// many rows have the same time.
    pub(in crate::stream) fn expiry(&self, pane: i64) -> i64 {
        let delay = self.delay.unwrap_or(0);
        let end = self.panes.end_of(pane).saturating_add(delay);
        let late = self.panes.last_end(pane);
        rounded_up(late.max(end), self.panes.size.saturating_add(delay))
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
        if seen.late_rows.is_none() {
            return batches.map(move |batch| times.batch(&batch, &seen));
        }
        // One thread at a time, so that late rows are in the order of the input.
        let rows = Iterator::map(batches, move |batch| times.batch(&batch?, &seen));
        RecordBatches::new(rows)
    }

    fn batch(&self, batch: &RecordBatch, seen: &TimedRows) -> Result<RecordBatch> {
        let times = event_time::times_of(&self.time.evaluate(batch)?)?;
        let watermark = seen.watermark.unwrap_or(i64::MIN);
        let is_late = |time| self.panes.last_end(time) <= watermark;
        let late: BooleanArray = times
            .iter()
            .map(|it| Some(it.is_some_and(is_late)))
            .collect();
        let is_kept: BooleanArray = times
            .iter()
            .map(|it| Some(it.is_some_and(|it| !is_late(it))))
            .collect();
        seen.keep_late_rows(batch, &late)?;
        seen.largest
            .fetch_max(max(&times).unwrap_or(i64::MIN), Ordering::Relaxed);
        seen.late
            .fetch_add(late.true_count() as u64, Ordering::Relaxed);
        let without_time = times.null_count() as u64;
        seen.without_time.fetch_add(without_time, Ordering::Relaxed);

        let panes: Int64Array = times.unary(|time| self.panes.pane_of(time));
        let mut columns: Vec<arrow_array::ArrayRef> = vec![Arc::new(panes)];
        columns.extend(batch.columns().iter().cloned());
        let all = RecordBatch::try_new(self.schema.clone(), columns).map_err(|cause| {
            let message = "a batch of the stream has other columns than its source said";
            Error::new(ErrorKind::Format, message).with_source(cause)
        })?;
        kept(&all, &is_kept)
    }
}

fn kept(batch: &RecordBatch, is_kept: &BooleanArray) -> Result<RecordBatch> {
    if is_kept.true_count() == batch.num_rows() {
        return Ok(batch.clone());
    }
    filter_record_batch(batch, is_kept).map_err(|cause| {
        Error::new(ErrorKind::Internal, "rows cannot be left out").with_source(cause)
    })
}
