//! An open-addressing table from 64-bit keys to states, in buckets of `WAYS` keys.
//!
//! ```text
//! WAYS = 1   | key state | key state | …                  few groups: one comparison a row
//! WAYS = 4   | k k k k s s s s | k k k k s s s s | …      many: one cache line a row
//! ```
//!
//! The fast loop looks for a key in its home bucket, with four ways also in the next one, and ends
//! where it is not there: that row goes through [`BucketTable::add`], which knows new keys and full
//! buckets. With four ways at half load one key in 30 is not in its home bucket. With one way the
//! table is nearly empty, and takes a hash under which hardly a key is displaced.
//!
//! A free slot holds a key that is never looked up at its bucket: 0 in all buckets but the first,
//! where 0 itself lives; there it is `decoy`, a key whose home is another bucket. So the loop needs
//! no test for free slots, and every 64-bit number can be a key.

use super::places::{Bucket, Places, STEP, prefetch_bucket};
use super::{AHEAD, IntHash};
use crate::buffer::HugeVec;
use crate::isa::Isa;
use crate::stage::reduce_by_key::Aggregate;

/// How a table is made, and made again.
#[derive(Clone, Copy)]
pub(crate) struct TableSizes {
    /// Slots of a fresh table; a power of two.
    pub(crate) slots: usize,
    /// Bytes of a table above which probes are prefetched.
    pub(crate) prefetch_bytes: usize,
    /// Sixteenths of the slots that may be taken.
    pub(crate) fill: usize,
    pub(crate) hash: IntHash,
}

pub(crate) struct BucketTable<A: Aggregate, const WAYS: usize> {
    buckets: HugeVec<Bucket<A::State, WAYS>>,
    homes: Homes<WAYS>,
    used: usize,
    has_zero: bool,
    /// Whether the last rows brought many new keys.
    many_new: bool,
    decoy: u64,
    /// Whether the decoy's home is the first bucket after all, because every key's is.
    all_collide: bool,
    /// How many keys are in another bucket than their home.
    displaced: usize,
    /// How many may be, until another hash is tried.
    tolerated: usize,
    sizes: TableSizes,
}

/// Names the home bucket of each key.
#[derive(Clone, Copy, PartialEq)]
struct Homes<const WAYS: usize> {
    hash: IntHash,
    /// `64 - log2(buckets)`: what is left of a hash after this shift is a bucket.
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

/// The least buckets of a table: there is a free slot beside the one kept for key 0.
const FEWEST: usize = 4;
/// Rows whose homes are looked up before the first is taken in.
const BATCH: usize = 1024;
/// How many buckets from home a new key may go before its part of the table is taken to be crowded.
const FAR_FROM_HOME: usize = 64;
/// How many slots a key a table may grow to for being crowded.
const MOST_SLOTS_A_KEY: usize = 1024;
/// How many hashes are tried at a time.
const TRIES: usize = 16;

impl<A: Aggregate, const WAYS: usize> BucketTable<A, WAYS> {
    pub(crate) fn new(sizes: TableSizes) -> Self {
        let buckets = (sizes.slots / WAYS).next_power_of_two().max(FEWEST);
        let mut table = Self {
            buckets: HugeVec::new(0),
            homes: Homes {
                hash: sizes.hash,
                shift: 0,
            },
            used: 0,
            has_zero: false,
            many_new: false,
            decoy: 1,
            all_collide: false,
            displaced: 0,
            tolerated: 0,
            sizes,
        };
        table.make(buckets);
        table
    }

    /// Makes the table anew, without keys.
    fn make(&mut self, buckets: usize) {
        assert!(u32::try_from(buckets).is_ok(), "a home is 32 bits");
        self.buckets = HugeVec::new(buckets);
        self.homes = Homes {
            hash: self.sizes.hash,
            shift: 64 - buckets.trailing_zeros(),
        };
        let decoy = (0..64).map(|bit| 1 << bit).find(|&key| self.home(key) != 0);
        self.decoy = decoy.unwrap_or(1);
        self.all_collide = decoy.is_none();
        self.forget();
    }

    /// Marks all slots of a zeroed table as free, with states that take values in.
    fn forget(&mut self) {
        if !A::EMPTY_IS_ZERO {
            self.buckets.fill(Self::free_bucket());
        }
        self.buckets[0].keys = [self.decoy; WAYS];
        self.used = 0;
        self.has_zero = false;
        self.displaced = 0;
        self.tolerated = 0;
    }

    /// Forgets all groups, and gives memory back that few groups did not need.
    pub(crate) fn clear(&mut self) {
        if self.slots() > self.sizes.slots && self.used * 64 < self.slots() {
            self.make((self.sizes.slots / WAYS).next_power_of_two().max(FEWEST));
        } else {
            self.buckets.clear();
            self.forget();
        }
    }

