//! Chooses the table of the groups, and moves them to another when it is too small.
//!
//! ```text
//! dense ──(keys too far apart)──▶ small ──(more groups)──▶ large ──(exceeds caches)──▶ partitioned
//! ```
#![forbid(unsafe_code)]

use super::Aggregate;
use super::partitioned::Partitioned;
use crate::isa::{Isa, Kernel, dispatch};
use crate::table::HashKey;
use crate::table::int::{BucketTable, DenseTable, IntHash, TableSizes, least_and_most};
use crate::{Level, Tuning};

/// Maximum number of places of a dense table per row.
const PLACES_PER_ROW: u128 = 16;
/// Maximum size of a dense table: `flush_bytes / DENSE_DIVISOR`.
const DENSE_DIVISOR: usize = 4;
/// Sixteenths of the slots of a small table that may be in use: few keys share a home.
const SMALL_FILL: usize = 1;
/// Maximum size of a small table, as a multiple of a new one.
const SMALL_GROWTH: usize = 8;
/// Sixteenths of the slots of a large table that may be in use.
const LARGE_FILL: usize = 7;

/// The sizes and the hash of all tables.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) tuning: Tuning,
    /// Chooses the slot of a key, and its partition.
    pub(super) hash: IntHash,
    /// Rows that are added at a time.
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

/// Maximum number of rows that are added at a time.
pub(super) const MAX_TILE_ROWS: usize = 2048;

/// Returns the sizes of a hash table of which `fill` sixteenths may be in use.
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
    Small(BucketTable<A, 1>),
    Large(BucketTable<A, 4>),
    Partitioned(Box<Partitioned<A>>),
}

