//! More groups than the caches hold: rows wait, by partition, until a partition is worth loading.
//!
//! ```text
//! row ─▶ partition of its key ─▶ region of that partition ─(when full)─▶ table of that partition
//! ```
#![forbid(unsafe_code)]

use super::Aggregate;
use super::reducer::{Sizes, table_sizes};
use crate::buffer::{PartitionRows, Row};
use crate::isa::Isa;
use crate::table::int::BucketTable;

/// Sixteenths of a partition's slots that may be taken: memory counts more than in one table.
const FILL: usize = 12;

/// A table for each part of the key space, and rows on their way there.
pub(super) struct Partitioned<A: Aggregate> {
    rows: PartitionRows,
    tables: Vec<BucketTable<A, 4>>,
    keys: Vec<u64>,
    values: Vec<i64>,
    sizes: Sizes,
}

impl<A: Aggregate> Partitioned<A> {
    pub(super) fn new(sizes: Sizes) -> Self {
        let partitions = sizes.limits.partitions.next_power_of_two().max(2);
        let room = sizes.limits.flush_bytes / size_of::<Row>() / partitions;
        let table = || BucketTable::new(table_sizes(&sizes, FILL));
        Self {
            rows: PartitionRows::new(
                partitions,
                room.max(2 * sizes.tile_rows),
                sizes.multipliers[1],
            ),
            tables: (0..partitions).map(|_| table()).collect(),
            keys: Vec::new(),
            values: Vec::new(),
            sizes,
        }
    }

    #[inline(always)]
    pub(super) fn update<I: Isa>(&mut self, isa: I, keys: &[u64], values: &[i64]) {
        while let Some(partition) = self.rows.full(keys.len()) {
            self.flush(isa, partition);
            self.make_room(isa, partition);
        }
        self.rows.deal(keys, values);
    }

    /// Reduces the rows that wait for a partition.
    #[inline(always)]
    fn flush<I: Isa>(&mut self, isa: I, partition: usize) {
        for rows in self.rows.waiting(partition).chunks(self.sizes.tile_rows) {
            self.keys.clear();
            self.keys.extend(rows.iter().map(|row| row.key));
            self.values.clear();
            self.values.extend(rows.iter().map(|row| row.value));
            self.tables[partition].update(isa, &self.keys, &self.values);
        }
        self.rows.empty(partition);
    }

    /// Lets more rows wait when a partition's table has outgrown its rows: a table that is loaded
    /// from memory must be worth it.
    #[inline(always)]
    fn make_room<I: Isa>(&mut self, isa: I, partition: usize) {
        let room = self.rows.room();
        if self.tables[partition].bytes() > 2 * room * size_of::<Row>() {
            self.flush_all(isa);
            let partitions = self.tables.len();
            self.rows = PartitionRows::new(partitions, 2 * room, self.sizes.multipliers[1]);
        }
    }

    /// Reduces all rows that wait.
    #[inline(always)]
    pub(super) fn flush_all<I: Isa>(&mut self, isa: I) {
        for partition in 0..self.tables.len() {
            self.flush(isa, partition);
        }
    }

    pub(super) fn merge(&mut self, key: u64, state: A::State) {
        self.tables[self.rows.partition_of(key)].merge(key, state);
    }

    /// Visits every group; no rows may wait.
    pub(super) fn for_each(&self, mut visit: impl FnMut(u64, A::State)) {
        for table in &self.tables {
            table.for_each(&mut visit);
        }
    }

    /// How many groups there are; no rows may wait.
    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(BucketTable::len).sum()
    }

    pub(super) fn clear(&mut self) {
        for partition in 0..self.tables.len() {
            self.rows.empty(partition);
            self.tables[partition].clear();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes() + self.tables.iter().map(BucketTable::bytes).sum::<usize>()
    }
}
