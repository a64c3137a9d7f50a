//! The aggregates of one key.
#![forbid(unsafe_code)]

use keymill_shaders::ReducedGroup;

/// The aggregates of one key, which is an integer or bytes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group<K> {
    pub(crate) key: K,
    pub(crate) count: u64,
    /// The exact sum.
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// Joins two words to a 64-bit integer.
pub(super) fn join_words(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl<K> Group<K> {
    /// Decodes the record of a key.
    pub(super) fn decode(key: K, record: &ReducedGroup) -> Self {
        let raised =
            u128::from(record.sum_2) << 64 | u128::from(join_words(record.sum_1, record.sum_0));
        Self {
            key,
            count: record.count.into(),
            // The shader adds 2^63 to each value.
            sum: raised as i128 - (i128::from(record.count) << 63),
            min: join_words(record.min_high, record.min_low) as i64,
            max: join_words(record.max_high, record.max_low) as i64,
        }
    }

    /// Creates a group from aggregates computed on the CPU.
    pub(super) fn reduced(key: K, (count, sum, min, max): (u64, i128, i64, i64)) -> Self {
        Self {
            key,
            count,
            sum,
            min,
            max,
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Tells whether values with these aggregates exist.
    pub(super) fn is_possible(&self) -> bool {
        let least = i128::from(self.count) * i128::from(self.min);
        let most = i128::from(self.count) * i128::from(self.max);
        let ends = i128::from(self.min) + i128::from(self.max);
        // With one value, minimum and maximum are equal. With two, they are the values.
        let matches_extremes = match self.count {
            0 => false,
            1 => self.min == self.max,
            2 => self.sum == ends,
            _ => true,
        };
        matches_extremes && self.min <= self.max && (least..=most).contains(&self.sum)
    }
}
