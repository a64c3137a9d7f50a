//! All states of a store, or all answers, batch by batch.

use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;

use super::StateStore;
use super::partition::BATCH_ROWS;
use crate::{Error, ErrorKind, Result};

/// Gives the states or the answers of all groups, and leaves them in the store.
///
/// It is one moment of the store: when the store changes before the last batch was read, the next
/// item is an error, and the last one.
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

/// What is read of each group.
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
            // A change counts up before it begins, so that what was read before it is whole.
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
