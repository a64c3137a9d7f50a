//! What `reduce_by_key.wgsl` and `reduce_by_key/bytes.wgsl` are told and tell.

use bytemuck::{Pod, Zeroable};

/// `Params` of `shared/reduce_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReduceByKeyParams {
    /// Rows that there are.
    pub rows: u32,
    /// Slots of the table, a power of two.
    pub slots: u32,
    /// Slots that are looked at for a key.
    pub chain: u32,
    /// Bits of a key's hash that are kept.
    pub hash_mask: u32,
    /// Odd numbers that nobody outside knows.
    pub secret_0: u32,
    /// Another.
    pub secret_1: u32,
    /// And another.
    pub secret_2: u32,
    /// Which run this is.
    pub run: u32,
    /// The most bytes of a key that is looked at; integers are always.
    pub longest: u32,
    /// Nothing; a uniform's size is a multiple of 16.
    pub pad_0: u32,
    /// Nothing.
    pub pad_1: u32,
    /// Nothing.
    pub pad_2: u32,
}

/// `Summary` of `shared/reduce_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReduceByKeySummary {
    /// Keys that have a record.
    pub groups: u32,
    /// Rows that the host has to reduce.
    pub spilled: u32,
    /// The run that wrote the records.
    pub run: u32,
}

/// `Group` of `shared/reduce_table.wgsl`: what is known of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReducedGroup {
    /// An integer's low word; of a key of bytes a row that has it.
    pub key_0: u32,
    /// An integer's high word; of a key of bytes how many they are.
    pub key_1: u32,
    /// Rows that have the key.
    pub count: u32,
    /// The sum of their values, 2⁶³ added to each: the low word.
    pub sum_0: u32,
    /// The middle word.
    pub sum_1: u32,
    /// The high word.
    pub sum_2: u32,
    /// The smallest value's low word.
    pub min_low: u32,
    /// The smallest value's high word.
    pub min_high: u32,
    /// The largest value's low word.
    pub max_low: u32,
    /// The largest value's high word.
    pub max_high: u32,
}
