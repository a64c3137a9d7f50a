//! Brings equal keys of partitions together while counting goes on.
//!
//! What passes the tables by lies in its partition once for each token. That is as it should be
//! where nearly every token is new; where keys come again, if rarely, a long input would hold far
//! more tokens than it has groups, and spill them. So partitions that have grown are folded: each is
//! reduced, in cache, to its groups. A few are folded first, and the others if that made a difference.
#![forbid(unsafe_code)]

use super::CountOperator;
use super::partitions::{Partitions, Pieces};
use super::reduce::Reducer;
use crate::Result;

/// One partition in so many is folded to see whether that makes a difference.
const TRIED: usize = 64;

/// It does when this many tenths of the groups are left, or fewer.
const WORTH_TENTHS: usize = 7;

impl CountOperator {
    /// Folds the partitions if they have grown enough since the last time.
    pub(super) fn compact_when_due(&mut self) -> Result<()> {
        if self.partitions.bytes() > self.partitions.compact_at.max(self.sizes.compact) {
            let mut reducer = Reducer::new(&self.context);
            self.partitions.compact(&mut reducer)?;
            self.partitions.compact_at = next_compaction(self.partitions.bytes(), self.sizes.share);
        }
        Ok(())
    }
}

/// The bytes of partitions at which they are folded again: twice those that are left, so that no
/// group is folded often, but before all of the share is taken, unless that is nearly so anyway.
fn next_compaction(left: usize, share: usize) -> usize {
    match left < share / 4 * 3 {
        true => (2 * left).min(left.midpoint(share)),
        false => usize::MAX,
    }
}

impl Partitions {
    fn compact(&mut self, reducer: &mut Reducer) -> Result<()> {
        self.close();
        let tried = self.parts.len().div_ceil(TRIED);
        let (trial, others) = self.parts.split_at_mut(tried);
        let (mut before, mut after) = (0, 0);
        for part in trial {
            before += part.fresh.groups_in_memory();
            part.fresh.compact(reducer)?;
            after += part.fresh.groups_in_memory();
        }
        if after * 10 <= before * WORTH_TENTHS {
            for part in others {
                part.fresh.compact(reducer)?;
            }
        }
        self.measure();
        Ok(())
    }
}

impl Pieces {
    fn groups_in_memory(&self) -> usize {
        self.memory
            .iter()
            .map(keymill_kernels::KeyCounts::len)
            .sum()
    }

    fn compact(&mut self, reducer: &mut Reducer) -> Result<()> {
        if !self.memory.is_empty() {
            let groups = reducer.bring_together(std::mem::take(&mut self.memory))?;
            self.memory.push(groups);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_few_and_come_before_the_share_is_taken() {
        let share = 1 << 20;
        assert_eq!(next_compaction(share / 8, share), share / 4);
        let late = next_compaction(share / 2, share);
        assert!(late > share / 2 && late < share);
        assert_eq!(next_compaction(share / 10 * 9, share), usize::MAX);
    }
}
