//! Reduces a partition to its distinct keys.

use arrow_array::RecordBatch;
use keymill_kernels::stage::count::{Counter, split};
use keymill_kernels::{ContractSeed, Groups, Once};

use super::partitions::{Part, Pieces};
use crate::columns::for_each_group;
use crate::resources::Resources;
use crate::spill::SpillSpace;
use crate::{Limits, Result, TokenRule};

/// Marks the count of a key that came since the last drain. Counts stay below it, because an
/// operator refuses more than 2⁶³ − 1 tokens.
const CHANGED: u64 = 1 << 63;

/// What every reduction needs from its operator.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) resources: Resources,
    pub(super) space: SpillSpace,
}

impl Setting {
    /// How many bytes a partition may take while it is reduced.
    fn part_bytes(&self) -> usize {
        (self.resources.memory.limit() / self.resources.threads.max(1) / 8).max(1)
    }
}

/// One worker's tables, reused from partition to partition.
pub(super) struct Reducer {
    /// Made when it is first needed: groups that are distinct already need none.
    counter: Option<Counter>,
    groups: Groups,
    setting: Setting,
}

impl Reducer {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            counter: None,
            groups: Groups::default(),
            setting: setting.clone(),
        }
    }

    fn counter(&mut self) -> &mut Counter {
        let resources = &self.setting.resources;
        self.counter.get_or_insert_with(|| {
            let limits = Limits {
                tile_bytes: 64,
                ..resources.limits
            };
            // Groups come in the order of their hashes under the operator's own secret; another
            // one keeps them from crowding the first slots of a table that is still growing.
            let seed = !resources.seed.rotate_left(32);
            Counter::new(resources.level, &TokenRule::Whitespace, &limits, seed)
        })
    }

    fn drain_into(&mut self, groups: &mut Groups) {
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
        mut visit: impl FnMut(&mut Groups) -> Result<()>,
    ) -> Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        for part in self.divide(Part::fresh(pieces))? {
            let mut groups = std::mem::take(&mut self.groups);
            groups.clear();
            self.reduce_part(part.fresh, &mut groups)?;
            visit(&mut groups)?;
            groups.once = Once::default();
            self.groups = groups;
        }
        Ok(())
    }

    /// Makes `groups`, which has none, the distinct ones of a part. Short keys that were seen once
    /// stay in the blocks that they came in.
    fn reduce_part(&mut self, part: Pieces, groups: &mut Groups) -> Result<()> {
        let mut once = Once::default();
        self.give_all(part, |counter, groups| {
            counter.absorb_part(groups, &mut once);
        })?;
        let most_bytes = self.setting.part_bytes();
        self.counter().settle(&mut once, most_bytes);
        self.drain_into(groups);
        groups.once = once;
        Ok(())
    }

    /// The distinct groups of all of these, as a partition holds them.
    ///
    /// # Errors
    ///
    /// A cancellation.
    pub(super) fn bring_together(&mut self, memory: Vec<Groups>) -> Result<Groups> {
        let pieces = Pieces {
            memory,
            ..Pieces::default()
        };
        self.give_all(pieces, absorb)?;
        let mut groups = Groups::default();
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
        copy: impl FnOnce(&mut Groups) -> bool,
        mut visit: impl FnMut(&mut Groups) -> Result<()>,
    ) -> Result<()> {
        self.setting.resources.cancel.check()?;
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

    /// Gives `visit` the running totals of the keys that are new or came again, and answers with
    /// a partition that holds all totals.
    ///
    /// # Errors
    ///
    /// As for [`Reducer::reduce`].
    pub(super) fn reduce_changed(
        &mut self,
        part: Part,
        mut visit: impl FnMut(&Groups) -> Result<()>,
    ) -> Result<Part> {
        if part.fresh.is_empty() {
            return Ok(part);
        }
        let mut whole = Part::default();
        for part in self.divide(part)? {
            let (changed, totals) = self.changed_of(part)?;
            visit(&changed)?;
            whole.totals.push(totals);
            if self.setting.resources.memory.is_tight(0) {
                whole.spill(&self.setting.space)?;
            }
        }
        Ok(whole)
    }

    /// The changed groups with their totals, and all groups with theirs.
    fn changed_of(&mut self, part: Part) -> Result<(Groups, Groups)> {
        let mut changed = Groups::default();
        self.give_all(part.fresh, absorb)?;
        self.drain_into(&mut changed);
        if part.totals.is_empty() {
            let totals = changed.clone();
            return Ok((changed, totals));
        }
        each_count(&mut changed, |count| *count |= CHANGED);
        self.counter().absorb(&changed);
        self.give_all(part.totals, absorb)?;
        let mut totals = changed;
        totals.clear();
        self.drain_into(&mut totals);
        let changed = marked(&totals);
        each_count(&mut totals, |count| *count &= !CHANGED);
        Ok((changed, totals))
    }

    /// Gives all groups of `pieces` to the counter in the way of `give`.
    fn give_all(
        &mut self,
        pieces: Pieces,
        mut give: impl FnMut(&mut Counter, &mut Groups),
    ) -> Result<()> {
        let cancel = self.setting.resources.cancel.clone();
        let counter = self.counter();
        for mut groups in pieces.memory {
            cancel.check()?;
            give(counter, &mut groups);
        }
        let mut loaded = Groups::default();
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
    fn divide(&self, part: Part) -> Result<Vec<Part>> {
        let shares = part.loaded_bytes() / self.setting.part_bytes();
        if shares <= 1 {
            return Ok(vec![part]);
        }
        let shares = (shares * 2).min(1024);
        let totals = self.divide_pieces(part.totals, shares)?;
        let fresh = self.divide_pieces(part.fresh, shares)?;
        let parts = totals.into_iter().zip(fresh);
        Ok(parts
            .map(|(totals, fresh)| Part { totals, fresh })
            .collect())
    }

    fn divide_pieces(&self, pieces: Pieces, shares: usize) -> Result<Vec<Pieces>> {
        let mut divided = Vec::new();
        divided.resize_with(shares, Pieces::default);
        let mut open = vec![Groups::default(); shares];
        let mut loaded = Groups::default();
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

    fn deal(&self, groups: &Groups, open: &mut [Groups], divided: &mut [Pieces]) -> Result<()> {
        let resources = &self.setting.resources;
        resources.cancel.check()?;
        split(groups, resources.level, ContractSeed(resources.seed), open);
        if open.iter().map(Groups::bytes).sum::<usize>() > self.setting.part_bytes() {
            for (pieces, groups) in divided.iter_mut().zip(open) {
                pieces.push(std::mem::take(groups));
                pieces.spill(&self.setting.space)?;
            }
        }
        Ok(())
    }
}

fn absorb(counter: &mut Counter, groups: &mut Groups) {
    counter.absorb(groups);
}

/// Replaces `groups` by those of a batch.
fn load(batch: &RecordBatch, groups: &mut Groups) -> Result<()> {
    groups.clear();
    for_each_group(batch, |key, count| {
        groups.push(key, count);
        Ok(())
    })
}

/// Changes every count.
fn each_count(groups: &mut Groups, change: impl Fn(&mut u64)) {
    groups
        .short
        .iter_mut()
        .for_each(|group| change(&mut group.count));
    groups
        .mid
        .iter_mut()
        .for_each(|group| change(&mut group.count));
    groups
        .long
        .iter_mut()
        .for_each(|group| change(&mut group.count));
    if groups.empty > 0 {
        change(&mut groups.empty);
    }
}

/// The groups whose counts are marked, without the mark.
fn marked(groups: &Groups) -> Groups {
    let mut changed = Groups::default();
    let short = groups.short.iter().filter(|group| group.count >= CHANGED);
    changed.short.extend(short);
    let mid = groups.mid.iter().filter(|group| group.count >= CHANGED);
    changed.mid.extend(mid);
    for group in groups.long.iter().filter(|group| group.count >= CHANGED) {
        changed.push(groups.long_key(group), group.count);
    }
    if groups.empty >= CHANGED {
        changed.empty = groups.empty;
    }
    each_count(&mut changed, |count| *count &= !CHANGED);
    changed
}
