//! AVX-512 primitives: a block is one register, a comparison is a mask, compress finds positions.

use core::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm_set_epi64x, _mm256_cmpeq_epi64_mask,
    _mm256_loadu_si256, _mm256_set1_epi64x, _mm512_add_epi16, _mm512_add_epi32,
    _mm512_alignr_epi32, _mm512_and_si512, _mm512_broadcast_i64x2, _mm512_castsi512_si128,
    _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask, _mm512_cmpeq_epi64_mask,
    _mm512_cmple_epu8_mask, _mm512_cmplt_epu32_mask, _mm512_cvtepu8_epi16, _mm512_cvtepu8_epi32,
    _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_maskz_compress_epi8,
    _mm512_maskz_compress_epi32, _mm512_min_epu8, _mm512_movepi8_mask, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_shuffle_epi8,
    _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_sub_epi8, _mm512_sub_epi32,
    _pext_u64,
};

use super::{BLOCK, Isa, Kernel, LANES, avx512_numbers, split_from};
use crate::Level;

/// Proof that the level's AVX-512 features are available: only [`enter`] makes one.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Compiles and runs `kernel` with AVX-512.
///
/// # Safety
///
/// The processor must have AVX-512 F, BW, DQ, VL, VBMI and VBMI2, and all features of the AVX2
/// level.
#[target_feature(
    enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt"
)]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) -> K::Out {
    kernel.run(Avx512(()))
}

/// The index of each byte within a block.
static INDEX: [u8; BLOCK] = {
    let mut index = [0; BLOCK];
    let mut i = 0;
    while i < BLOCK {
        index[i] = i as u8;
        i += 1;
    }
    index
};

/// The white-space byte with each low nibble, repeated four times; see `avx2.rs`.
static SPACE_BY_NIBBLE: [u8; BLOCK] = {
    let mut rows = [0; BLOCK];
    let mut lane = 0;
    while lane < BLOCK {
        rows[lane] = 0x20;
        let mut space = 9;
        while space <= 13 {
            rows[lane + space] = space as u8;
            space += 1;
        }
        lane += 16;
    }
    rows
};

impl Isa for Avx512 {
    const LEVEL: Level = Level::Avx512;
    type Block = __m512i;
    /// The smallest byte seen at each position.
    type Zeros = __m512i;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> __m512i {
        // SAFETY: `bytes` holds 64 readable bytes; `self` proves AVX-512.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn prefetch(self, bytes: &[u8; BLOCK]) {
        // SAFETY: a prefetch of any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(2048).cast()) }
    }

