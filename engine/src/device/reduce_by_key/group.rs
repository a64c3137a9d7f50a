//! What is known of the values of a key.
#![forbid(unsafe_code)]

use keymill_shaders::ReducedGroup;

/// All that is known of the values of a key: an integer, or bytes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group<K> {
    pub(crate) key: K,
    pub(crate) count: u64,
    /// Exact.
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// The bits of two words.
pub(super) fn wide(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl<K> Group<K> {
    /// What a record says of a key.
    pub(super) fn decode(key: K, record: &ReducedGroup) -> Self {
        let raised = u128::from(record.sum_2) << 64 | u128::from(wide(record.sum_1, record.sum_0));
        Self {
            key,
            count: record.count.into(),
            // 2^63 was added to each value.
            sum: raised as i128 - (i128::from(record.count) << 63),
            min: wide(record.min_high, record.min_low) as i64,
            max: wide(record.max_high, record.max_low) as i64,
        }
    }

    /// What the processor found.
    pub(super) fn reduced(key: K, (count, sum, min, max): (u64, i128, i64, i64)) -> Self {
        Self {
            key,
            count,
            sum,
            min,
            max,
        }
    }

    pub(super) fn take_in(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Whether there are such values at all.
    pub(super) fn is_possible(&self) -> bool {
        let least = i128::from(self.count) * i128::from(self.min);
        let most = i128::from(self.count) * i128::from(self.max);
        let ends = i128::from(self.min) + i128::from(self.max);
        // One value is both ends, and two are the ends.
        let is_of_its_ends = match self.count {
            0 => false,
            1 => self.min == self.max,
            2 => self.sum == ends,
            _ => true,
        };
        is_of_its_ends && self.min <= self.max && (least..=most).contains(&self.sum)
    }
}
