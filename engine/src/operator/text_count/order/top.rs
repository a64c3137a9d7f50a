//! Selects the first groups of the order, without sorting the others.

use keymill_kernels::KeyCounts;

use super::entry::{Entry, GroupSink, LongRows, SortBy, for_each_sortable};
use super::range::Sorted;
use super::range_partition::DrainTotals;
use crate::Result;

/// Keeps the first `most` of the added groups, inline and long ones separately.
#[derive(Debug)]
pub(crate) struct Top {
    by: SortBy,
    most: usize,
    inline: Vec<Entry>,
    /// The upper bound of further inline entries, if there are enough.
    threshold: Option<Entry>,
    long: LongRows,
    seen: DrainTotals,
}

impl Top {
    /// Makes an empty selection.
    pub(crate) fn new(by: SortBy, most: usize) -> Self {
        Self {
            by,
            most,
            inline: Vec::new(),
            threshold: None,
            long: LongRows::default(),
            seen: DrainTotals::default(),
        }
    }

    /// Adds groups, whose keys must be new.
    ///
    /// # Errors
    ///
    /// None.
    pub(crate) fn add(&mut self, groups: &KeyCounts) -> Result<()> {
        self.seen.note(groups);
        for_each_sortable(groups, self.by, self)
    }

    /// Adds the groups that another worker kept.
    pub(crate) fn append(&mut self, other: &Self) -> Result<()> {
        self.seen.add(other.seen);
        for &entry in &other.inline {
            self.push(entry);
        }
        for entry in &other.long.entries {
            self.long(entry.head, other.long.key(entry))?;
        }
        Ok(())
    }

    /// Returns the kept groups, in order, and the totals of all added ones; there may be more than
    /// `most` groups.
    pub(crate) fn finish(mut self) -> (Sorted, DrainTotals) {
        self.select_inline();
        self.select_long();
        self.inline.sort_unstable();
        self.long.sort(self.by);
        (Sorted::new(self.by, self.inline, self.long), self.seen)
    }

    /// Returns the number of kept groups at which the first `most` are selected: twice as many, so
    /// that selecting costs constant time per added group.
    fn enough(&self) -> usize {
        self.most.saturating_mul(2).max(64)
    }

    #[inline(always)]
    fn push(&mut self, entry: Entry) {
        if self.threshold.is_none_or(|threshold| entry < threshold) {
            self.inline.push(entry);
            if self.inline.len() >= self.enough() {
                self.select_inline();
            }
        }
    }

    fn select_inline(&mut self) {
        if self.most == 0 {
            self.inline.clear();
        } else if self.inline.len() > self.most {
            let (_, last, _) = self.inline.select_nth_unstable(self.most - 1);
            self.threshold = Some(*last);
            self.inline.truncate(self.most);
        }
    }

    fn select_long(&mut self) {
        self.long.sort(self.by);
        let mut kept = LongRows::default();
        for entry in self.long.entries.iter().take(self.most) {
            kept.push(entry.head, self.long.key(entry));
        }
        self.long = kept;
    }
}

impl GroupSink for Top {
    #[inline(always)]
    fn inline(&mut self, key: u128, count: u64) -> Result<()> {
        self.push(self.by.entry(key, count));
        Ok(())
    }

    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()> {
        self.long.push(head, key);
        if self.long.entries.len() >= self.enough() {
            self.select_long();
        }
        Ok(())
    }
}
