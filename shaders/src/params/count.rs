//! What `count.wgsl` and `count/fused.wgsl` are told and tell.

use bytemuck::{Pod, Zeroable};

/// `Params` of `shared/count_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CountParams {
    /// Slots of the table, a power of two.
    pub slots: u32,
    /// Slots that a token looks at.
    pub probes: u32,
    /// Bytes of the longest key that a device looks at.
    pub longest: u32,
    /// The hash's secret.
    pub secret_0: u32,
    /// The rest of it.
    pub secret_1: u32,
    /// Which bits of the hash are kept; 0 makes every key collide.
    pub hash_mask: u32,
    /// Which run this is.
    pub run: u32,
    /// Bytes of text, for the fused count.
    pub text_bytes: u32,
    /// Tiles that a workgroup of the fused count takes one after another.
    pub rounds: u32,
    /// Nothing; a uniform's size is a multiple of 16.
    pub pad_0: u32,
    /// Nothing.
    pub pad_1: u32,
    /// Nothing.
    pub pad_2: u32,
}

/// `Report` of `shared/count_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CountReport {
    /// Tokens that were added to a slot.
    pub counted: u32,
    /// Tokens that are left to the host.
    pub left: u32,
    /// Groups of the table.
    pub groups: u32,
    /// Words of the arena that are used.
    pub arena_used: u32,
    /// Keys for which the arena had no room.
    pub lost: u32,
    /// The run that wrote this.
    pub run: u32,
    /// Of the tokens that were counted, those that a workgroup knew by heart.
    pub hot: u32,
}

/// One group, as `list_groups` of `count.wgsl` writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CountGroup {
    /// Bytes of the key.
    pub length: u32,
    /// The key's bytes if there are at most [`CountGroup::INLINE_BYTES`]; else the first word is
    /// where they begin in the arena.
    pub key: [u32; 2],
    /// How often it was counted.
    pub count: u32,
}

/// In place of the end of a token that is left to the host, where no device has seen it.
pub const COUNT_NO_END: u32 = u32::MAX;

impl CountGroup {
    /// Keys of so many bytes lie in their slot.
    pub const INLINE_BYTES: usize = 8;
}

/// Words in front of a table's slots.
pub const COUNT_HEAD_WORDS: u64 = 132;

/// Words of a table of so many slots; all zeros are a table without groups.
#[must_use]
pub const fn count_table_words(slots: u32) -> u64 {
    COUNT_HEAD_WORDS + slots as u64 * 4
}

/// Bytes of a slot's key beside the arena.
pub const COUNT_KEY_BYTES: u64 = 16;

/// Tokens that one workgroup counts.
pub const COUNT_TOKENS: u32 = 256 * 8;
