//! Keys of two words to dense group ids: composite keys of fixed width, up to 16 bytes.

use super::HashKey;
use super::ids::{BATCH, IdTable};
use super::int_key_table::{Keys, append_ids};
use super::intern_error::InternError;
use crate::Tuning;
use crate::level::Level;

/// Numbers 128-bit keys in order of first arrival.
///
/// Columns of fixed width that fit 16 bytes together are packed into the two words, each at a place
/// of its own; a null needs a bit of its own too.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{Level, Tuning, PairKeyTable, HashKey};
///
/// // A 32-bit year and a 64-bit customer.
/// let mut table = PairKeyTable::new(&Tuning::DEFAULT, HashKey::random());
/// let mut ids = Vec::new();
/// table.intern(Level::best(), &[[2025, 7], [2026, 7], [2025, 7]], &mut ids)?;
/// assert_eq!(ids, [0, 1, 0]);
/// assert_eq!(table.keys(), [[2025, 7], [2026, 7]]);
/// # Ok::<(), keymill_kernels::InternError>(())
/// ```
pub struct PairKeyTable {
    keys: Keys<[u64; 2]>,
    table: IdTable<[u64; 2]>,
}

impl PairKeyTable {
    /// Makes a table without keys.
    #[must_use]
    pub fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        Self {
            keys: Keys::default(),
            table: IdTable::new(&tuning.fitting(), hash_key),
        }
    }

    /// Appends the id of every key to `ids`.
    ///
    /// # Errors
    ///
    /// As for [`IntKeyTable::intern`](crate::IntKeyTable::intern).
    pub fn intern(
        &mut self,
        level: Level,
        keys: &[[u64; 2]],
        ids: &mut Vec<u32>,
    ) -> Result<(), InternError> {
        append_ids(keys.len(), ids, |ids| {
            let mut batches = keys.chunks(BATCH).zip(ids.chunks_mut(BATCH));
            batches.try_for_each(|(keys, ids)| self.intern_batch(level, keys, ids))
        })
    }

    fn intern_batch(
        &mut self,
        level: Level,
        keys: &[[u64; 2]],
        ids: &mut [u32],
    ) -> Result<(), InternError> {
        let mut missed = [0; BATCH];
        let misses = self.table.look_up(level, keys, ids, &mut missed);
        self.keys.make_room(misses)?;
        for &row in &missed[..misses] {
            let (row, table) = (usize::from(row), &mut self.table);
            let key = keys[row];
            ids[row] = self
                .keys
                .id_of(key, |fresh| table.find_or_insert(key, fresh))?;
        }
        Ok(())
    }

    /// The id of a key, if it has one.
    #[must_use]
    pub fn get(&self, key: [u64; 2]) -> Option<u32> {
        self.table.get(key)
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
    pub fn keys(&self) -> &[[u64; 2]] {
        &self.keys.all
    }

    /// How many bytes of memory the table holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.keys.bytes()
    }

    /// Makes room for so many keys more than there are.
    ///
    /// # Errors
    ///
    /// When there is no memory; the table is as before.
    pub fn reserve(&mut self, more: usize) -> Result<(), InternError> {
        self.keys.make_room(more)?;
        self.table.reserve(self.len().saturating_add(more))
    }

    /// Forgets every key and keeps the memory, unless it is far more than the keys needed.
    pub fn clear(&mut self) {
        self.table.clear(self.keys.all.iter().copied());
        self.keys.all.clear();
    }
}
