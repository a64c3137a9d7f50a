//! For more groups than fit in the caches: rows wait in partitions until there are enough of them
//! to load the partition's part of the table.
//!
//! ```text
//! row ─▶ partition of its key ─▶ region of rows ─(when full)─▶ part of the table
//! ```
//!
//! The partition is the upper bits of the hash that also chooses the slot. So the slots of a
//! partition are contiguous in the table, and fit in a cache while its rows are added.
#![forbid(unsafe_code)]

use super::Aggregate;
use super::reducer::Sizes;
use crate::buffer::{PartitionRows, Row};
use crate::isa::Isa;
use crate::table::int::BucketTable;

/// Sixteenths of the slots that may be in use: less memory to stream saves more than displaced keys
/// cost.
const FILL: usize = 10;

/// One table, and the rows that wait for its parts.
pub(super) struct Partitioned<A: Aggregate> {
    rows: PartitionRows,
    table: BucketTable<A, 4>,
    keys: Vec<u64>,
    values: Vec<i64>,
    sizes: Sizes,
}

impl<A: Aggregate> Partitioned<A> {
    /// Takes over a table that exceeds the caches.
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
        while let Some(part) = self.rows.partition_without_room(keys.len()) {
            self.flush(isa, part);
            self.make_room(isa);
        }
        let hash = self.sizes.hash;
        self.rows.scatter(keys, values, |key| hash.thorough(key));
    }

    /// Reduces the waiting rows of a partition.
    #[inline(always)]
    fn flush<I: Isa>(&mut self, isa: I, part: usize) {
        for rows in self.rows.waiting(part).chunks(self.sizes.tile_rows) {
            self.keys.clear();
            self.keys.extend(rows.iter().map(|row| row.key));
            self.values.clear();
            self.values.extend(rows.iter().map(|row| row.value));
            self.table.update(isa, &self.keys, &self.values);
        }
        self.rows.clear_partition(part);
    }

    /// Enlarges the regions of waiting rows if the table has become much larger than they are, so
    /// that enough rows use a part that is loaded from memory.
    #[inline(always)]
    fn make_room<I: Isa>(&mut self, isa: I) {
        if self.table.bytes() > 2 * self.rows.bytes() {
            self.flush_all(isa);
            self.rows.double();
        }
    }

    /// Reduces all waiting rows.
    #[inline(always)]
    pub(super) fn flush_all<I: Isa>(&mut self, isa: I) {
        for part in 0..self.rows.partitions() {
            self.flush(isa, part);
        }
    }

    /// Reserves memory for `groups` groups in total.
    pub(super) fn reserve(&mut self, groups: usize) {
        self.table.reserve(groups);
    }

    pub(super) fn merge(&mut self, key: u64, state: A::State) {
        self.table.merge(key, state);
    }

    pub(super) fn clear(&mut self) {
        for part in 0..self.rows.partitions() {
            self.rows.clear_partition(part);
        }
        self.table.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes() + self.table.bytes()
    }
}
