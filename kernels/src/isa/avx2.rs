//! AVX2 primitives: a block is two registers of 32 bytes.

use core::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_max_epu8, _mm256_min_epu8,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi8, _mm256_shuffle_epi8,
};

use super::{BLOCK, Isa, Kernel};
use crate::Level;

/// Proof that AVX2, BMI1 and BMI2 are there: only [`enter`] makes one.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// Compiles and runs `kernel` with AVX2.
///
/// # Safety
///
/// The processor must have AVX2, BMI1, BMI2, POPCNT and LZCNT.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run(Avx2(()))
}

impl Isa for Avx2 {
    const LEVEL: Level = Level::Avx2;
    type Block = [__m256i; 2];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> [__m256i; 2] {
        let from = bytes.as_ptr().cast::<__m256i>();
        // SAFETY: `bytes` holds 64 readable bytes; `self` proves AVX2.
        unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] }
    }

    #[inline(always)]
    fn equal(self, block: [__m256i; 2], byte: u8) -> u64 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let wanted = _mm256_set1_epi8(byte as i8);
            mask(block.map(|half| _mm256_cmpeq_epi8(half, wanted)))
        }
    }

    #[inline(always)]
    fn in_range(self, block: [__m256i; 2], low: u8, high: u8) -> u64 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let (low, high) = (_mm256_set1_epi8(low as i8), _mm256_set1_epi8(high as i8));
            mask(block.map(|half| {
                let clamped = _mm256_min_epu8(_mm256_max_epu8(half, low), high);
                _mm256_cmpeq_epi8(half, clamped)
            }))
        }
    }

    #[inline(always)]
    fn ascii_space(self, block: [__m256i; 2]) -> u64 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            // A byte is white space when the row of its low nibble holds that very byte;
            // the shuffle answers 0 for bytes above 0x7f, and row 0 holds 0x20.
            let by_nibble = _mm256_setr_epi8(
                0x20, 0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0,
                0, 9, 10, 11, 12, 13, 0, 0,
            );
            mask(block.map(|half| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(by_nibble, half), half)))
        }
    }

    #[inline(always)]
    fn has_non_ascii(self, block: [__m256i; 2]) -> bool {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_movemask_epi8(_mm256_or_si256(block[0], block[1])) != 0 }
    }

    #[inline(always)]
    fn or(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
    }

    #[inline(always)]
    fn min(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_min_epu8(a[0], b[0]), _mm256_min_epu8(a[1], b[1])] }
    }
}

/// One bit per byte from two registers of all-ones and all-zero bytes.
#[inline(always)]
fn mask(halves: [__m256i; 2]) -> u64 {
    // SAFETY: only called with registers that an `Avx2` made, so AVX2 is there.
    let [low, high] = halves.map(|half| unsafe { _mm256_movemask_epi8(half) } as u32);
    u64::from(low) | u64::from(high) << 32
}
