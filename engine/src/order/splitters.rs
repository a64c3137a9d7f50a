//! Where the ranges of the order begin.

use keymill_kernels::Groups;

use super::entry::{Accept, By, Entry, LongEntry, feed};
use super::range::LongRows;
use crate::Result;

/// The first group of every range but the first one.
#[derive(Debug)]
pub(crate) struct Splitters {
    by: By,
    /// For inline groups: an entry lies behind as many splitters as are not above it.
    inline: Vec<Entry>,
    /// For long groups: the splitters themselves, with their bytes.
    exact: LongRows,
    long: Vec<bool>,
}

/// One group of the sample.
struct Sampled {
    entry: LongEntry,
    long: bool,
}

#[derive(Default)]
struct Sample {
    rows: LongRows,
    long: Vec<bool>,
}

impl Accept for Sample {
    fn inline(&mut self, entry: Entry) -> Result<()> {
        self.rows.push(entry, &[]);
        self.long.push(false);
        Ok(())
    }

    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()> {
        self.rows.push(head, key);
        self.long.push(true);
        Ok(())
    }
}

impl Splitters {
    /// Cuts the order at the quantiles of a sample, weighed by bytes, into at most `ranges`.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub(crate) fn choose(by: By, sample: &[Groups], ranges: usize) -> Result<Self> {
        let mut rows = Sample::default();
        if ranges > 1 {
            for groups in sample {
                feed(groups, by, &mut rows)?;
            }
        }
        let Sample { rows, long } = rows;
        let mut sampled: Vec<Sampled> = rows
            .entries
            .iter()
            .zip(long)
            .map(|(&entry, long)| Sampled { entry, long })
            .collect();
        sampled.sort_unstable_by(|a, b| {
            by.compare_long(
                (&a.entry, rows.key(&a.entry)),
                (&b.entry, rows.key(&b.entry)),
            )
        });
        let mut splitters = Self {
            by,
            inline: Vec::with_capacity(ranges),
            exact: LongRows::default(),
            long: Vec::with_capacity(ranges),
        };
        for sampled in quantiles(&sampled, ranges) {
            splitters.add(sampled, rows.key(&sampled.entry));
        }
        Ok(splitters)
    }

    fn add(&mut self, sampled: &Sampled, key: &[u8]) {
        let head = Entry(self.by.deciding(sampled.entry.head));
        self.inline.push(match sampled.long {
            true => self.just_above(head),
            false => head,
        });
        self.exact.push(head, key);
        self.long.push(sampled.long);
    }

    /// The smallest entry above every inline one with these words.
    fn just_above(&self, Entry([a, b, c]): Entry) -> Entry {
        match self.by {
            // Words are alike, so only the count is left, and it is below this.
            By::Key => Entry([a, b, u64::MAX]),
            // Cannot overflow: counts are not zero, so the first word is not all ones.
            By::Count => match (b, c) {
                (u64::MAX, u64::MAX) => Entry([a + 1, 0, 0]),
                (_, u64::MAX) => Entry([a, b + 1, 0]),
                _ => Entry([a, b, c + 1]),
            },
        }
    }

    /// How many ranges there are.
    pub(crate) fn ranges(&self) -> usize {
        self.inline.len() + 1
    }

    /// The range of an inline group.
    #[inline(always)]
    pub(super) fn range_of(&self, entry: Entry) -> usize {
        self.inline.partition_point(|splitter| *splitter <= entry)
    }

    /// The range of a long group.
    pub(super) fn range_of_long(&self, head: Entry, key: &[u8]) -> usize {
        let place = LongEntry {
            head,
            start: 0,
            length: key.len(),
        };
        let (mut base, mut size) = (0, self.long.len());
        while size > 0 {
            let half = size / 2;
            if self.starts_at_or_before(base + half, &place, key) {
                base += half + 1;
                size -= half + 1;
            } else {
                size = half;
            }
        }
        base
    }

    /// Tells whether a long group lies behind a splitter.
    fn starts_at_or_before(&self, splitter: usize, group: &LongEntry, key: &[u8]) -> bool {
        let entry = &self.exact.entries[splitter];
        if self.long[splitter] {
            let splitter = (entry, self.exact.key(entry));
            self.by.compare_long(splitter, (group, key)).is_le()
        } else {
            self.by.inline_first(entry.head, group)
        }
    }
}

/// Picks the groups that cut a sorted sample into stretches of about the same weight.
fn quantiles(sample: &[Sampled], ranges: usize) -> Vec<&Sampled> {
    let weight = |sampled: &Sampled| size_of::<Entry>() + sampled.entry.length;
    let whole: usize = sample.iter().map(weight).sum();
    let step = (whole / ranges.max(1)).max(1);
    let (mut seen, mut next) = (0, step);
    let mut picked = Vec::with_capacity(ranges);
    for sampled in sample {
        if seen >= next && picked.len() + 1 < ranges {
            picked.push(sampled);
            next = seen - seen % step + step;
        }
        seen += weight(sampled);
    }
    picked
}
