//! Parameters and results of `reduce_by_key.wgsl` and `reduce_by_key/bytes.wgsl`.

use bytemuck::{Pod, Zeroable};

/// `Params` of `shared/reduce_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReduceByKeyParams {
    /// Number of rows.
    pub rows: u32,
    /// Number of slots in the table, a power of two.
    pub slots: u32,
    /// Maximum number of slots that are probed for a key.
    pub chain: u32,
    /// Bits of a key's hash that are used; 0 makes all keys collide.
    pub hash_mask: u32,
    /// First secret odd number of the hash.
    pub secret_0: u32,
    /// Second secret odd number.
    pub secret_1: u32,
    /// Third secret odd number.
    pub secret_2: u32,
    /// Number of this run.
    pub run: u32,
    /// Length of the longest key of bytes that the device reduces.
    pub longest: u32,
    /// Unused; the size of a uniform is a multiple of 16.
    pub pad_0: u32,
    /// Unused.
    pub pad_1: u32,
    /// Unused.
    pub pad_2: u32,
}

/// `Summary` of `shared/reduce_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReduceByKeySummary {
    /// Number of records, one per key.
    pub groups: u32,
    /// Number of rows that the host must reduce.
    pub spilled: u32,
    /// Number of the run that wrote the records.
    pub run: u32,
}

/// `Group` of `shared/reduce_table.wgsl`: a key and its aggregates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReducedGroup {
    /// Low word of an integer key; for a key of bytes, the number of a row with the key.
    pub key_0: u32,
    /// High word of an integer key; for a key of bytes, its length.
    pub key_1: u32,
    /// Number of rows with the key.
    pub count: u32,
    /// Sum of the values, with 2⁶³ added to each: low word.
    pub sum_0: u32,
    /// Middle word of the sum.
    pub sum_1: u32,
    /// High word of the sum.
    pub sum_2: u32,
    /// Low word of the smallest value.
    pub min_low: u32,
    /// High word of the smallest value.
    pub min_high: u32,
    /// Low word of the largest value.
    pub max_low: u32,
    /// High word of the largest value.
    pub max_high: u32,
}
