//! Deals groups to the ranges of the order.

use std::sync::Arc;

use keymill_kernels::KeyCounts;

use super::chunk_arena::{CHUNK, ChunkArena, Place};
use super::entry::{Accept, By, Entry, feed};
use super::range::{Range, Share, entry_bytes, key_bytes};
use super::splitters::Splitters;
use crate::runtime::{Reservation, Resources};
use crate::spill::SpillSpace;
use crate::{Result, Tuning};

/// The chunk of a range that is being filled.
#[derive(Clone, Copy)]
struct Open {
    place: Place,
    bytes: usize,
    /// Whether all groups of the range have the same count.
    is_pure: bool,
}

/// One worker's share of every range.
pub(crate) struct RangePartitioner<'a> {
    by: By,
    splitters: &'a Splitters,
    arena: ChunkArena,
    open: Vec<Open>,
    shares: Vec<Share>,
    long_bytes: usize,
    dealt: DrainTotals,
    reservation: Reservation,
    resources: &'a Resources,
    space: &'a SpillSpace,
}

/// How many groups were dealt, and how many tokens they count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DrainTotals {
    pub(crate) groups: u64,
    pub(crate) tokens: u64,
}

impl DrainTotals {
    /// Notes what another worker has dealt.
    pub(crate) fn add(&mut self, other: Self) {
        self.groups += other.groups;
        self.tokens += other.tokens;
    }

    /// Notes groups that were dealt.
    pub(crate) fn note(&mut self, groups: &KeyCounts) {
        self.groups += groups.len() as u64;
        let short: u64 = groups.short.iter().map(|group| group.count).sum();
        let mid: u64 = groups.mid.iter().map(|group| group.count).sum();
        let long: u64 = groups.long.iter().map(|group| group.count).sum();
        self.tokens += short + mid + long + groups.empty + groups.packed_short.len() as u64;
    }
}

impl<'a> RangePartitioner<'a> {
    /// A dealer that has dealt nothing.
    pub(crate) fn new(
        by: By,
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
            dealt: DrainTotals::default(),
            reservation: resources.memory.reservation(),
            resources,
            space,
        }
    }

    /// Deals groups, no key of which was dealt before.
    ///
    /// # Errors
    ///
    /// Those of spilling.
    pub(crate) fn deal(&mut self, groups: &KeyCounts) -> Result<()> {
        self.dealt.note(groups);
        feed(groups, self.by, self)?;
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

    /// Notes how far the last chunks are filled.
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

    /// Adds what was dealt to `ranges`; answers with what it was, and the memory it holds.
    pub(crate) fn finish(mut self, ranges: &mut Vec<Range>) -> (DrainTotals, Reservation) {
        self.close();
        let arena = Arc::new(self.arena);
        ranges.resize_with(self.shares.len(), Range::default);
        for (number, share) in self.shares.into_iter().enumerate() {
            ranges[number].add(&arena, self.splitters.only_count(number), share);
        }
        (self.dealt, self.reservation)
    }
}

impl Open {
    /// No chunk: as good as a full one.
    fn none(is_pure: bool) -> Self {
        Self {
            place: Place::NOWHERE,
            bytes: CHUNK,
            is_pure,
        }
    }
}

impl Accept for RangePartitioner<'_> {
    #[inline(always)]
    fn inline(&mut self, key: u128, count: u64) -> Result<()> {
        let range = self.splitters.range_of(key, count);
        if self.open[range].is_pure {
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

/// Bytes of a range that is sorted in memory, however much of that there is.
const LARGEST_RANGE: usize = 4 << 20;

/// How many ranges `groups` groups of `bytes` bytes are dealt to.
///
/// A range is to be sorted within the second-level cache. Where they cannot all stay in memory, it
/// is as large as a thread has room for: each is then written in as many pieces as memory fills up
/// times, and small pieces cost more than a cache miss.
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

/// How many groups a range is to have: 16,384, and 16 under the tiny limits.
fn range_groups(limits: &Tuning) -> usize {
    limits.table_slots.max(4) * 4
}
