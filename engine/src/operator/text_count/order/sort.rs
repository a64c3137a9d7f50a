//! Sorts the groups of a range.
//!
//! ```text
//! b a r │ b a z │ c a r …      the bytes after the common prefix
//! 0 0 0 │ 0 0 1 │ 1 0 0        the rank of each byte among the values at its position
//!   0   │   1   │   2          together the number of a bucket; each bucket is sorted separately
//! ```
//!
//! Keys are text with few distinct values per byte, so most buckets hold only some groups.

use super::entry::Entry;

/// Minimum number of items; fewer are sorted by comparison, which is faster.
const MIN_BUCKET_SORT: usize = 256;
/// Maximum number of buckets.
const BUCKETS: usize = 1 << 13;
/// Number of bytes that decide the bucket.
const BYTES: usize = 4;

/// An item of up to three words, which are compared one after the other.
trait Words: Copy + Default + Ord {
    fn words(self) -> [u64; 3];
}

impl Words for Entry {
    #[inline(always)]
    fn words(self) -> [u64; 3] {
        self.0
    }
}

impl Words for u128 {
    #[inline(always)]
    fn words(self) -> [u64; 3] {
        [(self >> 64) as u64, self as u64, 0]
    }
}

/// Sorts ranges; its memory is reused for each range.
#[derive(Debug, Default)]
pub(crate) struct Sorter {
    places: Vec<u32>,
    keys: Vec<u128>,
    entries: Vec<Entry>,
}

impl Sorter {
    /// Sorts keys in place.
    pub(super) fn sort_keys(&mut self, keys: &mut Vec<u128>) {
        sort(keys, &mut self.keys, &mut self.places);
    }

    /// Sorts entries in place.
    pub(super) fn sort_entries(&mut self, entries: &mut Vec<Entry>) {
        sort(entries, &mut self.entries, &mut self.places);
    }
}

fn sort<T: Words>(items: &mut Vec<T>, sorted: &mut Vec<T>, places: &mut Vec<u32>) {
    if items.len() < MIN_BUCKET_SORT || u32::try_from(items.len()).is_err() {
        items.sort_unstable();
        return;
    }
    let code = Code::choose(items);
    find_places(items, &code, places);
    sorted.clear();
    sorted.resize(items.len(), T::default());
    for &item in &*items {
        let place = &mut places[code.of(item)];
        sorted[*place as usize] = item;
        *place += 1;
    }
    std::mem::swap(items, sorted);
    let mut start = 0;
    for &end in &*places {
        items[start..end as usize].sort_unstable();
        start = end as usize;
    }
}

/// Sets `places` to the start of each bucket.
fn find_places<T: Words>(items: &[T], code: &Code, places: &mut Vec<u32>) {
    places.clear();
    places.resize(code.buckets, 0);
    for &item in items {
        places[code.of(item)] += 1;
    }
    let mut sum = 0;
    for place in places {
        sum += std::mem::replace(place, sum);
    }
}

/// Computes the number of an item's bucket; buckets are in sort order.
struct Code {
    /// The word of the first deciding byte, and its bit offset in the word.
    word: usize,
    shift: u32,
    /// What each value of each byte adds to the bucket number.
    parts: [[u16; 256]; BYTES],
    buckets: usize,
}

impl Code {
    fn choose<T: Words>(items: &[T]) -> Self {
        let first = items[0].words();
        let mut differing = [0; 3];
        for item in items {
            let words = item.words();
            for word in 0..3 {
                differing[word] |= words[word] ^ first[word];
            }
        }
        let word = differing.iter().position(|&bits| bits != 0).unwrap_or(0);
        let mut code = Self {
            word,
            shift: differing[word].leading_zeros() / 8 % 8 * 8,
            parts: [[0; 256]; BYTES],
            buckets: 1,
        };
        let mut occurs = [[false; 256]; BYTES];
        for item in items {
            let bytes = code.window(item.words()).to_be_bytes();
            for (occurs, byte) in occurs.iter_mut().zip(bytes) {
                occurs[usize::from(byte)] = true;
            }
        }
        code.take_bytes(&occurs);
        code
    }

    /// Ranks the values of each byte, until there are enough buckets.
    fn take_bytes(&mut self, occurs: &[[bool; 256]; BYTES]) {
        for (byte, occurs) in occurs.iter().enumerate() {
            let values = occurs.iter().filter(|occurs| **occurs).count();
            // Several values share a rank if there would be too many buckets.
            let shared = (values * self.buckets).div_ceil(BUCKETS);
            let ranks = values.div_ceil(shared);
            for part in self.parts[..byte].iter_mut().flatten() {
                *part *= ranks as u16;
            }
            let mut seen = 0;
            for (part, occurs) in self.parts[byte].iter_mut().zip(occurs) {
                *part = (seen / shared) as u16;
                seen += usize::from(*occurs);
            }
            self.buckets *= ranks;
            if shared > 1 {
                break;
            }
        }
    }

    /// Returns 64 bits of an item, from the first byte that differs between items.
    #[inline(always)]
    fn window(&self, words: [u64; 3]) -> u64 {
        let next = if self.word < 2 {
            words[self.word + 1]
        } else {
            0
        };
        let both = u128::from(words[self.word]) << 64 | u128::from(next);
        (both << self.shift >> 64) as u64
    }

    #[inline(always)]
    fn of(&self, item: impl Words) -> usize {
        let bytes = self.window(item.words()).to_be_bytes();
        let parts = self.parts.iter().zip(bytes);
        parts
            .map(|(part, byte)| usize::from(part[usize::from(byte)]))
            .sum()
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
            sorter.sort_entries(&mut sorted);
            assert!(sorted == expected);
        }
        let key = |Entry([_, high, low]): &Entry| u128::from(*high) << 64 | u128::from(*low);
        let mut keys: Vec<u128> = entries.iter().map(key).collect();
        let mut expected = keys.clone();
        expected.sort();
        sorter.sort_keys(&mut keys);
        assert!(keys == expected);
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
    fn texts_with_a_common_prefix_are_sorted() {
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
