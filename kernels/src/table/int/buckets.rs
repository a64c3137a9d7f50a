//! An open-addressing table from 64-bit keys to states, in buckets of `WAYS` keys.
//!
//! ```text
//! WAYS = 1   | key state | key state | …                  few groups: one comparison a row
//! WAYS = 4   | k k k k s s s s | k k k k s s s s | …      many: one cache line a row
//! ```
//!
//! The fast loop looks for a key in its home bucket alone and ends where it is not there: that row
//! goes through [`BucketTable::add`], which knows new keys and full buckets. With four ways at half
//! load one key in 30 is not in its home bucket.
//!
//! A free slot holds a key that is never looked up at its bucket: 0 in all buckets but the first,
//! where 0 itself lives; there it is `decoy`, a key whose home is another bucket. So the loop needs
//! no test for free slots, and every 64-bit number can be a key.

use bytemuck::Zeroable;

use super::AHEAD;
use crate::buffer::HugeVec;
use crate::isa::Isa;
use crate::stage::reduce_by_key::Aggregate;
use crate::table::prefetch;

#[derive(Clone, Copy)]
#[repr(C)]
struct Bucket<S, const WAYS: usize> {
    keys: [u64; WAYS],
    states: [S; WAYS],
}

// SAFETY: keys are integers and `S: Zeroable`, so all-zero bytes are a bucket.
unsafe impl<S: Zeroable, const WAYS: usize> Zeroable for Bucket<S, WAYS> {}

/// How a table is made, and made again.
#[derive(Clone, Copy)]
pub(crate) struct TableSizes {
    /// Slots of a fresh table; a power of two.
    pub(crate) slots: usize,
    /// Bytes of a table above which probes are prefetched.
    pub(crate) prefetch_bytes: usize,
    /// Sixteenths of the slots that may be taken.
    pub(crate) fill: usize,
    /// What a key is multiplied with; 0 makes all keys collide.
    pub(crate) multiplier: u64,
}

pub(crate) struct BucketTable<A: Aggregate, const WAYS: usize> {
    buckets: HugeVec<Bucket<A::State, WAYS>>,
    /// `64 - log2(buckets)`: what is left of a product after this shift is a bucket.
    shift: u32,
    used: usize,
    has_zero: bool,
    /// Whether the last rows brought many new keys.
    many_new: bool,
    decoy: u64,
    /// Whether the decoy's home is the first bucket after all, because every key's is.
    all_collide: bool,
    sizes: TableSizes,
}

/// The least buckets of a table: there is a free slot beside the one kept for key 0.
const FEWEST: usize = 4;
/// Rows of a step of the fast loop.
const STEP: usize = 4;

impl<A: Aggregate, const WAYS: usize> BucketTable<A, WAYS> {
    pub(crate) fn new(sizes: TableSizes) -> Self {
        let buckets = (sizes.slots / WAYS).next_power_of_two().max(FEWEST);
        let mut table = Self {
            buckets: HugeVec::new(0),
            shift: 0,
            used: 0,
            has_zero: false,
            many_new: false,
            decoy: 1,
            all_collide: false,
            sizes,
        };
        table.make(buckets);
        table
    }

    /// Makes the table anew, without keys.
    fn make(&mut self, buckets: usize) {
        self.buckets = HugeVec::new(buckets);
        self.shift = 64 - buckets.trailing_zeros();
        let decoy = (0..64).map(|bit| 1 << bit).find(|&key| self.home(key) != 0);
        self.decoy = decoy.unwrap_or(1);
        self.all_collide = decoy.is_none();
        self.forget();
    }

    /// Marks all slots of a zeroed table as free, with states that take values in.
    fn forget(&mut self) {
        self.buckets[0].keys = [self.decoy; WAYS];
        if !A::EMPTY_IS_ZERO {
            let empty = |bucket: &mut Bucket<_, WAYS>| bucket.states = [A::EMPTY; WAYS];
            self.buckets.iter_mut().for_each(empty);
        }
        self.used = 0;
        self.has_zero = false;
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
        (key.wrapping_mul(self.sizes.multiplier) >> self.shift) as usize
    }

