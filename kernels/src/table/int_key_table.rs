//! Integer keys to dense group ids: by place while the keys are small, by hash after that.

use super::HashKey;
use super::dense_ids::{DenseIds, LeastAndMost};
use super::few_ids::FewIds;
use super::ids::{BATCH, IdKey, IdTable};
use super::intern_error::{FreshId, InternError};
use crate::Tuning;
use crate::isa::dispatch;
use crate::level::Level;

/// How many places for each row seen a dense range may have.
const PLACES_PER_ROW: usize = 16;

/// Numbers 64-bit keys in order of first arrival, so that accumulators are arrays by id.
///
/// ```text
/// keys  70 30 70 20     ids  0 1 0 2     keys()  70 30 20
/// ```
///
/// # Examples
///
/// ```
/// use keymill_kernels::{IntKeyTable, Level, Tuning, HashKey};
///
/// let mut table = IntKeyTable::new(&Tuning::DEFAULT, HashKey::random());
/// let mut ids = Vec::new();
/// table.intern(Level::best(), &[70, 30, 70, 20], &mut ids)?;
/// assert_eq!(ids, [0, 1, 0, 2]);
/// assert_eq!(table.keys(), [70, 30, 20]);
///
/// let mut counts = vec![0; table.len()];
/// ids.iter().for_each(|&id| counts[id as usize] += 1);
/// assert_eq!(counts, [2, 1, 1]);
/// # Ok::<(), keymill_kernels::InternError>(())
/// ```
pub struct IntKeyTable {
    keys: Keys<u64>,
    dense: DenseIds,
    few: FewIds,
    hashed: IdTable<u64>,
    is_dense: bool,
    /// Rows seen since the table was empty.
    rows: usize,
    /// Places that the dense range may always have, and may have at most.
    few_places: usize,
    most_places: usize,
}

