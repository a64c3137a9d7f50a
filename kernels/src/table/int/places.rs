//! The fast loops over the buckets of a table: rows whose keys are where they are looked for first.

use bytemuck::Zeroable;

use super::AHEAD;
use crate::isa::Isa;
use crate::stage::reduce_by_key::Aggregate;
use crate::table::prefetch;

/// Keys, and the state of each.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Bucket<S, const WAYS: usize> {
    pub(super) keys: [u64; WAYS],
    pub(super) states: [S; WAYS],
}

// SAFETY: keys are integers and `S: Zeroable`, so all-zero bytes are a bucket.
unsafe impl<S: Zeroable, const WAYS: usize> Zeroable for Bucket<S, WAYS> {}

impl<S: Copy, const WAYS: usize> Bucket<S, WAYS> {
    /// The keys that are not `free`, and their states.
    pub(super) fn taken(&self, free: u64) -> impl Iterator<Item = (u64, S)> {
        let Self { keys, states } = *self;
        (0..WAYS)
            .map(move |way| (keys[way], states[way]))
            .filter(move |&(key, _)| key != free)
    }
}

/// Rows of a step.
pub(super) const STEP: usize = 4;
/// Bytes ahead of the column that is worked on which are asked for: about a tile, as the next one is
/// likely to lie behind this one. It is only a hint.
const TILE_BYTES: usize = 8192;

/// Where the buckets of a table lie.
pub(super) struct Places<S, const WAYS: usize> {
    first: *mut Bucket<S, WAYS>,
    last: *mut Bucket<S, WAYS>,
}

impl<S: Copy, const WAYS: usize> Places<S, WAYS> {
    pub(super) fn of(buckets: &mut [Bucket<S, WAYS>]) -> Self {
        let places = buckets.as_mut_ptr_range();
        Self {
            first: places.start,
            last: places.end.wrapping_sub(1),
        }
    }

    /// Takes in rows of a table with one way, in steps, until a key is not in its home bucket; tells
    /// how many it took.
    ///
    /// There is so little to look at that a test for each row would be the most of it.
    ///
    /// # Safety
    ///
    /// `home` must give the index of a bucket, and nothing else may borrow the table.
    #[inline(always)]
    pub(super) unsafe fn take_few<A: Aggregate<State = S>>(
        &self,
        home: impl Fn(u64) -> usize,
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let (keys, _) = keys.as_chunks::<STEP>();
        let (values, _) = values.as_chunks::<STEP>();
        for (step, (keys_now, values_now)) in keys.iter().zip(values).enumerate() {
            ask_for_next_tile(keys.as_ptr().wrapping_add(step));
            ask_for_next_tile(values.as_ptr().wrapping_add(step));
            // SAFETY: the caller says that the homes are buckets.
            let places = keys_now.map(|key| unsafe { self.first.add(home(key)) });
            // SAFETY: as above.
            let is_there = |row: usize| unsafe { (*places[row]).keys[0] == keys_now[row] };
            if !(is_there(0) && is_there(1) && is_there(2) && is_there(3)) {
                return step * STEP;
            }
            for row in 0..STEP {
                // SAFETY: as above; one state is borrowed at a time.
                A::add(unsafe { &mut (*places[row]).states[0] }, values_now[row]);
            }
        }
        keys.len() * STEP
    }

