//! The first table of jobs whose keys are integers that fit in 64 bits and whose aggregates are of
//! one integer column: `reduce_by_key` finds the key and adds the value in one step.
//!
//! ```text
//! keys, values ─▶ reduce_by_key ─▶ count, sum, min, max of each key ─▶ state columns
//! ```
//!
//! It is used until a key or value is null, or groups are merged or spilled. Its groups then move to
//! the tables of group ids, as state columns.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, UInt64Array};
use arrow_schema::DataType;
use keymill_kernels::HashKey;
use keymill_kernels::stage::reduce_by_key::{Aggregate, Count, Max, Min, Order, ReduceByKey, Sum};

use super::Context;
use crate::aggregate::{IntegerValue, integer_column, integers_of};
use crate::keys::{Layout, from_key_column, key_columns, key_type};
use crate::{Error, ErrorKind, Result};

/// Reduces rows of integer keys.
pub(super) struct IntReducer {
    layout: Layout,
    /// The number of the column with the values; `None` if no aggregate has a column.
    column: Option<usize>,
    /// The value that each state column holds.
    values: Vec<IntegerValue>,
    groups: Groups,
    /// Buffer for packed keys.
    words: Vec<u64>,
}

/// The groups, with the values that the aggregates need.
enum Groups {
    Counts(ReduceByKey<u64, Count>),
    Sums(ReduceByKey<u64, Sum>),
    CountsAndSums(ReduceByKey<u64, (Count, Sum)>),
    All(ReduceByKey<u64, (Count, Sum, Min, Max)>),
}

/// Runs the same code on every kind of reducer.
macro_rules! each {
    ($groups:expr, $reducer:ident => $run:expr) => {
        match $groups {
            Groups::Counts($reducer) => $run,
            Groups::Sums($reducer) => $run,
            Groups::CountsAndSums($reducer) => $run,
            Groups::All($reducer) => $run,
        }
    };
}

impl IntReducer {
    /// Creates a reducer for the job, if its keys and aggregates allow it.
    pub(super) fn for_job(context: &Context) -> Option<Self> {
        let (values, column) = context.shape.integer_reduction()?;
        let layout = Layout::new(&stored_types(context)).filter(Layout::fits_word)?;
        Some(Self {
            layout,
            column,
            groups: Groups::new(&values, context),
            values,
            words: Vec::new(),
        })
    }

    /// Returns whether it can add these rows: no value is null.
    pub(super) fn takes(&self, keys: &[ArrayRef], columns: &[ArrayRef]) -> bool {
        keys.iter()
            .chain(columns)
            .all(|column| column.null_count() == 0)
    }

    /// Adds rows.
    pub(super) fn update(&mut self, keys: &[ArrayRef], columns: &[ArrayRef]) -> Result<()> {
        let column = self.column.map(|number| &columns[number]);
        let values = column.map(|column| {
            let message = || format!("values of {} are not integers", column.data_type());
            integers_of(column).ok_or_else(|| Error::new(ErrorKind::Internal, message()))
        });
        let values = values.transpose()?;
        let keys = key_columns(keys)?;
        let words = self.layout.pack(&keys, &mut self.words)?;
        self.groups.add(words, values.as_deref())
    }

    /// Returns the bytes of memory that it uses.
    pub(super) fn size(&self) -> usize {
        8 * self.words.capacity() + each!(&self.groups, reducer => reducer.bytes())
    }

    /// Returns the number of groups.
    pub(super) fn len(&mut self) -> usize {
        each!(&mut self.groups, reducer => reducer.size())
    }

    /// Passes all groups to `visit`, as state columns. No two batches have a key in common.
    pub(super) fn into_states(
        self,
        context: &Context,
        rows: usize,
        visit: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut states = States {
            context,
            layout: self.layout,
            values: self.values,
            rows,
            visit,
            keys: Vec::new(),
            columns: Columns::default(),
            failed: None,
        };
        match self.groups {
            Groups::Counts(mut reducer) => states.drain(&mut reducer, |columns, count| {
                columns.counts.push(count);
            }),
            Groups::Sums(mut reducer) => states.drain(&mut reducer, |columns, sum| {
                columns.sums.push(sum);
            }),
            Groups::CountsAndSums(mut reducer) => {
                states.drain(&mut reducer, |columns, (count, sum)| {
                    columns.counts.push(count);
                    columns.sums.push(sum);
                });
            }
            Groups::All(mut reducer) => {
                states.drain(&mut reducer, |columns, (count, sum, min, max)| {
                    columns.counts.push(count);
                    columns.sums.push(sum);
                    columns.mins.push(min);
                    columns.maxs.push(max);
                });
            }
        }
        states.finish()
    }
}

