//! The splitters: the first group of each range of the order.

use keymill_kernels::KeyCounts;

use super::entry::{Entry, GroupSink, LongEntry, LongRows, SortBy, for_each_sortable};
use super::prefix_index::{PrefixIndex, Run, below};
use crate::Result;

/// Groups of the sample per range; with this number, range sizes differ by a few percent.
const SAMPLED: usize = 16;
/// Counts below this find their run in an array.
const SMALL_COUNTS: usize = 64;

/// The first group of every range except the first range.
///
/// ```text
/// by count   count 3 │ count 2        │ count 1 …        runs of one count
///            k   k     k   k   k   k    k  k  k          keys at which ranges begin
/// ```
///
/// In the order by key there is one run. The range of an inline group is found by its run and a
/// binary search among integers, that of a long group by comparing bytes.
#[derive(Debug)]
pub(crate) struct Splitters {
    by: SortBy,
    /// For inline groups: the halves of the splitters' keys. The range of a key is the number of
    /// splitters that are not above it. Two searches among words are faster than one among `u128`.
    high: Vec<u64>,
    low: Vec<u64>,
    /// The runs of small counts, by count; and all runs, the largest count first.
    small: Vec<Run>,
    large: Vec<(u64, Run)>,
    /// The index of the longest run.
    prefix_index: PrefixIndex,
    /// For long groups: the splitters with their bytes.
    exact: LongRows,
    long: Vec<bool>,
}

/// A sample of groups, from which splitters are chosen.
struct Sample {
    by: SortBy,
    /// One of this number of groups is sampled.
    step: usize,
    next: usize,
    rows: LongRows,
    long: Vec<bool>,
}

impl Sample {
    fn is_next(&mut self) -> bool {
        self.next += 1;
        self.next.is_multiple_of(self.step)
    }
}

impl GroupSink for Sample {
    fn inline(&mut self, key: u128, count: u64) -> Result<()> {
        if self.is_next() {
            self.rows.push(self.by.entry(key, count), &[]);
            self.long.push(false);
        }
        Ok(())
    }

    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()> {
        if self.is_next() {
            self.rows.push(head, key);
            self.long.push(true);
        }
        Ok(())
    }
}

/// One group of the sample.
#[derive(Clone, Copy)]
struct Sampled {
    entry: LongEntry,
    long: bool,
}

/// Maximum bytes of a splitter.
const LONGEST: usize = 1 << 10;

impl Splitters {
    /// Returns no splitters: the order is one range.
    pub(crate) fn none(by: SortBy) -> Self {
        Self {
            by,
            high: Vec::new(),
            low: Vec::new(),
            small: vec![Run::default(); SMALL_COUNTS],
            large: Vec::new(),
            prefix_index: PrefixIndex::default(),
            exact: LongRows::default(),
            long: Vec::new(),
        }
    }

    /// Divides the order at the quantiles of a sample, weighted by bytes, into at most `ranges`
    /// ranges.
    ///
    /// # Errors
    ///
    /// None.
    pub(crate) fn choose(by: SortBy, groups: &[KeyCounts], ranges: usize) -> Result<Self> {
        let whole: usize = groups.iter().map(KeyCounts::len).sum();
        let mut sample = Sample {
            by,
            step: (whole / (ranges * SAMPLED)).max(1),
            next: 0,
            rows: LongRows::default(),
            long: Vec::new(),
        };
        for groups in groups {
            for_each_sortable(groups, by, &mut sample)?;
        }
        let Sample { rows, long, .. } = sample;
        let entries = rows.entries.iter().zip(long);
        let mut sampled: Vec<Sampled> = entries
            .map(|(&entry, long)| Sampled { entry, long })
            .collect();
        sampled.sort_unstable_by(|a, b| {
            let [a, b] = [&a.entry, &b.entry];
            by.compare_long((a, rows.key(a)), (b, rows.key(b)))
        });
        let mut splitters = Self::none(by);
        for sampled in quantiles(&sampled, ranges) {
            splitters.add(sampled, rows.key(&sampled.entry));
        }
        splitters.index_runs();
        Ok(splitters)
    }

    fn add(&mut self, sampled: Sampled, key: &[u8]) {
        let head = sampled.entry.head;
        let (prefix, _) = self.by.parts(head);
        // An inline group with the same words as a long one comes before it.
        if let Some(first_after) = prefix.checked_add(u128::from(sampled.long)) {
            self.high.push((first_after >> 64) as u64);
            self.low.push(first_after as u64);
            // A prefix of a very long key is enough as a splitter.
            self.exact.push(head, &key[..key.len().min(LONGEST)]);
            self.long.push(sampled.long);
        }
    }

