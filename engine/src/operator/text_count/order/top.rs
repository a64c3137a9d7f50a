//! The first few groups of the order, without sorting the others.

use keymill_kernels::KeyCounts;

use super::entry::{Accept, By, Entry, LongRows, feed};
use super::range::Sorted;
use super::range_partition::DrainTotals;
use crate::Result;

/// Keeps the first `most` groups of all that it is shown, inline and long ones apart.
#[derive(Debug)]
pub(crate) struct Top {
    by: By,
    most: usize,
    inline: Vec<Entry>,
    /// What an inline entry must be below, once there are enough.
    bar: Option<Entry>,
    long: LongRows,
    seen: DrainTotals,
}

impl Top {
    /// Shows nothing yet.
    pub(crate) fn new(by: By, most: usize) -> Self {
        Self {
            by,
            most,
            inline: Vec::new(),
            bar: None,
            long: LongRows::default(),
            seen: DrainTotals::default(),
        }
    }

    /// Shows groups, no key of which was shown before.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub(crate) fn show(&mut self, groups: &KeyCounts) -> Result<()> {
        self.seen.note(groups);
        feed(groups, self.by, self)
    }

    /// Takes over what another worker kept.
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

    /// What was kept, in order, and what was shown; there may be more than `most` groups.
    pub(crate) fn finish(mut self) -> (Sorted, DrainTotals) {
        self.select_inline();
        self.select_long();
        self.inline.sort_unstable();
        self.long.sort(self.by);
        (Sorted::new(self.by, self.inline, self.long), self.seen)
    }

    /// Selecting among twice as many costs a constant per group that was shown.
    fn enough(&self) -> usize {
        self.most.saturating_mul(2).max(64)
    }

    #[inline(always)]
    fn push(&mut self, entry: Entry) {
        if self.bar.is_none_or(|bar| entry < bar) {
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
            self.bar = Some(*last);
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

impl Accept for Top {
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
