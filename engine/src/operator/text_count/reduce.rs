//! Reduces a partition to its distinct keys.

use arrow_array::RecordBatch;
use keymill_kernels::stage::count::{Counter, split};
use keymill_kernels::{HashSeed, KeyCounts, PackedShort};

use super::partitions::PartitionGroups;
use crate::operator::text_count::columns::for_each_group;
use crate::runtime::Resources;
use crate::spill::SpillSpace;
use crate::{Result, TokenRule, Tuning};

/// What every reduction needs of its operator.
#[derive(Clone, Debug)]
pub(super) struct OperatorContext {
    pub(super) resources: Resources,
    pub(super) space: SpillSpace,
}

impl OperatorContext {
    /// Returns the maximum bytes of a partition that is reduced at once.
    fn part_bytes(&self) -> usize {
        (self.resources.memory.limit() / self.resources.threads.max(1) / 8).max(1)
    }
}

/// The tables of one worker, reused for each partition.
pub(super) struct Reducer {
    /// Made when it is first needed: distinct groups need none.
    counter: Option<Counter>,
    groups: KeyCounts,
    context: OperatorContext,
}

impl Reducer {
    pub(super) fn new(context: &OperatorContext) -> Self {
        Self {
            counter: None,
            groups: KeyCounts::default(),
            context: context.clone(),
        }
    }

    fn counter(&mut self) -> &mut Counter {
        let resources = &self.context.resources;
        self.counter.get_or_insert_with(|| {
            let limits = Tuning {
                tile_bytes: 64,
                ..resources.tuning
            };
            // Groups come in hash order of the operator's seed. Another seed prevents that they
            // crowd the first slots of a growing table.
            let seed = !resources.seed.rotate_left(32);
            Counter::new(resources.level, &TokenRule::Whitespace, &limits, seed)
        })
    }

    fn drain_into(&mut self, groups: &mut KeyCounts) {
        self.counter().drain_into(groups);
    }

    /// Passes the distinct groups of a partition to `visit`, in one part, or several if it is
    /// large.
    ///
    /// # Errors
    ///
    /// Those of spill files, a cancellation, and the errors of `visit`.
    pub(super) fn reduce(
        &mut self,
        pieces: PartitionGroups,
        mut visit: impl FnMut(&mut KeyCounts) -> Result<()>,
    ) -> Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        for part in self.divide(pieces)? {
            let mut groups = std::mem::take(&mut self.groups);
            groups.clear();
            self.reduce_part(part, &mut groups)?;
            visit(&mut groups)?;
            groups.packed_short = PackedShort::default();
            self.groups = groups;
        }
        Ok(())
    }

    /// Fills `groups`, which must be empty, with the distinct groups of a part. Short keys that
    /// were seen once stay in their blocks.
    fn reduce_part(&mut self, part: PartitionGroups, groups: &mut KeyCounts) -> Result<()> {
        let mut packed_short = PackedShort::default();
        self.add_all(part, |counter, groups| {
            counter.absorb_part(groups, &mut packed_short);
        })?;
        let most_bytes = self.context.part_bytes();
        self.counter().count_repeated(&mut packed_short, most_bytes);
        self.drain_into(groups);
        groups.packed_short = packed_short;
        Ok(())
    }

    /// Merges groups to distinct ones, packed as in a partition.
    ///
    /// # Errors
    ///
    /// A cancellation.
    pub(super) fn merge_in_memory(&mut self, memory: Vec<KeyCounts>) -> Result<KeyCounts> {
        let pieces = PartitionGroups {
            memory,
            ..PartitionGroups::default()
        };
        self.add_all(pieces, absorb)?;
        let mut groups = KeyCounts::default();
        self.drain_into(&mut groups);
        groups.pack();
        Ok(groups)
    }

    /// Passes distinct groups to `visit`: those that `copy` appends, merged unless it returns that
    /// they are distinct.
    ///
    /// # Errors
    ///
    /// A cancellation, and the errors of `visit`.
    pub(super) fn reduce_slice(
        &mut self,
        copy: impl FnOnce(&mut KeyCounts) -> bool,
        mut visit: impl FnMut(&mut KeyCounts) -> Result<()>,
    ) -> Result<()> {
        self.context.resources.cancel.check()?;
        let mut groups = std::mem::take(&mut self.groups);
        groups.clear();
        let are_distinct = copy(&mut groups);
        if !are_distinct {
            self.counter().absorb(&groups);
            groups.clear();
            self.drain_into(&mut groups);
        }
        visit(&mut groups)?;
        self.groups = groups;
        Ok(())
    }

    /// Adds all groups of a partition to the counter by `add`.
    fn add_all(
        &mut self,
        pieces: PartitionGroups,
        mut add: impl FnMut(&mut Counter, &mut KeyCounts),
    ) -> Result<()> {
        let cancel = self.context.resources.cancel.clone();
        let counter = self.counter();
        for mut groups in pieces.memory {
            cancel.check()?;
            add(counter, &mut groups);
        }
        let mut loaded = KeyCounts::default();
        for segment in pieces.spilled {
            segment.read(|batch| {
                cancel.check()?;
                load(batch, &mut loaded)?;
                add(counter, &mut loaded);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Divides a partition that is larger than its share of memory, by the other half of the hash.
    fn divide(&self, pieces: PartitionGroups) -> Result<Vec<PartitionGroups>> {
        let shares = pieces.loaded_bytes() / self.context.part_bytes();
        if shares <= 1 {
            return Ok(vec![pieces]);
        }
        self.divide_pieces(pieces, (shares * 2).min(1024))
    }

    fn divide_pieces(
        &self,
        pieces: PartitionGroups,
        shares: usize,
    ) -> Result<Vec<PartitionGroups>> {
        let mut divided = Vec::new();
        divided.resize_with(shares, PartitionGroups::default);
        let mut open = vec![KeyCounts::default(); shares];
        let mut loaded = KeyCounts::default();
        for groups in pieces.memory {
            self.split_into(&groups, &mut open, &mut divided)?;
        }
        for segment in pieces.spilled {
            segment.read(|batch| {
                load(batch, &mut loaded)?;
                self.split_into(&loaded, &mut open, &mut divided)
            })?;
        }
        for (pieces, groups) in divided.iter_mut().zip(open) {
            pieces.push(groups);
        }
        Ok(divided)
    }

    fn split_into(
        &self,
        groups: &KeyCounts,
        open: &mut [KeyCounts],
        divided: &mut [PartitionGroups],
    ) -> Result<()> {
        let resources = &self.context.resources;
        resources.cancel.check()?;
        split(groups, resources.level, HashSeed(resources.seed), open);
        if open.iter().map(KeyCounts::bytes).sum::<usize>() > self.context.part_bytes() {
            for (pieces, groups) in divided.iter_mut().zip(open) {
                pieces.push(std::mem::take(groups));
                pieces.spill(&self.context.space)?;
            }
        }
        Ok(())
    }
}

fn absorb(counter: &mut Counter, groups: &mut KeyCounts) {
    counter.absorb(groups);
}

/// Replaces `groups` by the groups of a batch.
fn load(batch: &RecordBatch, groups: &mut KeyCounts) -> Result<()> {
    groups.clear();
    for_each_group(batch, |key, count| {
        groups.push(key, count);
        Ok(())
    })
}
