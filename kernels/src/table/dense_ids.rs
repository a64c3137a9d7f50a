//! The ids of small integer keys, each at the place that its key names.
//!
//! ```text
//! keys 7 9 7   ──▶   base 7 | id of 7 | of 8 | of 9 | …      stored as id + 1; 0 where there is none
//! ```

use super::ids::BATCH;
use super::int::least_and_most;
use super::intern_error::{FreshId, InternError};
use crate::buffer::{HugeVec, prefetch};
use crate::isa::{Isa, Kernel, dispatch};
use crate::level::Level;

/// Rows ahead of the current one whose place is prefetched.
const AHEAD: usize = 48;

/// A place for every key of a range.
pub(super) struct DenseIds {
    base: u64,
    /// Keys of the range; places after these are 0.
    range: usize,
    places: HugeVec<u32>,
    prefetch_bytes: usize,
}

impl DenseIds {
    /// Makes an empty range.
    pub(super) fn new(prefetch_bytes: usize) -> Self {
        Self {
            base: 0,
            range: 0,
            places: HugeVec::new(0),
            prefetch_bytes,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val::<[u32]>(&self.places)
    }

    /// How many keys the range must have to hold those from `least` to `most` too.
    pub(super) fn range_with(&self, least: u64, most: u64) -> u128 {
        let (first, last) = self.union(least, most);
        u128::from(last - first) + 1
    }

    fn union(&self, least: u64, most: u64) -> (u64, u64) {
        if self.range == 0 {
            return (least, most);
        }
        let last = self.base + (self.range - 1) as u64;
        (least.min(self.base), most.max(last))
    }

    /// Widens the range to hold the keys from `least` to `most`, which `places` must suffice for;
    /// `keys` are those it has, in the order of their ids.
    ///
    /// From the second time on the range doubles as far as `places` allow, so that ascending or
    /// descending keys do not move it each time.
    pub(super) fn reach(
        &mut self,
        (least, most): (u64, u64),
        places: usize,
        keys: &[u64],
    ) -> Result<(), InternError> {
        let (mut first, mut last) = self.union(least, most);
        if self.range > 0 && last - first < self.range as u64 {
            return Ok(());
        }
        let left = (places as u64)
            .saturating_sub(last - first)
            .saturating_sub(1);
        let more = left.min(self.range as u64);
        match first < self.base {
            true => first = first.saturating_sub(more),
            false => last = last.saturating_add(more),
        }
        let range = usize::try_from(last - first).ok();
        let range = range.and_then(|last| last.checked_add(1));
        let range = range.unwrap_or(usize::MAX);
        self.clear(keys);
        if range > self.places.len() {
            let bytes = range.saturating_mul(size_of::<u32>());
            let places = HugeVec::try_new(range);
            self.places = places.ok_or(InternError::OutOfMemory { bytes })?;
        }
        (self.base, self.range) = (first, range);
        for (stored, &key) in (1..).zip(keys) {
            self.places[key.wrapping_sub(first) as usize] = stored;
        }
        Ok(())
    }

    /// Writes the id of each key that has one to `ids`, and lists the rows of the others in `missed`;
    /// returns how many these are.
    ///
    /// # Panics
    ///
    /// When a key is out of range, or there are more than [`BATCH`], or not one id for each.
    pub(super) fn look_up(
        &self,
        level: Level,
        keys: &[u64],
        ids: &mut [u32],
        missed: &mut [u16; BATCH],
    ) -> usize {
        assert!(keys.len() <= BATCH && keys.len() == ids.len());
        let (base, places) = (self.base, &self.places[..self.range]);
        let far = self.bytes() > self.prefetch_bytes;
        dispatch(
            level,
            LookUp {
                base,
                places,
                far,
                keys,
                ids,
                missed,
            },
        )
    }

    /// The id of a key in range, which gets a fresh one when it is new.
    pub(super) fn find_or_insert(&mut self, key: u64, fresh: FreshId) -> Result<u32, InternError> {
        let place = &mut self.places[..self.range][key.wrapping_sub(self.base) as usize];
        if *place == 0 {
            *place = fresh.take()? + 1;
        }
        Ok(*place - 1)
    }

    /// The id of any key, if it has one.
    pub(super) fn get(&self, key: u64) -> Option<u32> {
        let place = usize::try_from(key.wrapping_sub(self.base)).ok()?;
        self.places[..self.range].get(place)?.checked_sub(1)
    }

    /// Forgets `keys`, which are all it has, and the range; keeps the memory.
    pub(super) fn clear(&mut self, keys: &[u64]) {
        if keys.len() < self.range / 16 {
            for key in keys {
                self.places[key.wrapping_sub(self.base) as usize] = 0;
            }
        } else {
            self.places[..self.range].fill(0);
        }
        self.range = 0;
    }
}

/// The smallest and the largest key.
pub(super) struct LeastAndMost<'a>(pub(super) &'a [u64]);

impl Kernel for LeastAndMost<'_> {
    type Out = (u64, u64);

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> (u64, u64) {
        least_and_most(self.0)
    }
}

struct LookUp<'a> {
    base: u64,
    places: &'a [u32],
    far: bool,
    keys: &'a [u64],
    ids: &'a mut [u32],
    missed: &'a mut [u16; BATCH],
}

impl LookUp<'_> {
    #[inline(always)]
    fn rows<const FAR: bool>(self) -> usize {
        let Self { base, places, .. } = self;
        let mut misses = 0;
        for (row, (&key, id)) in self.keys.iter().zip(self.ids).enumerate() {
            if FAR && let Some(&later) = self.keys.get(row + AHEAD) {
                let place = later.wrapping_sub(base) as usize;
                prefetch(places.as_ptr().wrapping_add(place));
            }
            let found = places[key.wrapping_sub(base) as usize];
            *id = found.wrapping_sub(1);
            self.missed[misses & (BATCH - 1)] = row as u16;
            misses += usize::from(found == 0);
        }
        misses
    }
}

impl Kernel for LookUp<'_> {
    type Out = usize;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> usize {
        match self.far {
            true => self.rows::<true>(),
            false => self.rows::<false>(),
        }
    }
}
