//! AVX2 primitives: a block is two registers of 32 bytes.

use core::arch::x86_64::{
    __m256i, _mm_add_epi16, _mm_cvtepu8_epi16, _mm_loadl_epi64, _mm_set1_epi16, _mm_storeu_si128,
    _mm256_and_si256, _mm256_castsi256_pd, _mm256_castsi256_ps, _mm256_cmpeq_epi8,
    _mm256_cmpeq_epi64, _mm256_cmpgt_epi32, _mm256_cvtepu8_epi32, _mm256_loadu_si256,
    _mm256_max_epu8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_movemask_pd, _mm256_movemask_ps,
    _mm256_or_si256, _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi32,
    _mm256_set1_epi64x, _mm256_setr_epi8, _mm256_setr_epi64x, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256,
    _mm256_sub_epi32,
};

use super::lookup::ROWS;
use super::{BLOCK, Isa, Kernel, split_from};
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
    /// The smallest byte seen at each place.
    type Zeros = [__m256i; 2];

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
    fn find_in_four(self, words: &[u64; 4], word: u64) -> u32 {
        // SAFETY: `words` holds 32 readable bytes; `self` proves AVX2.
        unsafe {
            let words = _mm256_loadu_si256(words.as_ptr().cast());
            let found = _mm256_cmpeq_epi64(words, _mm256_set1_epi64x(word as i64));
            _mm256_movemask_pd(_mm256_castsi256_pd(found)) as u32
        }
    }

    #[inline(always)]
    fn find_pair_in_eight(self, words: &[u64; 8], pair: [u64; 2]) -> u32 {
        // No closures: they would not have this level's instructions, and so be calls.
        let (even, odd) = (pair[0] as i64, pair[1] as i64);
        // SAFETY: `words` holds two times 32 readable bytes; `self` proves AVX2.
        unsafe {
            let pairs = _mm256_setr_epi64x(even, odd, even, odd);
            let low = _mm256_loadu_si256(words.as_ptr().cast());
            let high = _mm256_loadu_si256(words.as_ptr().add(4).cast());
            let low = _mm256_castsi256_pd(_mm256_cmpeq_epi64(low, pairs));
            let high = _mm256_castsi256_pd(_mm256_cmpeq_epi64(high, pairs));
            (_mm256_movemask_pd(low) | _mm256_movemask_pd(high) << 4) as u32
        }
    }

    #[inline(always)]
    fn or(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
    }

    #[inline(always)]
    fn no_zeros(self) -> [__m256i; 2] {
        self.load(&[0xff; BLOCK])
    }

    #[inline(always)]
    fn any_zeros(self, seen: [__m256i; 2]) -> bool {
        self.equal(seen, 0) != 0
    }

    #[inline(always)]
    fn note_zeros(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_min_epu8(a[0], b[0]), _mm256_min_epu8(a[1], b[1])] }
    }

    #[inline(always)]
    fn positions(self, mask: u64, base: u16, out: &mut [u16; BLOCK]) -> usize {
        let mut at = 0;
        // SAFETY: `self` proves AVX2; a row holds 8 readable bytes. At most 8 places were filled
        // for each byte before, so the 8 that a store writes fit.
        unsafe {
            let mut first = _mm_set1_epi16(base as i16);
            for byte in 0..8 {
                let bits = (mask >> (8 * byte)) as u8;
                let row = _mm_loadl_epi64(ROWS[usize::from(bits)].as_ptr().cast());
                let found = _mm_add_epi16(_mm_cvtepu8_epi16(row), first);
                _mm_storeu_si128(out.as_mut_ptr().add(at).cast(), found);
                first = _mm_add_epi16(first, _mm_set1_epi16(8));
                at += bits.count_ones() as usize;
            }
        }
        at
    }

    #[inline(always)]
    fn split_class(
        self,
        least: u32,
        spans: &[u32],
        class: &mut [u32],
        rest: &mut [u32],
    ) -> (usize, usize) {
        assert!(class.len() >= spans.len() + 16 && rest.len() >= spans.len() + 16);
        let (eights, _) = spans.as_chunks::<8>();
        let (mut classed, mut rests) = (0, 0);
        for eight in eights {
            // SAFETY: `self` proves AVX2; 8 spans are read. At most `spans.len()` spans were
            // written before, and both outputs hold 16 more than that.
            unsafe {
                let span = _mm256_loadu_si256(eight.as_ptr().cast());
                let start = _mm256_and_si256(span, _mm256_set1_epi32(0xffff));
                let length = _mm256_sub_epi32(_mm256_srli_epi32::<16>(span), start);
                let negative = _mm256_sub_epi32(_mm256_setzero_si256(), length);
                let seven = _mm256_and_si256(negative, _mm256_set1_epi32(7));
                let ready = _mm256_or_si256(start, _mm256_slli_epi32::<19>(seven));
                let below = _mm256_sub_epi32(length, _mm256_set1_epi32(least as i32));
                // Lengths are below 2^16, so signs and a signed comparison tell both sides apart.
                let too_long = _mm256_cmpgt_epi32(below, _mm256_set1_epi32(7));
                let other =
                    _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_or_si256(too_long, below)));
                compress(ready, !other as u8, class.as_mut_ptr().add(classed));
                compress(span, other as u8, rest.as_mut_ptr().add(rests));
                rests += other.count_ones() as usize;
                classed += 8 - other.count_ones() as usize;
            }
        }
        split_from(
            8 * eights.len(),
            least,
            spans,
            class,
            rest,
            (classed, rests),
        )
    }
}

/// Writes the lanes that `keep` names to the front of eight places at `out`.
///
/// # Safety
///
/// AVX2 must be there, and eight places at `out` writable.
#[inline(always)]
unsafe fn compress(lanes: __m256i, keep: u8, out: *mut u32) {
    // SAFETY: the caller promises AVX2 and the places; a row holds 8 readable bytes.
    unsafe {
        let row = _mm_loadl_epi64(ROWS[usize::from(keep)].as_ptr().cast());
        let order = _mm256_cvtepu8_epi32(row);
        _mm256_storeu_si256(out.cast(), _mm256_permutevar8x32_epi32(lanes, order));
    }
}

/// One bit per byte from two registers of all-ones and all-zero bytes.
#[inline(always)]
fn mask(halves: [__m256i; 2]) -> u64 {
    // SAFETY: only called with registers that an `Avx2` made, so AVX2 is there.
    let [low, high] = halves.map(|half| unsafe { _mm256_movemask_epi8(half) } as u32);
    u64::from(low) | u64::from(high) << 32
}
