//! Sorts references to rows by the bytes of the rows.
//!
//! ```text
//! row bytes   01 00 00 2a 01 6b 65 79     bytes that are the same in all rows are skipped;
//!             01 00 07 11 01 6b 61 79     the first 8 that differ are the prefix
//!                    ▲  ▲        ▲
//! prefix            00 2a       65        rows with equal prefixes are sorted by the bytes after
//! ```
//!
//! Prefixes are integers, so most comparisons do not read the rows.

use std::ops::Range;

use super::block::Block;

/// Below this number of rows, comparing whole rows is faster.
const FEW: usize = 24;
/// Bytes of each row that are examined at a time.
const WINDOW: usize = 64;
/// Bytes of a prefix.
const PREFIX: usize = 8;

/// A row of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRef {
    prefix: u64,
    pub(super) block: u32,
    pub(super) row: u32,
}

impl RowRef {
    fn key<'b>(&self, blocks: &'b [Block]) -> &'b [u8] {
        blocks[self.block as usize].key(self.row as usize)
    }
}

/// Returns all rows of all blocks, in order.
pub(super) fn sorted_rows(blocks: &[Block]) -> Vec<RowRef> {
    let count = blocks.iter().map(|block| block.batch.num_rows()).sum();
    let mut rows = Vec::with_capacity(count);
    for (block, content) in (0..).zip(blocks) {
        rows.extend((0..content.batch.num_rows() as u32).map(|row| RowRef {
            prefix: 0,
            block,
            row,
        }));
    }
    sort(&mut rows, blocks);
    rows
}

fn sort(rows: &mut [RowRef], blocks: &[Block]) {
    // Unsorted ranges of rows that are equal before byte `from`.
    let mut open: Vec<(Range<usize>, usize)> = vec![(0..rows.len(), 0)];
    while let Some((range, from)) = open.pop() {
        let start = range.start;
        let rows = &mut rows[range];
        let window = match rows.len() {
            0..FEW => None,
            _ => Window::find(rows, blocks, from),
        };
        let Some(window) = window else {
            compare_sort(rows, blocks, from);
            continue;
        };
        for row in &mut *rows {
            row.prefix = window.prefix(row.key(blocks));
        }
        rows.sort_unstable_by_key(|row| row.prefix);
        let mut end = start;
        for group in rows.chunk_by_mut(|a, b| a.prefix == b.prefix) {
            let begin = end;
            end += group.len();
            match group.len() {
                1 => {}
                0..FEW => compare_sort(group, blocks, window.end),
                _ => open.push((begin..end, window.end)),
            }
        }
    }
}

fn compare_sort(rows: &mut [RowRef], blocks: &[Block], from: usize) {
    rows.sort_unstable_by(|a, b| a.key(blocks)[from..].cmp(&b.key(blocks)[from..]));
}

/// The positions whose bytes make the prefix.
struct Window {
    positions: [usize; PREFIX],
    count: usize,
    /// Rows with equal prefixes are equal before this byte.
    end: usize,
}

impl Window {
    /// Finds the first positions from `from` on at which rows differ. `None` if there are none before
    /// the end of the shortest row.
    fn find(rows: &[RowRef], blocks: &[Block], mut from: usize) -> Option<Self> {
        let lengths = rows.iter().map(|row| row.key(blocks).len());
        let shortest = lengths.min().unwrap_or(0);
        while from < shortest {
            let end = shortest.min(from + WINDOW);
            let differing = differing_bytes(rows, blocks, from..end);
            if let Some(window) = Self::of(&differing, from..end) {
                return Some(window);
            }
            from = end;
        }
        None
    }

    fn of(differing: &[u8; WINDOW], examined: Range<usize>) -> Option<Self> {
        let mut window = Self {
            positions: [0; PREFIX],
            count: 0,
            end: examined.end,
        };
        for (position, bits) in examined.zip(differing) {
            if *bits == 0 {
                continue;
            }
            window.positions[window.count] = position;
            window.count += 1;
            if window.count == PREFIX {
                window.end = position + 1;
                break;
            }
        }
        (window.count > 0).then_some(window)
    }

    #[inline]
    fn prefix(&self, key: &[u8]) -> u64 {
        let positions = self.positions[..self.count].iter();
        positions.fold(0, |prefix, &position| {
            prefix << 8 | u64::from(key[position])
        })
    }
}

/// Returns the bits in which rows differ from the first one.
fn differing_bytes(rows: &[RowRef], blocks: &[Block], examined: Range<usize>) -> [u8; WINDOW] {
    let mut differing = [0; WINDOW];
    let first = &rows[0].key(blocks)[examined.clone()];
    for row in rows {
        let key = &row.key(blocks)[examined.clone()];
        for ((bits, byte), first) in differing.iter_mut().zip(key).zip(first) {
            *bits |= byte ^ first;
        }
    }
    differing
}