impl IntKeyTable {
    /// Makes a table without keys.
    #[must_use]
    pub fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let tuning = &tuning.fitting();
        Self {
            keys: Keys::default(),
            dense: DenseIds::new(tuning.prefetch_bytes),
            few: FewIds::new(tuning, hash_key),
            hashed: IdTable::new(tuning, hash_key),
            is_dense: true,
            rows: 0,
            few_places: tuning.table_slots,
            most_places: tuning.flush_bytes / size_of::<u32>(),
        }
    }

    /// Appends the id of every key to `ids`.
    ///
    /// # Errors
    ///
    /// When there are more than `u32::MAX` different keys, or no memory for a larger table. Then
    /// `ids` is as before, and the table holds some of the keys; it can still be used.
    pub fn intern(
        &mut self,
        level: Level,
        keys: &[u64],
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        self.rows = self.rows.saturating_add(keys.len());
        append_ids(keys.len(), ids, |ids| {
            let mut batches = keys.chunks(BATCH).zip(ids.chunks_mut(BATCH));
            batches.try_for_each(|(keys, ids)| self.intern_batch(level, keys, ids))
        })
    }

    fn intern_batch(
        &mut self,
        level: Level,
        keys: &[u64],
        ids: &mut [u32],
    ) -> Result<(), InternError> {
        let mut missed = [0; BATCH];
        if self.is_dense {
            self.reach(level, keys)?;
        }
        let misses = if self.is_dense {
            self.dense.look_up(level, keys, ids, &mut missed)
        } else if self.few.are_few() {
            self.few.look_up(level, keys, ids, &mut missed)
        } else {
            self.hashed.look_up(level, keys, ids, &mut missed)
        };
        let before = self.len();
        self.keys.make_room(misses)?;
        for &row in &missed[..misses] {
            let row = usize::from(row);
            ids[row] = self.id_of(keys[row])?;
        }
        if !self.is_dense && self.few.are_few() {
            for &row in &missed[..misses] {
                let row = usize::from(row);
                self.few.insert(keys[row], ids[row]);
            }
            let (all, rows) = (self.len(), keys.len());
            self.few.judge(all, all - before, rows, misses);
        }
        Ok(())
    }

    /// The id of a key, if it has one.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<u32> {
        match self.is_dense {
            true => self.dense.get(key),
            false => self.hashed.get(key),
        }
    }

    /// The id of one key, which is in range if the table is dense.
    fn id_of(&mut self, key: u64) -> Result<u32, InternError> {
        let (dense, hashed) = (&mut self.dense, &mut self.hashed);
        let is_dense = self.is_dense;
        self.keys.id_of(key, |fresh| match is_dense {
            true => dense.find_or_insert(key, fresh),
            false => hashed.find_or_insert(key, fresh),
        })
    }

    /// Makes the dense range reach these keys, or goes on by hash when it would be too wide.
    fn reach(&mut self, level: Level, keys: &[u64]) -> Result<(), InternError> {
        if keys.is_empty() {
            return Ok(());
        }
        let (least, most) = dispatch(level, LeastAndMost(keys));
        let places = self.rows.saturating_mul(PLACES_PER_ROW);
        let places = places.max(self.few_places).min(self.most_places);
        let range = self.dense.range_with(least, most);
        if range <= places as u128 {
            return self.dense.reach((least, most), places, &self.keys.all);
        }
        self.hashed.reserve(self.keys.all.len())?;
        let most = self.keys.most;
        for (id, &key) in (0..).zip(&self.keys.all) {
            self.hashed.find_or_insert(key, FreshId { id, most })?;
        }
        self.dense.clear(&self.keys.all);
        self.is_dense = false;
        Ok(())
    }

    /// How many keys there are: ids are below this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.all.len()
    }

    /// Tells whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.all.is_empty()
    }

    /// The keys, in the order of their ids.
    #[must_use]
    pub fn keys(&self) -> &[u64] {
        &self.keys.all
    }

    /// How many bytes of memory the table holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dense.bytes() + self.few.bytes() + self.hashed.bytes() + self.keys.bytes()
    }

    /// Makes room for so many keys more than there are. It is a hint: keys go by hash from now on,
    /// unless they have a dense range already.
    ///
    /// # Errors
    ///
    /// When there is no memory; the table is as before.
    pub fn reserve(&mut self, more: usize) -> Result<(), InternError> {
        self.keys.make_room(more)?;
        if !self.is_dense {
            self.hashed.reserve(self.len().saturating_add(more))?;
        }
        Ok(())
    }

    /// Forgets every key and keeps the memory, unless it is far more than the keys needed.
    pub fn clear(&mut self) {
        match self.is_dense {
            true => self.dense.clear(&self.keys.all),
            false => {
                self.hashed.clear(self.keys.all.iter().copied());
                self.few.clear(&self.keys.all);
            }
        }
        self.keys.all.clear();
        self.is_dense = true;
        self.rows = 0;
    }
}

/// Keys in the order of their ids, and how many there may be.
pub(super) struct Keys<K> {
    pub(super) all: Vec<K>,
    pub(super) most: u32,
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            most: u32::MAX,
        }
    }
}

impl<K: IdKey> Keys<K> {
    /// The id of a key that `find_or_insert` finds, or stores with the id that it gets.
    #[inline(always)]
    pub(super) fn id_of(
        &mut self,
        key: K,
        find_or_insert: impl FnOnce(FreshId) -> Result<u32, InternError>,
    ) -> Result<u32, InternError> {
        let (fresh, most) = (self.all.len() as u32, self.most);
        let id = find_or_insert(FreshId { id: fresh, most })?;
        if id == fresh {
            self.all.push(key);
        }
        Ok(id)
    }

    pub(super) fn make_room(&mut self, more: usize) -> Result<(), InternError> {
        let most = self.most;
        let left = most as usize - self.all.len();
        if self.all.try_reserve(more.min(left)).is_err() {
            let bytes = more.saturating_mul(size_of::<K>());
            return Err(InternError::OutOfMemory { bytes });
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<K>()
    }
}

/// Appends so many ids, which `fill` writes; none when it fails.
pub(super) fn append_ids(
    rows: usize,
    ids: &mut Vec<u32>,
    fill: impl FnOnce(&mut [u32]) -> Result<(), InternError>,
) -> Result<(), InternError> {
    let before = ids.len();
    if ids.try_reserve(rows).is_err() {
        let bytes = rows.saturating_mul(size_of::<u32>());
        return Err(InternError::OutOfMemory { bytes });
    }
    ids.resize(before + rows, 0);
    let filled = fill(&mut ids[before..]);
    if filled.is_err() {
        ids.truncate(before);
    }
    filled
}

#[cfg(test)]
mod tests;
