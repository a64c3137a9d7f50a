//! AVX-512: parses eight short numbers at a time, each in a lane of 64 bits.
//!
//! ```text
//! text     - 1 2 . 5 x x x      the first byte is the lowest one; three bytes are not of the text
//! moved          - 1 2 . 5      the last byte of the text is the highest one
//! digits           0 1 2 5      without the sign and the point
//! value    125 / -10
//! ```

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_andnot_si512,
    _mm512_castpd_si512, _mm512_castsi512_pd, _mm512_cmpeq_epi8_mask, _mm512_cmpneq_epi64_mask,
    _mm512_cvtepu64_pd, _mm512_div_pd, _mm512_loadu_pd, _mm512_loadu_si512, _mm512_madd_epi16,
    _mm512_maddubs_epi16, _mm512_mask_cmpeq_epi8_mask, _mm512_mask_or_epi64,
    _mm512_mask_slli_epi64, _mm512_mask_sub_epi64, _mm512_maskz_mov_epi8, _mm512_movepi8_mask,
    _mm512_movm_epi8, _mm512_mul_epu32, _mm512_or_si512, _mm512_permutexvar_pd, _mm512_sad_epu8,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srli_epi64,
    _mm512_storeu_pd, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_subs_epu8,
    _mm512_test_epi64_mask, _mm512_testn_epi64_mask, _mm512_xor_si512,
};

use super::LANES;
use super::avx512::Avx512;

/// Powers of ten, by the number of digits after the point.
static POWERS: [f64; LANES] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

/// Texts without their signs.
struct Unsigned {
    /// Each byte minus `0`, or 0 where there is none.
    bytes: __m512i,
    /// Ones for each byte of the text.
    places: __m512i,
    /// The texts that had a minus sign.
    negative: __mmask8,
}

/// See [`super::Isa::short_integers`].
#[inline(always)]
pub(super) fn integers(
    level: Avx512,
    words: &[u64; LANES],
    lengths: &[u64; LANES],
    values: &mut [i64; LANES],
) -> u8 {
    let Unsigned {
        bytes,
        places,
        negative,
    } = unsigned(level, words, lengths);
    // SAFETY: `level` proves AVX-512; 64 bytes are written to `values`.
    unsafe {
        let value = value_of(level, bytes);
        let value = _mm512_mask_sub_epi64(value, negative, _mm512_setzero_si512(), value);
        _mm512_storeu_si512(values.as_mut_ptr().cast(), value);
        unknown(level, bytes) | _mm512_testn_epi64_mask(places, places)
    }
}

/// See [`super::Isa::short_floats`]. The digits and the power of ten are exact, so that the quotient is rounded
/// once.
#[inline(always)]
pub(super) fn floats(
    level: Avx512,
    words: &[u64; LANES],
    lengths: &[u64; LANES],
    values: &mut [f64; LANES],
) -> u8 {
    let Unsigned {
        bytes,
        places,
        negative,
    } = unsigned(level, words, lengths);
    // SAFETY: `level` proves AVX-512; 64 bytes are read from `POWERS`, and written to `values`.
    unsafe {
        let points = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8((b'.' ^ b'0') as i8));
        let points = _mm512_movm_epi8(points);
        let zero = _mm512_setzero_si512();
        // The lowest bit of the first point, or 0.
        let point = _mm512_and_si512(points, _mm512_sub_epi64(zero, points));
        let before = _mm512_sub_epi64(point, _mm512_set1_epi64(1));
        let after = _mm512_sub_epi64(zero, _mm512_slli_epi64::<8>(point));
        // Without a point, all bytes are before it.
        let whole = _mm512_and_si512(bytes, before);
        let has_point = _mm512_test_epi64_mask(points, points);
        let whole = _mm512_mask_slli_epi64::<8>(whole, has_point, whole);
        let digits = _mm512_or_si512(whole, _mm512_and_si512(bytes, after));
        let places = _mm512_and_si512(places, _mm512_or_si512(before, after));
        let decimals = _mm512_sad_epu8(_mm512_and_si512(after, _mm512_set1_epi8(1)), zero);
        let powers = _mm512_loadu_pd(POWERS.as_ptr());
        let power = _mm512_permutexvar_pd(decimals, powers);
        let value = _mm512_div_pd(_mm512_cvtepu64_pd(value_of(level, digits)), power);
        let value = _mm512_castpd_si512(value);
        let sign = _mm512_set1_epi64(i64::MIN);
        let value = _mm512_mask_or_epi64(value, negative, value, sign);
        _mm512_storeu_pd(values.as_mut_ptr(), _mm512_castsi512_pd(value));
        unknown(level, digits) | _mm512_testn_epi64_mask(places, places)
    }
}

/// Moves texts to the highest bytes, and takes their signs off. A text of no byte, or of more than eight, has no
/// places.
#[inline(always)]
fn unsigned(_: Avx512, words: &[u64; LANES], lengths: &[u64; LANES]) -> Unsigned {
    // SAFETY: the argument proves AVX-512; 64 bytes are read from each array.
    unsafe {
        let lengths = _mm512_loadu_si512(lengths.as_ptr().cast());
        let words = _mm512_loadu_si512(words.as_ptr().cast());
        let unused = _mm512_sub_epi64(_mm512_set1_epi64(64), _mm512_slli_epi64::<3>(lengths));
        let places = _mm512_sllv_epi64(_mm512_set1_epi8(-1), unused);
        let zeros = _mm512_and_si512(places, _mm512_set1_epi8(b'0' as i8));
        let bytes = _mm512_xor_si512(_mm512_sllv_epi64(words, unused), zeros);
        let first = _mm512_andnot_si512(_mm512_slli_epi64::<8>(places), places);
        let first = _mm512_movepi8_mask(first);
        let minus = _mm512_set1_epi8((b'-' ^ b'0') as i8);
        let signs = _mm512_mask_cmpeq_epi8_mask(first, bytes, minus);
        let others = _mm512_maskz_mov_epi8(!signs, places);
        Unsigned {
            bytes: _mm512_maskz_mov_epi8(!signs, bytes),
            places: others,
            negative: _mm512_cmpneq_epi64_mask(others, places),
        }
    }
}

/// Returns the texts that have other bytes than digits.
#[inline(always)]
fn unknown(_: Avx512, digits: __m512i) -> __mmask8 {
    // SAFETY: the argument proves AVX-512.
    unsafe {
        let above = _mm512_subs_epu8(digits, _mm512_set1_epi8(9));
        _mm512_test_epi64_mask(above, above)
    }
}

/// Returns the number of eight digits in each lane.
#[inline(always)]
fn value_of(_: Avx512, digits: __m512i) -> __m512i {
    // SAFETY: the argument proves AVX-512.
    unsafe {
        let pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(1 << 8 | 10));
        let fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(1 << 16 | 100));
        let high = _mm512_mul_epu32(fours, _mm512_set1_epi64(10_000));
        _mm512_add_epi64(high, _mm512_srli_epi64::<32>(fours))
    }
}