    /// Lets so many sixteenths of the slots be taken from now on.
    pub(crate) fn fill_to(&mut self, fill: usize) {
        self.sizes.fill = fill;
    }

    /// Makes room for so many groups in all.
    pub(crate) fn reserve(&mut self, groups: usize) {
        while groups * 16 > self.slots() * self.sizes.fill {
            self.grow();
        }
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn slots(&self) -> usize {
        self.buckets.len() * WAYS
    }

    /// How many bytes the table fills.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[_]>(&self.buckets)
    }

    #[inline(always)]
    fn home(&self, key: u64) -> usize {
        self.homes.of(key)
    }

    /// Takes in one row after another: `values[i]` belongs to `keys[i]`.
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

    /// Whether buckets had better be asked for before they are needed.
    fn is_far(&self) -> bool {
        self.bytes() > self.sizes.prefetch_bytes
    }

    /// Looks up where keys are at home, and asks for the first buckets if they are far.
    #[inline(always)]
    fn find_homes(&self, keys: &[u64], homes: &mut [u32]) {
        let of = self.homes;
        for (home, &key) in homes.iter_mut().zip(keys) {
            *home = of.of(key) as u32;
        }
        if self.is_far() {
            for &home in homes.iter().take(AHEAD) {
                prefetch_bucket(self.buckets.as_ptr().wrapping_add(home as usize));
            }
        }
    }

    /// Takes in rows whose homes are known, until the table moves; tells how many.
    #[inline(always)]
    fn update_batch<I: Isa>(
        &mut self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let blind = self.all_collide && keys.contains(&self.decoy);
        let (of, mut done) = (self.homes, 0);
        while done < keys.len() {
            if !blind {
                done += self.update_fast(isa, &homes[done..], &keys[done..], &values[done..]);
            }
            // The fast loop of one way takes whole steps, so the row it stopped at is within one.
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

    /// Takes in rows as far as the fast loop that suits them goes; tells how many.
    #[inline(always)]
    fn update_fast<I: Isa>(
        &mut self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let (of, far) = (self.homes, self.is_far());
        let places = Places::of(&mut self.buckets);
        if WAYS == 1 {
            // SAFETY: `Homes` names buckets of its table.
            return unsafe { places.take_few::<A>(|key| of.of(key), keys, values) };
        }
        if !self.many_new {
            // SAFETY: the homes were looked up since the table was made.
            return unsafe {
                if far {
                    places.take_known::<A, I, true>(isa, homes, keys, values)
                } else {
                    places.take_known::<A, I, false>(isa, homes, keys, values)
                }
            };
        }
        let room = (self.slots() * self.sizes.fill / 16).saturating_sub(self.used);
        let rows = room.min(keys.len());
        // SAFETY: as above.
        let (taken, new) = unsafe {
            places.take_or_insert::<A, I>(isa, &homes[..rows], &keys[..rows], &values[..rows])
        };
        self.used += new;
        taken
    }

    /// Takes in one row, whose key may be new.
    #[inline(never)]
    pub(crate) fn add(&mut self, key: u64, value: i64) {
        A::add(self.state_of(key), value);
    }

    /// Takes in all values of a group at once.
    pub(crate) fn merge(&mut self, key: u64, state: A::State) {
        A::merge(self.state_of(key), state);
    }

    /// The state of a key, which takes a slot when it is new.
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
                self.take(bucket, way, key);
                (bucket, way)
            }
        };
        &mut self.buckets[bucket].states[way]
    }

    /// The bucket and way where a key is, or else where it goes.
    fn find_or_free(&self, key: u64) -> Result<(usize, usize), (usize, usize)> {
        if key == 0 {
            return if self.has_zero {
                Ok((0, 0))
            } else {
                Err((0, 0))
            };
        }
        let mut bucket = self.home(key);
        if bucket == 0 && key == self.decoy {
            bucket = 1;
        }
        loop {
            let (free, first_way) = if bucket == 0 { (self.decoy, 1) } else { (0, 0) };
            for way in first_way..WAYS {
                match self.buckets[bucket].keys[way] {
                    there if there == key => return Ok((bucket, way)),
                    there if there == free => return Err((bucket, way)),
                    _ => {}
                }
            }
            bucket = (bucket + 1) % self.buckets.len();
            if bucket == 0 && key == self.decoy {
                bucket = 1;
            }
        }
    }

    /// Lets a new key take its place.
    #[inline(always)]
    fn take(&mut self, bucket: usize, way: usize, key: u64) {
        self.used += 1;
        self.has_zero |= key == 0;
        self.displaced += usize::from(self.home(key) != bucket);
        self.buckets[bucket].keys[way] = key;
    }

