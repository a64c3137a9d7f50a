//! Keeps a state store within its memory: partitions that are not needed are spilled.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow_array::RecordBatch;

use super::partition::StorePartition;
use super::{StateStore, read, write};
use crate::Result;
use crate::spill::SpillSpace;

/// The memory that a store may take, and where it spills.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    space: SpillSpace,
    /// The bytes of all partitions.
    used: AtomicUsize,
    /// Numbers the changes of partitions.
    clock: AtomicU64,
    /// By partition.
    seen: Vec<Seen>,
}

/// What is known of a partition without locking it.
#[derive(Debug, Default)]
struct Seen {
    bytes: AtomicUsize,
    changed: AtomicU64,
}

/// Whether a partition has rows of the batch that is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    No,
    Done,
    Still,
}

impl Memory {
    pub(super) fn new(most: usize, spill_dir: Option<PathBuf>, partitions: usize) -> Self {
        Self {
            most,
            space: SpillSpace::new(spill_dir),
            used: AtomicUsize::new(0),
            clock: AtomicU64::new(0),
            seen: (0..partitions).map(|_| Seen::default()).collect(),
        }
    }

    #[cfg(feature = "stream")]
    pub(super) fn most(&self) -> usize {
        self.most
    }

    #[cfg(feature = "stream")]
    pub(super) fn space(&self) -> &SpillSpace {
        &self.space
    }

    fn account(&self, number: usize, bytes: usize) {
        let before = self.seen[number].bytes.swap(bytes, Ordering::Relaxed);
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.used.fetch_sub(before, Ordering::Relaxed);
    }

    fn lacks(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) > self.most
    }

    /// The other partitions, those first that can be spilled at the least cost: those without rows of the
    /// batch, the least recently changed first; then those that are done, the last one first, because a later
    /// batch begins with the first ones.
    fn others(&self, number: usize, needs: &[Need]) -> Vec<usize> {
        let rank = |other: &usize| {
            let changed = self.seen[*other].changed.load(Ordering::Relaxed);
            match needs[*other] {
                Need::No => (Need::No, changed),
                need => (need, u64::MAX - changed),
            }
        };
        let mut others: Vec<usize> = (0..needs.len()).filter(|&it| it != number).collect();
        others.sort_by_key(rank);
        others
    }
}

impl StateStore {
    /// Changes a partition whose groups are in memory.
    pub(super) fn change_loaded<T>(
        &self,
        number: usize,
        needs: &[Need],
        change: impl FnOnce(&mut StorePartition) -> Result<T>,
    ) -> Result<T> {
        self.change_partition(number, needs, |partition, memory| {
            if let Some(memory) = memory {
                partition.load(&memory.space)?;
            }
            change(partition)
        })
    }

    /// Changes a partition, whose groups may be on disk. Others are spilled as memory needs it.
    fn change_partition<T>(
        &self,
        number: usize,
        needs: &[Need],
        change: impl FnOnce(&mut StorePartition, Option<&Memory>) -> Result<T>,
    ) -> Result<T> {
        let Some(memory) = &self.memory else {
            return change(&mut *write(&self.partitions[number])?, None);
        };
        let needed = read(&self.partitions[number])?.disk.needs();
        self.make_room(memory, number, needs, needed)?;
        let mut partition = write(&self.partitions[number])?;
        let changed = change(&mut partition, Some(memory));
        memory.account(number, partition.size());
        let now = memory.clock.fetch_add(1, Ordering::Relaxed);
        memory.seen[number].changed.store(now, Ordering::Relaxed);
        drop(partition);
        self.make_room(memory, number, needs, 0)?;
        if memory.lacks(0) {
            self.spill_partition(memory, number)?;
        }
        changed
    }

    /// Spills other partitions until there is room for these bytes, or none is left.
    fn make_room(
        &self,
        memory: &Memory,
        number: usize,
        needs: &[Need],
        bytes: usize,
    ) -> Result<()> {
        if !memory.lacks(bytes) {
            return Ok(());
        }
        for other in memory.others(number, needs) {
            self.spill_partition(memory, other)?;
            if !memory.lacks(bytes) {
                break;
            }
        }
        Ok(())
    }

    fn spill_partition(&self, memory: &Memory, number: usize) -> Result<()> {
        let mut partition = write(&self.partitions[number])?;
        if partition.table.len() > 0 {
            partition.spill(&memory.space)?;
            memory.account(number, partition.size());
        }
        Ok(())
    }

    /// Replaces the state of groups of a partition, which may stay on disk.
    pub(super) fn replace_in(
        &self,
        number: usize,
        needs: &[Need],
        timed: &RecordBatch,
    ) -> Result<()> {
        self.change_partition(number, needs, |partition, _| partition.replace(timed))
    }

    /// Removes groups of a partition, which may stay on disk.
    pub(super) fn remove_in(
        &self,
        number: usize,
        needs: &[Need],
        keys: &RecordBatch,
    ) -> Result<()> {
        self.change_partition(number, needs, |partition, memory| match memory {
            Some(memory) if partition.disk.is_spilled() => {
                partition.remove_on_disk(&memory.space, keys)
            }
            _ => partition.remove(keys.columns()),
        })
    }

    /// Counts the groups of partitions in which groups were replaced on disk.
    pub(crate) fn settle(&self) -> Result<()> {
        let _change = self.begin()?;
        let needs = vec![Need::No; self.partitions.len()];
        self.change(|| {
            for (number, partition) in self.partitions.iter().enumerate() {
                let is_replaced = read(partition)?.is_replaced();
                if is_replaced {
                    self.change_loaded(number, &needs, |_| Ok(()))?;
                }
            }
            Ok(())
        })
    }

    /// Whether groups are on disk.
    #[cfg(feature = "stream")]
    pub(super) fn has_spilled(&self) -> Result<bool> {
        if self.memory.is_none() {
            return Ok(false);
        }
        let mut partitions = self.partitions.iter();
        Ok(partitions.any(|one| read(one).is_ok_and(|it| it.disk.is_spilled())))
    }

    /// The bytes of states on disk, about.
    #[must_use]
    pub fn spilled_size(&self) -> usize {
        self.sum_of(|partition| partition.disk.size())
    }
}
