//! The changes of an epoch.

use arrow_array::RecordBatch;

/// The changes of an epoch: the complete state of each group that changed, and the keys of the groups
/// that were evicted.
///
/// A group that was evicted and added again is in both. [`crate::StateStore::apply`] first removes
/// groups, then adds states.
///
/// # Examples
///
/// ```
/// use keymill::Delta;
///
/// let nothing = Delta::new(Vec::new(), Vec::new());
/// assert!(nothing.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Delta {
    states: Vec<RecordBatch>,
    evicted: Vec<RecordBatch>,
}

impl Delta {
    /// Creates a delta from the batches of one that was written and read back.
    #[must_use]
    pub fn new(states: Vec<RecordBatch>, evicted: Vec<RecordBatch>) -> Self {
        Self { states, evicted }
    }

    /// The states of the groups that changed, in the schema of
    /// [`crate::StateStore::snapshot_schema`].
    #[must_use]
    pub fn states(&self) -> &[RecordBatch] {
        &self.states
    }

    /// The keys of the groups that were evicted, in the schema of
    /// [`crate::StateStore::key_schema`].
    #[must_use]
    pub fn evicted(&self) -> &[RecordBatch] {
        &self.evicted
    }

    /// Tells whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let rows = |batches: &[RecordBatch]| batches.iter().all(|batch| batch.num_rows() == 0);
        rows(&self.states) && rows(&self.evicted)
    }
}
