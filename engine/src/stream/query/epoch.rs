//! The results of an epoch, in order.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::keyed::{Grouped, Grouping};
use crate::exec::RuntimeEnv;
use crate::operator::OrderBy;
use crate::operator::ordering::sort_groups;
use crate::stream::OutputMode;
use crate::stream::checkpoint::EpochOffsets;
use crate::stream::window::{EpochTime, TopOfWindows, time_key};
use crate::{BatchLimits, Result, StateStore};

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
    /// The answers of the epoch's windows, which the state may not have any more.
    pub(super) windows: Vec<RecordBatch>,
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

    /// Merges the states of an epoch into the state of the query, if it has one. Returns the watermark
    /// after the epoch; of a query without windows of event time it is the time of the epoch.
    pub(super) fn merge(
        &mut self,
        env: &RuntimeEnv,
        grouped: &Grouped,
        time: EpochTime,
    ) -> Result<Option<i64>> {
        let Some(store) = &self.store else {
            return Ok(None);
        };
        let Some(windowed) = &self.grouping.windowed else {
            self.evict_unused(store, time)?;
            let key = time_key(time.arrival);
            if let Some(bound) = &self.grouping.function {
                for groups in self.grouping.answers(env, &grouped.batches)? {
                    let of = (&bound.rows, &bound.shape);
                    bound.function.update(env, of, store, &groups, key)?;
                }
                return Ok(Some(time.arrival));
            }
            for batch in &grouped.batches {
                store.merge(batch, key)?;
            }
            return Ok(Some(time.arrival));
        };
        for batch in &grouped.batches {
            store.merge_timed(&windowed.states(store, batch, time)?)?;
        }
        let largest = grouped.times.as_ref().map(|times| times.largest());
        let watermark = match largest {
            Some(largest) => windowed.watermark(time.watermark, largest),
            None => Some(time.arrival),
        };
        if time.flushes {
            self.windows = store.expired(u64::MAX)?;
            let end = windowed.output.last_end(&self.windows);
            store.evict(u64::MAX)?;
            return Ok(watermark.max(end));
        }
        let closed_before = watermark.map_or(0, |watermark| time_key(watermark) + 1);
        self.windows = match self.mode {
            OutputMode::Complete => return Ok(watermark),
            OutputMode::Update => store.changed()?,
            OutputMode::Append => store.expired(closed_before)?,
        };
        if windowed.closes() {
            store.evict(closed_before)?;
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

    /// Whether there are windows that a flush would write.
    pub(super) fn has_open_windows(&self) -> bool {
        let store = self.store.as_ref();
        self.grouping.windowed.is_some() && store.is_some_and(|store| !store.is_empty())
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
        let of_windows = self.top.filter(|_| self.grouping.windowed.is_some());
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
                let windows = self.results(self.windows.iter().cloned().map(Ok));
                sort_groups(windows, schema, order, limits, &resources)?
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
