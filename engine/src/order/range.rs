//! The groups of one range of the order, unsorted, in memory and on disk.

use super::entry::{Accept, By, Entry, LongEntry};
use super::sort::sort_entries;
use crate::Result;
use crate::columns::{ColumnBuilder, big_endian_prefix, for_each_group};
use crate::spill::{Segment, SpillSpace};

/// Entries of one allocation of a range; small, as many ranges are filled at a time.
const CHUNK: usize = 256;

/// Long keys with their bytes.
#[derive(Debug, Default)]
pub(super) struct LongRows {
    pub(super) entries: Vec<LongEntry>,
    pub(super) arena: Vec<u8>,
}

impl LongRows {
    pub(super) fn push(&mut self, head: Entry, key: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        let length = key.len();
        self.entries.push(LongEntry {
            head,
            start,
            length,
        });
    }

    pub(super) fn key(&self, entry: &LongEntry) -> &[u8] {
        &self.arena[entry.start..][..entry.length]
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<LongEntry>() + self.arena.capacity()
    }

    fn append(&mut self, other: &Self) {
        for entry in &other.entries {
            self.push(entry.head, other.key(entry));
        }
    }

    pub(super) fn sort(&mut self, by: By) {
        let arena = &self.arena;
        let key = |entry: &LongEntry| &arena[entry.start..][..entry.length];
        self.entries
            .sort_unstable_by(|a, b| by.compare_long((a, key(a)), (b, key(b))));
    }
}

/// The groups of one range.
#[derive(Debug, Default)]
pub(crate) struct Range {
    /// All but the last are full.
    chunks: Vec<Vec<Entry>>,
    long: Vec<LongRows>,
    spilled: Vec<Segment>,
}

impl Range {
    /// Adds an inline group; answers how many bytes of memory that took.
    #[inline(always)]
    pub(super) fn push(&mut self, entry: Entry) -> usize {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => {
                chunk.push(entry);
                0
            }
            _ => self.push_to_new(entry),
        }
    }

    #[cold]
    fn push_to_new(&mut self, entry: Entry) -> usize {
        let mut chunk = Vec::with_capacity(CHUNK);
        chunk.push(entry);
        self.chunks.push(chunk);
        CHUNK * size_of::<Entry>()
    }

    /// Adds a long group; answers how many bytes of memory that took.
    pub(super) fn push_long(&mut self, head: Entry, key: &[u8]) -> usize {
        if self.long.is_empty() {
            self.long.push(LongRows::default());
        }
        let rows = &mut self.long[0];
        let before = rows.bytes();
        rows.push(head, key);
        rows.bytes() - before
    }

    /// Adds what another worker dealt to the same range.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.chunks.append(&mut other.chunks);
        self.long.append(&mut other.long);
        self.spilled.append(&mut other.spilled);
    }

    /// Tells whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.long.is_empty() && self.spilled.is_empty()
    }

    /// Moves what is in memory to disk.
    pub(super) fn spill(&mut self, by: By, space: &SpillSpace) -> Result<()> {
        if self.chunks.is_empty() && self.long.is_empty() {
            return Ok(());
        }
        let (chunks, long) = (
            std::mem::take(&mut self.chunks),
            std::mem::take(&mut self.long),
        );
        let segment = space.store(|writer| {
            for &entry in chunks.iter().flatten() {
                let (key, count) = by.parts(entry);
                writer.push_inline(key, count)?;
            }
            for rows in &long {
                for entry in &rows.entries {
                    writer.push(rows.key(entry), by.parts(entry.head).1)?;
                }
            }
            Ok(())
        })?;
        self.spilled.push(segment);
        Ok(())
    }

    /// Sorts everything, and gives it out in order.
    pub(crate) fn load(self, by: By) -> Result<Sorted> {
        let mut sorted = self.gather(by)?;
        sort_entries(&mut sorted.inline);
        sorted.long.sort(by);
        Ok(sorted)
    }

    fn gather(mut self, by: By) -> Result<Sorted> {
        let mut sorted = Sorted {
            by,
            inline: Vec::with_capacity(self.rows()),
            long: self.long.pop().unwrap_or_default(),
        };
        for chunk in self.chunks {
            sorted.inline.extend_from_slice(&chunk);
        }
        for rows in &self.long {
            sorted.long.append(rows);
        }
        for segment in &self.spilled {
            segment.read(|batch| {
                for_each_group(batch, |key, count| {
                    sorted.push(key, count);
                    Ok(())
                })
            })?;
        }
        Ok(sorted)
    }

    fn rows(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Vec::len).sum();
        let spilled: usize = self.spilled.iter().map(Segment::groups).sum();
        chunks + spilled
    }
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

    fn push(&mut self, key: &[u8], count: u64) {
        let entry = self.by.entry(big_endian_prefix(key), count);
        if key.len() > 16 || key.contains(&0) {
            self.long.push(entry, key);
        } else {
            self.inline.push(entry);
        }
    }

    /// Writes the groups to `columns` in order, and calls `full` after each.
    pub(crate) fn write(
        &self,
        columns: &mut ColumnBuilder,
        mut full: impl FnMut(&mut ColumnBuilder) -> Result<()>,
    ) -> Result<()> {
        let mut inline = self.inline.iter();
        for long in &self.long.entries {
            while let Some(&entry) = inline.as_slice().first() {
                if !self.by.inline_first(entry, long) {
                    break;
                }
                inline.next();
                self.write_inline(entry, columns);
                full(columns)?;
            }
            let count = self.by.parts(long.head).1;
            columns.push(self.long.key(long), count)?;
            full(columns)?;
        }
        for &entry in inline {
            self.write_inline(entry, columns);
            full(columns)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn write_inline(&self, entry: Entry, columns: &mut ColumnBuilder) {
        let (key, count) = self.by.parts(entry);
        columns.push_inline(key, count);
    }
}

impl Accept for Range {
    fn inline(&mut self, entry: Entry) -> Result<()> {
        self.push(entry);
        Ok(())
    }

    fn long(&mut self, head: Entry, key: &[u8]) -> Result<()> {
        self.push_long(head, key);
        Ok(())
    }
}
