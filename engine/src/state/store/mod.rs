//! The state of a stream between its epochs, by partition.
//!
//! ```text
//! states of an epoch ─▶ hash_partition ─▶ partition 0 │ 1 │ …      each: table of groups, groups
//!                                             │                    changed in this epoch, times
//!                         changed(), delta() ◀┴▶ get(), snapshot()
//! ```
//!
//! The cost of a merge, of listing the changed groups and of a delta depends on the groups in the
//! epoch, and not on the size of the state. One lock allows one change at a time. Each partition has
//! its own lock, so that readers wait for one partition at most.
//!
//! A store with a memory limit spills partitions (`memory.rs`, `spilled.rs`). A change of spilled groups loads
//! their partition; readers load a copy of one partition at a time.

mod builder;
mod changes;
mod delta;
mod lookup;
mod memory;
#[cfg(feature = "stream")]
mod merge_all;
mod partition;
mod snapshot;
mod spilled;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::take::take_record_batch;
use keymill_kernels::HashSeed;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};

use super::GroupShape;
use super::schema::check_columns;
use crate::aggregate::AggregateExpr;
use crate::expr::Expr;
use crate::keys::hash_keys;
use crate::{Error, ErrorKind, Level, Result};

pub use builder::StateStoreBuilder;
pub use delta::Delta;
use memory::{Memory, Need};
use partition::{Schemas, StorePartition};
use snapshot::Form;
pub use snapshot::Snapshot;

/// The column of a snapshot with the time of each group's last change.
const TIME: &str = "keymill.time";

/// The state of each group of a stream between its epochs.
///
/// All methods take `&self`: one thread merges while others read. A reader sees each partition before
/// or after a change. It may see one partition before the change and another one after it.
///
/// A change that fails may have been applied in part. The store then returns [`ErrorKind::State`] for
/// everything until [`StateStore::restore`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{BinaryViewArray, RecordBatch, UInt64Array};
/// use keymill::{StateStore, count_schema};
///
/// let epoch = |words: [&str; 2], counts: [u64; 2]| {
///     let words = BinaryViewArray::from_iter_values(words);
///     let counts = UInt64Array::from(counts.to_vec());
///     RecordBatch::try_new(count_schema(), vec![Arc::new(words), Arc::new(counts)])
/// };
/// let store = StateStore::for_counts()?.build()?;
/// store.merge(&epoch(["to", "be"], [2, 2])?, 1)?;
/// store.commit()?;
/// store.merge(&epoch(["be", "or"], [1, 1])?, 2)?;
///
/// let changed: usize = store.changed()?.iter().map(RecordBatch::num_rows).sum();
/// assert_eq!((store.len(), changed), (3, 2));
/// let be = store.get(&[Arc::new(BinaryViewArray::from_iter_values(["be"]))])?;
/// assert_eq!(be.column(1).as_ref(), &UInt64Array::from(vec![3]));
///
/// assert_eq!(store.evict(2)?, 1);
/// let snapshot: Vec<RecordBatch> = store.snapshot()?.collect::<Result<_, _>>()?;
/// let restarted = StateStore::for_counts()?.build()?;
/// restarted.restore(&snapshot)?;
/// assert_eq!(restarted.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StateStore {
    schemas: Arc<Schemas>,
    partitions: Vec<RwLock<StorePartition>>,
    /// Locked during each change.
    partitioner: Mutex<Partitioner>,
    level: Level,
    seed: HashSeed,
    /// The number of changes that were begun.
    version: AtomicU64,
    /// Whether a change failed and may have been applied in part.
    is_broken: AtomicBool,
    /// Without it all groups stay in memory.
    memory: Option<Memory>,
}

/// Partitions rows.
struct Partitioner {
    level: Level,
    seed: HashSeed,
    hashes: Vec<u64>,
    stage: HashPartition,
    rows: Partitioned,
}

