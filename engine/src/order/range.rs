//! The groups of one range of the order, unsorted, in memory and on disk.

use std::sync::Arc;

use super::entry::{By, Entry, LongRows};
use super::slabs::{CHUNK, Place, Slabs};
use super::sort::Sorter;
use crate::Result;
use crate::columns::{Batcher, TakeBatch, big_endian_prefix, for_each_group};
use crate::spill::{Segment, SpillSpace};

/// What one worker dealt to a range.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// All but the last are full.
    pub(super) chunks: Vec<Place>,
    /// How many entries the last chunk has.
    pub(super) last: usize,
    pub(super) long: LongRows,
    pub(super) spilled: Vec<Segment>,
}

impl Share {
    /// Tells whether nothing is in memory.
    fn is_idle(&self) -> bool {
        self.chunks.is_empty() && self.long.entries.is_empty()
    }

    fn inline(&self) -> usize {
        match self.chunks.len() {
            0 => 0,
            chunks => (chunks - 1) * CHUNK + self.last,
        }
    }

    fn each_chunk<'a>(&'a self, slabs: &'a Slabs) -> impl Iterator<Item = &'a [[u64; 3]]> {
        let last = self.chunks.len().wrapping_sub(1);
        self.chunks.iter().enumerate().map(move |(i, &place)| {
            let number = if i == last { self.last } else { CHUNK };
            slabs.read(place, number)
        })
    }

    /// Moves what is in memory to disk.
    pub(super) fn spill(&mut self, by: By, slabs: &Slabs, space: &SpillSpace) -> Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        let segment = space.store(|writer| {
            for chunk in self.each_chunk(slabs) {
                writer.push_inline(chunk.iter().map(|&words| by.parts(Entry(words))))?;
            }
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

/// The groups of one range.
#[derive(Debug, Default)]
pub(crate) struct Range {
    shares: Vec<(Arc<Slabs>, Share)>,
}

impl Range {
    /// Adds what one worker dealt to this range.
    pub(super) fn add(&mut self, slabs: &Arc<Slabs>, share: Share) {
        if !share.is_idle() || !share.spilled.is_empty() {
            self.shares.push((slabs.clone(), share));
        }
    }

    /// Tells whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// About how many bytes it will take when it is loaded.
    pub(crate) fn bytes(&self) -> usize {
        let share_bytes = |share: &Share| {
            let spilled: usize = share.spilled.iter().map(Segment::memory).sum();
            share.inline() * size_of::<Entry>() + share.long.bytes() + spilled
        };
        self.shares
            .iter()
            .map(|(_, share)| share_bytes(share))
            .sum()
    }

    /// Sorts everything.
    ///
    /// # Errors
    ///
    /// Those of spill files.
    pub(crate) fn load(self, by: By, sorter: &mut Sorter) -> Result<Sorted> {
        let mut inline = Vec::with_capacity(self.inline());
        let mut long = LongRows::default();
        for (slabs, share) in self.shares {
            for chunk in share.each_chunk(&slabs) {
                inline.extend(chunk.iter().map(|&words| Entry(words)));
            }
            for segment in &share.spilled {
                load_segment(segment, by, &mut inline, &mut long)?;
            }
            long.append(share.long);
        }
        sorter.sort(&mut inline);
        long.sort(by);
        Ok(Sorted { by, inline, long })
    }

    fn inline(&self) -> usize {
        let spilled = |share: &Share| share.spilled.iter().map(Segment::groups).sum::<usize>();
        let shares = self.shares.iter();
        shares
            .map(|(_, share)| share.inline() + spilled(share))
            .sum()
    }
}

fn load_segment(
    segment: &Segment,
    by: By,
    inline: &mut Vec<Entry>,
    long: &mut LongRows,
) -> Result<()> {
    segment.read(|batch| {
        for_each_group(batch, |key, count| {
            let entry = by.entry(big_endian_prefix(key), count);
            if key.len() > 16 || key.contains(&0) {
                long.push(entry, key);
            } else {
                inline.push(entry);
            }
            Ok(())
        })
    })
}

/// Groups in memory, in order.
#[derive(Debug)]
pub(crate) struct Sorted {
    by: By,
    inline: Vec<Entry>,
    long: LongRows,
}

impl Sorted {
    pub(super) fn new(by: By, inline: Vec<Entry>, long: LongRows) -> Self {
        Self { by, inline, long }
    }

    /// Writes the groups in order.
    ///
    /// # Errors
    ///
    /// Those of the batcher.
    pub(crate) fn write<T: TakeBatch>(&self, batcher: &mut Batcher<T>) -> Result<()> {
        let parts = |entry: &Entry| self.by.parts(*entry);
        let mut inline = &self.inline[..];
        for long in &self.long.entries {
            let before = inline.partition_point(|entry| self.by.inline_first(*entry, long));
            let (first, rest) = inline.split_at(before);
            batcher.push_inline(first.iter().map(parts))?;
            batcher.push(self.long.key(long), self.by.parts(long.head).1)?;
            inline = rest;
        }
        batcher.push_inline(inline.iter().map(parts))
    }
}
