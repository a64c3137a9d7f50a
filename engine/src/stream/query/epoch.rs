//! The results of an epoch, in order.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::keyed::Grouping;
use crate::exec::RuntimeEnv;
use crate::operator::OrderBy;
use crate::operator::ordering::sort_groups;
use crate::stream::OutputMode;
use crate::{BatchLimits, Result, StateStore};

/// What makes the results of an epoch.
pub(super) struct Outputs {
    pub(super) mode: OutputMode,
    pub(super) order: Vec<OrderBy>,
    pub(super) grouping: Grouping,
    pub(super) store: Option<Arc<StateStore>>,
    /// What is computed, in words.
    pub(super) query: String,
}

impl Outputs {
    /// Merges the states of an epoch into the state of the query, if it has one.
    pub(super) fn merge(&self, states: &[RecordBatch], epoch: u64) -> Result<()> {
        if let Some(store) = &self.store {
            for batch in states {
                store.merge(batch, epoch)?;
            }
        }
        Ok(())
    }

    /// Calls `write` with the results of the epoch whose states were merged.
    pub(super) fn write<T>(
        &self,
        env: &RuntimeEnv,
        states: &[RecordBatch],
        top: Option<usize>,
        write: impl FnOnce(&mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<T>,
    ) -> Result<T> {
        let mut resources = env.resources();
        resources.threads = env.pool.threads();
        let order = (&self.order[..], self.grouping.key_columns);
        let schema = &self.grouping.schema;
        let limits = BatchLimits {
            top,
            ..BatchLimits::default()
        };
        let mut sorted = match (&self.store, self.mode) {
            (Some(store), OutputMode::Complete) => {
                sort_groups(store.values()?, schema, order, limits, &resources)?
            }
            (Some(store), _) => {
                let changed = store.changed()?.into_iter().map(Ok);
                sort_groups(changed, schema, order, limits, &resources)?
            }
            (None, _) => {
                let answers = self.grouping.answers(env, states)?.into_iter().map(Ok);
                sort_groups(answers, schema, order, limits, &resources)?
            }
        };
        write(&mut sorted)
    }
}