/// Groups with states of one width, in the table that fits the rows seen.
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

    /// Notes that `rows` rows follow: the maximum range of a dense table depends on their number.
    /// them.
    pub(super) fn note_rows(&mut self, rows: usize) {
        self.rows += rows as u128;
    }

    /// Adds a tile of rows.
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
            self.widen_range(least, most);
        }
        match &mut self.groups {
            Groups::Dense(table) => return table.update(keys, values),
            Groups::Small(table) => table.update(isa, keys, values),
            Groups::Large(table) => table.update(isa, keys, values),
            Groups::Partitioned(rows) => return rows.update(isa, keys, values),
        }
        self.move_if_too_large();
    }

    /// Widens the dense table to include these keys, or replaces it by a hash table.
    fn widen_range(&mut self, least: u64, most: u64) {
        let Groups::Dense(table) = &mut self.groups else {
            return;
        };
        if least > most {
            return;
        }
        let range = table.range_with(least, most);
        let most_bytes = self.sizes.tuning.flush_bytes / DENSE_DIVISOR;
        let most_places = (most_bytes / size_of::<A::State>().max(1)) as u128;
        let wanted = (self.rows * PLACES_PER_ROW).max(self.sizes.tuning.table_slots as u128);
        if range <= wanted.min(most_places) {
            table.reserve(least, most);
            return;
        }
        self.move_to_small();
        self.move_if_too_large();
    }

    fn move_to_small(&mut self) {
        if let Groups::Dense(table) = &self.groups {
            let mut small = BucketTable::new(table_sizes(&self.sizes, SMALL_FILL));
            table.for_each(|key, state| small.merge(key, state));
            self.groups = Groups::Small(small);
        }
    }

    /// Moves the groups to a larger table if the present one is too small.
    fn move_if_too_large(&mut self) {
        let tuning = self.sizes.tuning;
        if let Groups::Small(table) = &self.groups
            && table.slots() > SMALL_GROWTH * tuning.table_slots
        {
            self.move_to_large();
        }
        if let Groups::Large(table) = &self.groups
            && table.bytes() > tuning.flush_bytes
        {
            let none = Groups::Dense(DenseTable::new(0));
            if let Groups::Large(table) = core::mem::replace(&mut self.groups, none) {
                self.groups = Groups::Partitioned(Box::new(Partitioned::new(self.sizes, table)));
            }
        }
    }

    fn move_to_large(&mut self) {
        if let Groups::Small(table) = &self.groups {
            let mut large = BucketTable::new(table_sizes(&self.sizes, LARGE_FILL));
            table.for_each(|key, state| large.merge(key, state));
            self.groups = Groups::Large(large);
        }
    }

    /// Merges the groups of another reducer, with converted states.
    pub(super) fn absorb<B: Aggregate>(
        &mut self,
        others: &Reducer<B>,
        convert: impl Fn(B::State) -> A::State,
    ) {
        self.note_rows(others.len());
        if !others.is_ordered() {
            self.reserve(others.len());
        }
        others.for_each(|key, state| self.merge(key, convert(state)));
    }

    /// Reserves a hash table for `groups` groups in total: they come in hash order, and would crowd
    /// the first part of a smaller table.
    fn reserve(&mut self, groups: usize) {
        self.move_to_small();
        if groups * 16 > SMALL_FILL * SMALL_GROWTH * self.sizes.tuning.table_slots {
            self.move_to_large();
        }
        match &mut self.groups {
            Groups::Dense(_) => {}
            Groups::Small(table) => table.reserve(groups),
            Groups::Large(table) => table.reserve(groups),
            Groups::Partitioned(partitioned) => partitioned.reserve(groups),
        }
        self.move_if_too_large();
    }

    /// Merges the state of a group.
    pub(super) fn merge(&mut self, key: u64, state: A::State) {
        self.widen_range(key, key);
        match &mut self.groups {
            Groups::Dense(table) => table.merge(key, state),
            Groups::Small(table) => table.merge(key, state),
            Groups::Large(table) => table.merge(key, state),
            Groups::Partitioned(partitioned) => return partitioned.merge(key, state),
        }
        self.move_if_too_large();
    }

    /// Checks after some tiles whether all keys of a dense table were seen, so that marks can stop.
    pub(super) fn check_all_seen(&mut self) {
        if let Groups::Dense(table) = &mut self.groups {
            table.check_all_seen();
        }
    }

    /// Adds all waiting rows to their groups.
    pub(super) fn flush_all(&mut self, level: Level) {
        if let Groups::Partitioned(partitioned) = &mut self.groups {
            dispatch(level, FlushAll(partitioned));
        }
    }

    /// Visits every group; no rows may wait.
    pub(super) fn for_each(&self, visit: impl FnMut(u64, A::State)) {
        match &self.groups {
            Groups::Dense(table) => table.for_each(visit),
            Groups::Small(table) => table.for_each(visit),
            Groups::Large(table) => table.for_each(visit),
            Groups::Partitioned(partitioned) => partitioned.table().for_each(visit),
        }
    }

    /// Returns whether [`Reducer::for_each`] visits the groups ordered by key.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.groups, Groups::Dense(_))
    }

    /// Returns the number of groups; no rows may wait.
    pub(super) fn len(&self) -> usize {
        match &self.groups {
            Groups::Dense(table) => table.len(),
            Groups::Small(table) => table.len(),
            Groups::Large(table) => table.len(),
            Groups::Partitioned(partitioned) => partitioned.table().len(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        match &mut self.groups {
            Groups::Dense(table) => table.clear(),
            Groups::Small(table) => table.clear(),
            Groups::Large(table) => table.clear(),
            Groups::Partitioned(partitioned) => partitioned.clear(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.groups {
            Groups::Dense(table) => table.bytes(),
            Groups::Small(table) => table.bytes(),
            Groups::Large(table) => table.bytes(),
            Groups::Partitioned(partitioned) => partitioned.bytes(),
        }
    }

    /// Returns the name of the present table.
    #[cfg(test)]
    pub(super) fn table_name(&self) -> &'static str {
        match &self.groups {
            Groups::Dense(_) => "dense",
            Groups::Small(_) => "small",
            Groups::Large(_) => "large",
            Groups::Partitioned(_) => "partitioned",
        }
    }

    /// Returns the same groups with states that cannot overflow.
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