    /// Takes in one row after another: `values[i]` belongs to `keys[i]`.
    #[inline(always)]
    pub(crate) fn update<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        let blind = self.all_collide && keys.contains(&self.decoy);
        let (mut done, before) = (0, self.used);
        while done < keys.len() {
            if !blind {
                done += self.update_at_home(isa, &keys[done..], &values[done..]);
            }
            let some = if WAYS == 1 { STEP } else { 1 };
            let rest = keys[done..].iter().zip(&values[done..]);
            rest.take(some)
                .for_each(|(&key, &value)| self.add(key, value));
            done += some;
        }
        self.many_new = (self.used - before) * 16 > keys.len();
    }

    /// Takes in rows as far as the fast loop that suits them goes; tells how many.
    #[inline(always)]
    fn update_at_home<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) -> usize {
        let far = self.bytes() > self.sizes.prefetch_bytes;
        if WAYS > 1 && self.many_new {
            let room = (self.slots() * self.sizes.fill / 16).saturating_sub(self.used);
            let rows = room.min(keys.len());
            return self.update_or_insert(isa, &keys[..rows], &values[..rows]);
        }
        if far {
            self.update_known::<I, true>(isa, keys, values)
        } else {
            self.update_known::<I, false>(isa, keys, values)
        }
    }

    /// Takes in rows with many new keys, until one has no place in its home bucket; tells how many.
    ///
    /// Whether a key is new cannot be foretold, so there is no branch on it.
    #[inline(always)]
    fn update_or_insert<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) -> usize {
        let (multiplier, shift) = (self.sizes.multiplier, self.shift);
        let buckets = self.buckets.as_mut_ptr();
        // SAFETY: `shift` leaves log2(buckets) bits, so the bucket is one of the table's.
        let home =
            |key: u64| unsafe { buckets.add((key.wrapping_mul(multiplier) >> shift) as usize) };
        for (row, (&key, &value)) in keys.iter().zip(values).enumerate() {
            if let Some(&later) = keys.get(row + AHEAD) {
                prefetch_bucket(home(later));
            }
            let place = home(key);
            // The first bucket's free slots hold no zeros, and key 0 there is a key.
            let may_hold_zero = u32::from(place != buckets).wrapping_neg();
            // SAFETY: `home` gave a bucket of the table, which nothing else borrows.
            let bucket = unsafe { &mut *place };
            let found = find(isa, &bucket.keys, key);
            let free = find(isa, &bucket.keys, 0) & may_hold_zero;
            let ways = if found == 0 { free } else { found };
            if ways == 0 {
                return row;
            }
            let way = ways.trailing_zeros() as usize;
            // SAFETY: `ways` has a bit below `WAYS` and none above.
            unsafe {
                *bucket.keys.get_unchecked_mut(way) = key;
                A::add(bucket.states.get_unchecked_mut(way), value);
            }
            self.used += usize::from(found == 0);
        }
        keys.len()
    }

    /// Takes in rows until one is not in its home bucket, or one of the next few is not; tells how
    /// many it took.
    #[inline(always)]
    fn update_known<I: Isa, const PREFETCH: bool>(
        &mut self,
        isa: I,
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let (multiplier, shift) = (self.sizes.multiplier, self.shift);
        let buckets = self.buckets.as_mut_ptr();
        // SAFETY: `shift` leaves log2(buckets) bits, so the bucket is one of the table's.
        let home =
            |key: u64| unsafe { buckets.add((key.wrapping_mul(multiplier) >> shift) as usize) };
        let (keys, _) = keys.as_chunks::<STEP>();
        let (values, _) = values.as_chunks::<STEP>();
        for (step, (keys_now, values_now)) in keys.iter().zip(values).enumerate() {
            if PREFETCH && let Some(later) = keys.get(step + AHEAD / STEP) {
                later.iter().for_each(|&key| prefetch_bucket(home(key)));
            }
            // SAFETY: `home` gave buckets of the table, which nothing else borrows.
            let taken = unsafe {
                if WAYS == 1 {
                    Bucket::take_together::<A>(keys_now.map(home), keys_now, values_now)
                } else {
                    Bucket::take_in_turn::<A, I>(isa, home, keys_now, values_now)
                }
            };
            if taken < STEP {
                return step * STEP + taken;
            }
        }
        keys.len() * STEP
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
            Err((bucket, way)) => {
                self.used += 1;
                self.has_zero |= key == 0;
                self.buckets[bucket].keys[way] = key;
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

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut larger = Self::new(TableSizes {
            slots: self.slots() * 2,
            ..self.sizes
        });
        larger.sizes.slots = self.sizes.slots;
        self.for_each(|key, state| larger.merge(key, state));
        *self = larger;
    }

    /// Visits every group, in no particular order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, A::State)) {
        if self.has_zero {
            visit(0, self.buckets[0].states[0]);
        }
        for way in 1..WAYS {
            if self.buckets[0].keys[way] != self.decoy {
                visit(self.buckets[0].keys[way], self.buckets[0].states[way]);
            }
        }
        for bucket in &self.buckets[1..] {
            for (&key, &state) in bucket.keys.iter().zip(&bucket.states) {
                if key != 0 {
                    visit(key, state);
                }
            }
        }
    }
}

