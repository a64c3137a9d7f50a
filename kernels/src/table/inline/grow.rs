//! How a table grows: in place, as its keys are in the order of their hashes.
#![forbid(unsafe_code)]

use core::hint::select_unpredictable;
use core::mem;
use core::ops::Range;

use bytemuck::Zeroable;

use super::{AHEAD, InlineKey, InlineTable, Slot};

impl<K: InlineKey> InlineTable<K> {
    /// Makes the table twice as large, in place.
    ///
    /// Keys are in the order of their hashes, but for the few that found their home taken. So from
    /// the last slots on some at a time move up, to slots whose keys have moved already. `by_count`
    /// lets the most frequent one of several keys take their common home.
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

    /// Empties slots into `moving`, without a branch on which are taken; returns how many were, and
    /// asks for their new homes.
    #[inline(always)]
    fn take_out(&mut self, places: Range<usize>, moving: &mut [Slot<K>; AHEAD]) -> usize {
        let mut taken = 0;
        for place in places {
            let slot = mem::replace(&mut self.slots[place], Slot::zeroed());
            self.ask_for(slot.key);
            moving[taken] = slot;
            taken += usize::from(!slot.key.is_free());
        }
        taken
    }

    /// Puts new keys to their homes, without a branch on which of these are free; leaves those
    /// whose home is taken at the front of `moving`, and returns how many they are.
    ///
    /// A key whose home is not among the slots that were emptied is taken out with it once more.
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

    /// Gives a new key a slot at its home or behind it, if that is not before slot `first`.
    fn put(&mut self, slot: Slot<K>, first: usize, by_count: bool) -> bool {
        let home = self.home(slot.key) & (self.slots.len() - 1);
        home >= first && self.put_at(slot, home, by_count)
    }

    /// Gives a new key the first free slot from `home` to the end.
    fn put_at(&mut self, slot: Slot<K>, home: usize, by_count: bool) -> bool {
        let free = self.slots[home..]
            .iter()
            .position(|slot| slot.key.is_free());
        let Some(behind) = free else { return false };
        self.slots[home + behind] = slot;
        if by_count && slot.value > self.slots[home].value {
            // As in `add`: the more frequent key is found at once.
            self.slots.swap(home, home + behind);
        }
        true
    }
}
