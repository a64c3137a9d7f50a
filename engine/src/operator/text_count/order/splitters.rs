//! Where the ranges of the order begin.

use keymill_kernels::KeyCounts;

use super::entry::{Accept, By, Entry, LongEntry, LongRows, feed};
use super::prefix_index::{PrefixIndex, Stretch, below};
use crate::Result;

/// KeyCounts of the sample for each range: so many that ranges differ by a few in a hundred.
const SAMPLED: usize = 16;
/// Counts whose stretch is found by a look.
const LOOKED_UP: usize = 64;

/// The first group of every range but the first one.
///
/// ```text
/// by count   count 3 │ count 2        │ count 1 …        stretches of one count
///            k   k     k   k   k   k    k  k  k          keys at which a range begins
/// ```
///
/// By key there is one stretch. An inline group finds its range by its stretch and a binary search
/// among integers; a long one compares bytes.
#[derive(Debug)]
pub(crate) struct Splitters {
    by: By,
    /// For inline groups: a key lies behind as many splitters of its stretch as are not above it.
    /// The keys' halves, as two searches among words are faster than one among `u128`.
    high: Vec<u64>,
    low: Vec<u64>,
    /// The stretches of the first counts, and then all there are, the largest count first.
    small: Vec<Stretch>,
    large: Vec<(u64, Stretch)>,
    /// Into the longest stretch.
    prefix_index: PrefixIndex,
    /// For long groups: the splitters themselves, with their bytes.
    exact: LongRows,
    long: Vec<bool>,
}

/// KeyCounts of which some may become splitters.
struct Sample {
    by: By,
    /// One of so many groups is taken.
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

impl Accept for Sample {
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

/// Bytes of a splitter at most.
const LONGEST: usize = 1 << 10;

impl Splitters {
    /// Leaves the order in one range.
    pub(crate) fn none(by: By) -> Self {
        Self {
            by,
            high: Vec::new(),
            low: Vec::new(),
            small: vec![Stretch::default(); LOOKED_UP],
            large: Vec::new(),
            prefix_index: PrefixIndex::default(),
            exact: LongRows::default(),
            long: Vec::new(),
        }
    }

    /// Cuts the order at the quantiles of a sample, weighed by bytes, into at most `ranges`.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub(crate) fn choose(by: By, groups: &[KeyCounts], ranges: usize) -> Result<Self> {
        let whole: usize = groups.iter().map(KeyCounts::len).sum();
        let mut sample = Sample {
            by,
            step: (whole / (ranges * SAMPLED)).max(1),
            next: 0,
            rows: LongRows::default(),
            long: Vec::new(),
        };
        for groups in groups {
            feed(groups, by, &mut sample)?;
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
        splitters.note_stretches();
        Ok(splitters)
    }

    fn add(&mut self, sampled: Sampled, key: &[u8]) {
        let head = sampled.entry.head;
        let (prefix, _) = self.by.parts(head);
        // An inline group with the words of a long one comes before it.
        if let Some(first_behind) = prefix.checked_add(u128::from(sampled.long)) {
            self.high.push((first_behind >> 64) as u64);
            self.low.push(first_behind as u64);
            // The beginning of a giant key cuts the order as well as the whole.
            self.exact.push(head, &key[..key.len().min(LONGEST)]);
            self.long.push(sampled.long);
        }
    }

    /// Finds out which splitters have the same count.
    fn note_stretches(&mut self) {
        let counts = self.exact.entries.iter().map(|entry| match self.by {
            By::Key => 0,
            By::Count => self.by.parts(entry.head).1,
        });
        for (at, count) in (0..).zip(counts) {
            match self.large.last_mut() {
                Some((last, stretch)) if *last == count => stretch.end = at + 1,
                _ => {
                    let (start, end) = (at, at + 1);
                    self.large.push((count, Stretch { start, end }));
                }
            }
        }
        self.small = (0..LOOKED_UP as u64)
            .map(|count| self.find_stretch(count))
            .collect();
        let stretches = self.large.iter().map(|(_, stretch)| *stretch);
        if let Some(longest) = stretches.max_by_key(|stretch| stretch.end - stretch.start) {
            self.prefix_index = PrefixIndex::into(longest, &self.high);
        }
    }

    /// The stretch of a count; an empty one, where it would be, when there is none.
    fn find_stretch(&self, count: u64) -> Stretch {
        let before = self.large.partition_point(|(other, _)| *other > count);
        match self.large.get(before) {
            Some((other, stretch)) if *other == count => *stretch,
            Some((_, Stretch { start, .. })) => Stretch {
                start: *start,
                end: *start,
            },
            None => {
                let end = self.high.len() as u32;
                Stretch { start: end, end }
            }
        }
    }

    /// The count that all groups of a range have, if the splitters around it tell that.
    pub(super) fn only_count(&self, range: usize) -> Option<u64> {
        let count = |splitter: usize| {
            let head = self.exact.entries.get(splitter)?.head;
            Some(self.by.parts(head).1)
        };
        let first = count(range.checked_sub(1)?)?;
        // Behind the last splitter counts go down to one.
        let last = count(range).unwrap_or(1);
        (self.by == By::Count && first == last).then_some(first)
    }

    /// How many ranges there are.
    pub(crate) fn ranges(&self) -> usize {
        self.high.len() + 1
    }

    /// The range of an inline group.
    #[inline(always)]
    pub(super) fn range_of(&self, key: u128, count: u64) -> usize {
        let stretch = match self.by {
            By::Key => self.small[0],
            By::Count => match usize::try_from(count)
                .ok()
                .and_then(|count| self.small.get(count))
            {
                Some(stretch) => *stretch,
                None => self.find_stretch(count),
            },
        };
        let (start, end) = (stretch.start as usize, stretch.end as usize);
        let (high, low) = ((key >> 64) as u64, key as u64);
        let first = match stretch == self.prefix_index.stretch {
            true => self.prefix_index.below(&self.high, high),
            false => start + below(&self.high[start..end], high),
        };
        if first == end || self.high[first] != high {
            return first;
        }
        let alike = self.high[first..end].partition_point(|&other| other == high);
        first + self.low[first..first + alike].partition_point(|&other| other <= low)
    }

    /// The range of a long group.
    pub(super) fn range_of_long(&self, head: Entry, key: &[u8]) -> usize {
        let group = LongEntry {
            head,
            start: 0,
            length: key.len(),
        };
        let (mut base, mut size) = (0, self.long.len());
        while size > 0 {
            let half = size / 2;
            if self.is_not_above(base + half, &group, key) {
                base += half + 1;
                size -= half + 1;
            } else {
                size = half;
            }
        }
        base
    }

    /// Tells whether a long group lies behind a splitter, or is it.
    fn is_not_above(&self, splitter: usize, group: &LongEntry, key: &[u8]) -> bool {
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
