//! Keys and their counts as plain columns, without a table: the output of a counter.
//!
//! ```text
//! short  u64 key (1..=8 bytes)     | u64 count
//! mid    2×u64 key (9..=16 bytes)  | u64 count
//! long   place in the arena        | u64 count
//! empty                              u64 count
//! packed keys of 1..=15 bytes, and long ones, that each count one
//! ```
//!
//! An inline key (short or mid) holds no NUL byte, so that padding with zeros is unambiguous. A key
//! with a NUL byte is long whatever its length; only [`class_of`] decides this.
#![forbid(unsafe_code)]

mod packed;
mod packed_long;
mod packed_short;

use core::mem;

use bytemuck::{Pod, Zeroable};

use crate::buffer::extend_hugely;

pub use packed_long::PackedLong;
pub(crate) use packed_short::LONGEST as LONGEST_ONCE;
pub use packed_short::PackedShort;
pub(crate) use packed_short::{ByPlace, Record};

/// A key of 1 to 8 bytes without a NUL: the first byte lowest, zeros above the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ShortGroup {
    /// The key's bytes.
    pub key: u64,
    /// Its count.
    pub count: u64,
}

/// A key of 9 to 16 bytes without a NUL: the first byte lowest, zeros above the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MidGroup {
    /// The key's bytes.
    pub key: [u64; 2],
    /// Its count.
    pub count: u64,
}

/// Any other key but the empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongGroup {
    /// The start of its bytes in the arena.
    pub start: usize,
    /// The number of its bytes.
    pub length: usize,
    /// Its count.
    pub count: u64,
}

impl ShortGroup {
    /// Returns the length of the key in bytes.
    #[inline]
    #[must_use]
    pub const fn length(&self) -> usize {
        8 - self.key.leading_zeros() as usize / 8
    }
}

impl MidGroup {
    /// Returns the length of the key in bytes.
    #[inline]
    #[must_use]
    pub const fn length(&self) -> usize {
        16 - self.key[1].leading_zeros() as usize / 8
    }
}

/// Keys with counts, by class of key length; a key may occur more than once.
///
/// # Examples
///
/// ```
/// use keymill_kernels::KeyCounts;
///
/// let mut groups = KeyCounts::default();
/// groups.push(b"to be", 2);
/// groups.push(b"", 1);
/// assert_eq!(groups.len(), 2);
/// let mut seen = Vec::new();
/// groups.for_each(|key, count| seen.push((key.to_vec(), count)));
/// assert_eq!(seen, [(b"to be".to_vec(), 2), (b"".to_vec(), 1)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyCounts {
    /// Keys of 1 to 8 bytes.
    pub short: Vec<ShortGroup>,
    /// Keys of 9 to 16 bytes.
    pub mid: Vec<MidGroup>,
    /// Longer keys, and those with a NUL byte.
    pub long: Vec<LongGroup>,
    /// The bytes of the long keys.
    pub arena: Vec<u8>,
    /// The count of the empty key; zero if there is none.
    pub empty: u64,
    /// More short and mid keys, each counted once; used by partitions and their reduced form.
    pub packed_short: PackedShort,
    /// More long keys, each counted once; used by partitions only.
    pub packed_long: PackedLong,
}

