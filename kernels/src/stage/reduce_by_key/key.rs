//! Converts integer keys of every width to 64 bits, in the same order.
#![forbid(unsafe_code)]

/// An integer key.
///
/// Its 64 bits have the order and the density of the keys, so that sorting and dense tables work on
/// them.
pub trait IntKey: Copy + Ord + Send + Sync + core::fmt::Debug + 'static {
    /// Returns the key as 64 bits.
    fn to_bits(self) -> u64;

    /// Returns the key of bits that [`IntKey::to_bits`] returned.
    fn from_bits(bits: u64) -> Self;

    /// Returns the bits of some keys, written to `scratch` unless the keys are bits already.
    ///
    /// # Panics
    ///
    /// When `scratch` is shorter than `keys`.
    #[inline(always)]
    fn bits_of<'a>(keys: &'a [Self], scratch: &'a mut [u64]) -> &'a [u64] {
        let scratch = &mut scratch[..keys.len()];
        for (bits, key) in scratch.iter_mut().zip(keys) {
            *bits = key.to_bits();
        }
        scratch
    }
}

impl IntKey for u64 {
    #[inline(always)]
    fn to_bits(self) -> u64 {
        self
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        bits
    }

    #[inline(always)]
    fn bits_of<'a>(keys: &'a [Self], _: &'a mut [u64]) -> &'a [u64] {
        keys
    }
}

impl IntKey for u32 {
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self)
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        bits as Self
    }
}

/// The sign bit is inverted, so that negative keys come first.
impl IntKey for i64 {
    #[inline(always)]
    fn to_bits(self) -> u64 {
        self as u64 ^ 1 << 63
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        (bits ^ 1 << 63) as Self
    }
}

impl IntKey for i32 {
    #[inline(always)]
    fn to_bits(self) -> u64 {
        i64::from(self).to_bits()
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        i64::from_bits(bits) as Self
    }
}
