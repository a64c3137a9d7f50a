//! Rows dealt out to partitions, each with a region of its own.

use bytemuck::{Pod, Zeroable};

use super::HugeVec;

/// A key and its value, side by side: one store deals it out.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub(crate) struct Row {
    pub(crate) key: u64,
    pub(crate) value: i64,
}

/// Regions of the same size for rows that wait for their partition.
pub(crate) struct PartitionRows {
    rows: HugeVec<Row>,
    waiting: Vec<u32>,
    /// Rows of a region.
    room: usize,
    /// From one region to the next: a few more, so that the regions' ends, which are written at the
    /// same time, do not fall into the same set of a cache.
    stride: usize,
    /// `64 - log2(partitions)`: what is left of a hash after this shift is a partition.
    shift: u32,
}

impl PartitionRows {
    /// Makes regions of `room` rows for `partitions`, a power of two from 2 on.
    pub(crate) fn new(partitions: usize, room: usize) -> Self {
        assert!(partitions.is_power_of_two() && partitions > 1);
        let room = room.min(u32::MAX as usize);
        let stride = stride_of(room);
        Self {
            rows: HugeVec::new(partitions * stride),
            waiting: vec![0; partitions],
            room,
            stride,
            shift: 64 - partitions.trailing_zeros(),
        }
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> usize {
        self.waiting.len()
    }

    /// Makes the regions twice as large; no rows may wait.
    pub(crate) fn double(&mut self) {
        assert!(self.waiting.iter().all(|&rows| rows == 0), "no rows wait");
        self.room = (2 * self.room).min(u32::MAX as usize);
        self.stride = stride_of(self.room);
        self.rows.grow_to(self.partitions() * self.stride);
    }

    /// The first partition without room for so many rows more.
    #[inline(always)]
    pub(crate) fn full(&self, more: usize) -> Option<usize> {
        let most = self.room.saturating_sub(more) as u32;
        let any = self.waiting.iter().fold(0, |any, &n| any.max(n)) > most;
        any.then(|| self.waiting.iter().position(|&n| n > most))?
    }

    /// Deals rows out by the upper bits of their keys' hashes: `values[i]` belongs to `keys[i]`.
    ///
    /// # Panics
    ///
    /// When a partition may not have room for all of them.
    #[inline(always)]
    pub(crate) fn deal(&mut self, keys: &[u64], values: &[i64], hash: impl Fn(u64) -> u64) {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        assert!(
            self.full(keys.len()).is_none(),
            "full partitions were emptied"
        );
        let (shift, stride) = (self.shift, self.stride);
        let (rows, waiting) = (self.rows.as_mut_ptr(), self.waiting.as_mut_ptr());
        for (&key, &value) in keys.iter().zip(values) {
            let partition = (hash(key) >> shift) as usize;
            // SAFETY: `shift` leaves log2(partitions) bits, so the partition is one of ours; every
            // region had room for as many rows as there are keys.
            unsafe {
                let place = &mut *waiting.add(partition);
                *rows.add(partition * stride + *place as usize) = Row { key, value };
                *place += 1;
            }
        }
    }

    /// The rows that wait for a partition.
    pub(crate) fn waiting(&self, partition: usize) -> &[Row] {
        &self.rows[partition * self.stride..][..self.waiting[partition] as usize]
    }

    /// Forgets the rows that wait for a partition.
    pub(crate) fn empty(&mut self, partition: usize) {
        self.waiting[partition] = 0;
    }

    /// How many bytes the regions fill.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[Row]>(&self.rows)
    }
}

/// From one region of `room` rows to the next.
fn stride_of(room: usize) -> usize {
    room + 4 * size_of::<Row>()
}