impl<S: Copy, const WAYS: usize> Bucket<S, WAYS> {
    /// Takes in all rows of a step if each key is the first of its bucket, else none.
    ///
    /// One way has so little to look at that a test for each row would be the most of it.
    ///
    /// # Safety
    ///
    /// The places must be buckets that nothing borrows.
    #[inline(always)]
    unsafe fn take_together<A: Aggregate<State = S>>(
        places: [*mut Self; STEP],
        keys: &[u64; STEP],
        values: &[i64; STEP],
    ) -> usize {
        // SAFETY: the caller says that the places are buckets.
        let is_there = |row: usize| unsafe { (*places[row]).keys[0] == keys[row] };
        if !(is_there(0) && is_there(1) && is_there(2) && is_there(3)) {
            return 0;
        }
        for row in 0..STEP {
            // SAFETY: as above; one state is borrowed at a time.
            A::add(unsafe { &mut (*places[row]).states[0] }, values[row]);
        }
        STEP
    }

    /// Takes in the rows of a step until a key is not in its bucket.
    ///
    /// # Safety
    ///
    /// `home` must give buckets that nothing borrows.
    #[inline(always)]
    unsafe fn take_in_turn<A: Aggregate<State = S>, I: Isa>(
        isa: I,
        home: impl Fn(u64) -> *mut Self,
        keys: &[u64; STEP],
        values: &[i64; STEP],
    ) -> usize {
        for row in 0..STEP {
            let place = home(keys[row]);
            // SAFETY: the caller says that the place is a bucket.
            let found = find(isa, unsafe { &(*place).keys }, keys[row]);
            if found == 0 {
                return row;
            }
            // SAFETY: as above; `found` has a bit below `WAYS`, so there is such a state.
            let state = unsafe {
                let states = (&raw mut (*place).states).cast::<S>();
                &mut *states.add(found.trailing_zeros() as usize)
            };
            A::add(state, values[row]);
        }
        STEP
    }
}

/// One bit for each way that holds the key.
#[inline(always)]
fn find<I: Isa, const WAYS: usize>(isa: I, keys: &[u64; WAYS], key: u64) -> u32 {
    match keys.first_chunk::<4>() {
        Some(four) if WAYS == 4 => isa.find_in_four(four, key),
        _ => (0..WAYS).fold(0, |found, way| found | u32::from(keys[way] == key) << way),
    }
}

/// Prefetches a bucket of one or two cache lines.
#[inline(always)]
fn prefetch_bucket<B>(bucket: *const B) {
    prefetch(bucket);
    if size_of::<B>() > 64 {
        prefetch(bucket.wrapping_byte_add(64));
    }
}
