//! An open-addressing hash table from 64-bit keys to states, in buckets of `WAYS` keys.
//!
//! ```text
//! WAYS = 1   | key state | key state | …                  few groups: one comparison per row
//! WAYS = 4   | k k k k s s s s | k k k k s s s s | …      many groups: one cache line per row
//! ```
//!
//! The fast loop searches a key in its home bucket, and with four ways also in the next one. It
//! ends at the first key that is not there; that row goes through [`BucketTable::add`], which
//! handles new keys and full buckets. With four ways at half load, one key in 30 is not in its home
//! bucket. With one way the table is nearly empty, and its hash is chosen so that few keys are
//! displaced.
//!
//! A free slot holds a key that is never searched in its bucket: 0 in all buckets but the first.
//! Key 0 itself is in the first bucket, whose free slots hold `free_marker`, a key whose home is
//! another bucket. So the loop needs no test for free slots, and every 64-bit number can be a key.

use super::places::{Bucket, Places, STEP, prefetch_bucket};
use super::{AHEAD, IntHash};
use crate::buffer::HugeVec;
use crate::isa::Isa;
use crate::stage::reduce_by_key::Aggregate;

/// Sizes and hash of a table.
#[derive(Clone, Copy)]
pub(crate) struct TableSizes {
    /// Slots of a new table; a power of two.
    pub(crate) slots: usize,
    /// Bytes of a table above which probes are prefetched.
    pub(crate) prefetch_bytes: usize,
    /// Sixteenths of the slots that may be in use.
    pub(crate) fill: usize,
    pub(crate) hash: IntHash,
}

pub(crate) struct BucketTable<A: Aggregate, const WAYS: usize> {
    buckets: HugeVec<Bucket<A::State, WAYS>>,
    homes: Homes<WAYS>,
    used: usize,
    has_zero: bool,
    /// Whether many keys of the last rows were new.
    many_new: bool,
    free_marker: u64,
    /// Whether all keys have the first bucket as home, `free_marker` too.
    all_collide: bool,
    /// Number of keys that are in another bucket than their home.
    displaced: usize,
    /// Maximum of `displaced` before another hash is tried.
    tolerated: usize,
    sizes: TableSizes,
}

/// Computes the home bucket of a key.
#[derive(Clone, Copy, PartialEq)]
struct Homes<const WAYS: usize> {
    hash: IntHash,
    /// `64 - log2(buckets)`: a hash shifted right by this is the index of a bucket.
    shift: u32,
}

impl<const WAYS: usize> Homes<WAYS> {
    #[inline(always)]
    fn of(self, key: u64) -> usize {
        let hash = if WAYS == 1 {
            self.hash.quick(key)
        } else {
            self.hash.thorough(key)
        };
        (hash >> self.shift) as usize
    }
}

/// Minimum number of buckets: there is a free slot besides the one for key 0.
const MIN_BUCKETS: usize = 4;
/// Rows whose homes are computed before the first is added.
const BATCH: usize = 1024;
/// Maximum distance of a new key from its home before that part of the table counts as crowded.
const FAR_FROM_HOME: usize = 64;
/// Maximum number of slots per key to which a table grows because it is crowded.
const MAX_SLOTS_PER_KEY: usize = 1024;
/// Number of hashes that are tried at a time.
const TRIES: usize = 16;

impl<A: Aggregate, const WAYS: usize> BucketTable<A, WAYS> {
    pub(crate) fn new(sizes: TableSizes) -> Self {
        let buckets = (sizes.slots / WAYS).next_power_of_two().max(MIN_BUCKETS);
        let mut table = Self {
            buckets: HugeVec::new(0),
            homes: Homes {
                hash: sizes.hash,
                shift: 0,
            },
            used: 0,
            has_zero: false,
            many_new: false,
            free_marker: 1,
            all_collide: false,
            displaced: 0,
            tolerated: 0,
            sizes,
        };
        table.allocate(buckets);
        table
    }

