//! Growing a table in place, which works as its keys are in hash order.
#![forbid(unsafe_code)]

use core::hint::select_unpredictable;
use core::mem;
use core::ops::Range;

use bytemuck::Zeroable;

use super::{AHEAD, InlineKey, InlineTable, Slot};

impl<K: InlineKey> InlineTable<K> {
    /// Doubles the size of the table in place.
    ///
    /// Keys are in hash order, except the few whose home was in use. From the last slots on, some
    /// keys at a time move up, to slots whose keys have moved already. With `by_count`, the most
    /// frequent of several keys with the same home gets the home slot.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self, by_count: bool) {
        let mut end = self.slots.len();
        self.slots.grow_to(2 * end);
        self.shift -= 1;
        let mut late = Vec::new();
        let mut moving = [Slot::zeroed(); AHEAD];
        while end > 0 {
            let first = end.saturating_sub(AHEAD);
            let taken = self.take_out(first..end, &mut moving);
            let left = self.put_home(&mut moving[..taken]);
            for &slot in &moving[..left] {
                if !self.put(slot, first, by_count) {
                    late.push(slot);
                }
            }
            end = first;
        }
        for slot in late {
            let moved = self.put(slot, 0, by_count) || self.put_at(slot, 0, by_count);
            assert!(moved, "half of the slots are free");
        }
    }

    /// Moves the keys of slots to `moving`, without a branch on which slots are in use; prefetches
    /// their new homes and returns their number.
    #[inline(always)]
    fn take_out(&mut self, places: Range<usize>, moving: &mut [Slot<K>; AHEAD]) -> usize {
        let mut taken = 0;
        for place in places {
            let slot = mem::replace(&mut self.slots[place], Slot::zeroed());
            self.prefetch_slot(slot.key);
            moving[taken] = slot;
            taken += usize::from(!slot.key.is_free());
        }
        taken
    }

    /// Stores keys in their home slots, without a branch on which slots are free; moves the keys
    /// whose home is in use to the front of `moving`, and returns their number.
    ///
    /// A key whose home is below the emptied slots is moved once more with the slots of its home.
    #[inline(always)]
    fn put_home(&mut self, moving: &mut [Slot<K>]) -> usize {
        let mut left = 0;
        for i in 0..moving.len() {
            let slot = moving[i];
            let home = self.home(slot.key) & (self.slots.len() - 1);
            let there = &mut self.slots[home];
            let fits = there.key.is_free();
            *there = select_unpredictable(fits, slot, *there);
            moving[left] = slot;
            left += usize::from(!fits);
        }
        left
    }

    /// Stores a new key at its home or after it, if the home is not before slot `first`.
    fn put(&mut self, slot: Slot<K>, first: usize, by_count: bool) -> bool {
        let home = self.home(slot.key) & (self.slots.len() - 1);
        home >= first && self.put_at(slot, home, by_count)
    }

    /// Stores a new key in the first free slot from `home` to the end.
    fn put_at(&mut self, slot: Slot<K>, home: usize, by_count: bool) -> bool {
        let free = self.slots[home..]
            .iter()
            .position(|slot| slot.key.is_free());
        let Some(distance) = free else { return false };
        self.slots[home + distance] = slot;
        if by_count && slot.value > self.slots[home].value {
            // As in `add`: the more frequent key gets the home slot.
            self.slots.swap(home, home + distance);
        }
        true
    }
}