    #[inline(always)]
    fn equal(self, block: __m512i, byte: u8) -> u64 {
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    fn in_range(self, block: __m512i, low: u8, high: u8) -> u64 {
        // SAFETY: `self` proves AVX-512.
        unsafe {
            let above_low = _mm512_sub_epi8(block, _mm512_set1_epi8(low as i8));
            _mm512_cmple_epu8_mask(above_low, _mm512_set1_epi8(high.wrapping_sub(low) as i8))
        }
    }

    #[inline(always)]
    fn ascii_space(self, block: __m512i) -> u64 {
        let by_nibble = self.load(&SPACE_BY_NIBBLE);
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(by_nibble, block), block) }
    }

    #[inline(always)]
    fn has_non_ascii(self, block: __m512i) -> bool {
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_movepi8_mask(block) != 0 }
    }

    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    fn no_zeros(self) -> __m512i {
        self.load(&[0xff; BLOCK])
    }

    #[inline(always)]
    fn any_zeros(self, seen: __m512i) -> bool {
        self.equal(seen, 0) != 0
    }

    #[inline(always)]
    fn note_zeros(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: `self` proves AVX-512.
        unsafe { _mm512_min_epu8(a, b) }
    }

    #[inline(always)]
    fn find_in_four(self, words: &[u64; 4], word: u64) -> u32 {
        // SAFETY: `words` holds 32 readable bytes; `self` proves AVX-512 VL.
        unsafe {
            let words = _mm256_loadu_si256(words.as_ptr().cast());
            let found = _mm256_cmpeq_epi64_mask(words, _mm256_set1_epi64x(word as i64));
            u32::from(found)
        }
    }

    #[inline(always)]
    fn find_in_eight(self, words: &[u64; 8], word: u64) -> u32 {
        // SAFETY: `words` holds 64 readable bytes; `self` proves AVX-512.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            u32::from(_mm512_cmpeq_epi64_mask(
                words,
                _mm512_set1_epi64(word as i64),
            ))
        }
    }

    #[inline(always)]
    fn find_pair_in_eight(self, words: &[u64; 8], pair: [u64; 2]) -> u32 {
        let (even, odd) = (pair[0] as i64, pair[1] as i64);
        // SAFETY: `words` holds 64 readable bytes; `self` proves AVX-512.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            let pairs = _mm512_broadcast_i64x2(_mm_set_epi64x(odd, even));
            u32::from(_mm512_cmpeq_epi64_mask(words, pairs))
        }
    }

    #[inline(always)]
    fn positions(self, mask: u64, base: u16, out: &mut [u16; BLOCK]) -> usize {
        let count = mask.count_ones() as usize;
        // SAFETY: `self` proves AVX-512; each store writes 32 of the 64 places of `out`.
        unsafe {
            let found = _mm512_maskz_compress_epi8(mask, self.load(&INDEX));
            let base = _mm512_set1_epi16(base as i16);
            let low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(found));
            _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_add_epi16(low, base));
            if count > 32 {
                let high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(found));
                let place = out.as_mut_ptr().add(32).cast();
                _mm512_storeu_si512(place, _mm512_add_epi16(high, base));
            }
        }
        count
    }

    #[inline(always)]
    fn wide_positions(self, mask: u64, base: u32, out: &mut [u32; BLOCK]) -> usize {
        let count = mask.count_ones() as usize;
        // SAFETY: `self` proves AVX-512; each store writes 16 of the 64 places of `out`.
        unsafe {
            let mut found = _mm512_maskz_compress_epi8(mask, self.load(&INDEX));
            let base = _mm512_set1_epi32(base as i32);
            for (number, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                if count <= 16 * number {
                    break;
                }
                let places = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_add_epi32(places, base));
                found = _mm512_alignr_epi32::<4>(found, found);
            }
        }
        count
    }

    #[inline(always)]
    fn ranks(self, bits: u64, mask: u64, base: u32, out: &mut [u32; BLOCK]) -> usize {
        // SAFETY: `self` proves BMI2.
        let bits = unsafe { _pext_u64(bits, mask) };
        self.wide_positions(bits, base, out)
    }

    #[inline(always)]
    fn short_integers(
        self,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [i64; LANES],
    ) -> u8 {
        avx512_numbers::integers(self, words, lengths, values)
    }

    #[inline(always)]
    fn short_floats(
        self,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [f64; LANES],
    ) -> u8 {
        avx512_numbers::floats(self, words, lengths, values)
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
        let whole = spans.len() & !15;
        let (mut classed, mut rests) = (0, 0);
        for sixteen in spans[..whole].chunks_exact(16) {
            // SAFETY: `self` proves AVX-512; 16 spans are read. At most `spans.len()` spans were
            // written before, and both outputs hold 16 more than that.
            unsafe {
                let span = _mm512_loadu_si512(sixteen.as_ptr().cast());
                let start = _mm512_and_si512(span, _mm512_set1_epi32(0xffff));
                let end = _mm512_srli_epi32::<16>(span);
                let negative = _mm512_sub_epi32(start, end);
                let seven = _mm512_set1_epi32(7);
                let shift = _mm512_slli_epi32::<19>(_mm512_and_si512(negative, seven));
                let below = _mm512_sub_epi32(
                    _mm512_sub_epi32(end, start),
                    _mm512_set1_epi32(least as i32),
                );
                let is_classed = _mm512_cmplt_epu32_mask(below, _mm512_set1_epi32(8));
                let ready = _mm512_maskz_compress_epi32(is_classed, _mm512_or_si512(start, shift));
                let others = _mm512_maskz_compress_epi32(!is_classed, span);
                _mm512_storeu_si512(class.as_mut_ptr().add(classed).cast(), ready);
                _mm512_storeu_si512(rest.as_mut_ptr().add(rests).cast(), others);
                classed += is_classed.count_ones() as usize;
                rests += (!is_classed).count_ones() as usize;
            }
        }
        split_from(whole, least, spans, class, rest, (classed, rests))
    }
}