impl KeyCounts {
    /// Returns the number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.short.len()
            + self.mid.len()
            + self.long.len()
            + usize::from(self.empty > 0)
            + self.packed_short.len()
            + self.packed_long.len()
    }

    /// Returns whether there are no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory that the groups use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.short.capacity() * size_of::<ShortGroup>()
            + self.mid.capacity() * size_of::<MidGroup>()
            + self.long.capacity() * size_of::<LongGroup>()
            + self.arena.capacity()
            + self.packed_short.bytes()
            + self.packed_long.bytes()
    }

    /// Adds a key with its count.
    pub fn push(&mut self, key: &[u8], count: u64) {
        match class_of(key) {
            KeyClass::Empty => self.empty += count,
            KeyClass::Short(key) => self.short.push(ShortGroup { key, count }),
            KeyClass::Mid(key) => self.mid.push(MidGroup { key, count }),
            KeyClass::Long => self.push_long(key, count),
        }
    }

    /// Adds a key as a long one, whatever its bytes.
    pub(crate) fn push_long(&mut self, key: &[u8], count: u64) {
        let start = self.arena.len();
        extend_hugely(&mut self.arena, key);
        self.long.push(LongGroup {
            start,
            length: key.len(),
            count,
        });
    }

    /// Adds a long key of a partition, packed if possible.
    pub(crate) fn push_long_to_partition(&mut self, key: &[u8], count: u64) {
        match count == 1 && key.len() <= packed_long::LONGEST {
            true => self.packed_long.push(key),
            false => self.push_long(key, count),
        }
    }

    /// Packs the keys that were counted once, as in partitions, and frees unused memory.
    pub fn pack(&mut self) {
        let packed_short = &mut self.packed_short;
        self.short.retain(|group| {
            if group.count == 1 {
                packed_short.push([group.key, 0], group.length());
            }
            group.count != 1
        });
        self.mid.retain(|group| {
            let is_packed = group.count == 1 && group.length() <= LONGEST_ONCE;
            if is_packed {
                packed_short.push(group.key, group.length());
            }
            !is_packed
        });
        self.pack_long();
        self.short.shrink_to_fit();
        self.mid.shrink_to_fit();
        self.long.shrink_to_fit();
        self.arena.shrink_to_fit();
    }

    fn pack_long(&mut self) {
        let is_packed =
            |group: &LongGroup| group.count == 1 && group.length <= packed_long::LONGEST;
        if !self.long.iter().any(is_packed) {
            return;
        }
        let (long, arena) = (mem::take(&mut self.long), mem::take(&mut self.arena));
        for group in long {
            let key = &arena[group.start..][..group.length];
            self.push_long_to_partition(key, group.count);
        }
    }

    /// Moves the groups of `other` here, without copying where possible.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            mem::swap(self, other);
            return;
        }
        self.short.append(&mut other.short);
        self.mid.append(&mut other.mid);
        let moved = self.arena.len();
        self.long
            .extend(other.long.drain(..).map(|group| LongGroup {
                start: group.start + moved,
                ..group
            }));
        self.arena.append(&mut other.arena);
        self.empty += mem::take(&mut other.empty);
        self.packed_short.append(&mut other.packed_short);
        self.packed_long.append(&mut other.packed_long);
    }

    /// Returns the bytes of a long key.
    #[must_use]
    pub fn long_key(&self, group: &LongGroup) -> &[u8] {
        &self.arena[group.start..][..group.length]
    }

    /// Visits every key and its count: short, mid, long, empty, packed short, packed long.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for group in &self.short {
            visit(&group.key.to_le_bytes()[..group.length()], group.count);
        }
        for group in &self.mid {
            let [first, second] = group.key.map(u64::to_le);
            visit(
                &bytemuck::bytes_of(&[first, second])[..group.length()],
                group.count,
            );
        }
        for group in &self.long {
            visit(self.long_key(group), group.count);
        }
        if self.empty > 0 {
            visit(b"", self.empty);
        }
        self.packed_short.for_each(|key, length| {
            visit(&bytemuck::bytes_of(&key.map(u64::to_le))[..length], 1);
        });
        self.packed_long.iter().for_each(|key| visit(key, 1));
    }

    /// Removes all groups, and keeps the memory except most of that of packed keys.
    pub fn clear(&mut self) {
        self.short.clear();
        self.mid.clear();
        self.long.clear();
        self.arena.clear();
        self.empty = 0;
        self.packed_short.clear();
        self.packed_long.clear();
    }
}

/// The class of a key, and its form in that class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyClass {
    Empty,
    Short(u64),
    Mid([u64; 2]),
    Long,
}

/// Returns the class of a key; only this function decides which keys are long.
#[inline]
pub(crate) fn class_of(key: &[u8]) -> KeyClass {
    match key.len() {
        0 => KeyClass::Empty,
        1..=16 if key.contains(&0) => KeyClass::Long,
        length @ 1..=8 => {
            let mut bytes = [0; 8];
            bytes[..length].copy_from_slice(key);
            KeyClass::Short(u64::from_le_bytes(bytes))
        }
        length @ 9..=16 => {
            let (first, rest) = key.split_first_chunk::<8>().expect("nine bytes or more");
            let mut second = [0; 8];
            second[..length - 8].copy_from_slice(rest);
            KeyClass::Mid([u64::from_le_bytes(*first), u64::from_le_bytes(second)])
        }
        _ => KeyClass::Long,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn packing_changes_no_count() {
        let mut groups = KeyCounts::default();
        let lengths = [0, 1, 8, 9, 15, 16, 17, 4096, 4097];
        for (i, length) in lengths.into_iter().cycle().take(45).enumerate() {
            let mut key = vec![b'a' + i as u8; length];
            if i % 5 == 0 {
                key.iter_mut().take(1).for_each(|byte| *byte = 0);
            }
            groups.push(&key, 1 + i as u64 % 3);
        }
        let counts = |groups: &KeyCounts| {
            let mut counts = BTreeMap::new();
            groups.for_each(|key, count| *counts.entry(key.to_vec()).or_insert(0) += count);
            counts
        };
        let before = counts(&groups);
        for _ in 0..2 {
            groups.pack();
            assert_eq!(counts(&groups), before);
        }
        assert!(groups.packed_short.len() > 2 && groups.packed_long.len() > 2);
        let still = groups.long.iter().map(|group| (group.length, group.count));
        assert!(
            still
                .clone()
                .all(|(length, count)| count > 1 || length > 4096)
        );
        assert!(groups.short.iter().all(|group| group.count > 1) && still.count() > 2);
    }
}
