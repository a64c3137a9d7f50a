//! What `hash_partition.wgsl` is told.
//!
//! It tells a run's number, and after it how many rows each partition has.

use bytemuck::{Pod, Zeroable};

/// `Params` of `hash_partition.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HashPartitionParams {
    /// Rows that there are.
    pub rows: u32,
    /// Words of a key; 0 if keys are bytes between offsets.
    pub key_words: u32,
    /// Partitions, no more than 65,536.
    pub partitions: u32,
    /// Tiles of the rows.
    pub tiles: u32,
    /// Where this pass's digit of a partition's number begins: 0 or 8.
    pub shift: u32,
    /// The low word of the stable hash's seed.
    pub seed_low: u32,
    /// The high word of it.
    pub seed_high: u32,
    /// Which run this is.
    pub run: u32,
}