    /// Replaces the buckets by free ones.
    fn allocate(&mut self, buckets: usize) {
        assert!(u32::try_from(buckets).is_ok(), "a home is 32 bits");
        self.buckets = HugeVec::new(buckets);
        self.homes = Homes {
            hash: self.sizes.hash,
            shift: 64 - buckets.trailing_zeros(),
        };
        let free_marker = (0..64).map(|bit| 1 << bit).find(|&key| self.home(key) != 0);
        self.free_marker = free_marker.unwrap_or(1);
        self.all_collide = free_marker.is_none();
        self.mark_all_free();
    }

    /// Marks all slots of a zeroed table as free, with empty states.
    fn mark_all_free(&mut self) {
        if !A::EMPTY_IS_ZERO {
            self.buckets.fill(Self::free_bucket());
        }
        self.buckets[0].keys = [self.free_marker; WAYS];
        self.used = 0;
        self.has_zero = false;
        self.displaced = 0;
        self.tolerated = 0;
    }

    /// Removes all groups, and frees memory if there were few.
    pub(crate) fn clear(&mut self) {
        if self.slots() > self.sizes.slots && self.used * 64 < self.slots() {
            self.allocate(
                (self.sizes.slots / WAYS)
                    .next_power_of_two()
                    .max(MIN_BUCKETS),
            );
        } else {
            self.buckets.clear();
            self.mark_all_free();
        }
    }

    /// Sets the sixteenths of the slots that may be in use.
    pub(crate) fn set_fill(&mut self, fill: usize) {
        self.sizes.fill = fill;
    }

    /// Reserves memory for `groups` groups in total.
    pub(crate) fn reserve(&mut self, groups: usize) {
        while groups * 16 > self.slots() * self.sizes.fill {
            self.grow();
        }
    }

