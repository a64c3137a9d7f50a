//! One partition of a state store: its groups and their changes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::{Field, Schema, SchemaRef};

use super::super::schema::batch_of;
use super::super::{GroupShape, GroupTable};
use super::TIME;
use super::spilled::OnDisk;
use crate::{Error, ErrorKind, Result};

/// Rows of a batch that the store makes.
pub(super) const BATCH_ROWS: usize = 8192;

/// The schemas of what a store takes in and gives.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) shape: Arc<GroupShape>,
    /// State columns, and the time of each group's last change.
    pub(super) timed: SchemaRef,
    /// Keys alone.
    pub(super) keys: SchemaRef,
}

impl Schemas {
    pub(super) fn new(shape: Arc<GroupShape>) -> Self {
        let state = shape.state_schema();
        let with = |fields| Arc::new(Schema::new_with_metadata(fields, state.metadata().clone()));
        let mut timed = state.fields().to_vec();
        timed.push(Field::new(TIME, arrow_schema::DataType::UInt64, false).into());
        let keys = state.fields()[..shape.key_types().len()].to_vec();
        let (timed, keys) = (with(timed), with(keys));
        Self { shape, timed, keys }
    }
}

/// When a group was last changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastChange {
    /// The largest time that the caller gave.
    pub(super) time: u64,
    /// The epoch of the change; 0 for a group that was restored.
    pub(super) epoch: u64,
}

/// The groups of one partition.
pub(super) struct StorePartition {
    pub(super) schemas: Arc<Schemas>,
    /// All groups; of a partition that is spilled, those that were replaced since.
    pub(super) table: GroupTable,
    /// By group.
    pub(super) last: Vec<LastChange>,
    pub(super) epoch: u64,
    /// The groups changed in this epoch.
    pub(super) changed: Vec<u32>,
    /// The keys of the groups evicted in this epoch.
    evicted: Vec<RecordBatch>,
    /// No group was last changed before this time.
    oldest: u64,
    pub(super) disk: OnDisk,
}

impl StorePartition {
    pub(super) fn new(schemas: &Arc<Schemas>, table: GroupTable) -> Self {
        Self {
            schemas: Arc::clone(schemas),
            table,
            last: Vec::new(),
            epoch: 1,
            changed: Vec::new(),
            evicted: Vec::new(),
            oldest: u64::MAX,
            disk: OnDisk::default(),
        }
    }

    /// Merges state columns into the groups of their keys.
    pub(super) fn merge(&mut self, states: &RecordBatch, time: u64) -> Result<()> {
        self.merge_at(states, std::iter::repeat(time))
    }

    /// Merges state columns with a time for each row.
    pub(super) fn merge_timed(&mut self, timed: &RecordBatch) -> Result<()> {
        let (states, times) = untimed(timed, self.schemas.shape.state_schema())?;
        self.merge_at(&states, times.values().iter().copied())
    }

    fn merge_at(&mut self, states: &RecordBatch, times: impl Iterator<Item = u64>) -> Result<()> {
        let groups = self.table.merge(states)?.to_vec();
        self.mark_changed(&groups, times);
        Ok(())
    }

    fn mark_changed(&mut self, groups: &[u32], times: impl Iterator<Item = u64>) {
        let Self { last, changed, .. } = self;
        last.resize(last.len().max(next_group(groups)), LastChange::default());
        for (&group, time) in groups.iter().zip(times) {
            let last = &mut last[group as usize];
            last.time = last.time.max(time);
            self.oldest = self.oldest.min(time);
            if last.epoch != self.epoch {
                last.epoch = self.epoch;
                changed.push(group);
            }
        }
    }

    /// Replaces the state of groups. They count as changed.
    #[cfg(feature = "stream")]
    pub(super) fn put(&mut self, states: &RecordBatch, time: u64) -> Result<()> {
        let groups = self.table.replace(states)?.to_vec();
        self.mark_changed(&groups, std::iter::repeat(time));
        Ok(())
    }

    /// Replaces the state of groups by that of a snapshot or delta. They do not count as changed. The
    /// partition need not be in memory.
    pub(super) fn replace(&mut self, timed: &RecordBatch) -> Result<()> {
        if !self.disk.is_spilled() {
            self.disk.forget();
        }
        self.restore(timed).map(|_| ())
    }

    /// Replaces the state of groups in the table, and returns them.
    pub(super) fn restore(&mut self, timed: &RecordBatch) -> Result<&[u32]> {
        let (states, times) = untimed(timed, self.schemas.shape.state_schema())?;
        let groups = self.table.replace(&states)?;
        let last = &mut self.last;
        last.resize(last.len().max(next_group(groups)), LastChange::default());
        for (&group, &time) in groups.iter().zip(times.values()) {
            last[group as usize].time = time;
            self.oldest = self.oldest.min(time);
        }
        Ok(groups)
    }

    /// Removes the groups of these keys as evicted. Unknown keys are ignored.
    #[cfg(feature = "stream")]
    pub(super) fn evict_keys(&mut self, keys: &RecordBatch) -> Result<()> {
        self.evicted.push(keys.clone());
        self.remove(keys.columns())
    }

