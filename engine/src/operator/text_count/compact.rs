//! Compacts partitions during counting: merges equal keys within each partition.
//!
//! A token that bypasses the tables is stored in its partition once for each occurrence. This is
//! good if nearly every token is new. If keys repeat rarely, partitions of a long input would hold
//! far more tokens than groups, and spill them. So partitions that have grown are compacted: each
//! is reduced, in cache, to distinct groups. A few are compacted first, and the others only if that
//! helped.
#![forbid(unsafe_code)]

use super::TextCount;
use super::partitions::{PartitionGroups, Partitions};
use super::reduce::Reducer;
use crate::Result;

/// One of this number of partitions is compacted as a trial.
const TRIAL_DIVISOR: usize = 64;

/// All are compacted if at most this many tenths of the groups remain in the trial.
const MAX_REMAINING_TENTHS: usize = 7;

impl TextCount {
    /// Compacts the partitions if they have grown enough since the last time.
    pub(super) fn compact_when_due(&mut self) -> Result<()> {
        if self.partitions.bytes() > self.partitions.compact_at.max(self.sizes.compact) {
            let mut reducer = Reducer::new(&self.context);
            self.partitions.compact(&mut reducer)?;
            self.partitions.compact_at = next_compaction(self.partitions.bytes(), self.sizes.share);
        }
        Ok(())
    }
}

/// Returns the bytes of partitions from which they are compacted again: twice the remaining bytes,
/// so that groups are not compacted often, but before the share is full. If it is nearly full
/// already, they are not compacted again.
fn next_compaction(remaining: usize, share: usize) -> usize {
    match remaining < share / 4 * 3 {
        true => (2 * remaining).min(remaining.midpoint(share)),
        false => usize::MAX,
    }
}

impl Partitions {
    fn compact(&mut self, reducer: &mut Reducer) -> Result<()> {
        self.close();
        let tried = self.parts.len().div_ceil(TRIAL_DIVISOR);
        let (trial, others) = self.parts.split_at_mut(tried);
        let (mut before, mut after) = (0, 0);
        for part in trial {
            before += part.groups_in_memory();
            part.compact(reducer)?;
            after += part.groups_in_memory();
        }
        if after * 10 <= before * MAX_REMAINING_TENTHS {
            for part in others {
                part.compact(reducer)?;
            }
        }
        self.measure();
        Ok(())
    }
}

impl PartitionGroups {
    fn groups_in_memory(&self) -> usize {
        self.memory
            .iter()
            .map(keymill_kernels::KeyCounts::len)
            .sum()
    }

    fn compact(&mut self, reducer: &mut Reducer) -> Result<()> {
        if !self.memory.is_empty() {
            let groups = reducer.merge_in_memory(std::mem::take(&mut self.memory))?;
            self.memory.push(groups);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compactions_are_few_and_happen_before_the_share_is_full() {
        let share = 1 << 20;
        assert_eq!(next_compaction(share / 8, share), share / 4);
        let late = next_compaction(share / 2, share);
        assert!(late > share / 2 && late < share);
        assert_eq!(next_compaction(share / 10 * 9, share), usize::MAX);
    }
}
