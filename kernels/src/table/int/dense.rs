//! The states of small integer keys in an array indexed by key.

use super::AHEAD;
use crate::buffer::HugeVec;
use crate::stage::reduce_by_key::Aggregate;
use crate::table::prefetch;

/// An array with a state for each key of a range, whether the key was seen or not.
///
/// ```text
/// keys 7 9 7  ->  base 7 | state of 7 | of 8 | of 9 | …
///                 seen   |     1      |   0  |   1  | …
/// ```
pub(crate) struct DenseTable<A: Aggregate> {
    base: u64,
    states: HugeVec<A::State>,
    seen: HugeVec<u8>,
    /// Whether all keys of the range were seen, so that `seen` needs no more writes.
    all_seen: bool,
    prefetch_bytes: usize,
}

impl<A: Aggregate> DenseTable<A> {
    /// Makes a table without a range.
    pub(crate) fn new(prefetch_bytes: usize) -> Self {
        Self {
            base: 0,
            states: HugeVec::new(0),
            seen: HugeVec::new(0),
            all_seen: false,
            prefetch_bytes,
        }
    }

    /// Returns the number of keys of the range when it is widened to include `least` to `most`.
    pub(crate) fn range_with(&self, least: u64, most: u64) -> u128 {
        let (first, last) = self.union(least, most);
        u128::from(last - first) + 1
    }

    fn union(&self, least: u64, most: u64) -> (u64, u64) {
        if self.states.is_empty() {
            return (least, most);
        }
        let last = self.base + (self.states.len() - 1) as u64;
        (least.min(self.base), most.max(last))
    }

    /// Widens the range to include the keys from `least` to `most`.
    ///
    /// After the first call the range doubles, so that ascending or descending keys do not move the
    /// table each time.
    pub(crate) fn reserve(&mut self, least: u64, most: u64) {
        let (mut first, mut last) = self.union(least, most);
        let length = self.states.len();
        if last - first < length as u64 {
            return;
        }
        if length > 0 && first < self.base {
            first = first.saturating_sub(length as u64);
        } else if length > 0 {
            last = last.saturating_add(length as u64);
        }
        self.move_to(first, (last - first) as usize + 1);
    }

    /// Changes the range to `length` keys from `first` on, which must include the present range.
    fn move_to(&mut self, first: u64, length: usize) {
        let mut states = HugeVec::new(length);
        let mut seen = HugeVec::new(length);
        states.fill(A::EMPTY);
        let moved = self.base.wrapping_sub(first) as usize;
        if !self.states.is_empty() {
            states[moved..][..self.states.len()].copy_from_slice(&self.states);
            seen[moved..][..self.seen.len()].copy_from_slice(&self.seen);
        }
        (self.base, self.states, self.seen) = (first, states, seen);
        self.all_seen = false;
    }

    /// Adds rows: `values[i]` belongs to `keys[i]`.
    ///
    /// # Panics
    ///
    /// When a key is out of range.
    #[inline(always)]
    pub(crate) fn update(&mut self, keys: &[u64], values: &[i64]) {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        let (least, most) = least_and_most(keys);
        let reach = most.wrapping_sub(self.base);
        let in_range = keys.is_empty() || (least >= self.base && reach < self.states.len() as u64);
        assert!(in_range, "the range was widened for these keys");
        let far = size_of_val::<[_]>(&self.states) > self.prefetch_bytes;
        match (self.all_seen, far) {
            (false, false) => self.update_in_range::<true, false>(keys, values),
            (false, true) => self.update_in_range::<true, true>(keys, values),
            (true, false) => self.update_in_range::<false, false>(keys, values),
            (true, true) => self.update_in_range::<false, true>(keys, values),
        }
    }

    /// Does [`DenseTable::update`] for keys that were checked to be in range.
    #[inline(always)]
    fn update_in_range<const MARK: bool, const PREFETCH: bool>(
        &mut self,
        keys: &[u64],
        values: &[i64],
    ) {
        let (base, states) = (self.base, self.states.as_mut_ptr());
        let seen = self.seen.as_mut_ptr();
        for (row, (&key, &value)) in keys.iter().zip(values).enumerate() {
            if PREFETCH && let Some(&later) = keys.get(row + AHEAD) {
                prefetch(states.wrapping_add(later.wrapping_sub(base) as usize));
            }
            let place = key.wrapping_sub(base) as usize;
            // SAFETY: `update` has checked that all keys are at least `base` and below `base` +
            // length; `seen` is as long as `states`.
            unsafe {
                A::add(&mut *states.add(place), value);
                if MARK {
                    *seen.add(place) = 1;
                }
            }
        }
    }

    /// Checks whether all keys of the range were seen.
    pub(crate) fn check_all_seen(&mut self) {
        if !self.all_seen {
            self.all_seen = !self.seen.contains(&0);
        }
    }

    /// Merges the state of a group, whose key must be in range.
    pub(crate) fn merge(&mut self, key: u64, state: A::State) {
        let place = (key - self.base) as usize;
        A::merge(&mut self.states[place], state);
        self.seen[place] = 1;
    }

    /// Visits every group, ordered by key.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, A::State)) {
        for (place, (&state, &seen)) in self.states.iter().zip(self.seen.iter()).enumerate() {
            if seen != 0 {
                visit(self.base + place as u64, state);
            }
        }
    }

    /// Returns the number of groups.
    pub(crate) fn len(&self) -> usize {
        self.seen.iter().map(|&seen| usize::from(seen)).sum()
    }

    /// Removes all groups and keeps the range.
    pub(crate) fn clear(&mut self) {
        self.states.fill(A::EMPTY);
        self.seen.clear();
        self.all_seen = false;
    }

    /// Returns the bytes of memory that the table uses.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[_]>(&self.states) + self.seen.len()
    }
}

/// Returns the smallest and the largest key; without keys `(u64::MAX, 0)`.
#[inline(always)]
pub(crate) fn least_and_most(keys: &[u64]) -> (u64, u64) {
    keys.iter().fold((u64::MAX, 0), |(least, most), &key| {
        (least.min(key), most.max(key))
    })
}