    /// Finds the runs of splitters with the same count.
    fn index_runs(&mut self) {
        let counts = self.exact.entries.iter().map(|entry| match self.by {
            SortBy::Key => 0,
            SortBy::Count => self.by.parts(entry.head).1,
        });
        for (at, count) in (0..).zip(counts) {
            match self.large.last_mut() {
                Some((last, run)) if *last == count => run.end = at + 1,
                _ => {
                    let (start, end) = (at, at + 1);
                    self.large.push((count, Run { start, end }));
                }
            }
        }
        self.small = (0..SMALL_COUNTS as u64)
            .map(|count| self.find_run(count))
            .collect();
        let runs = self.large.iter().map(|(_, run)| *run);
        if let Some(longest) = runs.max_by_key(|run| run.end - run.start) {
            self.prefix_index = PrefixIndex::into(longest, &self.high);
        }
    }

    /// Returns the run of a count, or an empty run at its position.
    fn find_run(&self, count: u64) -> Run {
        let before = self.large.partition_point(|(other, _)| *other > count);
        match self.large.get(before) {
            Some((other, run)) if *other == count => *run,
            Some((_, Run { start, .. })) => Run {
                start: *start,
                end: *start,
            },
            None => {
                let end = self.high.len() as u32;
                Run { start: end, end }
            }
        }
    }

    /// Returns the count of all groups of a range, if its two splitters have the same count.
    pub(super) fn only_count(&self, range: usize) -> Option<u64> {
        let count = |splitter: usize| {
            let head = self.exact.entries.get(splitter)?.head;
            Some(self.by.parts(head).1)
        };
        let first = count(range.checked_sub(1)?)?;
        // After the last splitter the smallest count is one.
        let last = count(range).unwrap_or(1);
        (self.by == SortBy::Count && first == last).then_some(first)
    }

    /// Returns the number of ranges.
    pub(crate) fn ranges(&self) -> usize {
        self.high.len() + 1
    }

    /// Returns the range of an inline group.
    #[inline(always)]
    pub(super) fn range_of(&self, key: u128, count: u64) -> usize {
        let run = match self.by {
            SortBy::Key => self.small[0],
            SortBy::Count => match usize::try_from(count)
                .ok()
                .and_then(|count| self.small.get(count))
            {
                Some(run) => *run,
                None => self.find_run(count),
            },
        };
        let (start, end) = (run.start as usize, run.end as usize);
        let (high, low) = ((key >> 64) as u64, key as u64);
        let first = match run == self.prefix_index.run {
            true => self.prefix_index.below(&self.high, high),
            false => start + below(&self.high[start..end], high),
        };
        if first == end || self.high[first] != high {
            return first;
        }
        let alike = self.high[first..end].partition_point(|&other| other == high);
        first + self.low[first..first + alike].partition_point(|&other| other <= low)
    }

    /// Returns the range of a long group.
    pub(super) fn range_of_long(&self, head: Entry, key: &[u8]) -> usize {
        let group = LongEntry {
            head,
            start: 0,
            length: key.len(),
        };
        let (mut base, mut size) = (0, self.long.len());
        while size > 0 {
            let half = size / 2;
            if self.is_at_or_after(base + half, &group, key) {
                base += half + 1;
                size -= half + 1;
            } else {
                size = half;
            }
        }
        base
    }

    /// Returns whether a long group is equal to a splitter or after it.
    fn is_at_or_after(&self, splitter: usize, group: &LongEntry, key: &[u8]) -> bool {
        let entry = &self.exact.entries[splitter];
        if self.long[splitter] {
            let splitter = (entry, self.exact.key(entry));
            self.by.compare_long(splitter, (group, key)).is_le()
        } else {
            self.by.inline_first(entry.head, group)
        }
    }
}

/// Selects the groups that divide a sorted sample into ranges of about equal weight.
fn quantiles(sample: &[Sampled], ranges: usize) -> Vec<Sampled> {
    let weight = |sampled: &Sampled| size_of::<Entry>() + sampled.entry.length;
    let whole: usize = sample.iter().map(weight).sum();
    let step = (whole / ranges.max(1)).max(1);
    let (mut seen, mut next) = (0, step);
    let mut picked = Vec::with_capacity(ranges);
    for sampled in sample {
        if seen >= next && picked.len() + 1 < ranges {
            picked.push(*sampled);
            next = seen - seen % step + step;
        }
        seen += weight(sampled);
    }
    picked
}
