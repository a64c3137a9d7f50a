//! The groups of one range of the order, unsorted, in memory and on disk.

use std::sync::Arc;

use super::chunk_arena::{CHUNK, ChunkArena, Place};
use super::entry::{Entry, LongRows, SortBy};
use super::sort::Sorter;
use crate::Result;
use crate::operator::text_count::columns::{
    BatchTarget, Batcher, GroupWriter, big_endian_prefix, for_each_group, store_groups,
};
use crate::spill::{Segment, SpillSpace};

/// The groups of a range from one worker.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Chunks of keys, 16 bytes each, if all counts are equal; otherwise of entries, 24 bytes each.
    /// All but the last are full.
    pub(super) chunks: Vec<Place>,
    /// The used bytes of the last chunk.
    pub(super) last: usize,
    pub(super) long: LongRows,
    pub(super) spilled: Vec<Segment>,
}

impl Share {
    /// Returns whether nothing is in memory.
    fn is_idle(&self) -> bool {
        self.chunks.is_empty() && self.long.entries.is_empty()
    }

    fn bytes(&self) -> usize {
        match self.chunks.len() {
            0 => 0,
            chunks => (chunks - 1) * CHUNK + self.last,
        }
    }

    fn each_chunk<'a>(&'a self, arena: &'a ChunkArena) -> impl Iterator<Item = &'a [u8]> {
        let last = self.chunks.len().wrapping_sub(1);
        self.chunks.iter().enumerate().map(move |(i, &place)| {
            let bytes = if i == last { self.last } else { CHUNK };
            arena.read(place, bytes)
        })
    }

    /// Moves the groups in memory to disk.
    pub(super) fn spill(
        &mut self,
        by: SortBy,
        only_count: Option<u64>,
        arena: &ChunkArena,
        space: &SpillSpace,
    ) -> Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        let segment = store_groups(space, |writer| {
            self.each_chunk(arena)
                .try_for_each(|chunk| write_chunk(chunk, by, only_count, writer))?;
            for entry in &self.long.entries {
                writer.push(self.long.key(entry), by.parts(entry.head).1)?;
            }
            Ok(())
        })?;
        self.spilled.push(segment);
        self.chunks.clear();
        self.long = LongRows::default();
        Ok(())
    }
}

fn write_chunk(
    chunk: &[u8],
    by: SortBy,
    only_count: Option<u64>,
    writer: &mut GroupWriter<'_>,
) -> Result<()> {
    match only_count {
        Some(count) => writer.push_inline(keys_of(chunk).map(|key| (key, count))),
        None => writer.push_inline(entries_of(chunk).map(|entry| by.parts(entry))),
    }
}

/// Returns the bytes of a key in a chunk.
#[inline(always)]
pub(super) fn key_bytes(key: u128) -> [u8; 16] {
    key.to_ne_bytes()
}

/// Returns the bytes of an entry in a chunk.
#[inline(always)]
pub(super) fn entry_bytes(Entry([a, b, c]): Entry) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (words, _) = bytes.as_chunks_mut::<8>();
    words.copy_from_slice(&[a.to_ne_bytes(), b.to_ne_bytes(), c.to_ne_bytes()]);
    bytes
}

fn keys_of(chunk: &[u8]) -> impl ExactSizeIterator<Item = u128> {
    let (keys, _) = chunk.as_chunks::<16>();
    keys.iter().map(|bytes| u128::from_ne_bytes(*bytes))
}

fn entries_of(chunk: &[u8]) -> impl ExactSizeIterator<Item = Entry> {
    let (entries, _) = chunk.as_chunks::<24>();
    entries.iter().map(|bytes| {
        let (words, _) = bytes.as_chunks::<8>();
        Entry([0, 1, 2].map(|word| u64::from_ne_bytes(words[word])))
    })
}

/// The groups of one range.
#[derive(Debug, Default)]
pub(crate) struct Range {
    /// The count of all groups, if it is known that all have the same.
    only_count: Option<u64>,
    shares: Vec<(Arc<ChunkArena>, Share)>,
}

impl Range {
    /// Adds the groups of one worker.
    pub(super) fn add(&mut self, arena: &Arc<ChunkArena>, only_count: Option<u64>, share: Share) {
        self.only_count = only_count;
        if !share.is_idle() || !share.spilled.is_empty() {
            self.shares.push((arena.clone(), share));
        }
    }

