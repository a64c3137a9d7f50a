//! Groups as words that are sorted by integer comparison.

use std::cmp::Ordering;

use keymill_kernels::{KeyCounts, extend_hugely};

use crate::Result;
use crate::operator::text_count::columns::{big_endian_prefix, sortable_mid, sortable_short};

/// The sort order of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortBy {
    /// By the bytes of the key.
    Key,
    /// By the count, the largest first, then by the bytes of the key.
    Count,
}

/// Three words that are compared one after the other to sort groups.
///
/// ```text
/// by key    key 0..8  │ key 8..16 │ count       (keys differ, so the count never decides)
/// by count  !count    │ key 0..8  │ key 8..16
/// ```
///
/// Key words are big-endian and padded with zeros. An inline key holds no NUL, so with padding a
/// shorter key is before a longer one with the same beginning. Counts are never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry(pub(super) [u64; 3]);

impl Entry {
    #[inline(always)]
    fn first_two(self) -> u128 {
        u128::from(self.0[0]) << 64 | u128::from(self.0[1])
    }
}

impl Ord for Entry {
    #[inline(always)]
    fn cmp(&self, other: &Self) -> Ordering {
        let first = self.first_two().cmp(&other.first_two());
        first.then(self.0[2].cmp(&other.0[2]))
    }
}

impl PartialOrd for Entry {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    /// Without a branch: sorts use only this function, and the result is unpredictable.
    #[inline(always)]
    fn lt(&self, other: &Self) -> bool {
        let (a, b) = (self.first_two(), other.first_two());
        (a < b) | ((a == b) & (self.0[2] < other.0[2]))
    }
}

/// A key without an inline form: its first 16 bytes as an entry, and the position of all bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongEntry {
    pub(super) head: Entry,
    pub(super) start: usize,
    pub(super) length: usize,
}

impl SortBy {
    /// Makes the entry of a key and its count.
    #[inline(always)]
    pub(super) fn entry(self, key: u128, count: u64) -> Entry {
        let [high, low] = [(key >> 64) as u64, key as u64];
        match self {
            Self::Key => Entry([high, low, count]),
            Self::Count => Entry([!count, high, low]),
        }
    }

    /// Returns the key and the count of an entry.
    #[inline(always)]
    pub(super) fn parts(self, Entry([a, b, c]): Entry) -> (u128, u64) {
        let key = |high, low| u128::from(high) << 64 | u128::from(low);
        match self {
            Self::Key => (key(a, b), c),
            Self::Count => (key(b, c), !a),
        }
    }

    /// Returns the words of an entry that decide the order.
    #[inline(always)]
    pub(super) fn deciding(self, Entry([a, b, c]): Entry) -> [u64; 3] {
        match self {
            Self::Key => [a, b, 0],
            Self::Count => [a, b, c],
        }
    }

    /// Compares two long keys.
    pub(super) fn compare_long(
        self,
        (a, a_bytes): (&LongEntry, &[u8]),
        (b, b_bytes): (&LongEntry, &[u8]),
    ) -> Ordering {
        let heads = self.deciding(a.head).cmp(&self.deciding(b.head));
        heads.then_with(|| a_bytes.cmp(b_bytes))
    }

    /// Returns whether an inline group comes before a long one.
    ///
    /// If their words are equal, the inline key is a prefix of the long one: it ends where the long
    /// key has a NUL or a 17th byte.
    #[inline]
    pub(super) fn inline_first(self, inline: Entry, long: &LongEntry) -> bool {
        self.deciding(inline) <= self.deciding(long.head)
    }
}

/// Long keys with their bytes.
#[derive(Debug, Default)]
pub(super) struct LongRows {
    pub(super) entries: Vec<LongEntry>,
    arena: Vec<u8>,
}

impl LongRows {
    pub(super) fn push(&mut self, head: Entry, key: &[u8]) {
        let start = self.arena.len();
        extend_hugely(&mut self.arena, key);
        let length = key.len();
        self.entries.push(LongEntry {
            head,
            start,
            length,
        });
    }

    pub(super) fn key(&self, entry: &LongEntry) -> &[u8] {
        &self.arena[entry.start..][..entry.length]
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<LongEntry>() + self.arena.capacity()
    }

    pub(super) fn append(&mut self, other: Self) {
        if self.entries.is_empty() {
            *self = other;
            return;
        }
        for entry in &other.entries {
            self.push(entry.head, other.key(entry));
        }
    }

    pub(super) fn sort(&mut self, by: SortBy) {
        let arena = &self.arena;
        let key = |entry: &LongEntry| &arena[entry.start..][..entry.length];
        self.entries
            .sort_unstable_by(|a, b| by.compare_long((a, key(a)), (b, key(b))));
    }
}

/// Receives groups one by one, in sortable form.
pub(super) trait GroupSink {
    /// Receives an inline key, the first byte highest.
    fn inline(&mut self, key: u128, count: u64) -> Result<()>;
    /// Receives a long key, and its head.
    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()>;
}

/// Passes every group to `sink`.
#[inline]
pub(super) fn for_each_sortable(
    groups: &KeyCounts,
    by: SortBy,
    sink: &mut impl GroupSink,
) -> Result<()> {
    for group in &groups.short {
        sink.inline(sortable_short(group.key), group.count)?;
    }
    for group in &groups.mid {
        sink.inline(sortable_mid(group.key), group.count)?;
    }
    for group in &groups.long {
        let key = groups.long_key(group);
        sink.long(by.entry(big_endian_prefix(key), group.count), key)?;
    }
    if groups.empty > 0 {
        sink.inline(0, groups.empty)?;
    }
    debug_assert!(
        groups.packed_long.is_empty(),
        "reduced long keys are not packed"
    );
    groups.packed_short.try_for_each_run(|keys| {
        let mut keys = keys.iter();
        keys.try_for_each(|&key| sink.inline(sortable_mid(key), 1))
    })
}