    /// Removes the groups of these keys. Unknown keys are ignored.
    pub(super) fn remove(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let mut found = Vec::new();
        self.table.find(keys, &mut found)?;
        let mut kept = vec![true; self.table.len()];
        for group in found.iter().flatten() {
            kept[*group as usize] = false;
        }
        if found.iter().all(Option::is_none) {
            return Ok(());
        }
        let kept = (0..).zip(kept).filter(|(_, kept)| *kept);
        self.keep(&kept.map(|(group, _)| group).collect::<Vec<u32>>())
    }

    /// Removes the groups last changed before a time, and returns their number.
    pub(super) fn evict(&mut self, before: u64) -> Result<usize> {
        if self.oldest >= before {
            return Ok(0);
        }
        let is_kept = |&group: &u32| self.last[group as usize].time >= before;
        let (kept, lost): (Vec<u32>, Vec<u32>) = (0..self.table.len() as u32).partition(is_kept);
        let times = kept.iter().map(|&group| self.last[group as usize].time);
        self.oldest = times.min().unwrap_or(u64::MAX);
        if lost.is_empty() {
            return Ok(0);
        }
        for groups in lost.chunks(BATCH_ROWS) {
            let keys = self.table.key_columns(groups)?;
            self.evicted.push(batch_of(&self.schemas.keys, keys)?);
        }
        self.keep(&kept)?;
        Ok(lost.len())
    }

    /// Moves these groups to a new table, and drops the others.
    fn keep(&mut self, groups: &[u32]) -> Result<()> {
        self.disk.forget();
        let mut table = self.table.empty_copy()?;
        for groups in groups.chunks(BATCH_ROWS) {
            table.merge(&self.table.states(groups)?)?;
        }
        self.table = table;
        self.last = groups
            .iter()
            .map(|&group| self.last[group as usize])
            .collect();
        let changed = (0..)
            .zip(&self.last)
            .filter(|(_, last)| last.epoch == self.epoch);
        self.changed = changed.map(|(group, _)| group).collect();
        Ok(())
    }

    /// Begins the next epoch.
    pub(super) fn commit(&mut self) {
        self.epoch += 1;
        self.changed.clear();
        self.evicted.clear();
        self.disk.commit();
    }

    /// Removes all groups and changes.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.last.clear();
        self.changed.clear();
        self.evicted.clear();
        self.oldest = u64::MAX;
        self.disk = OnDisk::default();
    }

    /// The groups that [`StorePartition::evict`] would remove.
    pub(super) fn expired(&self, before: u64) -> Vec<u32> {
        if self.oldest >= before {
            return Vec::new();
        }
        let is_expired = |&group: &u32| self.last[group as usize].time < before;
        let groups = 0..self.table.len() as u32;
        groups.filter(is_expired).collect()
    }

    /// A time before which no group was last changed.
    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// The keys of the groups that were evicted in this epoch.
    pub(super) fn evicted(&self) -> &[RecordBatch] {
        &self.evicted
    }

    /// Returns the states of some groups, and the times of their last changes.
    pub(super) fn timed_states(&self, groups: &[u32]) -> Result<RecordBatch> {
        let states = self.table.states(groups)?;
        let times = groups.iter().map(|&group| self.last[group as usize].time);
        let mut columns = states.columns().to_vec();
        columns.push(Arc::new(UInt64Array::from_iter_values(times)));
        batch_of(&self.schemas.timed, columns)
    }

    /// Returns the answers of some groups.
    pub(super) fn answers(&self, groups: &[u32]) -> Result<RecordBatch> {
        self.table.answers(groups)
    }

    /// Returns the groups of the keys that have one, and the rows of these keys.
    pub(super) fn find(&self, keys: &[ArrayRef]) -> Result<(Vec<u32>, Vec<usize>)> {
        let mut found = Vec::new();
        self.table.find(keys, &mut found)?;
        let there = found.iter().enumerate();
        let there = there.filter_map(|(row, group)| group.map(|group| (row, group)));
        let (rows, groups): (Vec<usize>, Vec<u32>) = there.unzip();
        Ok((groups, rows))
    }

    /// The number of groups; an upper bound while groups are replaced on disk.
    pub(super) fn len(&self) -> usize {
        self.table.len() + self.disk.len()
    }

    pub(super) fn changed_len(&self) -> usize {
        self.changed.len() + self.disk.changed_len()
    }

    pub(super) fn size(&self) -> usize {
        let evicted = self.evicted.iter().map(RecordBatch::get_array_memory_size);
        self.table.size()
            + self.last.capacity() * size_of::<LastChange>()
            + self.changed.capacity() * size_of::<u32>()
            + evicted.sum::<usize>()
    }
}

/// Returns the largest group plus 1.
fn next_group(groups: &[u32]) -> usize {
    groups.iter().max().map_or(0, |&group| group as usize + 1)
}

/// Returns the state columns without the times, and the times.
pub(super) fn untimed<'a>(
    timed: &'a RecordBatch,
    schema: &SchemaRef,
) -> Result<(RecordBatch, &'a UInt64Array)> {
    let columns = timed.columns();
    let Some((times, states)) = columns.split_last() else {
        return Err(Error::new(ErrorKind::Internal, "a snapshot has no columns"));
    };
    let states = batch_of(schema, states.to_vec())?;
    Ok((states, times.as_primitive::<UInt64Type>()))
}
