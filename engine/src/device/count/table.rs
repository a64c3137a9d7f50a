//! The table on the device: its buffers and its free space.
#![forbid(unsafe_code)]

use keymill_shaders::{COUNT_KEY_BYTES, CountReport, count_table_words};

use crate::device::recording::{BufferId, PersistentId, Recording};

/// The number of slots that are probed for a token before it is left to the host.
const PROBES: u32 = 32;

/// The size of the arena as a multiple of the largest text, if the device can bind that much.
const ARENA_FACTOR: u64 = 4;

/// A table that stays on the device, and what the host knows of its content.
#[derive(Debug)]
pub(super) struct Table {
    slots: u32,
    max_slots: u32,
    arena_bytes: u64,
    slots_id: PersistentId,
    keys_id: PersistentId,
    arena_id: PersistentId,
    groups: u32,
    /// Some tokens found no free slot.
    slots_ran_out: bool,
    arena_used: u64,
    /// Words of the arena that are reserved for texts in flight.
    arena_reserved: u64,
    /// Texts since the last reset.
    texts: u64,
}

/// The buffers of the table in a recording.
pub(super) struct Buffers {
    pub(super) slots: BufferId,
    pub(super) keys: BufferId,
    pub(super) arena: BufferId,
}

/// Returns the maximum number of arena words for the keys of a text. Only keys longer than eight
/// bytes are in the arena, each rounded up to a whole word.
fn arena_words(text_bytes: usize) -> u64 {
    text_bytes as u64 / 3 + 1
}

impl Table {
    pub(super) fn new(slots: usize, text_bytes: usize, binding_bytes: u64) -> Self {
        let max_slots = max_slots(binding_bytes);
        let wanted = u32::try_from(slots.max(1).next_power_of_two()).unwrap_or(max_slots);
        // Room for the keys of two texts, so that two can be in flight.
        let least = 8 * arena_words(text_bytes);
        let arena = (text_bytes as u64 * ARENA_FACTOR).max(least);
        Self {
            slots: wanted.min(max_slots),
            max_slots,
            arena_bytes: arena.min(binding_bytes / 16 * 16),
            slots_id: PersistentId::new(),
            keys_id: PersistentId::new(),
            arena_id: PersistentId::new(),
            groups: 0,
            slots_ran_out: false,
            arena_used: 0,
            arena_reserved: 0,
            texts: 0,
        }
    }

    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    pub(super) fn probes(&self) -> u32 {
        PROBES.min(self.slots)
    }

    /// Returns the number of groups after the last finished text.
    pub(super) fn groups(&self) -> u32 {
        self.groups
    }

    /// Returns the number of texts since the last reset, including those in flight.
    pub(super) fn texts(&self) -> u64 {
        self.texts
    }

    /// Returns the size of all groups and their keys in bytes.
    pub(super) fn drain_bytes(&self) -> usize {
        (u64::from(self.groups) * COUNT_KEY_BYTES + self.arena_used * 4) as usize
    }

    pub(super) fn buffers(&self, recording: &mut Recording) -> Buffers {
        let slot_bytes = count_table_words(self.slots) * 4;
        let key_bytes = u64::from(self.slots) * COUNT_KEY_BYTES;
        Buffers {
            slots: recording.persistent(self.slots_id, "table", slot_bytes),
            keys: recording.persistent(self.keys_id, "keys", key_bytes),
            arena: recording.persistent(self.arena_id, "arena", self.arena_bytes),
        }
    }

    /// Tells whether a text can be counted without a drain before it.
    pub(super) fn has_room(&self, text_bytes: usize) -> bool {
        let words = self.arena_used + self.arena_reserved + arena_words(text_bytes);
        !self.is_too_full() && words * 4 <= self.arena_bytes
    }

    /// Reserves arena space for a text in flight.
    pub(super) fn reserve(&mut self, text_bytes: usize) {
        self.arena_reserved += arena_words(text_bytes);
        self.texts += 1;
    }

    /// Records the report of a text. `left` is the number of its tokens that found no slot.
    pub(super) fn record_result(&mut self, text_bytes: usize, report: &CountReport, left: usize) {
        self.arena_reserved -= arena_words(text_bytes);
        self.arena_used = report.arena_used.into();
        self.groups = report.groups;
        self.slots_ran_out |= left > 0;
    }

    /// Empties the table, and grows it if it was too full. Returns the buffers to free.
    pub(super) fn reset(&mut self) -> Vec<PersistentId> {
        let mut unused = vec![std::mem::replace(&mut self.slots_id, PersistentId::new())];
        if self.is_too_full() && self.slots < self.max_slots {
            self.slots = (self.slots * 4).min(self.max_slots);
            unused.push(std::mem::replace(&mut self.keys_id, PersistentId::new()));
        }
        self.groups = 0;
        self.slots_ran_out = false;
        self.arena_used = 0;
        self.arena_reserved = 0;
        self.texts = 0;
        unused
    }

    /// Returns the ids of all its buffers.
    pub(super) fn persistent_ids(&self) -> [PersistentId; 3] {
        [self.slots_id, self.keys_id, self.arena_id]
    }

    /// More than half of the slots are in use, or some tokens found no slot.
    fn is_too_full(&self) -> bool {
        self.slots_ran_out || self.groups > self.slots / 2
    }
}

/// Returns the maximum number of slots, a power of two: all buffers must be bindable, and the limit
/// is 16 million slots, which take half a gigabyte.
fn max_slots(binding_bytes: u64) -> u32 {
    let fits = |slots: &u32| count_table_words(*slots) * 4 <= binding_bytes;
    let powers = (0..=24).map(|power| 1u32 << power);
    powers.take_while(fits).last().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_buffer_is_larger_than_the_binding_limit() {
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
    fn a_full_table_has_no_room_until_it_grows() {
        let mut table = Table::new(4, 64, 128 << 20);
        assert!(table.has_room(64));
        let report = CountReport {
            groups: 3,
            arena_used: 2,
            ..CountReport::default()
        };
        table.reserve(64);
        table.record_result(64, &report, 0);
        assert!(!table.has_room(64));
        assert_eq!(table.reset().len(), 2);
        assert!(table.has_room(64) && table.slots() == 16);
    }

    #[test]
    fn keys_never_use_more_of_the_arena_than_reserved() {
        for length in 9..100usize {
            let tokens = 1000 / (length + 1);
            let words = (tokens * length.div_ceil(4)) as u64;
            assert!(words <= arena_words(tokens * (length + 1) - 1), "{length}");
        }
        let mut table = Table::new(1 << 10, 300, 128 << 20);
        table.reserve(300);
        assert!(table.has_room(300));
        (0..20).for_each(|_| table.reserve(300));
        assert!(!table.has_room(300));
    }
}
