//! The table on the device: its buffers, and whether there is room in it.
#![forbid(unsafe_code)]

use keymill_shaders::{COUNT_KEY_BYTES, CountReport, count_table_words};

use crate::device::recording::{BufferId, Kept, Recording};

/// Slots that a token looks at before it is left to the host.
const PROBES: u32 = 32;

/// Bytes of the arena for each byte of the largest text, while the device binds so much.
const ARENA_FACTOR: u64 = 4;

/// A table that stays on a device, and what is known to be in it.
#[derive(Debug)]
pub(super) struct Table {
    slots: u32,
    most_slots: u32,
    arena_bytes: u64,
    slots_kept: Kept,
    keys_kept: Kept,
    arena_kept: Kept,
    groups: u32,
    /// Tokens were left because their chains were full.
    was_short: bool,
    arena_used: u64,
    /// Words of the arena that texts on their way may take.
    arena_promised: u64,
    /// Texts since it was empty.
    texts: u64,
}

/// The table's buffers in a recording.
pub(super) struct Buffers {
    pub(super) slots: BufferId,
    pub(super) keys: BufferId,
    pub(super) arena: BufferId,
}

/// The most words of the arena that the keys of a text take: of its keys beyond eight bytes, each
/// to the end of its last word.
fn arena_words(text_bytes: usize) -> u64 {
    text_bytes as u64 / 3 + 1
}

impl Table {
    pub(super) fn new(slots: usize, text_bytes: usize, binding_bytes: u64) -> Self {
        let most_slots = most_slots(binding_bytes);
        let wanted = u32::try_from(slots.max(1).next_power_of_two()).unwrap_or(most_slots);
        // Twice what one text takes, or nothing could be on its way beside another.
        let least = 8 * arena_words(text_bytes);
        let arena = (text_bytes as u64 * ARENA_FACTOR).max(least);
        Self {
            slots: wanted.min(most_slots),
            most_slots,
            arena_bytes: arena.min(binding_bytes / 16 * 16),
            slots_kept: Kept::new(),
            keys_kept: Kept::new(),
            arena_kept: Kept::new(),
            groups: 0,
            was_short: false,
            arena_used: 0,
            arena_promised: 0,
            texts: 0,
        }
    }

    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    pub(super) fn probes(&self) -> u32 {
        PROBES.min(self.slots)
    }

    /// Groups that were there when the last text was counted.
    pub(super) fn groups(&self) -> u32 {
        self.groups
    }

    /// Texts that were counted, or are on their way, since it was empty.
    pub(super) fn texts(&self) -> u64 {
        self.texts
    }

    /// Bytes of all groups and their keys.
    pub(super) fn drain_bytes(&self) -> usize {
        (u64::from(self.groups) * COUNT_KEY_BYTES + self.arena_used * 4) as usize
    }

    pub(super) fn buffers(&self, recording: &mut Recording) -> Buffers {
        let slot_bytes = count_table_words(self.slots) * 4;
        let key_bytes = u64::from(self.slots) * COUNT_KEY_BYTES;
        Buffers {
            slots: recording.kept(self.slots_kept, "table", slot_bytes),
            keys: recording.kept(self.keys_kept, "keys", key_bytes),
            arena: recording.kept(self.arena_kept, "arena", self.arena_bytes),
        }
    }

    /// Whether a text can be counted before the table is drained.
    pub(super) fn has_room(&self, text_bytes: usize) -> bool {
        let words = self.arena_used + self.arena_promised + arena_words(text_bytes);
        !self.is_crowded() && words * 4 <= self.arena_bytes
    }

    /// Notes that a text is on its way.
    pub(super) fn promise(&mut self, text_bytes: usize) {
        self.arena_promised += arena_words(text_bytes);
        self.texts += 1;
    }

    /// Notes what a text left behind; `left` of its tokens found no slot.
    pub(super) fn note(&mut self, text_bytes: usize, report: &CountReport, left: usize) {
        self.arena_promised -= arena_words(text_bytes);
        self.arena_used = report.arena_used.into();
        self.groups = report.groups;
        self.was_short |= left > 0;
    }

    /// Starts anew without groups, with more slots if there were too few; gives the buffers that
    /// nobody uses any more.
    pub(super) fn restart(&mut self) -> Vec<Kept> {
        let mut unused = vec![std::mem::replace(&mut self.slots_kept, Kept::new())];
        if self.is_crowded() && self.slots < self.most_slots {
            self.slots = (self.slots * 4).min(self.most_slots);
            unused.push(std::mem::replace(&mut self.keys_kept, Kept::new()));
        }
        self.groups = 0;
        self.was_short = false;
        self.arena_used = 0;
        self.arena_promised = 0;
        self.texts = 0;
        unused
    }

    /// All of its buffers.
    pub(super) fn kept(&self) -> [Kept; 3] {
        [self.slots_kept, self.keys_kept, self.arena_kept]
    }

    /// Chains grow long past half of the slots.
    fn is_crowded(&self) -> bool {
        self.was_short || self.groups > self.slots / 2
    }
}

/// The most slots of which the device binds everything, as a power of two: 16 million at most, which
/// take half a gigabyte.
fn most_slots(binding_bytes: u64) -> u32 {
    let fits = |slots: &u32| count_table_words(*slots) * 4 <= binding_bytes;
    let powers = (0..=24).map(|power| 1u32 << power);
    powers.take_while(fits).last().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_buffer_is_larger_than_what_a_device_binds() {
        for binding_bytes in [1 << 10, 128 << 20, (1 << 31) - 16] {
            let table = Table::new(1 << 30, 64 << 20, binding_bytes);
            let mut recording = Recording::default();
            table.buffers(&mut recording);
            for buffer in recording.buffers() {
                assert!(buffer.bytes <= binding_bytes, "{buffer:?}");
            }
            assert!(table.slots().is_power_of_two());
        }
    }

    #[test]
    fn a_crowded_table_has_no_room_until_it_has_grown() {
        let mut table = Table::new(4, 64, 128 << 20);
        assert!(table.has_room(64));
        let report = CountReport {
            groups: 3,
            arena_used: 2,
            ..CountReport::default()
        };
        table.promise(64);
        table.note(64, &report, 0);
        assert!(!table.has_room(64));
        assert_eq!(table.restart().len(), 2);
        assert!(table.has_room(64) && table.slots() == 16);
    }

    #[test]
    fn keys_never_take_more_of_the_arena_than_was_promised() {
        for length in 9..100usize {
            let tokens = 1000 / (length + 1);
            let words = (tokens * length.div_ceil(4)) as u64;
            assert!(words <= arena_words(tokens * (length + 1) - 1), "{length}");
        }
        let mut table = Table::new(1 << 10, 300, 128 << 20);
        table.promise(300);
        assert!(table.has_room(300));
        (0..20).for_each(|_| table.promise(300));
        assert!(!table.has_room(300));
    }
}
