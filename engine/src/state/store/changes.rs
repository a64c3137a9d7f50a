//! What has changed in a state store since the last commit, and what is due to be evicted.

use arrow_array::RecordBatch;

#[cfg(feature = "stream")]
use super::Snapshot;
use super::partition::{BATCH_ROWS, StorePartition};
use super::snapshot::Form;
use super::{Delta, StateStore, read};
use crate::Result;

impl StateStore {
    /// Returns the answers of the groups that changed since the last commit, in no particular order.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Capacity`] for an answer that does not fit its type.
    pub fn changed(&self) -> Result<Vec<RecordBatch>> {
        self.read_all(Form::ChangedAnswers)?.collect()
    }

    /// Returns the answers of the groups that changed since the last commit, batch by batch.
    #[cfg(feature = "stream")]
    pub(crate) fn changed_batches(&self) -> Result<Snapshot<'_>> {
        self.read_all(Form::ChangedAnswers)
    }

    /// Returns what [`StateStore::delta`] returns, batch by batch: states, and keys of evicted groups.
    #[cfg(feature = "stream")]
    pub(crate) fn delta_batches(&self) -> Result<(Snapshot<'_>, Snapshot<'_>)> {
        let states = self.read_all(Form::ChangedStates)?;
        Ok((states, self.read_all(Form::Evicted)?))
    }

    /// Returns the number of groups that changed since the last commit.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::State`] after a change that failed.
    pub fn changed_len(&self) -> Result<usize> {
        let _change = self.begin()?;
        let partitions = self.partitions.iter();
        partitions.map(|one| Ok(read(one)?.changed_len())).sum()
    }

    /// Returns the changes since the last commit.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Capacity`] for a state that no column can hold.
    pub fn delta(&self) -> Result<Delta> {
        let states = self.read_all(Form::ChangedStates)?;
        let evicted = self.read_all(Form::Evicted)?;
        let states = states.collect::<Result<_>>()?;
        Ok(Delta::new(states, evicted.collect::<Result<_>>()?))
    }

    /// Returns the answers of the groups that [`StateStore::evict`] would remove, in no particular order.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Capacity`] for an answer that does not fit its type.
    pub fn expired(&self, before: u64) -> Result<Vec<RecordBatch>> {
        let mut expired = Vec::new();
        self.for_each_expired(before, |batch| {
            expired.push(batch);
            Ok(())
        })?;
        Ok(expired)
    }

    /// Calls a function with what [`StateStore::expired`] returns, batch by batch.
    pub(crate) fn for_each_expired(
        &self,
        before: u64,
        mut visit: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let _change = self.begin()?;
        let mut visit_all = |partition: &StorePartition| {
            let expired = partition.expired(before);
            let mut expired = expired.chunks(BATCH_ROWS);
            expired.try_for_each(|groups| visit(partition.answers(groups)?))
        };
        for partition in &self.partitions {
            let partition = read(partition)?;
            match partition.disk.is_spilled() && partition.oldest() < before {
                true => visit_all(&partition.loaded_copy()?)?,
                false => visit_all(&partition)?,
            }
        }
        Ok(())
    }
}
