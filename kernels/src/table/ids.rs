//! The table from keys of one or two words to group ids, in buckets of one cache line.
//!
//! ```text
//! u64         | key key key key key | id id id id id 0 |     five keys a line
//! [u64; 2]    | key key key         | id id id 0       |     three
//! ```
//!
//! An id is stored as `id + 1`; 0 marks a free way. Ways fill from the first on and are never
//! emptied, so the first way that equals a key is that key's, even for the key of all zeros.
//!
//! [`IdTable::look_up`] compares each key of a batch with its home line alone, without a branch: a
//! key that is not there reads the 0 after the last way, and its row is put on a list. The caller
//! passes the rows of that list, in order, to [`IdTable::find_or_insert`], which goes on to the next
//! lines. So a known key costs no misprediction, and new keys get their ids in order of arrival.

use super::HashKey;
use super::intern_error::{FreshId, InternError};
use crate::Tuning;
use crate::buffer::{HugeVec, prefetch};
use crate::isa::{Isa, Kernel, dispatch};
use crate::level::Level;
use bytemuck::Zeroable;

/// Rows that are looked up at a time.
pub(crate) const BATCH: usize = 1024;
/// Rows ahead of the current one whose line is prefetched.
const AHEAD: usize = 48;
/// Sixteenths of the ways that may be taken.
const FILL: usize = 8;

/// A cache line: the keys, then their ids as 32-bit numbers.
#[derive(Clone, Copy, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Line {
    words: [u64; 8],
}

impl Line {
    #[inline(always)]
    fn halves(&self) -> &[u32; 16] {
        bytemuck::cast_ref(&self.words)
    }
}

/// A key of a fixed number of words.
pub(crate) trait IdKey: Copy + PartialEq + Zeroable {
    /// Keys of a line.
    const WAYS: usize;
    /// Words of a key.
    const WORDS: usize;

    /// A keyed hash whose upper bits choose the home line.
    fn hash(self, multipliers: [u64; 4]) -> u64;

    /// The key twice, or its two words.
    fn pair(self) -> [u64; 2];

    /// One bit for each word of a line that equals the key's word at that place.
    fn find<I: Isa>(self, isa: I, words: &[u64; 8]) -> u32;

    /// The key that [`IdKey::pair`] gave.
    fn from_pair(pair: [u64; 2]) -> Self;

    /// The first way that equals the key, or `WAYS`, from a mask of equal words.
    fn first_way(equal_words: u32) -> usize;
}

impl IdKey for u64 {
    const WAYS: usize = 5;
    const WORDS: usize = 1;

    #[inline(always)]
    fn hash(self, [a, b, ..]: [u64; 4]) -> u64 {
        let product = self.wrapping_mul(a);
        (product ^ product >> 32).wrapping_mul(b)
    }

    #[inline(always)]
    fn pair(self) -> [Self; 2] {
        [self; 2]
    }

    #[inline(always)]
    fn find<I: Isa>(self, isa: I, words: &[Self; 8]) -> u32 {
        isa.find_in_eight(words, self)
    }

    #[inline(always)]
    fn from_pair(pair: [Self; 2]) -> Self {
        pair[0]
    }

    #[inline(always)]
    fn first_way(equal_words: u32) -> usize {
        (equal_words & 0x1f | 0x20).trailing_zeros() as usize
    }
}

impl IdKey for [u64; 2] {
    const WAYS: usize = 3;
    const WORDS: usize = 2;

    #[inline(always)]
    fn hash(self, [a, b, c, _]: [u64; 4]) -> u64 {
        // The middle rotation keeps the two words apart: swapping them changes the sum.
        let first = self[0].wrapping_mul(a);
        let sum = (first ^ first >> 32).wrapping_add(self[1].wrapping_mul(b));
        (sum ^ sum >> 32).wrapping_mul(c)
    }

    #[inline(always)]
    fn pair(self) -> Self {
        self
    }

    #[inline(always)]
    fn find<I: Isa>(self, isa: I, words: &[u64; 8]) -> u32 {
        isa.find_pair_in_eight(words, self)
    }

    #[inline(always)]
    fn from_pair(pair: Self) -> Self {
        pair
    }

    #[inline(always)]
    fn first_way(equal_words: u32) -> usize {
        let both = equal_words & equal_words >> 1 & 0b01_0101;
        (both | 0b100_0000).trailing_zeros() as usize / 2
    }
}

