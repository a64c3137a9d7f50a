//! Merges the states of a whole epoch.
//!
//! ```text
//! batches ─▶ hash_partition ─▶ rows of partition 0 │ 1 │ …     in memory, and on disk where they are many
//!                                      └─▶ one partition after the other is loaded, merged and spilled
//! ```

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::super::schema::check_columns;
use super::memory::Need;
use super::partition::StorePartition;
use super::spilled::compact;
use super::{StateStore, read};
use crate::Result;
use crate::spill::BatchBuffer;

impl StateStore {
    /// Merges the states of an epoch as [`StateStore::merge`] does with each batch. While groups are on disk,
    /// each partition is loaded once.
    pub(crate) fn merge_all(
        &self,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        time: u64,
    ) -> Result<()> {
        let merge =
            |partition: &mut StorePartition, states: &RecordBatch| partition.merge(states, time);
        let schema = self.schemas.shape.state_schema();
        self.each_partition_once(batches, schema, |states| self.merge(states, time), merge)
    }

    /// The same for states that have times of their own.
    pub(crate) fn merge_all_timed(
        &self,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<()> {
        let merge = StorePartition::merge_timed;
        let schema = &self.schemas.timed;
        self.each_partition_once(batches, schema, |states| self.merge_timed(states), merge)
    }

    fn each_partition_once(
        &self,
        mut batches: impl Iterator<Item = Result<RecordBatch>>,
        schema: &SchemaRef,
        merge: impl Fn(&RecordBatch) -> Result<()>,
        merge_one: impl Fn(&mut StorePartition, &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        while !self.has_spilled()? {
            match batches.next() {
                Some(batch) => merge(&batch?)?,
                None => return Ok(()),
            }
        }
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let most = memory.most() / 4 / self.partitions.len();
        let buffer = || BatchBuffer::in_space(most, memory.space().clone());
        let mut rows: Vec<BatchBuffer> = self.partitions.iter().map(|_| buffer()).collect();
        let mut partitioner = self.begin()?;
        for batch in batches {
            let batch = batch?;
            check_columns(&batch, schema)?;
            self.for_each_partition(&mut partitioner, &batch, |number, _, mine| {
                rows[number].push(compact(mine)?)
            })?;
        }
        self.change(|| self.merge_buffers(&mut rows, merge_one))
    }

    /// Merges the rows of each partition, those first whose groups are in memory.
    fn merge_buffers(
        &self,
        rows: &mut [BatchBuffer],
        merge: impl Fn(&mut StorePartition, &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let of = |has_rows: bool| if has_rows { Need::Still } else { Need::No };
        let mut needs: Vec<Need> = rows.iter().map(|it| of(!it.is_empty())).collect();
        let mut order: Vec<usize> = (0..rows.len()).filter(|&it| !rows[it].is_empty()).collect();
        order.sort_by_cached_key(|&number| {
            read(&self.partitions[number]).is_ok_and(|it| it.disk.is_spilled())
        });
        for number in order {
            self.change_loaded(number, &needs, |partition| {
                let mut mine = rows[number].iter();
                mine.try_for_each(|states| merge(partition, &states?))
            })?;
            rows[number].clear();
            needs[number] = Need::Done;
        }
        Ok(())
    }
}
