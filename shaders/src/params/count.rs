//! Parameters and results of `count.wgsl` and `count/fused.wgsl`.

use bytemuck::{Pod, Zeroable};

/// `Params` of `shared/count_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CountParams {
    /// Number of slots in the table, a power of two.
    pub slots: u32,
    /// Maximum number of slots that are probed for a token.
    pub probes: u32,
    /// Length of the longest key that the device counts.
    pub longest: u32,
    /// First word of the hash key.
    pub secret_0: u32,
    /// Second word of the hash key.
    pub secret_1: u32,
    /// Bits of the hash that are used; 0 makes all keys collide.
    pub hash_mask: u32,
    /// Number of this run.
    pub run: u32,
    /// Length of the text, for the fused count only.
    pub text_bytes: u32,
    /// Number of tiles that a workgroup of the fused count processes, one after another.
    pub rounds: u32,
    /// Unused; the size of a uniform is a multiple of 16.
    pub pad_0: u32,
    /// Unused.
    pub pad_1: u32,
    /// Unused.
    pub pad_2: u32,
}

/// `Report` of `shared/count_table.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CountReport {
    /// Tokens counted in a slot.
    pub counted: u32,
    /// Tokens that the host must count.
    pub left: u32,
    /// Groups in the table.
    pub groups: u32,
    /// Used words of the arena.
    pub arena_used: u32,
    /// Keys that did not fit in the arena.
    pub lost: u32,
    /// Number of the run that wrote this report.
    pub run: u32,
    /// Counted tokens that had a hot key.
    pub hot: u32,
}

/// A group, as `list_groups` of `count.wgsl` writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CountGroup {
    /// Length of the key.
    pub length: u32,
    /// The bytes of the key, if there are at most [`CountGroup::INLINE_BYTES`]. Else the first word
    /// is the start of the key in the arena.
    pub key: [u32; 2],
    /// Number of occurrences.
    pub count: u32,
}

/// The end of a token that the host must count, if the device did not find the end.
pub const COUNT_NO_END: u32 = u32::MAX;

impl CountGroup {
    /// Maximum length of a key that is stored in its slot.
    pub const INLINE_BYTES: usize = 8;
}

/// Words of the table before its slots.
pub const COUNT_HEAD_WORDS: u64 = 132;

/// Returns the number of words of a table with this number of slots. A table of zeros has no
/// groups.
#[must_use]
pub const fn count_table_words(slots: u32) -> u64 {
    COUNT_HEAD_WORDS + slots as u64 * 4
}

/// Bytes per slot for its key, in addition to the arena.
pub const COUNT_KEY_BYTES: u64 = 16;

/// Tokens per workgroup.
pub const COUNT_TOKENS: u32 = 256 * 8;