/// An open-addressing table whose number of lines is a power of two.
pub(crate) struct IdTable<K: IdKey> {
    lines: HugeVec<Line>,
    /// `64 - log2(lines)`: a hash shifted right by it is the index of a line.
    shift: u32,
    used: usize,
    first_lines: usize,
    multipliers: [u64; 4],
    prefetch_bytes: usize,
    key: core::marker::PhantomData<K>,
}

/// A cleared table may have so many times the lines that its last keys needed.
const SPARE: usize = 8;
/// The fewest lines: the shift of a hash stays below 64.
const FEWEST_LINES: usize = 2;

impl<K: IdKey> IdTable<K> {
    pub(crate) fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let lines = lines_for::<K>(tuning.table_slots / 2);
        Self {
            lines: HugeVec::new(lines),
            shift: 64 - lines.trailing_zeros(),
            used: 0,
            first_lines: lines,
            multipliers: hash_key.masked(tuning.hash_mask),
            prefetch_bytes: tuning.prefetch_bytes,
            key: core::marker::PhantomData,
        }
    }

    /// How many bytes of memory the table holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[Line]>(&self.lines)
    }

    #[inline(always)]
    fn home(&self, key: K) -> usize {
        (key.hash(self.multipliers) >> self.shift) as usize
    }

    /// Writes the id of each key that is in its home line to `ids`, and lists the rows of the others
    /// in `missed`; returns how many these are.
    ///
    /// # Panics
    ///
    /// When there are more than [`BATCH`] keys, or not one id for each.
    pub(crate) fn look_up(
        &self,
        level: Level,
        keys: &[K],
        ids: &mut [u32],
        missed: &mut [u16; BATCH],
    ) -> usize {
        assert!(keys.len() <= BATCH && keys.len() == ids.len());
        let table = self;
        dispatch(
            level,
            LookUp {
                table,
                keys,
                ids,
                missed,
            },
        )
    }

    #[inline(always)]
    fn look_up_with<I: Isa, const FAR: bool>(
        &self,
        isa: I,
        keys: &[K],
        ids: &mut [u32],
        missed: &mut [u16; BATCH],
    ) -> usize {
        let mut homes = [0u32; BATCH];
        for (home, &key) in homes.iter_mut().zip(keys) {
            *home = self.home(key) as u32;
        }
        let lines = self.lines.as_ptr();
        if FAR {
            for &home in &homes[..AHEAD.min(keys.len())] {
                prefetch(lines.wrapping_add(home as usize));
            }
        }
        let mut misses = 0;
        for (row, (&key, id)) in keys.iter().zip(ids).enumerate() {
            if FAR {
                // Rows after the last one have home 0.
                let later = homes[(row + AHEAD) & (BATCH - 1)];
                prefetch(lines.wrapping_add(later as usize));
            }
            // SAFETY: the hash was shifted to the bits of an index, and the table has not changed.
            let line = unsafe { &*lines.add(homes[row & (BATCH - 1)] as usize) };
            let way = K::first_way(key.find(isa, &line.words));
            let found = line.halves()[(id_place::<K>() + way) & 15];
            *id = found.wrapping_sub(1);
            missed[misses & (BATCH - 1)] = row as u16;
            misses += usize::from(found == 0);
        }
        misses
    }

    /// The id of a key, which gets a fresh one when it is new.
    ///
    /// # Errors
    ///
    /// When there are no more ids, or no memory for a larger table, which is unchanged then.
    #[inline(always)]
    pub(super) fn find_or_insert(&mut self, key: K, fresh: FreshId) -> Result<u32, InternError> {
        let mut place = match self.find(key) {
            Ok(id) => return Ok(id),
            Err(place) => place,
        };
        let id = fresh.take()?;
        if self.is_full() {
            self.grow()?;
            place = self.free_way(key);
        }
        self.put(place, key, id + 1);
        self.used += 1;
        Ok(id)
    }

    fn is_full(&self) -> bool {
        (self.used + 1) * 16 > self.lines.len() * K::WAYS * FILL
    }

    /// The id of a key, if it has one.
    pub(super) fn get(&self, key: K) -> Option<u32> {
        self.find(key).ok()
    }

    /// The id of a key, or else the line and way where it belongs.
    #[inline(always)]
    fn find(&self, key: K) -> Result<u32, (usize, usize)> {
        let mask = self.lines.len() - 1;
        let mut index = self.home(key);
        loop {
            let line = &self.lines[index];
            for way in 0..K::WAYS {
                match line.halves()[id_place::<K>() + way] {
                    0 => return Err((index, way)),
                    id if key_at::<K>(line, way) == key.pair() => return Ok(id - 1),
                    _ => {}
                }
            }
            index = (index + 1) & mask;
        }
    }

    /// The line and way of a key that is not in the table.
    #[inline(always)]
    fn free_way(&self, key: K) -> (usize, usize) {
        let mask = self.lines.len() - 1;
        let mut index = self.home(key);
        loop {
            let ids = &self.lines[index].halves()[id_place::<K>()..][..K::WAYS];
            if let Some(way) = ids.iter().position(|&id| id == 0) {
                return (index, way);
            }
            index = (index + 1) & mask;
        }
    }

    #[inline(always)]
    fn put(&mut self, (line, way): (usize, usize), key: K, stored: u32) {
        let words = &mut self.lines[line].words;
        words[way * K::WORDS..][..K::WORDS].copy_from_slice(&key.pair()[..K::WORDS]);
        let halves: &mut [u32; 16] = bytemuck::cast_mut(words);
        halves[id_place::<K>() + way] = stored;
    }

    /// Makes room for so many keys in all.
    pub(crate) fn reserve(&mut self, keys: usize) -> Result<(), InternError> {
        let lines = lines_for::<K>(keys);
        if lines > self.lines.len() {
            self.move_to(lines)?;
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<(), InternError> {
        self.move_to(2 * self.lines.len())
    }

    /// Moves all keys to a table of so many lines. Lines are in the order of their keys' hashes, so
    /// the new ones are written nearly in order.
    fn move_to(&mut self, lines: usize) -> Result<(), InternError> {
        let bytes = lines.saturating_mul(size_of::<Line>());
        // An index of a line has 32 bits.
        let larger = u32::try_from(lines).ok().and(HugeVec::try_new(lines));
        let larger = larger.ok_or(InternError::OutOfMemory { bytes })?;
        let old = core::mem::replace(&mut self.lines, larger);
        self.shift = 64 - lines.trailing_zeros();
        for line in old.iter() {
            for way in 0..K::WAYS {
                let stored = line.halves()[id_place::<K>() + way];
                if stored == 0 {
                    break;
                }
                let key = K::from_pair(key_at::<K>(line, way));
                self.put(self.free_way(key), key, stored);
            }
        }
        Ok(())
    }

    /// Forgets `keys`, which are all it has, and keeps the memory for as many again.
    pub(super) fn clear(&mut self, keys: impl ExactSizeIterator<Item = K>) {
        let lines = lines_for::<K>(self.used).max(self.first_lines);
        if self.lines.len() > SPARE * lines {
            // A large table for few keys would spread them over more memory than a cache holds.
            self.lines = HugeVec::new(lines);
            self.shift = 64 - lines.trailing_zeros();
        } else if keys.len() * 4 < self.lines.len() {
            keys.for_each(|key| self.clear_from(self.home(key)));
        } else {
            self.lines.clear();
        }
        self.used = 0;
    }

    /// Clears a line, and those that hold keys for which it had no room.
    fn clear_from(&mut self, mut index: usize) {
        loop {
            let line = core::mem::replace(&mut self.lines[index], Line::zeroed());
            if line.halves()[id_place::<K>() + K::WAYS - 1] == 0 {
                return;
            }
            index = (index + 1) & (self.lines.len() - 1);
        }
    }
}

/// Lines of a table that holds so many keys.
fn lines_for<K: IdKey>(keys: usize) -> usize {
    let ways = keys.saturating_mul(16) / FILL + 1;
    (ways / K::WAYS + 1).next_power_of_two().max(FEWEST_LINES)
}

/// Which 32-bit half of a line holds the id of its first way.
const fn id_place<K: IdKey>() -> usize {
    2 * K::WAYS * K::WORDS
}

#[inline(always)]
fn key_at<K: IdKey>(line: &Line, way: usize) -> [u64; 2] {
    let first = way * K::WORDS;
    [line.words[first], line.words[first + K::WORDS - 1]]
}

struct LookUp<'a, K: IdKey> {
    table: &'a IdTable<K>,
    keys: &'a [K],
    ids: &'a mut [u32],
    missed: &'a mut [u16; BATCH],
}

impl<K: IdKey> Kernel for LookUp<'_, K> {
    type Out = usize;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> usize {
        let table = self.table;
        if table.bytes() > table.prefetch_bytes {
            table.look_up_with::<I, true>(isa, self.keys, self.ids, self.missed)
        } else {
            table.look_up_with::<I, false>(isa, self.keys, self.ids, self.missed)
        }
    }
}
