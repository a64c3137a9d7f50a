//! All states of a store, or all answers, or what has changed, batch by batch.

use std::fmt;
use std::sync::RwLock;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;

use super::partition::{BATCH_ROWS, StorePartition};
use super::{StateStore, read};
use crate::spill::SegmentReader;
use crate::{Error, ErrorKind, Result};

/// Returns the states or the answers of groups, which stay in the store.
///
/// It is consistent: if the store changes before the last batch is read, the next item is an error,
/// and the iterator ends.
pub struct Snapshot<'a> {
    store: &'a StateStore,
    form: Form,
    version: u64,
    partition: usize,
    /// The first group of the partition that is not read yet, or the first batch of keys.
    next: usize,
    loaded: Option<Loaded>,
    is_over: bool,
}

/// What is read of a partition on disk.
enum Loaded {
    Groups(Box<StorePartition>),
    Changed(Box<SegmentReader>),
}

/// Which groups are read, and which columns of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    States,
    Answers,
    ChangedStates,
    ChangedAnswers,
    /// The keys of evicted groups.
    Evicted,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(store: &'a StateStore, form: Form, version: u64) -> Self {
        Self {
            store,
            form,
            version,
            partition: 0,
            next: 0,
            loaded: None,
            is_over: false,
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(partition) = self.store.partitions.get(self.partition) {
            if let Some(batch) = self.next_of(partition)? {
                return Ok(Some(batch));
            }
            (self.partition, self.next, self.loaded) = (self.partition + 1, 0, None);
        }
        Ok(None)
    }

    fn next_of(&mut self, partition: &RwLock<StorePartition>) -> Result<Option<RecordBatch>> {
        let partition = read(partition)?;
        // The version is raised before a change begins, so all batches read so far are from before it.
        if self.store.version.load(Ordering::SeqCst) != self.version {
            return Err(changed_meanwhile());
        }
        if let Form::Evicted = self.form {
            let keys = partition.evicted().get(self.next).cloned();
            self.next += 1;
            return Ok(keys);
        }
        if self.loaded.is_none() && partition.disk.is_spilled() {
            self.loaded = self.load(&partition)?;
        }
        let groups = match &mut self.loaded {
            Some(Loaded::Changed(states)) => {
                let states = states.next().transpose()?;
                return states.map(|it| self.changed(&partition, it)).transpose();
            }
            Some(Loaded::Groups(loaded)) => loaded,
            None => &*partition,
        };
        let all = match self.form {
            Form::States | Form::Answers => groups.table.len(),
            _ => groups.changed.len(),
        };
        let range = self.next.min(all)..all.min(self.next + BATCH_ROWS);
        if range.is_empty() {
            return Ok(None);
        }
        self.next = range.end;
        let numbers: Vec<u32> = match self.form {
            Form::States | Form::Answers => (range.start as u32..range.end as u32).collect(),
            _ => groups.changed[range].to_vec(),
        };
        let batch = match self.form {
            Form::States | Form::ChangedStates => groups.timed_states(&numbers),
            _ => groups.answers(&numbers),
        };
        batch.map(Some)
    }

    fn load(&self, partition: &StorePartition) -> Result<Option<Loaded>> {
        Ok(match self.form {
            Form::States | Form::Answers => {
                Some(Loaded::Groups(Box::new(partition.loaded_copy()?)))
            }
            _ => partition
                .changed_on_disk()?
                .map(|it| Loaded::Changed(Box::new(it))),
        })
    }

    /// The columns of states of groups that have changed.
    fn changed(&self, partition: &StorePartition, states: RecordBatch) -> Result<RecordBatch> {
        match self.form {
            Form::ChangedStates => Ok(states),
            _ => partition.answers_of(&states, self.store.level),
        }
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("store", self.store)
            .field("form", &self.form)
            .finish_non_exhaustive()
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
