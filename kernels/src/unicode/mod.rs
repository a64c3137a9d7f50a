//! Unicode properties: word characters and lower case.
#![forbid(unsafe_code)]

mod decode;
mod tables;

pub(crate) use decode::{decode, encode, unfinished};

use tables::{LOWER_DELTAS, LOWER_PLACES, LOWER_ROWS, WORD_BITS, WORD_ROWS};

/// The version of Unicode that defines words and lower case.
pub const UNICODE_VERSION: (u8, u8, u8) = tables::VERSION;

/// Returns whether a character is Alphabetic, a Mark or a Number.
#[inline(always)]
pub(crate) fn is_word(point: u32) -> bool {
    let Some(&row) = WORD_ROWS.get((point >> 8) as usize) else {
        return false;
    };
    let bits = WORD_BITS[usize::from(row) * 4 + (point >> 6 & 3) as usize];
    bits >> (point & 63) & 1 == 1
}

/// Returns the simple lower case of a character, or the character itself if it has none.
#[inline(always)]
pub(crate) fn lower(point: u32) -> u32 {
    let Some(&row) = LOWER_ROWS.get((point >> 6) as usize) else {
        return point;
    };
    let place = LOWER_PLACES[usize::from(row) * 64 + (point & 63) as usize];
    point.wrapping_add_signed(LOWER_DELTAS[usize::from(place)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle;

    fn characters() -> impl Iterator<Item = char> {
        let step = if cfg!(miri) { 997 } else { 1 };
        (0..0x11_0000).step_by(step).filter_map(char::from_u32)
    }

    #[test]
    fn the_tables_have_the_unicode_version_of_std() {
        assert_eq!(UNICODE_VERSION, char::UNICODE_VERSION);
    }

    #[test]
    fn word_characters_are_those_of_the_oracle() {
        for c in characters() {
            assert_eq!(is_word(c as u32), oracle::is_word(c), "{c:?}");
        }
    }

    #[test]
    fn lower_case_is_that_of_the_oracle() {
        for c in characters() {
            assert_eq!(lower(c as u32), oracle::lower(c) as u32, "{c:?}");
        }
        assert_eq!(lower('İ' as u32), 'i' as u32);
        assert_eq!(lower('Σ' as u32), 'σ' as u32);
    }
}
