//! How many rows, or values, each group has.

use super::Validity;

/// Counts by group.
///
/// # Examples
///
/// ```
/// use keymill_kernels::accumulate::{Count, Validity};
///
/// let mut count = Count::default();
/// count.resize(2);
/// count.update(&[0, 1, 0]);
/// count.update_valid(&[0, 1], Validity::new(&[0b01], 0, 2));
/// assert_eq!(count.counts(), [3, 1]);
/// ```
#[derive(Debug, Default)]
pub struct Count {
    counts: Vec<u64>,
}

impl Count {
    /// Makes room for so many groups in all; new ones have 0.
    pub fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    /// Adds 1 to the group of each row.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn update(&mut self, ids: &[u32]) {
        for &id in ids {
            self.counts[id as usize] += 1;
        }
    }

    /// Adds 1 to the group of each row that is not null.
    ///
    /// # Panics
    ///
    /// When there is no such group, or not one bit for each row.
    pub fn update_valid(&mut self, ids: &[u32], valid: Validity<'_>) {
        assert_eq!(ids.len(), valid.len(), "one bit for each row");
        for (&id, valid) in ids.iter().zip(valid.rows()) {
            self.counts[id as usize] += u64::from(valid);
        }
    }

    /// Adds other counts: `counts[i]` to group `ids[i]`. They stop at the largest number.
    ///
    /// # Panics
    ///
    /// When there is no such group, or not one count for each id.
    pub fn merge(&mut self, ids: &[u32], counts: &[u64]) {
        assert_eq!(ids.len(), counts.len(), "one count for each id");
        for (&id, &count) in ids.iter().zip(counts) {
            let mine = &mut self.counts[id as usize];
            *mine = mine.saturating_add(count);
        }
    }

    /// The count of each group.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Makes groups as they were when they were new.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn reset(&mut self, ids: &[u32]) {
        for &id in ids {
            self.counts[id as usize] = 0;
        }
    }

    /// Forgets all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
    }

    /// How many bytes of memory it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }
}
