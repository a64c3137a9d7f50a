//! The results of an epoch, in order.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::compute::{Grouped, Memory};
use super::keyed::Grouping;
use super::progress::StateProgress;
use crate::exec::RuntimeEnv;
use crate::operator::OrderBy;
use crate::operator::ordering::sort_groups;
use crate::spill::BatchBuffer;
use crate::stream::OutputMode;
use crate::stream::checkpoint::EpochOffsets;
use crate::stream::window::{EpochTime, TopOfWindows, Windowed, time_key};
use crate::{BatchLimits, MemoryBudget, Result, StateStore};

/// Unused groups are removed at most this fraction of the time to live too late.
const TTL_FRACTION: i64 = 16;

/// What makes the results of an epoch.
pub(super) struct Outputs {
    pub(super) mode: OutputMode,
    pub(super) order: Vec<OrderBy>,
    /// The most rows of an epoch, or of a window.
    pub(super) top: Option<usize>,
    pub(super) grouping: Grouping,
    pub(super) store: Option<Arc<StateStore>>,
    /// Milliseconds after which a group that has not changed is removed.
    pub(super) ttl: Option<i64>,
    /// What is computed, in words.
    pub(super) query: String,
}

impl Outputs {
    /// The times of an epoch that these offsets are of.
    pub(super) fn time(&self, offsets: &EpochOffsets) -> EpochTime {
        let clock = i64::try_from(offsets.timestamp).unwrap_or(i64::MAX);
        EpochTime {
            // The clock may have been set back.
            arrival: offsets.watermark.map_or(clock, |before| before.max(clock)),
            watermark: offsets.watermark,
            closed: match self.mode {
                // All windows stay.
                OutputMode::Complete => None,
                _ => offsets.watermark,
            },
            flushes: offsets.flushes,
        }
    }

    /// Whether an epoch can be computed before the one before it is merged. Removing duplicates needs the
    /// values of all rows before.
    pub(super) fn can_overlap(&self) -> bool {
        self.grouping.distinct.is_none()
    }

    /// The memory of the steps of an epoch.
    pub(super) fn memory(&self, env: &RuntimeEnv) -> Memory {
        let state = self.stores().iter().map(|store| store.size()).sum();
        Memory::beside(env, state)
    }

    /// Removes groups that have not changed for the time to live. It costs a walk over the groups, so it is
    /// done when the clock passes a multiple of a fraction of that time.
    fn evict_unused(&self, store: &StateStore, time: EpochTime) -> Result<()> {
        let Some(ttl) = self.ttl else {
            return Ok(());
        };
        let interval = (ttl / TTL_FRACTION).max(1);
        let before = time.watermark.unwrap_or(time.arrival);
        if before.div_euclid(interval) != time.arrival.div_euclid(interval) {
            store.evict(time_key(time.arrival - ttl))?;
        }
        Ok(())
    }

    /// The watermark after an epoch; of a query without windows of event time it is the time of the epoch.
    pub(super) fn watermark(&self, grouped: &Grouped, time: EpochTime) -> Option<i64> {
        self.store.as_ref()?;
        match (&self.grouping.windowed, &grouped.times) {
            (Some(windowed), Some(times)) => windowed.watermark(time.watermark, times.largest()),
            _ => Some(time.arrival),
        }
    }

    /// Merges the states of an epoch into the state of the query, if it has one, and takes the answers of its
    /// windows. Returns the watermark after the epoch.
    pub(super) fn merge(
        &self,
        grouped: &Grouped,
        time: EpochTime,
        memory: usize,
        (env, windows): (&RuntimeEnv, &mut BatchBuffer),
    ) -> Result<Option<i64>> {
        let watermark = self.watermark(grouped, time);
        let Some(store) = &self.store else {
            return Ok(watermark);
        };
        let Some(windowed) = &self.grouping.windowed else {
            self.evict_unused(store, time)?;
            let key = time_key(time.arrival);
            if let Some(bound) = &self.grouping.function {
                for groups in self.grouping.answers(env, &grouped.batches, memory)? {
                    let (groups, of) = (groups?, (&bound.rows, &bound.shape));
                    bound.function.update(env, of, store, &groups, key)?;
                }
                return Ok(watermark);
            }
            store.merge_all(grouped.batches.iter(), key)?;
            return Ok(watermark);
        };
        windowed.merge(store, grouped.batches.iter(), time)?;
        windows.clear();
        if time.flushes {
            let mut end = None;
            store.for_each_expired(u64::MAX, |batch| {
                end = end.max(windowed.output.last_end(&batch));
                windows.push(batch)
            })?;
            windowed.evict(store, u64::MAX)?;
            return Ok(watermark.max(end));
        }
        let closed_before = watermark.map_or(0, |watermark| time_key(watermark) + 1);
        match self.mode {
            OutputMode::Complete => return Ok(watermark),
            OutputMode::Update => {
                let mut changed = store.changed_batches()?;
                changed.try_for_each(|batch| windows.push(batch?))?;
            }
            OutputMode::Append => {
                store.for_each_expired(closed_before, |batch| windows.push(batch))?;
            }
        }
        if windowed.closes() {
            windowed.evict(store, closed_before)?;
        }
        Ok(watermark)
    }

