//! Rows scattered to partitions, each with its own region of memory.

use bytemuck::{Pod, Zeroable};

use super::HugeVec;

/// A key and its value, written by one store.
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
    /// Maximum number of rows of a region.
    room: usize,
    /// Distance of two regions, in rows: a few more than `room`, so that the ends of the regions,
    /// which are written in turns, do not fall into the same cache set.
    stride: usize,
    /// `64 - log2(partitions)`: a hash shifted right by this is a partition.
    shift: u32,
}

impl PartitionRows {
    /// Makes regions of `room` rows for `partitions` partitions, a power of two of at least 2.
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

    /// Returns the number of partitions.
    pub(crate) fn partitions(&self) -> usize {
        self.waiting.len()
    }

    /// Doubles the size of the regions; no rows may wait.
    pub(crate) fn double(&mut self) {
        assert!(self.waiting.iter().all(|&rows| rows == 0), "no rows wait");
        self.room = (2 * self.room).min(u32::MAX as usize);
        self.stride = stride_of(self.room);
        self.rows.grow_to(self.partitions() * self.stride);
    }

    /// Returns the first partition without room for `more` rows.
    #[inline(always)]
    pub(crate) fn partition_without_room(&self, more: usize) -> Option<usize> {
        let most = self.room.saturating_sub(more) as u32;
        let any = self.waiting.iter().fold(0, |any, &n| any.max(n)) > most;
        any.then(|| self.waiting.iter().position(|&n| n > most))?
    }

    /// Writes rows to partitions by the upper bits of their keys' hashes: `values[i]` belongs to
    /// `keys[i]`.
    ///
    /// # Panics
    ///
    /// When a partition may not have room for all of them.
    #[inline(always)]
    pub(crate) fn scatter(&mut self, keys: &[u64], values: &[i64], hash: impl Fn(u64) -> u64) {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        assert!(
            self.partition_without_room(keys.len()).is_none(),
            "full partitions were emptied"
        );
        let (shift, stride) = (self.shift, self.stride);
        let (rows, waiting) = (self.rows.as_mut_ptr(), self.waiting.as_mut_ptr());
        for (&key, &value) in keys.iter().zip(values) {
            let partition = (hash(key) >> shift) as usize;
            // SAFETY: `shift` keeps log2(partitions) bits, so the partition exists; every region
            // had room for `keys.len()` rows.
            unsafe {
                let place = &mut *waiting.add(partition);
                *rows.add(partition * stride + *place as usize) = Row { key, value };
                *place += 1;
            }
        }
    }

    /// Returns the waiting rows of a partition.
    pub(crate) fn waiting(&self, partition: usize) -> &[Row] {
        &self.rows[partition * self.stride..][..self.waiting[partition] as usize]
    }

    /// Removes the waiting rows of a partition.
    pub(crate) fn clear_partition(&mut self, partition: usize) {
        self.waiting[partition] = 0;
    }

    /// Returns the bytes of memory of the regions.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[Row]>(&self.rows)
    }
}

/// Returns the distance of two regions of `room` rows.
fn stride_of(room: usize) -> usize {
    room + 4 * size_of::<Row>()
}
