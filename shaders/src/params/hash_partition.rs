//! Parameters of `hash_partition.wgsl`.
//!
//! Its result is the number of the run, followed by the number of rows in each partition.

use bytemuck::{Pod, Zeroable};

/// `Params` of `hash_partition.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HashPartitionParams {
    /// Number of rows.
    pub rows: u32,
    /// Words per key; 0 if keys are bytes between offsets.
    pub key_words: u32,
    /// Number of partitions, at most 65,536.
    pub partitions: u32,
    /// Number of tiles of rows.
    pub tiles: u32,
    /// First bit of this pass's digit in the partition number: 0 or 8.
    pub shift: u32,
    /// Low word of the stable hash's seed.
    pub seed_low: u32,
    /// High word of the stable hash's seed.
    pub seed_high: u32,
    /// Number of this run.
    pub run: u32,
}
