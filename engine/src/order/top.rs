//! The first few groups of the order, without sorting the others.

use keymill_kernels::Groups;

use super::entry::{Accept, By, Entry, feed};
use super::range::{LongRows, Sorted};
use super::sort::sort_entries;
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
    groups: u64,
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
            groups: 0,
        }
    }

    /// Shows groups, no key of which was shown before.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub(crate) fn show(&mut self, groups: &Groups) -> Result<()> {
        self.groups += groups.len() as u64;
        feed(groups, self.by, self)
    }

    /// Takes over what another worker kept.
    pub(crate) fn append(&mut self, other: &Self) -> Result<()> {
        self.groups += other.groups;
        for &entry in &other.inline {
            self.inline(entry)?;
        }
        for entry in &other.long.entries {
            self.long(entry.head, other.long.key(entry))?;
        }
        Ok(())
    }

    /// How many groups were shown.
    pub(crate) fn groups(&self) -> u64 {
        self.groups
    }

    /// What was kept, in order; there may be more than `most` of them.
    pub(crate) fn finish(mut self) -> Sorted {
        self.select_inline();
        self.select_long();
        sort_entries(&mut self.inline);
        self.long.sort(self.by);
        Sorted::new(self.by, self.inline, self.long)
    }

    /// Selecting among twice as many costs a constant per group that was shown.
    fn enough(&self) -> usize {
        self.most.saturating_mul(2).max(64)
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
    fn inline(&mut self, entry: Entry) -> Result<()> {
        if self.bar.is_none_or(|bar| entry < bar) {
            self.inline.push(entry);
            if self.inline.len() >= self.enough() {
                self.select_inline();
            }
        }
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
