//! Sorts the entries of a range.
//!
//! ```text
//! bits that differ ─▶ a code of 12 of the first of them ─▶ buckets by code ─▶ each bucket sorted
//! ```
//!
//! Counts within a range are mostly alike, and keys are text, of which few bits of a byte differ; so
//! the code takes only bits that differ somewhere, and most buckets hold a handful of entries.

use super::entry::Entry;

/// Entries below which comparing alone is faster.
const FEW: usize = 256;
/// Bits of the code.
const CODE_BITS: u32 = 12;
/// Bytes that the code may take bits from.
const FIELDS: usize = 4;

/// Sorts one range after the other with the same memory.
#[derive(Debug, Default)]
pub(crate) struct Sorter {
    places: Vec<u32>,
    sorted: Vec<Entry>,
}

impl Sorter {
    /// Sorts entries in place.
    pub(super) fn sort(&mut self, entries: &mut Vec<Entry>) {
        if entries.len() < FEW || u32::try_from(entries.len()).is_err() {
            entries.sort_unstable();
            return;
        }
        let code = Code::choose(entries);
        self.count(entries, &code);
        self.sorted.clear();
        self.sorted.resize(entries.len(), Entry::default());
        for &entry in &*entries {
            let place = &mut self.places[code.of(entry)];
            self.sorted[*place as usize] = entry;
            *place += 1;
        }
        std::mem::swap(entries, &mut self.sorted);
        let mut start = 0;
        for &end in &self.places {
            entries[start..end as usize].sort_unstable();
            start = end as usize;
        }
    }

    /// Sets `places` to where the bucket of each code begins.
    fn count(&mut self, entries: &[Entry], code: &Code) {
        self.places.clear();
        self.places.resize(1 << CODE_BITS, 0);
        for &entry in entries {
            self.places[code.of(entry)] += 1;
        }
        let mut sum = 0;
        for place in &mut self.places {
            sum += std::mem::replace(place, sum);
        }
    }
}

/// Picks bits of an entry that keep the order: entries with a smaller code come first.
#[derive(Clone, Copy, Debug, Default)]
struct Code {
    /// The word that the bits lie in, from this bit on, and the first bits of the next one.
    word: usize,
    shift: u32,
    fields: [Field; FIELDS],
}

/// Some bits of one byte, and where they go.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    from: u32,
    mask: u64,
    to: u32,
}

impl Code {
    fn choose(entries: &[Entry]) -> Self {
        let Entry(first) = entries[0];
        let mut differing = [0; 3];
        for Entry(words) in entries {
            for word in 0..3 {
                differing[word] |= words[word] ^ first[word];
            }
        }
        let word = differing.iter().position(|&bits| bits != 0).unwrap_or(0);
        let mut code = Self {
            word,
            // Whole bytes, so that a field never takes bits of two.
            shift: differing[word].leading_zeros() / 8 % 8 * 8,
            ..Self::default()
        };
        let window = code.window(Entry(differing));
        code.take_fields(window);
        code
    }

    /// Takes the bits of each byte from the first that differs to the last.
    fn take_fields(&mut self, differing: u64) {
        let mut left = CODE_BITS;
        let bytes = (0..8).rev().filter_map(|byte| {
            let bits = (differing >> (8 * byte)) as u8;
            let (low, width) = (bits.trailing_zeros(), 8 - bits.leading_zeros());
            (bits != 0).then(|| (8 * byte + low, width - low))
        });
        for (field, (low, width)) in self.fields.iter_mut().zip(bytes) {
            let taken = width.min(left);
            left -= taken;
            *field = Field {
                from: low + width - taken,
                mask: (1 << taken) - 1,
                to: left,
            };
        }
    }

    /// 64 bits of an entry, of which the first byte is the first that differs.
    #[inline(always)]
    fn window(&self, Entry(words): Entry) -> u64 {
        let next = if self.word < 2 {
            words[self.word + 1]
        } else {
            0
        };
        let both = u128::from(words[self.word]) << 64 | u128::from(next);
        (both << self.shift >> 64) as u64
    }

    #[inline(always)]
    fn of(&self, entry: Entry) -> usize {
        let window = self.window(entry);
        let part = |field: &Field| (window >> field.from & field.mask) << field.to;
        let bits = self.fields.iter().fold(0, |bits, field| bits | part(field));
        bits as usize & ((1 << CODE_BITS) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: Vec<Entry>) {
        let mut expected = entries.clone();
        expected.sort_by_key(|entry| entry.0);
        let mut sorter = Sorter::default();
        for _ in 0..2 {
            let mut sorted = entries.clone();
            sorter.sort(&mut sorted);
            assert!(sorted == expected);
        }
    }

    fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 30) % below
        }
    }

    #[test]
    fn every_kind_of_range_is_sorted() {
        let mut next = numbers(1);
        for size in [0, 1, 2, 255, 256, 257, 5000] {
            check(
                (0..size)
                    .map(|_| Entry([next(9), next(9), next(9)]))
                    .collect(),
            );
            check(
                (0..size)
                    .map(|_| Entry([7, next(1 << 33), next(1 << 33) << 31]))
                    .collect(),
            );
            check((0..size).map(|_| Entry([7, 7, next(1 << 20)])).collect());
            check(
                (0..size)
                    .map(|_| Entry([!next(3), u64::MAX - next(2), next(300)]))
                    .collect(),
            );
            check(
                (0..size)
                    .map(|_| Entry([next(2) << 63, 0, next(2)]))
                    .collect(),
            );
            check((0..size).map(|_| Entry([5, 5, 5])).collect());
        }
    }

    #[test]
    fn texts_with_a_common_beginning_are_sorted() {
        let mut next = numbers(2);
        let mut text = |prefix: &str| {
            let key = format!("{prefix}{}", next(1_000_000));
            let mut bytes = [0; 24];
            bytes[8..][..key.len()].copy_from_slice(key.as_bytes());
            let word = |i: usize| u64::from_be_bytes(*bytes[i..].first_chunk().unwrap());
            Entry([word(0), word(8), word(16)])
        };
        for prefix in ["", "user_", "eight-by", "prefix_10_"] {
            check((0..3000).map(|_| text(prefix)).collect());
        }
    }
}
