//! Partitions groups to the ranges of the order.

use std::sync::Arc;

use keymill_kernels::KeyCounts;

use super::chunk_arena::{CHUNK, ChunkArena, Place};
use super::entry::{Entry, GroupSink, SortBy, for_each_sortable};
use super::range::{Range, Share, entry_bytes, key_bytes};
use super::splitters::Splitters;
use crate::runtime::{Reservation, Resources};
use crate::spill::SpillSpace;
use crate::{Result, Tuning};

/// The chunk of a range that is filled at present.
#[derive(Clone, Copy)]
struct Open {
    place: Place,
    bytes: usize,
    /// Whether all groups of the range have the same count.
    has_one_count: bool,
}

/// The groups of one worker, by range.
pub(crate) struct RangePartitioner<'a> {
    by: SortBy,
    splitters: &'a Splitters,
    arena: ChunkArena,
    open: Vec<Open>,
    shares: Vec<Share>,
    long_bytes: usize,
    totals: DrainTotals,
    reservation: Reservation,
    resources: &'a Resources,
    space: &'a SpillSpace,
}

/// The number of drained groups, and the sum of their counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DrainTotals {
    pub(crate) groups: u64,
    pub(crate) tokens: u64,
}

impl DrainTotals {
    /// Adds the totals of another worker.
    pub(crate) fn add(&mut self, other: Self) {
        self.groups += other.groups;
        self.tokens += other.tokens;
    }

    /// Adds groups.
    pub(crate) fn note(&mut self, groups: &KeyCounts) {
        self.groups += groups.len() as u64;
        let short: u64 = groups.short.iter().map(|group| group.count).sum();
        let mid: u64 = groups.mid.iter().map(|group| group.count).sum();
        let long: u64 = groups.long.iter().map(|group| group.count).sum();
        self.tokens += short + mid + long + groups.empty + groups.packed_short.len() as u64;
    }
}

impl<'a> RangePartitioner<'a> {
    /// Makes an empty partitioner.
    pub(crate) fn new(
        by: SortBy,
        splitters: &'a Splitters,
        resources: &'a Resources,
        space: &'a SpillSpace,
    ) -> Self {
        let mut shares = Vec::new();
        shares.resize_with(splitters.ranges(), Share::default);
        Self {
            by,
            splitters,
            arena: ChunkArena::default(),
            open: (0..shares.len())
                .map(|range| Open::none(splitters.only_count(range).is_some()))
                .collect(),
            shares,
            long_bytes: 0,
            totals: DrainTotals::default(),
            reservation: resources.memory.reservation(),
            resources,
            space,
        }
    }

    /// Partitions groups, whose keys must be new.
    ///
    /// # Errors
    ///
    /// Those of spilling.
    pub(crate) fn partition(&mut self, groups: &KeyCounts) -> Result<()> {
        self.totals.note(groups);
        for_each_sortable(groups, self.by, self)?;
        let bytes = self.arena.bytes() + self.long_bytes;
        self.reservation.set(bytes);
        let memory = &self.resources.memory;
        let floor = memory.limit() / self.resources.threads.max(1) / 4;
        if memory.is_tight(memory.limit() / 4) && bytes > floor {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.close();
        for (range, share) in self.shares.iter_mut().enumerate() {
            self.resources.cancel.check()?;
            let only_count = self.splitters.only_count(range);
            share.spill(self.by, only_count, &self.arena, self.space)?;
        }
        self.arena.clear();
        self.long_bytes = 0;
        self.reservation.set(0);
        Ok(())
    }

    /// Stores the used bytes of the last chunks.
    fn close(&mut self) {
        for (open, share) in self.open.iter_mut().zip(&mut self.shares) {
            share.last = open.bytes;
            open.bytes = CHUNK;
        }
    }

    #[inline(always)]
    fn push<const N: usize>(&mut self, range: usize, bytes: [u8; N]) {
        if self.open[range].bytes == CHUNK {
            self.open_chunk(range);
        }
        let open = &mut self.open[range];
        self.arena.write(open.place, open.bytes, bytes);
        open.bytes += N;
    }

    #[cold]
    #[inline(never)]
    fn open_chunk(&mut self, range: usize) {
        let place = self.arena.open();
        self.shares[range].chunks.push(place);
        self.open[range] = Open {
            place,
            bytes: 0,
            ..self.open[range]
        };
    }

    /// Adds the groups to `ranges`; returns their totals and their reserved memory.
    pub(crate) fn finish(mut self, ranges: &mut Vec<Range>) -> (DrainTotals, Reservation) {
        self.close();
        let arena = Arc::new(self.arena);
        ranges.resize_with(self.shares.len(), Range::default);
        for (number, share) in self.shares.into_iter().enumerate() {
            ranges[number].add(&arena, self.splitters.only_count(number), share);
        }
        (self.totals, self.reservation)
    }
}

impl Open {
    /// Returns a full chunk, so that the first write opens a new one.
    fn none(has_one_count: bool) -> Self {
        Self {
            place: Place::NOWHERE,
            bytes: CHUNK,
            has_one_count,
        }
    }
}

impl GroupSink for RangePartitioner<'_> {
    #[inline(always)]
    fn inline(&mut self, key: u128, count: u64) -> Result<()> {
        let range = self.splitters.range_of(key, count);
        if self.open[range].has_one_count {
            self.push(range, key_bytes(key));
        } else {
            self.push(range, entry_bytes(self.by.entry(key, count)));
        }
        Ok(())
    }

    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()> {
        let long = &mut self.shares[self.splitters.range_of_long(head, key)].long;
        let before = long.bytes();
        long.push(head, key);
        self.long_bytes += long.bytes() - before;
        Ok(())
    }
}

/// Maximum bytes of a range, however large the memory is.
const LARGEST_RANGE: usize = 4 << 20;

/// Returns the number of ranges for `groups` groups of `bytes` bytes.
///
/// A range should be sorted within the second-level cache. If not all ranges fit in memory, a range
/// is as large as a thread's share of memory: each range is written to disk in one segment per time
/// that memory is full, and small segments cost more than cache misses.
pub(crate) fn range_count(groups: usize, bytes: usize, resources: &Resources) -> usize {
    let limit = resources.memory.limit();
    let room = (limit / resources.threads.max(1) / 8).min(LARGEST_RANGE);
    let for_memory = bytes / room.max(1);
    let ranges = match bytes > limit / 2 {
        true => for_memory,
        false => for_memory.max(groups / range_groups(&resources.tuning)),
    };
    ranges.clamp(1, 4096)
}

/// Returns the wanted number of groups of a range: 16,384, or 16 with `Tuning::TINY`.
fn range_groups(limits: &Tuning) -> usize {
    limits.table_slots.max(4) * 4
}
