//! All states of a store, or all answers, batch by batch.

use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;

use super::StateStore;
use super::partition::BATCH_ROWS;
use crate::{Error, ErrorKind, Result};

/// Returns the states or the answers of all groups, which stay in the store.
///
/// It is consistent: if the store changes before the last batch is read, the next item is an error,
/// and the iterator ends.
#[derive(Debug)]
pub struct Snapshot<'a> {
    store: &'a StateStore,
    form: Form,
    version: u64,
    partition: usize,
    /// The first group of the partition that is not read yet.
    group: usize,
    is_over: bool,
}

/// Which columns of each group are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    States,
    Answers,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(store: &'a StateStore, form: Form, version: u64) -> Self {
        Self {
            store,
            form,
            version,
            partition: 0,
            group: 0,
            is_over: false,
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(partition) = self.store.partitions.get(self.partition) {
            let partition = partition.read().map_err(|_| super::panicked())?;
            // The version is raised before a change begins, so all batches read so far are from before it.
            if self.store.version.load(Ordering::SeqCst) != self.version {
                return Err(changed_meanwhile());
            }
            let end = partition.len().min(self.group + BATCH_ROWS);
            if self.group < end {
                let groups: Vec<u32> = (self.group as u32..end as u32).collect();
                self.group = end;
                let batch = match self.form {
                    Form::States => partition.timed_states(&groups),
                    Form::Answers => partition.answers(&groups),
                };
                return batch.map(Some);
            }
            (self.partition, self.group) = (self.partition + 1, 0);
        }
        Ok(None)
    }
}

impl Iterator for Snapshot<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.next_batch().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

fn changed_meanwhile() -> Error {
    let message =
        "the state changed while its snapshot was read; take the snapshot between two epochs";
    Error::new(ErrorKind::State, message)
}
