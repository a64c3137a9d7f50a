//! The fast loops over the buckets of a table, for rows whose keys are in or next to their home.

use bytemuck::Zeroable;

use super::AHEAD;
use crate::isa::Isa;
use crate::stage::reduce_by_key::Aggregate;
use crate::table::prefetch;

/// Keys and their states.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Bucket<S, const WAYS: usize> {
    pub(super) keys: [u64; WAYS],
    pub(super) states: [S; WAYS],
}

// SAFETY: keys are integers and `S: Zeroable`, so all-zero bytes are a bucket.
unsafe impl<S: Zeroable, const WAYS: usize> Zeroable for Bucket<S, WAYS> {}

impl<S: Copy, const WAYS: usize> Bucket<S, WAYS> {
    /// Returns the keys that are not `free`, and their states.
    pub(super) fn taken(&self, free: u64) -> impl Iterator<Item = (u64, S)> {
        let Self { keys, states } = *self;
        (0..WAYS)
            .map(move |way| (keys[way], states[way]))
            .filter(move |&(key, _)| key != free)
    }
}

/// Number of rows of a step.
pub(super) const STEP: usize = 4;
/// Prefetch distance within a column, in bytes: about a tile, as the next tile is likely to follow
/// in memory. It is only a hint.
const TILE_BYTES: usize = 8192;

/// Pointers to the first and last bucket of a table.
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

    /// Adds rows to a table with one way, in steps, until a key is not in its home bucket; returns
    /// the number of rows added.
    ///
    /// So little work is done per row that a branch for each row would be most of it.
    ///
    /// # Safety
    ///
    /// `home` must return the index of a bucket, and nothing else may borrow the table.
    #[inline(always)]
    pub(super) unsafe fn update_one_way<A: Aggregate<State = S>>(
        &self,
        home: impl Fn(u64) -> usize,
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        let (keys, _) = keys.as_chunks::<STEP>();
        let (values, _) = values.as_chunks::<STEP>();
        for (step, (keys_now, values_now)) in keys.iter().zip(values).enumerate() {
            prefetch_next_tile(keys.as_ptr().wrapping_add(step));
            prefetch_next_tile(values.as_ptr().wrapping_add(step));
            // SAFETY: the caller promises that the homes are buckets.
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

    /// Adds rows until a key is neither in its home bucket nor in the next one; returns the number
    /// of rows added.
    ///
    /// # Safety
    ///
    /// Every home must be the index of a bucket, and nothing else may borrow the table.
    #[inline(always)]
    pub(super) unsafe fn update_known<A: Aggregate<State = S>, I: Isa, const FAR: bool>(
        &self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> usize {
        for (row, ((&home, &key), &value)) in homes.iter().zip(keys).zip(values).enumerate() {
            if row % 8 == 0 {
                prefetch_next_tile(keys.as_ptr().wrapping_add(row));
                prefetch_next_tile(values.as_ptr().wrapping_add(row));
            }
            if FAR {
                self.prefetch_ahead(homes, row);
            }
            // SAFETY: the caller promises that the home is a bucket.
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

    /// Prefetches the bucket of a later row.
    #[inline(always)]
    fn prefetch_ahead(&self, homes: &[u32], row: usize) {
        if let Some(&later) = homes.get(row + AHEAD) {
            prefetch_bucket(self.first.wrapping_add(later as usize));
        }
    }

    /// Adds rows with many new keys, until a key has no room in its home bucket and the next one;
    /// returns the number of rows added, and of new keys.
    ///
    /// It is unpredictable whether a key is new, so there is no branch on it.
    /// Whether a key is new cannot be foretold, so there is no branch on it.
    ///
    /// # Safety
    ///
    /// As for [`Places::update_known`].
    #[inline(always)]
    pub(super) unsafe fn update_or_insert<A: Aggregate<State = S>, I: Isa>(
        &self,
        isa: I,
        homes: &[u32],
        keys: &[u64],
        values: &[i64],
    ) -> (usize, usize) {
        let mut new = 0;
        for (row, ((&home, &key), &value)) in homes.iter().zip(keys).zip(values).enumerate() {
            self.prefetch_ahead(homes, row);
            // SAFETY: the caller promises that the home is a bucket.
            let place = unsafe { self.first.add(home as usize) };
            // SAFETY: as above; nothing else borrows it.
            let mut bucket = unsafe { &mut *place };
            let mut found = find(isa, &bucket.keys, key);
            // Free slots of the first bucket do not hold 0; there, 0 is a key.
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

    /// Returns the bucket that is searched after this one. There is none after the last one, and
    /// none after the first one, as key 0 is only searched there.
    #[inline(always)]
    fn next(&self, place: *mut Bucket<S, WAYS>) -> Option<*mut Bucket<S, WAYS>> {
        (place != self.first && place != self.last).then(|| place.wrapping_add(1))
    }
}

/// Returns one bit for each way that holds the key.
#[inline(always)]
fn find<I: Isa, const WAYS: usize>(isa: I, keys: &[u64; WAYS], key: u64) -> u32 {
    match keys.first_chunk::<4>() {
        Some(four) if WAYS == 4 => isa.find_in_four(four, key),
        _ => (0..WAYS).fold(0, |found, way| found | u32::from(keys[way] == key) << way),
    }
}

/// Prefetches the rows of a column that are a tile after these.
#[inline(always)]
fn prefetch_next_tile<T>(rows: *const T) {
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
