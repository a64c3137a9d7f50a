//! Cuts a large split into ranges that threads read in parallel.
//!
//! ```text
//! even ranges   0 ........ | ........ | ........
//! cuts          0 ..........^ .........^ .......   the first boundary after each
//! ```
#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Boundary, bytes_of_character_before};
use crate::Result;

/// Bytes of the first read that looks for a cut.
const FIRST_LOOK: usize = 1 << 10;

/// Maximum bytes of one read that looks for a cut.
const LAST_LOOK: usize = 1 << 20;

/// The ranges of one split. The first thread that needs a cut finds it; then it is cached.
pub(crate) struct Ranges {
    size: u64,
    step: u64,
    cuts: Mutex<Vec<Option<Place>>>,
    count: usize,
}

/// The end of one range and the start of the next one.
#[derive(Clone, Copy)]
struct Place {
    end: u64,
    next: u64,
}

impl Ranges {
    /// Creates ranges of about `step` bytes.
    pub(crate) fn new(size: u64, step: u64) -> Self {
        let count = usize::try_from(size.div_ceil(step))
            .unwrap_or(usize::MAX)
            .max(1);
        Self {
            size,
            step,
            cuts: Mutex::new(vec![None; count - 1]),
            count,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Returns the bytes of a range. Both ends are token boundaries, and the range may be empty.
    ///
    /// `read` fills a buffer from an offset.
    pub(crate) fn range(
        &self,
        index: usize,
        boundary: &Boundary,
        mut read: impl FnMut(&mut [u8], u64) -> Result<()>,
    ) -> Result<Range<u64>> {
        let start = self.cut(index, boundary, &mut read)?.next;
        let end = self.cut(index + 1, boundary, &mut read)?.end;
        Ok(start.min(end)..end)
    }

    /// Returns the cut before the range `index`.
    fn cut(
        &self,
        index: usize,
        boundary: &Boundary,
        read: &mut impl FnMut(&mut [u8], u64) -> Result<()>,
    ) -> Result<Place> {
        if index == 0 {
            return Ok(Place { end: 0, next: 0 });
        }
        if index == self.count {
            return Ok(self.end());
        }
        if let Some(known) = self.lock()[index - 1] {
            return Ok(known);
        }
        let found = self.look(index as u64 * self.step, boundary, read)?;
        let mut cuts = self.lock();
        // There is no cut within a giant token, so all ranges within it get this cut.
        let within = (found.end - 1) / self.step;
        let last = usize::try_from(within).map_or(cuts.len(), |last| last.clamp(index, cuts.len()));
        for cut in &mut cuts[index - 1..last] {
            cut.get_or_insert(found);
        }
        Ok(cuts[index - 1].unwrap_or(found))
    }

    /// Finds the first boundary after an offset.
    fn look(
        &self,
        from: u64,
        boundary: &Boundary,
        read: &mut impl FnMut(&mut [u8], u64) -> Result<()>,
    ) -> Result<Place> {
        let mut text = Vec::new();
        // Offset of the buffer's first byte.
        let mut base = from;
        let mut look = FIRST_LOOK;
        let mut searched = 0;
        loop {
            let known = text.len();
            let left = self.size - base - known as u64;
            let more = usize::try_from(left).unwrap_or(usize::MAX).min(look);
            if more == 0 {
                return Ok(self.end());
            }
            text.resize(known + more, 0);
            read(&mut text[known..], base + known as u64)?;
            if known == 0 {
                base += forget_front(&mut text, 0);
            }
            if let Some(cut) = boundary.first(&text, searched) {
                return Ok(Place {
                    end: base + cut.end as u64,
                    next: base + cut.next as u64,
                });
            }
            let front = text.len().saturating_sub(FIRST_LOOK);
            base += forget_front(&mut text, front);
            searched = text.len();
            look = (look * 2).min(LAST_LOOK);
        }
    }

    fn end(&self) -> Place {
        Place {
            end: self.size,
            next: self.size,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Place>>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops at least `least` bytes from the front, up to the start of a character. Returns the number of
/// dropped bytes.
fn forget_front(text: &mut Vec<u8>, least: usize) -> u64 {
    let bytes = least + bytes_of_character_before(&text[least..]);
    text.drain(..bytes);
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, TokenRule};

    fn ranges(text: &[u8], step: u64, order: impl Iterator<Item = usize>) -> Vec<Range<u64>> {
        let boundary = Boundary::new(Level::Scalar, &TokenRule::Whitespace, false);
        let ranges = Ranges::new(text.len() as u64, step);
        let read = |into: &mut [u8], at: u64| {
            into.copy_from_slice(&text[at as usize..][..into.len()]);
            Ok(())
        };
        let mut found: Vec<_> = order
            .filter(|&index| index < ranges.len())
            .map(|index| ranges.range(index, &boundary, read).unwrap())
            .collect();
        found.sort_by_key(|range| (range.start, range.end));
        found
    }

    #[test]
    fn ranges_cover_the_text_once_in_any_order() {
        let giant = "y".repeat(5000);
        let text = format!("to be {giant} or not to {giant} be that");
        for step in [64, 65, 100, 1000, 20_000] {
            for backwards in [false, true] {
                let order: Vec<usize> = (0..200).collect();
                let found = if backwards {
                    ranges(text.as_bytes(), step, order.into_iter().rev())
                } else {
                    ranges(text.as_bytes(), step, order.into_iter())
                };
                let mut at = 0;
                for range in found {
                    assert_eq!(range.start, at);
                    let cut = &text.as_bytes()[..range.end as usize];
                    assert!(range.end as usize == text.len() || cut.ends_with(b" "));
                    at = range.end;
                }
                assert_eq!(at as usize, text.len());
            }
        }
    }
}
