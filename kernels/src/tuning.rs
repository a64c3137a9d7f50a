//! All sizes that decide where a boundary is, in one value.
#![forbid(unsafe_code)]

use crate::stage::hash_partition::MOST_PARTITIONS;

/// Tiles are a multiple of this number of bytes.
const TILE_STEP: usize = 64;
/// Positions within a tile, and the end, are 16-bit numbers.
const MAX_TILE: usize = 32 << 10;
/// Maximum number of slots of a new table.
const MAX_SLOTS: usize = 1 << 24;

/// The sizes of tiles, tables, partitions and chunks.
///
/// No result depends on them. Invalid values are rounded to the nearest valid one
/// ([`Tuning::fitting`]). Tests also run with [`Tuning::TINY`], so that every edge case (a token
/// across tiles, a table that grows, a partition that is flushed) is common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Bytes that one thread reads and counts at a time; at least 1.
    pub chunk_bytes: usize,
    /// Bytes that are tokenized before their tokens are counted; a multiple of 64, at most 32 KiB.
    pub tile_bytes: usize,
    /// Slots of a new table; a power of two, at most 2²⁴.
    pub table_slots: usize,
    /// Bytes of a table above which probes are prefetched.
    pub prefetch_bytes: usize,
    /// Bytes of a table above which its groups are flushed to partitions.
    pub flush_bytes: usize,
    /// Bytes of a table above which tokens bypass it if most of them are new.
    pub bypass_bytes: usize,
    /// Bytes of text between two checks of how many tokens are new; at least 1.
    pub check_bytes: usize,
    /// Partitions of a key space; a power of two, at most 65,536.
    pub partitions: usize,
    /// Bytes that a device counts at a time, unless its buffers are smaller; at least 1.
    pub device_chunk_bytes: usize,
    /// Slots of a new table on a device; a power of two, at most 2²⁴.
    pub device_slots: usize,
    /// Bytes of the longest key that a device counts, at most 4 KiB; the CPU counts longer ones.
    pub device_key_bytes: usize,
    /// Mask of the bits of a table's hash; `0` makes all keys collide. The stable hash, which
    /// decides partitions, is the same everywhere and has no mask: tests of partitions search for
    /// keys of one partition.
    pub hash_mask: u64,
}

impl Tuning {
    /// The default sizes.
    pub const DEFAULT: Self = Self {
        chunk_bytes: 256 << 10,
        tile_bytes: 16 << 10,
        table_slots: 1 << 12,
        prefetch_bytes: 1 << 18,
        flush_bytes: 64 << 20,
        bypass_bytes: 1 << 20,
        check_bytes: 256 << 10,
        partitions: 256,
        device_chunk_bytes: 8 << 20,
        device_slots: 1 << 18,
        device_key_bytes: 4 << 10,
        hash_mask: u64::MAX,
    };

    /// Sizes so small that a few hundred bytes meet every edge case.
    pub const TINY: Self = Self {
        chunk_bytes: 64,
        tile_bytes: 64,
        table_slots: 4,
        prefetch_bytes: 128,
        flush_bytes: 512,
        bypass_bytes: 256,
        check_bytes: 128,
        partitions: 2,
        device_chunk_bytes: 64,
        device_slots: 4,
        device_key_bytes: 24,
        hash_mask: u64::MAX,
    };

    /// Returns these sizes, with invalid ones rounded to the nearest valid ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::Tuning;
    ///
    /// let odd = Tuning { tile_bytes: 100, partitions: 0, ..Tuning::DEFAULT };
    /// assert_eq!((odd.fitting().tile_bytes, odd.fitting().partitions), (64, 1));
    /// assert_eq!(Tuning::DEFAULT.fitting(), Tuning::DEFAULT);
    /// ```
    #[must_use]
    pub fn fitting(self) -> Self {
        Self {
            chunk_bytes: self.chunk_bytes.max(1),
            tile_bytes: (self.tile_bytes / TILE_STEP * TILE_STEP).clamp(TILE_STEP, MAX_TILE),
            table_slots: power_of_two(self.table_slots, MAX_SLOTS),
            check_bytes: self.check_bytes.max(1),
            partitions: power_of_two(self.partitions, MOST_PARTITIONS),
            device_chunk_bytes: self.device_chunk_bytes.max(1),
            device_slots: power_of_two(self.device_slots, MAX_SLOTS),
            device_key_bytes: self.device_key_bytes.min(Self::DEFAULT.device_key_bytes),
            ..self
        }
    }

    /// Returns the same sizes, with one table hash for all keys.
    #[must_use]
    pub const fn all_colliding(self) -> Self {
        Self {
            hash_mask: 0,
            ..self
        }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn power_of_two(size: usize, max: usize) -> usize {
    size.min(max).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_sizes_are_kept_and_invalid_ones_are_rounded() {
        for tuning in [Tuning::DEFAULT, Tuning::TINY, Tuning::TINY.all_colliding()] {
            assert_eq!(tuning.fitting(), tuning);
        }
        for size in [0, 1, 63, 65, 100, (32 << 10) + 1, usize::MAX] {
            let odd = Tuning {
                chunk_bytes: size,
                tile_bytes: size,
                table_slots: size,
                prefetch_bytes: size,
                flush_bytes: size,
                bypass_bytes: size,
                check_bytes: size,
                partitions: size,
                device_chunk_bytes: size,
                device_slots: size,
                device_key_bytes: size,
                hash_mask: 0,
            };
            let fitting = odd.fitting();
            assert!(
                fitting.tile_bytes.is_multiple_of(64)
                    && (64..=32 << 10).contains(&fitting.tile_bytes)
            );
            assert!(fitting.chunk_bytes > 0 && fitting.check_bytes > 0);
            assert!(fitting.table_slots.is_power_of_two() && fitting.partitions.is_power_of_two());
            assert!(fitting.device_slots.is_power_of_two() && fitting.device_key_bytes <= 4096);
            assert_eq!(fitting.fitting(), fitting);
        }
    }
}