    /// Returns the number of groups.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn slots(&self) -> usize {
        self.buckets.len() * WAYS
    }

    /// Returns the bytes of memory that the table uses.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[_]>(&self.buckets)
    }

    #[inline(always)]
    fn home(&self, key: u64) -> usize {
        self.homes.of(key)
    }

    /// Adds rows: `values[i]` belongs to `keys[i]`.
    #[inline(always)]
    pub(crate) fn update<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        let (mut done, before) = (0, self.used);
        let mut homes = [0; BATCH];
        while done < keys.len() {
            let rows = BATCH.min(keys.len() - done);
            let (keys, values) = (&keys[done..][..rows], &values[done..][..rows]);
            if WAYS > 1 {
                self.find_homes(keys, &mut homes[..rows]);
            }
            done += self.update_batch(isa, &homes[..rows], keys, values);
        }
        self.many_new = (self.used - before) * 16 > keys.len();
    }

    /// Returns whether the table is so large that buckets should be prefetched.
    fn needs_prefetch(&self) -> bool {
        self.bytes() > self.sizes.prefetch_bytes
    }

    /// Computes the home buckets of keys, and prefetches the first ones of a large table.
    #[inline(always)]
    fn find_homes(&self, keys: &[u64], homes: &mut [u32]) {
        let of = self.homes;
        for (home, &key) in homes.iter_mut().zip(keys) {
            *home = of.of(key) as u32;
        }
        if self.needs_prefetch() {
            for &home in homes.iter().take(AHEAD) {
                prefetch_bucket(self.buckets.as_ptr().wrapping_add(home as usize));
            }
        }
    }

    /// Adds rows whose homes are computed, until the table moves; returns their number.
    #[inline(always)]
    fn update_batch<I: Isa>(
        &mut self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let must_add = self.all_collide && keys.contains(&self.free_marker);
        let (of, mut done) = (self.homes, 0);
        while done < keys.len() {
            if !must_add {
                done += self.update_fast(isa, &homes[done..], &keys[done..], &values[done..]);
            }
            // The fast loop of one way processes whole steps, so the row that ended it is in this
            // one.
            let some = if WAYS == 1 { STEP } else { 1 };
            let last = (done + some).min(keys.len());
            for row in done..last {
                self.add(keys[row], values[row]);
            }
            done = last;
            if self.homes != of {
                break;
            }
        }
        done
    }

    /// Adds rows with the fast loop that fits, until it ends; returns their number.
    #[inline(always)]
    fn update_fast<I: Isa>(
        &mut self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let (of, far) = (self.homes, self.needs_prefetch());
        let places = Places::of(&mut self.buckets);
        if WAYS == 1 {
            // SAFETY: `Homes` returns indices of buckets of its table.
            return unsafe { places.update_one_way::<A>(|key| of.of(key), keys, values) };
        }
        if !self.many_new {
            // SAFETY: the homes were computed for the present buckets.
            return unsafe {
                if far {
                    places.update_known::<A, I, true>(isa, homes, keys, values)
                } else {
                    places.update_known::<A, I, false>(isa, homes, keys, values)
                }
            };
        }
        let room = (self.slots() * self.sizes.fill / 16).saturating_sub(self.used);
        let rows = room.min(keys.len());
        // SAFETY: as above.
        let (taken, new) = unsafe {
            places.update_or_insert::<A, I>(isa, &homes[..rows], &keys[..rows], &values[..rows])
        };
        self.used += new;
        taken
    }

    /// Adds one row, whose key may be new.
    #[inline(never)]
    pub(crate) fn add(&mut self, key: u64, value: i64) {
        A::add(self.state_of(key), value);
    }

    /// Merges the state of a group.
    pub(crate) fn merge(&mut self, key: u64, state: A::State) {
        A::merge(self.state_of(key), state);
    }

    /// Returns the state of a key; a new key gets a slot.
    fn state_of(&mut self, key: u64) -> &mut A::State {
        let (bucket, way) = match self.find_or_free(key) {
            Ok(place) => place,
            Err(_) if (self.used + 1) * 16 > self.slots() * self.sizes.fill && self.used > 0 => {
                self.grow();
                return self.state_of(key);
            }
            Err((bucket, _)) if self.can_spread(bucket, key) => {
                self.grow();
                return self.state_of(key);
            }
            Err((bucket, _)) if self.is_crowded(bucket, key) => {
                self.use_best_hash();
                return self.state_of(key);
            }
            Err((bucket, way)) => {
                self.occupy(bucket, way, key);
                (bucket, way)
            }
        };
        &mut self.buckets[bucket].states[way]
    }

    /// Returns the bucket and way of a key, or else the free ones for it.
    fn find_or_free(&self, key: u64) -> Result<(usize, usize), (usize, usize)> {
        if key == 0 {
            return if self.has_zero {
                Ok((0, 0))
            } else {
                Err((0, 0))
            };
        }
        let mut bucket = self.home(key);
        if bucket == 0 && key == self.free_marker {
            bucket = 1;
        }
        loop {
            let (free, first_way) = if bucket == 0 {
                (self.free_marker, 1)
            } else {
                (0, 0)
            };
            for way in first_way..WAYS {
                match self.buckets[bucket].keys[way] {
                    there if there == key => return Ok((bucket, way)),
                    there if there == free => return Err((bucket, way)),
                    _ => {}
                }
            }
            bucket = (bucket + 1) % self.buckets.len();
            if bucket == 0 && key == self.free_marker {
                bucket = 1;
            }
        }
    }

    /// Stores a new key at a free place.
    #[inline(always)]
    fn occupy(&mut self, bucket: usize, way: usize, key: u64) {
        self.used += 1;
        self.has_zero |= key == 0;
        self.displaced += usize::from(self.home(key) != bucket);
        self.buckets[bucket].keys[way] = key;
    }

    /// Inserts a group whose key is not in the table.
    #[inline(always)]
    fn insert_new(&mut self, key: u64, state: A::State) {
        let (bucket, way) = match self.find_or_free(key) {
            Ok(place) | Err(place) => place,
        };
        self.occupy(bucket, way, key);
        self.buckets[bucket].states[way] = state;
    }

    /// Doubles the size of the table in place.
    ///
    /// Keys are in hash order, except the few whose home was full. So from the last bucket on, the
    /// keys of each bucket move up, to buckets whose keys have moved already.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let half = self.buckets.len();
        assert!(u32::try_from(2 * half).is_ok(), "a home is 32 bits");
        self.buckets.grow_to(2 * half);
        // If the home of `free_marker` was not the first bucket, it still is not.
        self.homes.shift -= 1;
        self.tolerated = 0;
        let free = Self::free_bucket();
        if !A::EMPTY_IS_ZERO {
            self.buckets[half..].fill(free);
        }
        (self.used, self.displaced) = (usize::from(self.has_zero), 0);
        let mut late = Vec::new();
        for index in (1..half).rev() {
            let bucket = core::mem::replace(&mut self.buckets[index], free);
            for (key, state) in bucket.taken(0) {
                if !self.insert_new_from(index, key, state) {
                    late.push((key, state));
                }
            }
        }
        // The first way of the first bucket belongs to key 0, which is not moved.
        let first = self.buckets[0];
        for way in 1..WAYS {
            self.buckets[0].keys[way] = self.free_marker;
            self.buckets[0].states[way] = A::EMPTY;
        }
        late.extend(first.taken(self.free_marker).filter(|&(key, _)| key != 0));
        late.into_iter()
            .for_each(|(key, state)| self.insert_new(key, state));
    }

    /// Does [`Self::insert_new`] for a key whose home is not before bucket `first`, if there is
    /// room from the home to the last bucket; otherwise does nothing and returns `false`.
    #[inline(always)]
    fn insert_new_from(&mut self, first: usize, key: u64, state: A::State) -> bool {
        let home = self.home(key);
        if home < first {
            return false;
        }
        for bucket in home..self.buckets.len() {
            let keys = &self.buckets[bucket].keys;
            if let Some(way) = keys.iter().position(|&there| there == 0) {
                self.occupy(bucket, way, key);
                self.buckets[bucket].states[way] = state;
                return true;
            }
        }
        false
    }

    /// Returns an empty bucket, as all but the first are.
    fn free_bucket() -> Bucket<A::State, WAYS> {
        Bucket {
            keys: [0; WAYS],
            states: [A::EMPTY; WAYS],
        }
    }

    /// Returns whether this part of the table is crowded, and a larger table would spread its keys.
    /// It is not crowded by chance: keys that leave one table in hash order crowd another one.
    fn can_spread(&self, bucket: usize, key: u64) -> bool {
        let from_home = bucket.wrapping_sub(self.home(key)) % self.buckets.len();
        from_home > FAR_FROM_HOME
            && !self.all_collide
            && self.slots() < self.used * MAX_SLOTS_PER_KEY
    }

    /// Returns whether a table with one way has too many displaced keys when this key goes to this
    /// bucket.
    fn is_crowded(&self, bucket: usize, key: u64) -> bool {
        let can_choose = WAYS == 1 && !self.all_collide;
        can_choose && bucket != self.home(key) && self.displaced >= self.tolerated
    }

    /// Tries several hashes, and rebuilds the table with the one that displaces the fewest keys.
    #[cold]
    #[inline(never)]
    fn use_best_hash(&mut self) {
        let mut groups = Vec::with_capacity(self.used);
        self.for_each(|key, state| groups.push((key, state)));
        let mut taken = vec![false; self.buckets.len()];
        let mut displaced = |hash: IntHash| {
            taken.fill(false);
            // The first bucket is reserved for key 0.
            taken[0] = true;
            let homes = Homes { hash, ..self.homes };
            let late = |&&(key, _): &&(u64, _)| core::mem::replace(&mut taken[homes.of(key)], true);
            groups.iter().filter(late).count()
        };
        let hashes = core::iter::successors(Some(self.sizes.hash), |hash| Some(hash.another()));
        let best = hashes.take(TRIES).min_by_key(|&hash| displaced(hash));
        self.sizes.hash = best.unwrap_or(self.sizes.hash);
        self.allocate(self.buckets.len());
        groups
            .into_iter()
            .for_each(|(key, state)| self.insert_new(key, state));
        self.tolerated = (2 * self.displaced).max(self.used / 64).max(1);
    }

    /// Visits every group, in any order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, A::State)) {
        if self.has_zero {
            visit(0, self.buckets[0].states[0]);
        }
        let first = self.buckets[0].taken(self.free_marker);
        let others = self.buckets[1..].iter().flat_map(|bucket| bucket.taken(0));
        first
            .filter(|&(key, _)| key != 0)
            .chain(others)
            .for_each(|(key, state)| visit(key, state));
    }
}

#[cfg(test)]
mod tests;