    /// Whether a window ends by the clock at this time or before, so that its results are due.
    pub(super) fn is_due(&self, now: i64) -> Result<bool> {
        match (&self.store, &self.grouping.windowed, self.mode) {
            (Some(store), Some(windowed), OutputMode::Append) if windowed.times.is_none() => {
                Ok(store.oldest()?.is_some_and(|end| end <= time_key(now)))
            }
            _ => Ok(false),
        }
    }

    /// The stores of the state, as the checkpoint has them: that of the groups, that of distinct values.
    pub(super) fn stores(&self) -> Vec<&StateStore> {
        let distinct = self.grouping.distinct.as_ref().map(|(_, store)| store);
        let stores = self.store.iter().chain(distinct);
        stores.map(|store| &**store).collect()
    }

    /// What the report of an epoch says of the state.
    pub(super) fn progress(&self, grouped: &Grouped) -> Result<Vec<StateProgress>> {
        let windows = self.grouping.windowed.as_ref();
        let of = |name: &str, store: &StateStore| -> Result<StateProgress> {
            Ok(StateProgress {
                operator_name: name.to_owned(),
                num_rows_total: store.len() as u64,
                num_rows_updated: store.changed_len()? as u64,
                memory_used_bytes: store.size() as u64,
                disk_used_bytes: store.spilled_size() as u64,
                ..StateProgress::default()
            })
        };
        let mut all = Vec::new();
        if let Some(store) = &self.store {
            let mut groups = of(&self.query, store)?;
            groups.num_rows_dropped_by_watermark = grouped.times.as_ref().map_or(0, |it| it.late());
            groups.memory_used_bytes += windows.map_or(0, Windowed::size) as u64;
            all.push(groups);
        }
        if let Some((distinct, store)) = &self.grouping.distinct {
            let mut values = of(&distinct.describe, store)?;
            values.num_dropped_duplicate_rows = grouped.duplicates.count();
            all.push(values);
        }
        Ok(all)
    }

    /// Whether there are windows that a flush would write.
    pub(super) fn has_open_windows(&self) -> bool {
        let store = self.store.as_ref();
        self.grouping.windowed.is_some() && store.is_some_and(|store| !store.is_empty())
    }

    /// Calls `write` with the results of the epoch whose states were merged, and whose windows these are.
    pub(super) fn write<T>(
        &self,
        (env, memory): (&RuntimeEnv, usize),
        (states, windows): (&BatchBuffer, &BatchBuffer),
        top: Option<usize>,
        write: impl FnOnce(&mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<T>,
    ) -> Result<T> {
        let mut resources = env.resources().with_memory(MemoryBudget::new(memory));
        resources.threads = env.pool.threads();
        let order = (&self.order[..], self.grouping.key_columns);
        let schema = &self.grouping.schema;
        // Sessions are of one key each, so that their top is that of the epoch.
        let is_by_window = self
            .grouping
            .windowed
            .as_ref()
            .is_some_and(|it| !it.is_session());
        let of_windows = self.top.filter(|_| is_by_window);
        let limits = BatchLimits {
            // All windows are needed to find the first rows of each.
            top: match of_windows {
                Some(_) => None,
                None => top.into_iter().chain(self.top).min(),
            },
            ..BatchLimits::default()
        };
        let mut sorted = match (&self.store, self.mode) {
            (Some(store), OutputMode::Complete) => {
                let all = self.results(store.values()?);
                sort_groups(all, schema, order, limits, &resources)?
            }
            (Some(_), _) if self.grouping.windowed.is_some() => {
                let windows = self.results(windows.iter());
                sort_groups(windows, schema, order, limits, &resources)?
            }
            (Some(store), _) => {
                sort_groups(store.changed_batches()?, schema, order, limits, &resources)?
            }
            (None, _) => {
                let answers = self.grouping.answers(env, states, memory)?;
                sort_groups(answers, schema, order, limits, &resources)?
            }
        };
        match of_windows {
            Some(rows) => {
                let mut tops = TopOfWindows::new(rows);
                write(&mut sorted.map(|results| tops.of(&results?)))
            }
            None => write(&mut sorted),
        }
    }

    /// The results of answers of the state store.
    fn results(
        &self,
        answers: impl Iterator<Item = Result<RecordBatch>> + Send,
    ) -> impl Iterator<Item = Result<RecordBatch>> + Send {
        let windowed = self.grouping.windowed.as_ref();
        answers.map(move |batch| match windowed {
            Some(windowed) => windowed.output.results(&batch?),
            None => batch,
        })
    }
}