    /// Takes in rows until a key is neither in its home bucket nor in the next one; tells how many
    /// it took.
    ///
    /// # Safety
    ///
    /// Every home must be the index of a bucket, and nothing else may borrow the table.
    #[inline(always)]
    pub(super) unsafe fn take_known<A: Aggregate<State = S>, I: Isa, const FAR: bool>(
        &self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        for (row, ((&home, &key), &value)) in homes.iter().zip(keys).zip(values).enumerate() {
            if row % 8 == 0 {
                ask_for_next_tile(keys.as_ptr().wrapping_add(row));
                ask_for_next_tile(values.as_ptr().wrapping_add(row));
            }
            if FAR {
                self.ask_ahead(homes, row);
            }
            // SAFETY: the caller says that the home is a bucket.
            let mut place = unsafe { self.first.add(home as usize) };
            // SAFETY: as above.
            let mut found = find(isa, unsafe { &(*place).keys }, key);
            if found == 0 {
                let Some(next) = self.next(place) else {
                    return row;
                };
                place = next;
                // SAFETY: as above.
                found = find(isa, unsafe { &(*place).keys }, key);
                if found == 0 {
                    return row;
                }
            }
            // SAFETY: as above; `found` has a bit below `WAYS`, so there is such a state.
            let state = unsafe {
                let states = (&raw mut (*place).states).cast::<S>();
                &mut *states.add(found.trailing_zeros() as usize)
            };
            A::add(state, value);
        }
        keys.len()
    }

    /// Asks for the bucket of a later row.
    #[inline(always)]
    fn ask_ahead(&self, homes: &[u32], row: usize) {
        if let Some(&later) = homes.get(row + AHEAD) {
            prefetch_bucket(self.first.wrapping_add(later as usize));
        }
    }

    /// Takes in rows with many new keys, until one has no place in its home bucket nor in the next
    /// one; tells how many, and how many keys were new.
    ///
    /// Whether a key is new cannot be foretold, so there is no branch on it.
    ///
    /// # Safety
    ///
    /// As for [`Places::take_known`].
    #[inline(always)]
    pub(super) unsafe fn take_or_insert<A: Aggregate<State = S>, I: Isa>(
        &self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> (usize, usize) {
        let mut new = 0;
        for (row, ((&home, &key), &value)) in homes.iter().zip(keys).zip(values).enumerate() {
            self.ask_ahead(homes, row);
            // SAFETY: the caller says that the home is a bucket.
            let place = unsafe { self.first.add(home as usize) };
            // SAFETY: as above; nothing else borrows it.
            let mut bucket = unsafe { &mut *place };
            let mut found = find(isa, &bucket.keys, key);
            // The first bucket's free slots hold no zeros, and key 0 there is a key.
            let may_hold_zero = u32::from(place != self.first).wrapping_neg();
            let mut free = find(isa, &bucket.keys, 0) & may_hold_zero;
            if found | free == 0 {
                let Some(next) = self.next(place) else {
                    return (row, new);
                };
                // SAFETY: as above; and the next bucket is not the first one.
                bucket = unsafe { &mut *next };
                found = find(isa, &bucket.keys, key);
                free = find(isa, &bucket.keys, 0);
            }
            let ways = if found == 0 { free } else { found };
            if ways == 0 {
                return (row, new);
            }
            let way = ways.trailing_zeros() as usize;
            // SAFETY: `ways` has a bit below `WAYS` and none above.
            unsafe {
                *bucket.keys.get_unchecked_mut(way) = key;
                A::add(bucket.states.get_unchecked_mut(way), value);
            }
            new += usize::from(found == 0);
        }
        (keys.len(), new)
    }

    /// The bucket where a key is looked for that is not in this one. There is none behind the last
    /// one; nor for the first one, as key 0 is looked for there alone.
    #[inline(always)]
    fn next(&self, place: *mut Bucket<S, WAYS>) -> Option<*mut Bucket<S, WAYS>> {
        (place != self.first && place != self.last).then(|| place.wrapping_add(1))
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

/// Prefetches what lies a tile behind these rows of a column.
#[inline(always)]
fn ask_for_next_tile<T>(rows: *const T) {
    prefetch(rows.wrapping_byte_add(TILE_BYTES));
}

/// Prefetches a bucket of one or two cache lines.
#[inline(always)]
pub(super) fn prefetch_bucket<B>(bucket: *const B) {
    prefetch(bucket);
    if size_of::<B>() > 64 {
        prefetch(bucket.wrapping_byte_add(64));
    }
}
