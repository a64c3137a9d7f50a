//! Which table the groups are in, and when they move to another.
//!
//! ```text
//! dense ──(keys too far apart)──▶ few ──(more groups)──▶ many ──(beyond the caches)──▶ partitioned
//! ```
#![forbid(unsafe_code)]

use super::Aggregate;
use super::partitioned::Partitioned;
use crate::isa::{Isa, Kernel, dispatch};
use crate::table::HashKey;
use crate::table::int::{BucketTable, DenseTable, IntHash, TableSizes, least_and_most};
use crate::{Level, Tuning};

/// A dense table may have so many places a row.
const PLACES_PER_ROW: u128 = 16;
/// A dense table may fill this part of the bytes from which rows are partitioned.
const DENSE_PART: usize = 4;
/// Sixteenths of the slots that may be taken while groups are few: then hardly two share a home.
const FEW_FILL: usize = 1;
/// A table of few groups may have so many times the slots of a fresh one.
const FEW_GROWTH: usize = 8;
/// Sixteenths of the slots that may be taken when groups are many.
const MANY_FILL: usize = 7;

/// What every table is made with.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) tuning: Tuning,
    /// Names the slot of a key, and its partition.
    pub(super) hash: IntHash,
    /// Rows that are taken at a time.
    pub(super) tile_rows: usize,
}

impl Sizes {
    pub(super) fn new(tuning: Tuning, hash_key: HashKey) -> Self {
        Self {
            tuning,
            hash: IntHash::new(hash_key, tuning.hash_mask),
            tile_rows: (tuning.tile_bytes / 16).clamp(1, MAX_TILE_ROWS),
        }
    }
}

/// Rows that are taken at a time, at most.
pub(super) const MAX_TILE_ROWS: usize = 2048;

/// The sizes of a hash table of which `fill` sixteenths may be taken.
fn table_sizes(sizes: &Sizes, fill: usize) -> TableSizes {
    TableSizes {
        slots: sizes.tuning.table_slots,
        prefetch_bytes: sizes.tuning.prefetch_bytes,
        fill,
        hash: sizes.hash,
    }
}

enum Groups<A: Aggregate> {
    Dense(DenseTable<A>),
    Few(BucketTable<A, 1>),
    Many(BucketTable<A, 4>),
    Partitioned(Box<Partitioned<A>>),
}

/// Groups with states of one width, in whichever table suits what was seen.
pub(super) struct Reducer<A: Aggregate> {
    groups: Groups<A>,
    rows: u128,
    sizes: Sizes,
}

