//! Integer keys of every width as 64 bits in the same order.
#![forbid(unsafe_code)]

/// An integer that keys rows.
///
/// Its 64 bits are ordered as the keys are and lie as densely, so that sorting and dense
/// addressing work on them.
pub trait IntKey: Copy + Ord + Send + Sync + core::fmt::Debug + 'static {
    /// Gives the key as 64 bits.
    fn to_bits(self) -> u64;

    /// Gives the key of these bits; only what [`IntKey::to_bits`] gave has one.
    fn from_bits(bits: u64) -> Self;

    /// Gives the bits of some keys, written to `scratch` where the keys are not bits already.
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

/// The sign bit turned round, negative keys come before the others.
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
