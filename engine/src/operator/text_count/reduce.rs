//! Reduces a partition to its distinct keys.

use arrow_array::RecordBatch;
use keymill_kernels::stage::count::{Counter, split};
use keymill_kernels::{HashSeed, KeyCounts, PackedShort};

use super::partitions::Pieces;
use crate::operator::text_count::columns::for_each_group;
use crate::runtime::Resources;
use crate::spill::SpillSpace;
use crate::{Result, TokenRule, Tuning};

/// What every reduction needs from its operator.
#[derive(Clone, Debug)]
pub(super) struct OperatorContext {
    pub(super) resources: Resources,
    pub(super) space: SpillSpace,
}

impl OperatorContext {
    /// How many bytes a partition may take while it is reduced.
    fn part_bytes(&self) -> usize {
        (self.resources.memory.limit() / self.resources.threads.max(1) / 8).max(1)
    }
}

/// One worker's tables, reused from partition to partition.
pub(super) struct Reducer {
    /// Made when it is first needed: groups that are distinct already need none.
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
            // Groups come in the order of their hashes under the operator's own secret; another
            // one keeps them from crowding the first slots of a table that is still growing.
            let seed = !resources.seed.rotate_left(32);
            Counter::new(resources.level, &TokenRule::Whitespace, &limits, seed)
        })
    }

    fn drain_into(&mut self, groups: &mut KeyCounts) {
        self.counter().drain_into(groups);
    }

    /// Gives `visit` the distinct groups of a partition, in one part or, if it is large, several.
    ///
    /// # Errors
    ///
    /// Those of spill files, a cancellation, and what `visit` returns.
    pub(super) fn reduce(
        &mut self,
        pieces: Pieces,
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

    /// Makes `groups`, which has none, the distinct ones of a part. Short keys that were seen once
    /// stay in the blocks that they came in.
    fn reduce_part(&mut self, part: Pieces, groups: &mut KeyCounts) -> Result<()> {
        let mut packed_short = PackedShort::default();
        self.give_all(part, |counter, groups| {
            counter.absorb_part(groups, &mut packed_short);
        })?;
        let most_bytes = self.context.part_bytes();
        self.counter().count_repeated(&mut packed_short, most_bytes);
        self.drain_into(groups);
        groups.packed_short = packed_short;
        Ok(())
    }

    /// The distinct groups of all of these, as a partition holds them.
    ///
    /// # Errors
    ///
    /// A cancellation.
    pub(super) fn bring_together(&mut self, memory: Vec<KeyCounts>) -> Result<KeyCounts> {
        let pieces = Pieces {
            memory,
            ..Pieces::default()
        };
        self.give_all(pieces, absorb)?;
        let mut groups = KeyCounts::default();
        self.drain_into(&mut groups);
        groups.pack();
        Ok(groups)
    }

    /// Gives `visit` the distinct groups of those that `copy` appends, which says whether they are
    /// distinct already.
    ///
    /// # Errors
    ///
    /// A cancellation, and what `visit` returns.
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

    /// Gives all groups of `pieces` to the counter in the way of `give`.
    fn give_all(
        &mut self,
        pieces: Pieces,
        mut give: impl FnMut(&mut Counter, &mut KeyCounts),
    ) -> Result<()> {
        let cancel = self.context.resources.cancel.clone();
        let counter = self.counter();
        for mut groups in pieces.memory {
            cancel.check()?;
            give(counter, &mut groups);
        }
        let mut loaded = KeyCounts::default();
        for segment in pieces.spilled {
            segment.read(|batch| {
                cancel.check()?;
                load(batch, &mut loaded)?;
                give(counter, &mut loaded);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Cuts a partition that would take more than its share by the other half of the hash.
    fn divide(&self, pieces: Pieces) -> Result<Vec<Pieces>> {
        let shares = pieces.loaded_bytes() / self.context.part_bytes();
        if shares <= 1 {
            return Ok(vec![pieces]);
        }
        self.divide_pieces(pieces, (shares * 2).min(1024))
    }

    fn divide_pieces(&self, pieces: Pieces, shares: usize) -> Result<Vec<Pieces>> {
        let mut divided = Vec::new();
        divided.resize_with(shares, Pieces::default);
        let mut open = vec![KeyCounts::default(); shares];
        let mut loaded = KeyCounts::default();
        for groups in pieces.memory {
            self.deal(&groups, &mut open, &mut divided)?;
        }
        for segment in pieces.spilled {
            segment.read(|batch| {
                load(batch, &mut loaded)?;
                self.deal(&loaded, &mut open, &mut divided)
            })?;
        }
        for (pieces, groups) in divided.iter_mut().zip(open) {
            pieces.push(groups);
        }
        Ok(divided)
    }

    fn deal(
        &self,
        groups: &KeyCounts,
        open: &mut [KeyCounts],
        divided: &mut [Pieces],
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

/// Replaces `groups` by those of a batch.
fn load(batch: &RecordBatch, groups: &mut KeyCounts) -> Result<()> {
    groups.clear();
    for_each_group(batch, |key, count| {
        groups.push(key, count);
        Ok(())
    })
}
