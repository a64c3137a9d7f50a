//! An open-addressing table from 64-bit keys to states, in buckets of `WAYS` keys.
//!
//! ```text
//! WAYS = 1   | key state | key state | …                  few groups: one comparison a row
//! WAYS = 4   | k k k k s s s s | k k k k s s s s | …      many: one cache line a row
//! ```
//!
//! Rows are probed four at a time, each at its home bucket alone. Where all four keys are there,
//! their states take the values in; else the four go through [`BucketTable::add`], which knows new
//! keys and full buckets. With four ways at half load one key in 30 is not in its home bucket.
//!
//! A free slot holds a key that is never looked up at its bucket: 0 in all buckets but the first,
//! where 0 itself lives; there it is `decoy`, a key whose home is another bucket. So the loop needs
//! no test for free slots, and every 64-bit number can be a key.

use core::array::from_fn;

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
    decoy: u64,
    /// Whether the decoy's home is the first bucket after all, because every key's is.
    all_collide: bool,
    sizes: TableSizes,
}

/// The least buckets of a table: there is a free slot beside the one kept for key 0.
const FEWEST: usize = 4;
/// Rows that are probed before the first of them takes its value in.
const TOGETHER: usize = 4;

impl<A: Aggregate, const WAYS: usize> BucketTable<A, WAYS> {
    pub(crate) fn new(sizes: TableSizes) -> Self {
        let buckets = (sizes.slots / WAYS).next_power_of_two().max(FEWEST);
        let mut table = Self {
            buckets: HugeVec::new(0),
            shift: 0,
            used: 0,
            has_zero: false,
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

    /// Marks all slots of a zeroed table as free.
    fn forget(&mut self) {
        self.buckets[0].keys = [self.decoy; WAYS];
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
        let mut done = 0;
        while done < keys.len() {
            if !blind {
                let (keys, values) = (&keys[done..], &values[done..]);
                done += if self.bytes() > self.sizes.prefetch_bytes {
                    self.update_known::<I, true>(isa, keys, values)
                } else {
                    self.update_known::<I, false>(isa, keys, values)
                };
            }
            let some = keys.len().min(done + TOGETHER);
            for row in done..some {
                self.add(keys[row], values[row]);
            }
            done = some;
        }
    }

    /// Takes in rows, [`TOGETHER`] at a time, until one of some is not in its home bucket, and
    /// tells how many it took.
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
        let (keys, _) = keys.as_chunks::<TOGETHER>();
        let (values, _) = values.as_chunks::<TOGETHER>();
        for (some, (keys_now, values_now)) in keys.iter().zip(values).enumerate() {
            if PREFETCH && let Some(later) = keys.get(some + AHEAD / TOGETHER) {
                later.iter().for_each(|&key| prefetch_bucket(home(key)));
            }
            let places = keys_now.map(home);
            // SAFETY: `home` gave a bucket of the table, and nothing else borrows the table.
            let found: [u32; TOGETHER] =
                from_fn(|row| find(isa, unsafe { &(*places[row]).keys }, keys_now[row]));
            if found[0] == 0 || found[1] == 0 || found[2] == 0 || found[3] == 0 {
                return some * TOGETHER;
            }
            for row in 0..TOGETHER {
                let way = found[row].trailing_zeros() as usize;
                // SAFETY: as above, and one state is borrowed at a time; `found` holds a bit below
                // `WAYS`, so the way is one of the bucket's.
                let state = unsafe {
                    let states = &raw mut (*places[row]).states;
                    &mut *states.cast::<A::State>().add(way)
                };
                A::add(state, values_now[row]);
            }
        }
        keys.len() * TOGETHER
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
                self.buckets[bucket].states[way] = A::EMPTY;
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