impl StateStore {
    /// Sets up a store for the states of a group-by over batches of the schema `input`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a column that does not exist or has an unsupported type, for two
    /// columns with the same name, and without keys.
    pub fn for_group_by(
        input: &Schema,
        keys: impl IntoIterator<Item = impl Into<Expr>>,
        aggregates: impl IntoIterator<Item = AggregateExpr>,
    ) -> Result<StateStoreBuilder> {
        StateStoreBuilder::for_group_by(input, keys, aggregates)
    }

    /// Sets up a store for text counts, in the schema of [`crate::count_schema`].
    ///
    /// # Errors
    ///
    /// None today. The signature is that of [`StateStore::for_group_by`].
    pub fn for_counts() -> Result<StateStoreBuilder> {
        Ok(StateStoreBuilder::new(GroupShape::counts()?))
    }

    /// Returns the schema of the states that [`StateStore::merge`] takes.
    #[must_use]
    pub fn state_schema(&self) -> SchemaRef {
        Arc::clone(self.schemas.shape.state_schema())
    }

    /// Returns the schema of the answers: keys, then aggregates.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(self.schemas.shape.schema())
    }

    /// Returns the schema of snapshots and of the states of deltas: state columns, and the time of the
    /// last change.
    #[must_use]
    pub fn snapshot_schema(&self) -> SchemaRef {
        Arc::clone(&self.schemas.timed)
    }

    /// Returns the schema of the keys of evicted groups.
    #[must_use]
    pub fn key_schema(&self) -> SchemaRef {
        Arc::clone(&self.schemas.keys)
    }

    /// Merges the states of groups. `time` is the time of their last change, in any unit: an epoch,
    /// milliseconds. A group keeps its largest time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] if the columns or the version differ from [`StateStore::state_schema`], and
    /// [`ErrorKind::Capacity`] for a state that does not fit.
    pub fn merge(&self, states: &RecordBatch, time: u64) -> Result<()> {
        let mut partitioner = self.begin()?;
        check_columns(states, self.schemas.shape.state_schema())?;
        self.change(|| {
            self.for_each_loaded(&mut partitioner, states, |partition, states| {
                partition.merge(states, time)
            })
        })
    }

    /// Merges the states of groups, each with a time of its own, in the schema of
    /// [`StateStore::snapshot_schema`].
    ///
    /// # Errors
    ///
    /// As for [`StateStore::merge`].
    pub fn merge_timed(&self, states: &RecordBatch) -> Result<()> {
        let mut partitioner = self.begin()?;
        check_columns(states, &self.schemas.timed)?;
        self.change(|| self.for_each_loaded(&mut partitioner, states, StorePartition::merge_timed))
    }

    /// Replaces the states of groups, which count as changed.
    ///
    /// # Errors
    ///
    /// As for [`StateStore::merge`].
    #[cfg(feature = "stream")]
    pub(crate) fn put(&self, states: &RecordBatch, time: u64) -> Result<()> {
        let mut partitioner = self.begin()?;
        check_columns(states, self.schemas.shape.state_schema())?;
        self.change(|| {
            self.for_each_loaded(&mut partitioner, states, |partition, states| {
                partition.put(states, time)
            })
        })
    }

    /// Removes the groups of these keys, which count as evicted. Unknown keys are ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] if the columns differ from [`StateStore::key_schema`].
    #[cfg(feature = "stream")]
    pub(crate) fn remove(&self, keys: &RecordBatch) -> Result<()> {
        let mut partitioner = self.begin()?;
        check_columns(keys, &self.schemas.keys)?;
        self.change(|| self.for_each_loaded(&mut partitioner, keys, StorePartition::evict_keys))
    }

    /// Ends the epoch: nothing counts as changed any more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] after a change that failed.
    pub fn commit(&self) -> Result<()> {
        let _change = self.begin()?;
        for partition in &self.partitions {
            write(partition)?.commit();
        }
        Ok(())
    }

    /// Returns all states. They stay in the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] after a change that failed.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        self.read_all(Form::States)
    }

    /// Returns the answers of all groups, in no particular order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] after a change that failed. A batch is [`ErrorKind::Capacity`] for an answer
    /// that does not fit its type.
    pub fn values(&self) -> Result<Snapshot<'_>> {
        self.read_all(Form::Answers)
    }

    fn read_all(&self, form: Form) -> Result<Snapshot<'_>> {
        let _change = self.begin()?;
        let version = self.version.load(Ordering::SeqCst);
        Ok(Snapshot::new(self, form, version))
    }

    /// Replaces all state by that of a snapshot. Then no group counts as changed. The snapshot may be
    /// from a store with another number of partitions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] if the columns or the version differ from [`StateStore::snapshot_schema`].
    pub fn restore<'b>(&self, batches: impl IntoIterator<Item = &'b RecordBatch>) -> Result<()> {
        let mut partitioner = self.partitioner.lock().map_err(|_| panicked())?;
        self.change(|| {
            for partition in &self.partitions {
                write(partition)?.clear();
            }
            let mut batches = batches.into_iter();
            batches.try_for_each(|states| self.replace(&mut partitioner, states))
        })?;
        self.is_broken.store(false, Ordering::SeqCst);
        drop(partitioner);
        self.settle()
    }

    /// Applies the changes of an epoch to the state before it. They do not count as changes of this
    /// store's epoch.
    ///
    /// # Errors
    ///
    /// As for [`StateStore::restore`].
    pub fn apply(&self, delta: &Delta) -> Result<()> {
        self.apply_more(delta)?;
        self.settle()
    }

    /// Applies the changes of an epoch. [`StateStore::settle`] must follow the last one: until then
    /// [`StateStore::len`] may be too large.
    pub(crate) fn apply_more(&self, delta: &Delta) -> Result<()> {
        let mut partitioner = self.begin()?;
        for keys in delta.evicted() {
            check_columns(keys, &self.schemas.keys)?;
        }
        self.change(|| {
            for keys in delta.evicted() {
                self.for_each_partition(&mut partitioner, keys, |number, needs, keys| {
                    self.remove_in(number, needs, keys)
                })?;
            }
            let mut states = delta.states().iter();
            states.try_for_each(|states| self.replace(&mut partitioner, states))
        })
    }

    /// Removes the groups that were last changed before a time, and returns their number. The cost
    /// depends on the groups in the partitions that may have such groups.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] if memory cannot be allocated.
    pub fn evict(&self, before: u64) -> Result<usize> {
        let _change = self.begin()?;
        self.change(|| {
            let needs = vec![Need::No; self.partitions.len()];
            let partitions = self.partitions.iter().enumerate();
            let evicted = partitions.map(|(number, partition)| {
                if read(partition)?.oldest() >= before {
                    return Ok(0);
                }
                self.change_loaded(number, &needs, |partition| partition.evict(before))
            });
            evicted.sum()
        })
    }

    /// Returns a time before which no group was last changed; `None` without groups.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] after a change that failed.
    pub fn oldest(&self) -> Result<Option<u64>> {
        let _change = self.begin()?;
        let mut oldest = None;
        for partition in &self.partitions {
            let partition = read(partition)?;
            if partition.len() > 0 {
                oldest = Some(partition.oldest().min(oldest.unwrap_or(u64::MAX)));
            }
        }
        Ok(oldest)
    }

    /// Returns the number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sum_of(StorePartition::len)
    }

    /// Tells whether there are no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory of the store.
    #[must_use]
    pub fn size(&self) -> usize {
        self.sum_of(StorePartition::size)
    }

    fn sum_of(&self, of: impl Fn(&StorePartition) -> usize) -> usize {
        let read = |one: &RwLock<StorePartition>| match one.read() {
            Ok(partition) => of(&partition),
            Err(poisoned) => of(&poisoned.into_inner()),
        };
        self.partitions.iter().map(read).sum()
    }

    /// Waits for the end of other changes. An error if one of them failed.
    fn begin(&self) -> Result<MutexGuard<'_, Partitioner>> {
        let partitioner = self.partitioner.lock().map_err(|_| panicked())?;
        self.check_whole()?;
        Ok(partitioner)
    }

    fn check_whole(&self) -> Result<()> {
        match self.is_broken.load(Ordering::SeqCst) {
            true => Err(Error::new(
                ErrorKind::State,
                "a change of the state failed before; restore it from a snapshot",
            )),
            false => Ok(()),
        }
    }

    /// Runs a change. After an error the store counts as broken.
    fn change<T>(&self, change: impl FnOnce() -> Result<T>) -> Result<T> {
        self.version.fetch_add(1, Ordering::SeqCst);
        let changed = change();
        if changed.is_err() {
            self.is_broken.store(true, Ordering::SeqCst);
        }
        changed
    }

    fn replace(&self, partitioner: &mut Partitioner, states: &RecordBatch) -> Result<()> {
        check_columns(states, &self.schemas.timed)?;
        self.for_each_partition(partitioner, states, |number, needs, states| {
            self.replace_in(number, needs, states)
        })
    }

    /// Passes each partition its rows of a batch that begins with the key columns, with its groups in memory.
    fn for_each_loaded(
        &self,
        partitioner: &mut Partitioner,
        batch: &RecordBatch,
        mut apply: impl FnMut(&mut StorePartition, &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.for_each_partition(partitioner, batch, |number, needs, rows| {
            self.change_loaded(number, needs, |partition| apply(partition, rows))
        })
    }

    /// Calls a function with each partition that has rows of a batch, and these rows: those in memory first.
    fn for_each_partition(
        &self,
        partitioner: &mut Partitioner,
        batch: &RecordBatch,
        mut apply: impl FnMut(usize, &[Need], &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let keys = self.schemas.shape.key_types().len();
        let Partitioner { hashes, rows, .. } = partitioner;
        hash_keys(
            partitioner.level,
            partitioner.seed,
            &batch.columns()[..keys],
            hashes,
        )?;
        partitioner.stage.hashed(hashes, rows);
        let partitioned = take_rows(batch, rows.rows())?;
        let starts = rows.starts();
        let has_rows = |number: &usize| starts[*number] < starts[number + 1];
        let mut order: Vec<usize> = (0..self.partitions.len()).filter(has_rows).collect();
        let mut needs = vec![Need::No; self.partitions.len()];
        if self.memory.is_some() {
            let is_spilled = |number: &usize| {
                read(&self.partitions[*number]).is_ok_and(|it| it.disk.is_spilled())
            };
            order.sort_by_cached_key(is_spilled);
            order.iter().for_each(|&number| needs[number] = Need::Still);
        }
        for number in order {
            let mine = starts[number]..starts[number + 1];
            apply(number, &needs, &partitioned.slice(mine.start, mine.len()))?;
            needs[number] = Need::Done;
        }
        Ok(())
    }
}

impl fmt::Debug for StateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateStore")
            .field("partitions", &self.partitions.len())
            .field("groups", &self.len())
            .finish_non_exhaustive()
    }
}

fn take_rows(batch: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    let rows = UInt32Array::from(rows.to_vec());
    take_record_batch(batch, &rows).map_err(|cause| {
        let message =
            "the rows of a batch cannot be partitioned; give the state in smaller batches";
        Error::new(ErrorKind::Capacity, message).with_source(cause)
    })
}

fn read(partition: &RwLock<StorePartition>) -> Result<RwLockReadGuard<'_, StorePartition>> {
    partition.read().map_err(|_| panicked())
}

fn write(partition: &RwLock<StorePartition>) -> Result<RwLockWriteGuard<'_, StorePartition>> {
    partition.write().map_err(|_| panicked())
}

fn panicked() -> Error {
    let message = "a thread panicked while it changed the state; this is a bug in keymill";
    Error::new(ErrorKind::Internal, message)
}

#[cfg(test)]
mod tests;