impl<A: Aggregate> Reducer<A> {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self {
            groups: Groups::Dense(DenseTable::new(sizes.tuning.prefetch_bytes)),
            rows: 0,
            sizes,
        }
    }

    /// Makes it known that so many rows come: how far a dense table may reach depends on them.
    pub(super) fn expect(&mut self, rows: usize) {
        self.rows += rows as u128;
    }

    /// Takes in a tile of rows.
    pub(super) fn update(&mut self, level: Level, keys: &[u64], values: &[i64]) {
        let groups = self;
        dispatch(
            level,
            Update {
                groups,
                keys,
                values,
            },
        );
    }

    #[inline(always)]
    fn update_with<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) {
        if matches!(self.groups, Groups::Dense(_)) {
            let (least, most) = least_and_most(keys);
            self.reach(least, most);
        }
        match &mut self.groups {
            Groups::Dense(table) => return table.update(keys, values),
            Groups::Few(table) => table.update(isa, keys, values),
            Groups::Many(table) => table.update(isa, keys, values),
            Groups::Partitioned(rows) => return rows.update(isa, keys, values),
        }
        self.outgrow();
    }

    /// Lets the dense table reach these keys, or leaves it.
    fn reach(&mut self, least: u64, most: u64) {
        let Groups::Dense(table) = &mut self.groups else {
            return;
        };
        if least > most {
            return;
        }
        let range = table.range_with(least, most);
        let most_bytes = self.sizes.tuning.flush_bytes / DENSE_PART;
        let most_places = (most_bytes / size_of::<A::State>().max(1)) as u128;
        let wanted = (self.rows * PLACES_PER_ROW).max(self.sizes.tuning.table_slots as u128);
        if range <= wanted.min(most_places) {
            table.reserve(least, most);
            return;
        }
        self.leave_dense();
        self.outgrow();
    }

    fn leave_dense(&mut self) {
        if let Groups::Dense(table) = &self.groups {
            let mut few = BucketTable::new(table_sizes(&self.sizes, FEW_FILL));
            table.for_each(|key, state| few.merge(key, state));
            self.groups = Groups::Few(few);
        }
    }

    /// Moves the groups on when there are too many for the table that they are in.
    fn outgrow(&mut self) {
        let tuning = self.sizes.tuning;
        if let Groups::Few(table) = &self.groups
            && table.slots() > FEW_GROWTH * tuning.table_slots
        {
            self.leave_few();
        }
        if let Groups::Many(table) = &self.groups
            && table.bytes() > tuning.flush_bytes
        {
            let none = Groups::Dense(DenseTable::new(0));
            if let Groups::Many(table) = core::mem::replace(&mut self.groups, none) {
                self.groups = Groups::Partitioned(Box::new(Partitioned::new(self.sizes, table)));
            }
        }
    }

    fn leave_few(&mut self) {
        if let Groups::Few(table) = &self.groups {
            let mut many = BucketTable::new(table_sizes(&self.sizes, MANY_FILL));
            table.for_each(|key, state| many.merge(key, state));
            self.groups = Groups::Many(many);
        }
    }

    /// Takes in the groups of another reducer, their states converted.
    pub(super) fn absorb<B: Aggregate>(
        &mut self,
        others: &Reducer<B>,
        convert: impl Fn(B::State) -> A::State,
    ) {
        self.expect(others.len());
        if !others.is_ordered() {
            self.reserve(others.len());
        }
        others.for_each(|key, state| self.merge(key, convert(state)));
    }

    /// Makes a hash table for so many groups in all: they come in the order of their hashes, and
    /// would crowd the first part of a smaller one.
    fn reserve(&mut self, groups: usize) {
        self.leave_dense();
        if groups * 16 > FEW_FILL * FEW_GROWTH * self.sizes.tuning.table_slots {
            self.leave_few();
        }
        match &mut self.groups {
            Groups::Dense(_) => {}
            Groups::Few(table) => table.reserve(groups),
            Groups::Many(table) => table.reserve(groups),
            Groups::Partitioned(partitioned) => partitioned.reserve(groups),
        }
        self.outgrow();
    }

    /// Takes in all values of a group at once.
    pub(super) fn merge(&mut self, key: u64, state: A::State) {
        self.reach(key, key);
        match &mut self.groups {
            Groups::Dense(table) => table.merge(key, state),
            Groups::Few(table) => table.merge(key, state),
            Groups::Many(table) => table.merge(key, state),
            Groups::Partitioned(partitioned) => return partitioned.merge(key, state),
        }
        self.outgrow();
    }

    /// Takes note after some tiles of what the next ones need not do.
    pub(super) fn check_all_seen(&mut self) {
        if let Groups::Dense(table) = &mut self.groups {
            table.check_all_seen();
        }
    }

    /// Brings every row that waits into its group.
    pub(super) fn settle(&mut self, level: Level) {
        if let Groups::Partitioned(partitioned) = &mut self.groups {
            dispatch(level, FlushAll(partitioned));
        }
    }

    /// Visits every group; nothing may wait.
    pub(super) fn for_each(&self, visit: impl FnMut(u64, A::State)) {
        match &self.groups {
            Groups::Dense(table) => table.for_each(visit),
            Groups::Few(table) => table.for_each(visit),
            Groups::Many(table) => table.for_each(visit),
            Groups::Partitioned(partitioned) => partitioned.table().for_each(visit),
        }
    }

    /// Whether [`Reducer::for_each`] visits the groups ordered by key.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.groups, Groups::Dense(_))
    }

    /// How many groups there are; nothing may wait.
    pub(super) fn len(&self) -> usize {
        match &self.groups {
            Groups::Dense(table) => table.len(),
            Groups::Few(table) => table.len(),
            Groups::Many(table) => table.len(),
            Groups::Partitioned(partitioned) => partitioned.table().len(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        match &mut self.groups {
            Groups::Dense(table) => table.clear(),
            Groups::Few(table) => table.clear(),
            Groups::Many(table) => table.clear(),
            Groups::Partitioned(partitioned) => partitioned.clear(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.groups {
            Groups::Dense(table) => table.bytes(),
            Groups::Few(table) => table.bytes(),
            Groups::Many(table) => table.bytes(),
            Groups::Partitioned(partitioned) => partitioned.bytes(),
        }
    }

    /// Which table the groups are in.
    #[cfg(test)]
    pub(super) fn table_name(&self) -> &'static str {
        match &self.groups {
            Groups::Dense(_) => "dense",
            Groups::Few(_) => "few",
            Groups::Many(_) => "many",
            Groups::Partitioned(_) => "partitioned",
        }
    }

    /// The same groups with states that nothing overflows.
    pub(super) fn widen(&self) -> Reducer<A::Wide> {
        let mut wide = Reducer::new(self.sizes);
        wide.absorb(self, A::widen);
        wide.rows = self.rows;
        wide
    }
}

struct Update<'a, A: Aggregate> {
    groups: &'a mut Reducer<A>,
    keys: &'a [u64],
    values: &'a [i64],
}

impl<A: Aggregate> Kernel for Update<'_, A> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        self.groups.update_with(isa, self.keys, self.values);
    }
}

struct FlushAll<'a, A: Aggregate>(&'a mut Partitioned<A>);

impl<A: Aggregate> Kernel for FlushAll<'_, A> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        self.0.flush_all(isa);
    }
}
