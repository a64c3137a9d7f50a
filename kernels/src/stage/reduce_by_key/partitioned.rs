//! More groups than the caches hold: rows wait until their part of the table is worth loading.
//!
//! ```text
//! row ─▶ part of its key ─▶ region of that part ─(when full)─▶ that part of the table
//! ```
//!
//! The part is the upper bits of the hash that also gives the slot, so each part's slots lie side
//! by side in the one table, and fit a cache while its rows are taken in.
#![forbid(unsafe_code)]

use super::Aggregate;
use super::reducer::Sizes;
use crate::buffer::{PartitionRows, Row};
use crate::isa::Isa;
use crate::table::int::BucketTable;

/// Sixteenths of the slots that may be taken: memory to stream is worth more than a key at home.
const FILL: usize = 10;

/// One table, and the rows on their way to its parts.
pub(super) struct Partitioned<A: Aggregate> {
    rows: PartitionRows,
    table: BucketTable<A, 4>,
    keys: Vec<u64>,
    values: Vec<i64>,
    sizes: Sizes,
}

impl<A: Aggregate> Partitioned<A> {
    /// Goes on with a table that has outgrown the caches.
    pub(super) fn new(sizes: Sizes, mut table: BucketTable<A, 4>) -> Self {
        table.set_fill(FILL);
        let partitions = sizes.tuning.partitions.next_power_of_two().max(2);
        let room = sizes.tuning.flush_bytes / size_of::<Row>() / partitions;
        let room = room.max(2 * sizes.tile_rows);
        Self {
            rows: PartitionRows::new(partitions, room),
            table,
            keys: Vec::new(),
            values: Vec::new(),
            sizes,
        }
    }

    pub(super) fn table(&self) -> &BucketTable<A, 4> {
        &self.table
    }

    #[inline(always)]
    pub(super) fn update<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) {
        while let Some(part) = self.rows.full(keys.len()) {
            self.flush(isa, part);
            self.make_room(isa);
        }
        let hash = self.sizes.hash;
        self.rows.deal(keys, values, |key| hash.thorough(key));
    }

    /// Reduces the rows that wait for a part.
    #[inline(always)]
    fn flush<I: Isa>(&mut self, isa: I, part: usize) {
        for rows in self.rows.waiting(part).chunks(self.sizes.tile_rows) {
            self.keys.clear();
            self.keys.extend(rows.iter().map(|row| row.key));
            self.values.clear();
            self.values.extend(rows.iter().map(|row| row.value));
            self.table.update(isa, &self.keys, &self.values);
        }
        self.rows.empty(part);
    }

    /// Lets more rows wait when the table has outgrown them: a part that is loaded from memory
    /// must be worth it.
    #[inline(always)]
    fn make_room<I: Isa>(&mut self, isa: I) {
        if self.table.bytes() > 2 * self.rows.bytes() {
            self.flush_all(isa);
            self.rows.double();
        }
    }

    /// Reduces all rows that wait.
    #[inline(always)]
    pub(super) fn flush_all<I: Isa>(&mut self, isa: I) {
        for part in 0..self.rows.partitions() {
            self.flush(isa, part);
        }
    }

    /// Makes room for so many groups in all.
    pub(super) fn reserve(&mut self, groups: usize) {
        self.table.reserve(groups);
    }

    pub(super) fn merge(&mut self, key: u64, state: A::State) {
        self.table.merge(key, state);
    }

    pub(super) fn clear(&mut self) {
        for part in 0..self.rows.partitions() {
            self.rows.empty(part);
        }
        self.table.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes() + self.table.bytes()
    }
}
