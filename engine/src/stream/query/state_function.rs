//! State that a function changes: the new values and the old state in, the new state or nothing out.

use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::take::take;

use crate::aggregate::{AggregateExpr, max};
use crate::exec::RuntimeEnv;
use crate::expr::col;
use crate::operator::{Drain, GroupBy, Operator, Order};
use crate::state::GroupShape;
use crate::stream::{Row, Rows, Value};
use crate::{BatchLimits, Error, ErrorKind, Result, StateStore};

type Run = dyn Fn(Row<'_>, Option<Row<'_>>) -> Option<Vec<Value>> + Send + Sync;

/// A function over the state of a key, and the columns of that state.
#[derive(Clone)]
pub(crate) struct StateFunction {
    pub(crate) columns: Vec<Field>,
    pub(crate) run: Arc<Run>,
}

impl StateFunction {
    /// Describes it. A query with another description cannot continue from its checkpoint.
    pub(super) fn describe(&self) -> String {
        let columns = self.columns.iter();
        let columns: Vec<String> = columns
            .map(|field| format!("{} {}", field.name(), field.data_type()))
            .collect();
        format!("state by a function: {}", columns.join(", "))
    }

    /// The rows whose group-by is the state: keys, and a value for each column of the state.
    pub(super) fn state_rows(
        &self,
        groups: &SchemaRef,
        key_columns: usize,
    ) -> (SchemaRef, Vec<AggregateExpr>) {
        let keys = groups.fields()[..key_columns].iter().cloned();
        let values = self.columns.iter().cloned().map(Arc::new);
        let schema = Arc::new(Schema::new(keys.chain(values).collect::<Vec<_>>()));
        // A group has one value of each column, which is replaced. The aggregate only keeps it.
        let kept = self.columns.iter();
        let kept = kept.map(|field| max(col(field.name())).alias(field.name()));
        (schema, kept.collect())
    }

    /// Calls the function for each group of an epoch, and changes the state.
    pub(super) fn update(
        &self,
        env: &RuntimeEnv,
        (rows, shape): (&SchemaRef, &Arc<GroupShape>),
        store: &StateStore,
        groups: &RecordBatch,
        time: u64,
    ) -> Result<()> {
        let key_columns = shape.key_types().len();
        let keys = &groups.columns()[..key_columns];
        let (states, found) = store.get_rows(keys)?;
        let mut found = (0..).zip(found).peekable();
        let state_schema = Arc::new(Schema::new(rows.fields()[key_columns..].to_vec()));
        let mut made = Rows::new(&state_schema)?;
        let (mut kept, mut removed) = (Vec::new(), Vec::new());
        for row in 0..groups.num_rows() as u32 {
            let old = found.next_if(|(_, of)| *of == row);
            let old_row = old.map(|(place, _)| Row::new(&states, place));
            match (self.run)(Row::new(groups, row as usize), old_row) {
                Some(values) => {
                    made.push(values);
                    kept.push(row);
                }
                None if old.is_some() => removed.push(row),
                None => {}
            }
        }
        let of_rows = |rows: Vec<u32>| {
            let rows = UInt32Array::from(rows);
            let keys = keys.iter().map(|key| take(key, &rows, None));
            keys.collect::<std::result::Result<Vec<_>, _>>()
                .map_err(mismatch)
        };
        let mut columns = of_rows(kept)?;
        columns.extend(made.finish()?.columns().iter().cloned());
        let changed = RecordBatch::try_new(rows.clone(), columns).map_err(mismatch)?;
        for states in states_of(env, shape, &changed)? {
            store.put(&states, time)?;
        }
        let removed = RecordBatch::try_new(store.key_schema(), of_rows(removed)?);
        store.remove(&removed.map_err(mismatch)?)
    }
}

/// The state columns of rows with distinct keys.
fn states_of(
    env: &RuntimeEnv,
    shape: &Arc<GroupShape>,
    rows: &RecordBatch,
) -> Result<Vec<RecordBatch>> {
    let mut operator = GroupBy::with_shape(Arc::clone(shape), &env.resources())?;
    operator.push(rows)?;
    operator
        .drain(Drain::State, &Order::None, BatchLimits::default())?
        .collect()
}

fn mismatch(cause: arrow_schema::ArrowError) -> Error {
    let message = "the state that a function made does not fit its columns";
    Error::new(ErrorKind::Internal, message).with_source(cause)
}