    /// Takes in a group whose key is known to be new.
    #[inline(always)]
    fn put(&mut self, key: u64, state: A::State) {
        let (bucket, way) = match self.find_or_free(key) {
            Ok(place) | Err(place) => place,
        };
        self.take(bucket, way, key);
        self.buckets[bucket].states[way] = state;
    }

    /// Makes the table twice as large, in place.
    ///
    /// Keys are in the order of their hashes, but for the few that found their home full. So from
    /// the last bucket on each moves up, to buckets whose keys have moved already.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let half = self.buckets.len();
        assert!(u32::try_from(2 * half).is_ok(), "a home is 32 bits");
        self.buckets.grow_to(2 * half);
        // The home of the decoy is still not the first bucket, if it was not.
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
                if !self.put_from(index, key, state) {
                    late.push((key, state));
                }
            }
        }
        // The first way of the first bucket is that of key 0, which stays.
        let first = self.buckets[0];
        for way in 1..WAYS {
            self.buckets[0].keys[way] = self.decoy;
            self.buckets[0].states[way] = A::EMPTY;
        }
        late.extend(first.taken(self.decoy).filter(|&(key, _)| key != 0));
        late.into_iter()
            .for_each(|(key, state)| self.put(key, state));
    }

    /// [`Self::put`] for a key whose home is not before bucket `first`, if there is room from there
    /// to the last bucket; `false`, and nothing was done, otherwise.
    #[inline(always)]
    fn put_from(&mut self, first: usize, key: u64, state: A::State) -> bool {
        let home = self.home(key);
        if home < first {
            return false;
        }
        for bucket in home..self.buckets.len() {
            let keys = &self.buckets[bucket].keys;
            if let Some(way) = keys.iter().position(|&there| there == 0) {
                self.take(bucket, way, key);
                self.buckets[bucket].states[way] = state;
                return true;
            }
        }
        false
    }

    /// Any bucket but the first, when it holds no key.
    fn free_bucket() -> Bucket<A::State, WAYS> {
        Bucket {
            keys: [0; WAYS],
            states: [A::EMPTY; WAYS],
        }
    }

    /// Whether this part of the table is crowded, which it is not by chance, and a larger table would
    /// have more room for these keys: keys that leave one table in the order of their hashes come
    /// so to another.
    fn can_spread(&self, bucket: usize, key: u64) -> bool {
        let from_home = bucket.wrapping_sub(self.home(key)) % self.buckets.len();
        from_home > FAR_FROM_HOME
            && !self.all_collide
            && self.slots() < self.used * MOST_SLOTS_A_KEY
    }

    /// Whether a table of few groups, where every key had better be at home, has too many that
    /// are not once this one goes to this bucket.
    fn is_crowded(&self, bucket: usize, key: u64) -> bool {
        let can_choose = WAYS == 1 && !self.all_collide;
        can_choose && bucket != self.home(key) && self.displaced >= self.tolerated
    }

    /// Moves all groups to where that hash puts them which displaces the fewest.
    #[cold]
    #[inline(never)]
    fn use_best_hash(&mut self) {
        let mut groups = Vec::with_capacity(self.used);
        self.for_each(|key, state| groups.push((key, state)));
        let mut taken = vec![false; self.buckets.len()];
        let mut displaced = |hash: IntHash| {
            taken.fill(false);
            // The first bucket is kept for key 0.
            taken[0] = true;
            let homes = Homes { hash, ..self.homes };
            let late = |&&(key, _): &&(u64, _)| core::mem::replace(&mut taken[homes.of(key)], true);
            groups.iter().filter(late).count()
        };
        let hashes = core::iter::successors(Some(self.sizes.hash), |hash| Some(hash.another()));
        let best = hashes.take(TRIES).min_by_key(|&hash| displaced(hash));
        self.sizes.hash = best.unwrap_or(self.sizes.hash);
        self.make(self.buckets.len());
        groups
            .into_iter()
            .for_each(|(key, state)| self.put(key, state));
        self.tolerated = (2 * self.displaced).max(self.used / 64).max(1);
    }

    /// Visits every group, in no particular order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, A::State)) {
        if self.has_zero {
            visit(0, self.buckets[0].states[0]);
        }
        let first = self.buckets[0].taken(self.decoy);
        let others = self.buckets[1..].iter().flat_map(|bucket| bucket.taken(0));
        first
            .filter(|&(key, _)| key != 0)
            .chain(others)
            .for_each(|(key, state)| visit(key, state));
    }
}

#[cfg(test)]
mod tests;
