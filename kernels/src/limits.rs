//! Every size that decides where an edge lies, in one value.
#![forbid(unsafe_code)]

/// The sizes by which work is cut: tiles, tables, partitions.
///
/// No answer depends on them. Tests run everything with [`Limits::TINY`] too, so that every edge
/// (a token across tiles, a table that grows, a partition that is flushed) is the common path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one thread reads and counts at a time; at least 1.
    pub chunk_bytes: usize,
    /// Bytes that are tokenized before their tokens are counted; a multiple of 64, at most 32 KiB.
    pub tile_bytes: usize,
    /// Slots of a fresh table; a power of two.
    pub table_slots: usize,
    /// Bytes of a table above which probes are prefetched.
    pub prefetch_bytes: usize,
    /// Bytes of a table above which its groups are flushed to partitions.
    pub flush_bytes: usize,
    /// Bytes of a table above which tokens that are mostly new pass it by.
    pub bypass_bytes: usize,
    /// Bytes of text between two looks at how many tokens are new.
    pub look_bytes: usize,
    /// Partitions of a key space; a power of two.
    pub partitions: usize,
    /// Bytes that a device counts at a time, unless it binds less; at least 1.
    pub device_chunk_bytes: usize,
    /// Slots of a fresh table on a device; a power of two.
    pub device_slots: usize,
    /// Bytes of the longest key that a device looks at; the CPU counts longer ones.
    pub device_key_bytes: usize,
    /// Which bits of a table's hash are kept: `0` makes every key collide. The contract hash, which
    /// decides partitions, is the same for everybody, and has no mask: tests of partitions look for
    /// keys that share one.
    pub hash_mask: u64,
}

impl Limits {
    /// What runs unless somebody asks otherwise.
    pub const DEFAULT: Self = Self {
        chunk_bytes: 256 << 10,
        tile_bytes: 16 << 10,
        table_slots: 1 << 12,
        prefetch_bytes: 1 << 18,
        flush_bytes: 64 << 20,
        bypass_bytes: 1 << 20,
        look_bytes: 256 << 10,
        partitions: 256,
        device_chunk_bytes: 8 << 20,
        device_slots: 1 << 18,
        device_key_bytes: 4 << 10,
        hash_mask: u64::MAX,
    };

    /// So small that every edge is met on a few hundred bytes.
    pub const TINY: Self = Self {
        chunk_bytes: 64,
        tile_bytes: 64,
        table_slots: 4,
        prefetch_bytes: 128,
        flush_bytes: 512,
        bypass_bytes: 256,
        look_bytes: 128,
        partitions: 2,
        device_chunk_bytes: 64,
        device_slots: 4,
        device_key_bytes: 24,
        hash_mask: u64::MAX,
    };

    /// The same sizes, with every key hashed alike.
    #[must_use]
    pub const fn all_colliding(self) -> Self {
        Self {
            hash_mask: 0,
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