    /// Returns whether there are no groups.
    pub(crate) fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Returns about the bytes of memory of the range when it is loaded.
    pub(crate) fn bytes(&self) -> usize {
        let share_bytes = |share: &Share| {
            let spilled: usize = share.spilled.iter().map(Segment::memory).sum();
            share.bytes() + share.long.bytes() + spilled
        };
        self.shares
            .iter()
            .map(|(_, share)| share_bytes(share))
            .sum()
    }

    /// Loads and sorts all groups.
    ///
    /// # Errors
    ///
    /// Those of spill files.
    pub(crate) fn load(self, by: SortBy, sorter: &mut Sorter) -> Result<Sorted> {
        let mut loaded = Loaded::new(by, self.only_count, self.inline_bytes());
        for (arena, share) in self.shares {
            share
                .each_chunk(&arena)
                .for_each(|chunk| loaded.push_chunk(chunk));
            for segment in &share.spilled {
                segment.read(|batch| {
                    for_each_group(batch, |key, count| {
                        loaded.push(key, count);
                        Ok(())
                    })
                })?;
            }
            loaded.long.append(share.long);
        }
        Ok(loaded.sort(sorter))
    }

    fn inline_bytes(&self) -> usize {
        let spilled = |share: &Share| share.spilled.iter().map(Segment::rows).sum::<usize>();
        let shares = self.shares.iter();
        shares
            .map(|(_, share)| share.bytes() + 24 * spilled(share))
            .sum()
    }
}

/// Inline groups, in sortable form.
#[derive(Debug)]
enum Inline {
    /// Keys with the same count.
    Keys(u64, Vec<u128>),
    /// Keys with any counts.
    Entries(Vec<Entry>),
}

/// The groups of a range in memory, unsorted.
struct Loaded {
    by: SortBy,
    inline: Inline,
    long: LongRows,
}

impl Loaded {
    fn new(by: SortBy, only_count: Option<u64>, bytes: usize) -> Self {
        Self {
            by,
            inline: match only_count {
                Some(count) => Inline::Keys(count, Vec::with_capacity(bytes / 16)),
                None => Inline::Entries(Vec::with_capacity(bytes / 24)),
            },
            long: LongRows::default(),
        }
    }

    fn push_chunk(&mut self, chunk: &[u8]) {
        match &mut self.inline {
            Inline::Keys(_, keys) => keys.extend(keys_of(chunk)),
            Inline::Entries(entries) => entries.extend(entries_of(chunk)),
        }
    }

    fn push(&mut self, key: &[u8], count: u64) {
        let prefix = big_endian_prefix(key);
        if key.len() > 16 || key.contains(&0) {
            self.long.push(self.by.entry(prefix, count), key);
            return;
        }
        match &mut self.inline {
            Inline::Keys(_, keys) => keys.push(prefix),
            Inline::Entries(entries) => entries.push(self.by.entry(prefix, count)),
        }
    }

    fn sort(mut self, sorter: &mut Sorter) -> Sorted {
        match &mut self.inline {
            Inline::Keys(_, keys) => sorter.sort_keys(keys),
            Inline::Entries(entries) => sorter.sort_entries(entries),
        }
        self.long.sort(self.by);
        Sorted(self)
    }
}

/// The groups of a range in memory, sorted.
pub(crate) struct Sorted(Loaded);

impl Sorted {
    pub(super) fn new(by: SortBy, inline: Vec<Entry>, long: LongRows) -> Self {
        let inline = Inline::Entries(inline);
        Self(Loaded { by, inline, long })
    }

    /// Writes the groups in order.
    ///
    /// # Errors
    ///
    /// Those of the batcher.
    pub(crate) fn write<T: BatchTarget>(&self, batcher: &mut Batcher<T>) -> Result<()> {
        let Loaded { by, inline, long } = &self.0;
        match inline {
            Inline::Keys(count, keys) => merge(*by, keys, |key| (*key, *count), long, batcher),
            Inline::Entries(entries) => {
                merge(*by, entries, |entry| by.parts(*entry), long, batcher)
            }
        }
    }
}

/// Merges the sorted inline and long groups, and writes them.
fn merge<T, B: BatchTarget>(
    by: SortBy,
    mut inline: &[T],
    parts: impl Fn(&T) -> (u128, u64),
    long: &LongRows,
    batcher: &mut Batcher<B>,
) -> Result<()> {
    for next in &long.entries {
        let before = inline.partition_point(|group| {
            let (key, count) = parts(group);
            by.inline_first(by.entry(key, count), next)
        });
        let (first, rest) = inline.split_at(before);
        batcher.push_inline(first.iter().map(&parts))?;
        batcher.push(long.key(next), by.parts(next.head).1)?;
        inline = rest;
    }
    batcher.push_inline(inline.iter().map(&parts))
}
