//! The state of windows: from panes to windows, and from windows to results.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_arith::aggregate::max;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::take::take;

use super::panes::Panes;
use super::sessions::Sessions;
use super::{EpochTime, RowTimes, Window};
use crate::{Error, ErrorKind, Result, StateStore};

/// The column with the start of a pane or window.
pub(in crate::stream) const START: &str = "window_start";

/// The column with the end of a window; in the state of sessions, with the time of the last row.
pub(in crate::stream) const END: &str = "window_end";

/// How a query computes windows.
pub(in crate::stream) struct Windowed {
    window: Window,
    panes: Panes,
    /// The sessions of the state, if it has some. An epoch is merged while the next one is computed.
    sessions: Mutex<Option<Sessions>>,
    /// How rows get their time; without it they have the time of their epoch.
    pub(in crate::stream) times: Option<RowTimes>,
    pub(in crate::stream) output: WindowOutput,
}

impl Windowed {
    /// How rows of these columns, or texts, get their time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the window makes no sense for them.
    pub(in crate::stream) fn times(
        window: &Window,
        rows: Option<&SchemaRef>,
    ) -> Result<Option<RowTimes>> {
        window.check()?;
        match (rows, window.time()) {
            (Some(rows), _) => RowTimes::new(window, rows),
            (None, None) => Ok(None),
            (None, Some(time)) => {
                let message = format!(
                    "the source gives text, which has no column `{time}`; use windows of the time of \
                     arrival, or name the columns of the source"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// Windows of a query. `answers` are the answers of the state store: the start of a window, keys,
    /// aggregates.
    pub(in crate::stream) fn new(
        window: Window,
        times: Option<RowTimes>,
        answers: &SchemaRef,
    ) -> Self {
        let panes = Panes::new(&window);
        Self {
            output: WindowOutput::new(panes.size, window.is_session(), answers),
            window,
            panes,
            times,
            sessions: Mutex::default(),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Option<Sessions>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gets ready for the state that a query begins with.
    pub(in crate::stream) fn start(&self, store: &StateStore) -> Result<()> {
        if self.is_session() {
            let mut sessions = Sessions::new(self.panes.size, store)?;
            sessions.restore(store)?;
            *self.sessions() = Some(sessions);
        }
        Ok(())
    }

    /// Whether the windows are sessions.
    pub(in crate::stream) fn is_session(&self) -> bool {
        self.window.is_session()
    }

    /// The bytes of memory besides the state store.
    pub(in crate::stream) fn size(&self) -> usize {
        self.sessions().as_ref().map_or(0, Sessions::size)
    }

    /// Merges the states of an epoch into the state of the windows.
    pub(in crate::stream) fn merge(
        &self,
        store: &StateStore,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        time: EpochTime,
    ) -> Result<()> {
        if let Some(sessions) = &mut *self.sessions() {
            return sessions.merge(store, &batches.collect::<Result<Vec<_>>>()?);
        }
        let states = batches.map(|batch| self.states(store, &batch?, time));
        store.merge_all_timed(states)
    }

    /// Removes the windows from the state that end before a time of the state store.
    pub(in crate::stream) fn evict(&self, store: &StateStore, before: u64) -> Result<()> {
        if let Some(sessions) = &mut *self.sessions() {
            store.for_each_expired(before, |answers| sessions.close(&[answers]))?;
        }
        store.evict(before).map(|_| ())
    }

    /// The watermark after an epoch.
    pub(in crate::stream) fn watermark(
        &self,
        before: Option<i64>,
        largest: Option<i64>,
    ) -> Option<i64> {
        let now = match self.window.delay() {
            Some(delay) => largest.map(|largest| largest - delay),
            None => None,
        };
        before.max(now)
    }

    /// Whether a window is closed at its end by the watermark, or by the clock.
    pub(in crate::stream) fn closes(&self) -> bool {
        self.window.closes()
    }

    /// The states of windows with the time of their end, from the states of panes, or from the states
    /// of the whole epoch at a time. Windows that are closed by the watermark are left out.
    fn states(
        &self,
        store: &StateStore,
        states: &RecordBatch,
        time: EpochTime,
    ) -> Result<RecordBatch> {
        let (panes, rest) = match self.times {
            Some(_) => {
                let panes = states.column(0).as_primitive::<Int64Type>();
                (panes.clone(), &states.columns()[1..])
            }
            None => {
                let pane = self.panes.pane_of(time.arrival);
                (
                    Int64Array::from_value(pane, states.num_rows()),
                    states.columns(),
                )
            }
        };
        let mut starts = Vec::with_capacity(panes.len());
        let mut rows = Vec::with_capacity(panes.len());
        let closed = time.closed.unwrap_or(i64::MIN);
        for (row, pane) in (0..).zip(panes.values()) {
            let windows = self.panes.windows_of(*pane);
            for start in windows.take_while(|start| start + self.panes.size > closed) {
                starts.push(start);
                rows.push(row);
            }
        }
        let ends = starts.iter().map(|start| time_key(start + self.panes.size));
        let ends: ArrayRef = Arc::new(UInt64Array::from_iter_values(ends));
        let rows = UInt32Array::from(rows);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(starts))];
        for column in rest {
            columns.push(take(column, &rows, None).map_err(too_large)?);
        }
        columns.push(ends);
        RecordBatch::try_new(store.snapshot_schema(), columns).map_err(|cause| {
            let message = "the states of an epoch do not fit the state of its windows";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })
    }
}

/// A time in the order of unsigned numbers, for the state store.
pub(in crate::stream) fn time_key(time: i64) -> u64 {
    (time as u64) ^ (1 << 63)
}

fn too_large(cause: arrow_schema::ArrowError) -> Error {
    let message = "the windows of an epoch do not fit a batch; limit the bytes of an epoch";
    Error::new(ErrorKind::Capacity, message).with_source(cause)
}

/// How the answers of a state store become results: with the start and the end of a window.
#[derive(Clone, Debug)]
pub(in crate::stream) struct WindowOutput {
    size: i64,
    /// The column of the answers with the time of the last row of a session.
    last: Option<usize>,
    pub(in crate::stream) schema: SchemaRef,
}

impl WindowOutput {
    /// Results for windows of this size, or for sessions with this gap.
    pub(in crate::stream) fn new(size: i64, is_session: bool, answers: &SchemaRef) -> Self {
        let last = answers.index_of(END).ok().filter(|_| is_session);
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
        let mut fields = vec![
            Arc::new(Field::new(START, time.clone(), false)),
            Arc::new(Field::new(END, time, false)),
        ];
        let others = answers.fields().iter().enumerate().skip(1);
        let others = others.filter(|(number, _)| Some(*number) != last);
        fields.extend(others.map(|(_, field)| field.clone()));
        Self {
            size,
            last,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// The end of the last window of answers.
    pub(in crate::stream) fn last_end(&self, answers: &RecordBatch) -> Option<i64> {
        max(self.lasts(answers)).map(|start| start + self.size)
    }

    /// What the size or the gap is added to: the start of a window, or the last row of a session.
    fn lasts<'a>(&self, answers: &'a RecordBatch) -> &'a Int64Array {
        answers.column(self.last.unwrap_or(0)).as_primitive()
    }

    /// The results of answers.
    pub(in crate::stream) fn results(&self, answers: &RecordBatch) -> Result<RecordBatch> {
        let starts = answers.column(0).as_primitive::<Int64Type>();
        let time = |times: Int64Array| -> ArrayRef {
            let times: TimestampMillisecondArray = times.reinterpret_cast();
            Arc::new(times.with_timezone("+00:00"))
        };
        let ends = self.lasts(answers).unary(|last| last + self.size);
        let mut columns = vec![time(starts.clone()), time(ends)];
        let others = answers.columns().iter().enumerate().skip(1);
        let others = others.filter(|(number, _)| Some(*number) != self.last);
        columns.extend(others.map(|(_, column)| column.clone()));
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|cause| {
            let message = "the answers of windows do not fit their schema";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })
    }
}
