//! Deals groups to the ranges of the order.

use keymill_kernels::Groups;

use super::entry::{Accept, By, Entry, feed};
use super::range::Range;
use super::splitters::Splitters;
use crate::resources::{Reservation, Resources};
use crate::spill::SpillSpace;
use crate::{Limits, Result};

/// One worker's share of every range.
pub(crate) struct Dealer<'a> {
    by: By,
    splitters: &'a Splitters,
    ranges: Vec<Range>,
    bytes: usize,
    groups: u64,
    reservation: Reservation,
    resources: &'a Resources,
    space: &'a SpillSpace,
}

impl<'a> Dealer<'a> {
    /// A dealer that has dealt nothing.
    pub(crate) fn new(
        by: By,
        splitters: &'a Splitters,
        resources: &'a Resources,
        space: &'a SpillSpace,
    ) -> Self {
        let mut ranges = Vec::new();
        ranges.resize_with(splitters.ranges(), Range::default);
        Self {
            by,
            splitters,
            ranges,
            bytes: 0,
            groups: 0,
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
    pub(crate) fn deal(&mut self, groups: &Groups) -> Result<()> {
        self.groups += groups.len() as u64;
        feed(groups, self.by, self)?;
        self.reservation.set(self.bytes);
        let memory = &self.resources.memory;
        let floor = memory.limit() / self.resources.threads.max(1) / 8;
        if memory.is_tight(memory.limit() / 4) && self.bytes > floor {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        for range in &mut self.ranges {
            self.resources.cancel.check()?;
            range.spill(self.by, self.space)?;
        }
        self.bytes = 0;
        self.reservation.set(0);
        Ok(())
    }

    /// What was dealt, how many groups that were, and the memory they hold.
    pub(crate) fn finish(self) -> (Vec<Range>, u64, Reservation) {
        (self.ranges, self.groups, self.reservation)
    }
}

impl Accept for Dealer<'_> {
    #[inline(always)]
    fn inline(&mut self, entry: Entry) -> Result<()> {
        let range = self.splitters.range_of(entry);
        self.bytes += self.ranges[range].push(entry);
        Ok(())
    }

    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()> {
        let range = self.splitters.range_of_long(head, key);
        self.bytes += self.ranges[range].push_long(head, key);
        Ok(())
    }
}

/// How many ranges `groups` groups of `bytes` bytes are dealt to.
///
/// A range is to be sorted within the second-level cache, and a few of them within the budget.
pub(crate) fn range_count(groups: usize, bytes: usize, resources: &Resources) -> usize {
    let room = resources.memory.limit() / resources.threads.max(1) / 16;
    let for_cache = groups / range_groups(&resources.limits);
    let for_memory = bytes / room.max(1);
    for_cache.max(for_memory).clamp(1, 4096)
}

/// How many groups a range is to have: 16,384, and 16 under the tiny limits.
fn range_groups(limits: &Limits) -> usize {
    limits.table_slots.max(4) * 4
}