fn stored_types(context: &Context) -> Vec<DataType> {
    context.shape.key_types().iter().map(key_type).collect()
}

impl Groups {
    /// Creates the smallest reducer that computes all values of the state columns.
    fn new(values: &[IntegerValue], context: &Context) -> Self {
        let has = |value| values.contains(&value);
        let extremes = has(IntegerValue::Min) || has(IntegerValue::Max);
        let resources = &context.resources;
        let (level, tuning) = (resources.level, resources.tuning);
        let hash_key = HashKey::from_seed(resources.seed);
        match (has(IntegerValue::Count), has(IntegerValue::Sum), extremes) {
            (_, _, true) => Self::All(ReduceByKey::new(level, tuning, hash_key)),
            (true, true, _) => Self::CountsAndSums(ReduceByKey::new(level, tuning, hash_key)),
            (false, true, _) => Self::Sums(ReduceByKey::new(level, tuning, hash_key)),
            (_, false, _) => Self::Counts(ReduceByKey::new(level, tuning, hash_key)),
        }
    }

    /// Adds rows.
    fn add(&mut self, keys: &[u64], values: Option<&[i64]>) -> Result<()> {
        match (self, values) {
            (groups, Some(values)) => each!(groups, reducer => reducer.update(keys, values)),
            (Self::Counts(reducer), None) => reducer.count(keys),
            _ => return Err(Error::new(ErrorKind::Internal, "a sum got no values")),
        }
        Ok(())
    }
}

/// The values of gathered groups.
#[derive(Default)]
struct Columns {
    counts: Vec<u64>,
    sums: Vec<i128>,
    mins: Vec<i64>,
    maxs: Vec<i64>,
}

impl Columns {
    /// Returns a state column of the type `of`.
    fn state(&self, value: IntegerValue, of: &DataType) -> Result<ArrayRef> {
        match value {
            IntegerValue::Count => Ok(Arc::new(UInt64Array::from(self.counts.clone()))),
            IntegerValue::Sum => {
                let sums = Decimal128Array::from(self.sums.clone());
                Ok(Arc::new(sums.with_data_type(of.clone())))
            }
            IntegerValue::Min => integer_column(of, self.mins.iter().copied()),
            IntegerValue::Max => integer_column(of, self.maxs.iter().copied()),
        }
    }
}

/// Converts groups to state columns.
struct States<'c, F> {
    context: &'c Context,
    layout: Layout,
    values: Vec<IntegerValue>,
    /// Maximum number of rows of a batch.
    rows: usize,
    visit: F,
    keys: Vec<u64>,
    columns: Columns,
    failed: Option<Error>,
}

impl<F: FnMut(RecordBatch) -> Result<()>> States<'_, F> {
    fn drain<A: Aggregate>(
        &mut self,
        reducer: &mut ReduceByKey<u64, A>,
        push: impl Fn(&mut Columns, A::Output),
    ) {
        reducer.drain(Order::Any, |keys, outputs| {
            for (&key, &output) in keys.iter().zip(outputs) {
                self.keys.push(key);
                push(&mut self.columns, output);
                if self.keys.len() >= self.rows {
                    self.flush();
                }
            }
        });
    }

    /// Passes the gathered groups to `visit`, unless an earlier call failed.
    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.try_flush().err();
        }
        self.keys.clear();
        let Columns {
            counts,
            sums,
            mins,
            maxs,
        } = &mut self.columns;
        counts.clear();
        sums.clear();
        mins.clear();
        maxs.clear();
    }

    fn try_flush(&mut self) -> Result<()> {
        self.context.resources.cancel.check()?;
        let shape = &self.context.shape;
        let all: Vec<u32> = (0..self.keys.len() as u32).collect();
        let types = stored_types(self.context);
        let stored = self.layout.unpack(&types, &self.keys, &all)?;
        let stored = stored.iter().zip(shape.key_types());
        let columns = stored.map(|(key, of)| from_key_column(key, of));
        let mut columns = columns.collect::<Result<Vec<_>>>()?;
        let keys = columns.len();
        for (number, value) in self.values.iter().enumerate() {
            let of = shape.state_schema().field(keys + number).data_type();
            columns.push(self.columns.state(*value, of)?);
        }
        (self.visit)(shape.state_batch(columns)?)
    }

    fn finish(mut self) -> Result<()> {
        if !self.keys.is_empty() {
            self.flush();
        }
        self.failed.map_or(Ok(()), Err)
    }
}
