//! Sets up a state store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use arrow_schema::Schema;
use keymill_kernels::stage::hash_partition::{HashPartition, MOST_PARTITIONS, Partitioned};
use keymill_kernels::{HashKey, HashSeed};

use super::super::{GroupShape, GroupTable};
use super::memory::Memory;
use super::partition::{Schemas, StorePartition};
use super::{Partitioner, StateStore};
use crate::aggregate::AggregateExpr;
use crate::expr::Expr;
use crate::{Error, ErrorKind, Level, Result, Tuning};

/// Minimum slots of a partition's table.
const FEWEST_SLOTS: usize = 16;

/// Sets up a [`StateStore`].
///
/// # Examples
///
/// ```
/// use keymill::StateStore;
///
/// let store = StateStore::for_counts()?.partitions(16).hash_seed(7).build()?;
/// assert!(store.is_empty());
/// assert!(StateStore::for_counts()?.partitions(12).build().is_err());
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StateStoreBuilder {
    shape: Arc<GroupShape>,
    partitions: usize,
    seed: HashSeed,
    level: Level,
    tuning: Tuning,
    memory: Option<usize>,
    spill_dir: Option<PathBuf>,
}

impl StateStoreBuilder {
    pub(super) fn new(shape: GroupShape) -> Self {
        Self {
            shape: Arc::new(shape),
            partitions: 64,
            seed: HashSeed(0),
            level: Level::best(),
            tuning: Tuning::DEFAULT,
            memory: None,
            spill_dir: None,
        }
    }

    pub(super) fn for_group_by(
        input: &Schema,
        keys: impl IntoIterator<Item = impl Into<Expr>>,
        aggregates: impl IntoIterator<Item = AggregateExpr>,
    ) -> Result<Self> {
        let keys: Vec<Expr> = keys.into_iter().map(Into::into).collect();
        let aggregates: Vec<AggregateExpr> = aggregates.into_iter().collect();
        Ok(Self::new(GroupShape::new(input, &keys, &aggregates)?))
    }

    /// Sets the number of partitions, a power of two; the default is 64. Each partition has its own lock.
    /// No answer depends on it.
    #[must_use]
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.partitions = partitions;
        self
    }

    /// Sets the seed of the stable hash that decides a key's partition. No answer depends on it. A secret
    /// seed prevents an attacker from choosing keys that are all in one partition.
    #[must_use]
    pub fn hash_seed(mut self, seed: u64) -> Self {
        self.seed = HashSeed(seed);
        self
    }

    /// Sets the SIMD level; the default is the best level of this machine.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets the bytes of memory that the groups may take; by default there is no limit. Partitions that were
    /// not changed for the longest time are then moved to an unnamed file, and loaded again when they change.
    /// One partition at a time may exceed the limit.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Sets the folder of that file; the default is the system's temporary folder.
    #[must_use]
    pub fn spill_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spill_dir = Some(folder.into());
        self
    }

    /// Sets the sizes of tables.
    #[doc(hidden)]
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Creates an empty store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the number of partitions is not a power of two up to 65,536, and for a
    /// level that this machine lacks.
    pub fn build(self) -> Result<StateStore> {
        let (partitions, level) = (self.partitions, self.level);
        if !partitions.is_power_of_two() || partitions > MOST_PARTITIONS {
            let message = format!(
                "{partitions} partitions; a state store has a power of two, up to {MOST_PARTITIONS}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        if !level.is_available() {
            let message = format!("this machine does not run level `{level}`");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut tuning = self.tuning;
        tuning.table_slots =
            (tuning.table_slots / partitions).max(FEWEST_SLOTS.min(tuning.table_slots));
        let hash_key = HashKey::random();
        let schemas = Arc::new(Schemas::new(self.shape));
        let partition = |_| {
            let table = GroupTable::new(&schemas.shape, level, &tuning, hash_key)?;
            Ok(RwLock::new(StorePartition::new(&schemas, table)))
        };
        Ok(StateStore {
            partitions: (0..partitions).map(partition).collect::<Result<_>>()?,
            partitioner: Mutex::new(Partitioner {
                level,
                seed: self.seed,
                hashes: Vec::new(),
                stage: HashPartition::new(level, self.seed, partitions),
                rows: Partitioned::default(),
            }),
            schemas,
            level,
            seed: self.seed,
            version: AtomicU64::new(0),
            is_broken: AtomicBool::new(false),
            memory: self
                .memory
                .map(|bytes| Memory::new(bytes, self.spill_dir, partitions)),
        })
    }
}
