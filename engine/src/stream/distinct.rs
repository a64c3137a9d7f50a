//! Removes duplicates: rows whose values of some columns have come before.
//!
//! ```text
//! rows ─ not late ─▶ first of their values in this epoch ─▶ not in the state ─▶ grouped
//!                                                              └── added to the state
//! ```
//!
//! Which row is the first depends on the order of rows, so that one thread at a time looks at them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use keymill_kernels::{HashKey, Tuning};

use super::checkpoint::ColumnTypes;
use super::window::{EpochTime, RowTimes, rounded_up, time_key};
use crate::aggregate::AggregateExpr;
use crate::exec::RuntimeEnv;
use crate::expr::{Expr, col};
use crate::keys::KeyIds;
use crate::read::RecordBatches;
use crate::state::GroupShape;
use crate::{Error, ErrorKind, Level, Result, StateStore};

/// By which columns rows are duplicates, and for how long that is known.
#[derive(Clone, Debug)]
pub(crate) struct Distinct {
    pub(crate) columns: Vec<String>,
    /// How long after its arrival a row is remembered. Without it the watermark decides.
    pub(crate) within: Option<Duration>,
}

impl Distinct {
    /// Describes it. A query with another description cannot continue from its checkpoint.
    pub(super) fn describe(&self) -> String {
        format!("distinct on {}", self.columns.join(", "))
    }

    /// Prepares it for rows of these columns, and times.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is no such column.
    pub(super) fn bind(
        self,
        rows: Option<&SchemaRef>,
        times: Option<&RowTimes>,
    ) -> Result<BoundDistinct> {
        let Some(input) = rows else {
            let message = "the source gives text, which has no columns that rows could be distinct on; \
                           name its columns";
            return Err(Error::new(ErrorKind::Config, message));
        };
        let keys: Vec<Expr> = self.columns.iter().map(col).collect();
        let shape = GroupShape::new(input, &keys, &[])?;
        let expiry = match (self.within, times) {
            (Some(within), _) => Expiry::AfterArrival(milliseconds(within)),
            (None, Some(times)) if times.delay().is_some() => Expiry::ByWatermark,
            (None, _) => Expiry::Never,
        };
        Ok(BoundDistinct {
            describe: self.describe(),
            input: input.clone(),
            keys,
            shape: Arc::new(shape),
            times: times.cloned(),
            expiry,
        })
    }
}

/// When values are forgotten; then up to a sixteenth of that time later.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expiry {
    Never,
    /// This many milliseconds after the epoch of the first row.
    AfterArrival(i64),
    /// When a row of the same time would be late, and not before the delay of the watermark has passed.
    ByWatermark,
}

/// Removes duplicates from rows of known columns.
#[derive(Clone)]
pub(super) struct BoundDistinct {
    pub(super) describe: String,
    input: SchemaRef,
    keys: Vec<Expr>,
    shape: Arc<GroupShape>,
    times: Option<RowTimes>,
    expiry: Expiry,
}

/// The duplicates of an epoch.
#[derive(Debug, Default)]
pub(super) struct Duplicates(AtomicU64);

impl Duplicates {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl BoundDistinct {
    /// The names and types of the columns.
    pub(super) fn columns(&self) -> ColumnTypes {
        let fields = self.shape.schema().fields().iter();
        let columns = fields.map(|field| (field.name().clone(), field.data_type().to_string()));
        columns.collect()
    }

    /// A store for the values, which is empty.
    pub(super) fn new_store(
        &self,
        env: &RuntimeEnv,
        hash_seed: u64,
        memory: usize,
    ) -> Result<StateStore> {
        let none = Vec::<AggregateExpr>::new();
        let store = StateStore::for_group_by(&self.input, self.keys.clone(), none)?;
        env.stored(store, hash_seed, memory)
    }

    /// Begins an epoch: forgets the values whose time has passed.
    pub(super) fn begin(&self, store: &StateStore, time: EpochTime) -> Result<()> {
        let now = match self.expiry {
            Expiry::Never => None,
            Expiry::AfterArrival(_) => Some(time.arrival),
            Expiry::ByWatermark => time.closed,
        };
        match now {
            Some(now) => store.evict(time_key(now) + 1).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The rows that are no duplicates. If rows have times, the first column is their pane.
    pub(super) fn rows(
        &self,
        rows: RecordBatches,
        store: &Arc<StateStore>,
        (time, level): (EpochTime, Level),
        duplicates: &Arc<Duplicates>,
    ) -> Result<RecordBatches> {
        let (distinct, store, duplicates) = (self.clone(), store.clone(), duplicates.clone());
        let (types, hash_key) = (self.shape.key_types(), HashKey::random());
        let mut seen = KeyIds::new(types, level, &Tuning::DEFAULT, hash_key)?;
        let firsts = Iterator::map(rows, move |batch| {
            let batch = batch?;
            let rows = distinct.firsts(&batch, &mut seen, &store, time)?;
            let dropped = batch.num_rows() - rows.num_rows();
            duplicates.0.fetch_add(dropped as u64, Ordering::Relaxed);
            Ok::<_, Error>(rows)
        });
        Ok(RecordBatches::new(firsts))
    }

    /// The rows of a batch whose values have not come before. It remembers these values.
    fn firsts(
        &self,
        batch: &RecordBatch,
        seen: &mut KeyIds,
        store: &StateStore,
        time: EpochTime,
    ) -> Result<RecordBatch> {
        let (mut ids, mut next) = (Vec::new(), seen.len() as u32);
        seen.intern(&self.keys_of(batch)?, &mut ids)?;
        let is_first = ids.iter().map(|&id| {
            let is_first = id == next;
            next += u32::from(is_first);
            Some(is_first)
        });
        let firsts = kept(batch, &is_first.collect())?;
        let (_, known) = store.get_rows(&self.keys_of(&firsts)?)?;
        let mut is_new = vec![true; firsts.num_rows()];
        known.iter().for_each(|&row| is_new[row as usize] = false);
        let new = kept(&firsts, &BooleanArray::from(is_new))?;
        let mut columns = self.keys_of(&new)?;
        columns.push(Arc::new(self.expiries(&new, time)));
        let values = RecordBatch::try_new(store.snapshot_schema(), columns).map_err(|cause| {
            let message = "the values of distinct columns do not fit their state";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })?;
        store.merge_timed(&values)?;
        Ok(new)
    }

    fn keys_of(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let has_panes = self.times.is_some();
        let first = usize::from(has_panes);
        let columns: Vec<usize> = (first..batch.num_columns()).collect();
        let rows = batch.project(&columns).map_err(|cause| {
            let message = "the columns of a batch cannot be selected";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })?;
        self.shape.keys_of(&rows)
    }

    /// When the values of rows are forgotten, as times of the state store.
    fn expiries(&self, rows: &RecordBatch, time: EpochTime) -> UInt64Array {
        match (self.expiry, &self.times) {
            (Expiry::AfterArrival(within), _) => {
                let expiry = rounded_up(time.arrival.saturating_add(within), within);
                UInt64Array::from_value(time_key(expiry), rows.num_rows())
            }
            (Expiry::ByWatermark, Some(times)) => {
                let panes = rows.column(0).as_primitive::<Int64Type>();
                panes.unary(|pane| time_key(times.expiry(pane)))
            }
            _ => UInt64Array::from_value(u64::MAX, rows.num_rows()),
        }
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

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
