//! Converts text to lower case, character by character.
//!
//! ```text
//! D e r ␣ Ä r g e r ␣ \xff     ASCII by the block, other text character by character
//! d e r ␣ ä r g e r ␣ \xff     invalid bytes are copied
//! ```
//!
//! It uses Unicode's *simple* mapping, from one character to one: without context or language.

use crate::Level;
use crate::isa::{BLOCK, Isa, Kernel, dispatch};
use crate::unicode::{decode, encode, lower};

/// Appends a text in lower case to `out`, and returns the level that ran.
///
/// A character may have another length in lower case; the result has at most 1.5 times the length.
/// Convert a text before it is tokenized, as a whole or cut at token boundaries: part of a
/// character has no lower case.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{Level, stage::lowercase::lowercase};
///
/// let mut out = Vec::new();
/// lowercase(Level::best(), "Größe ΣΑΣ \u{130}".as_bytes(), &mut out);
/// assert_eq!(out, "größe σασ i".as_bytes());
/// ```
pub fn lowercase(level: Level, text: &[u8], out: &mut Vec<u8>) -> Level {
    dispatch(level, Lowercase { text, out })
}

struct Lowercase<'a> {
    text: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl Kernel for Lowercase<'_> {
    type Out = Level;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Level {
        let Self { text, out } = self;
        out.reserve(text.len());
        let mut small = [0; ROOM];
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            match rest.first_chunk::<BLOCK>() {
                Some(bytes) if !isa.has_non_ascii(isa.load(bytes)) => {
                    let mut small = *bytes;
                    small.make_ascii_lowercase();
                    out.extend_from_slice(&small);
                    at += BLOCK;
                }
                _ => {
                    let (read, written) = lower_block(rest, &mut small);
                    out.extend_from_slice(&small[..written]);
                    at += read;
                }
            }
        }
        I::LEVEL
    }
}

/// Room for a block in lower case, 1.5 times as long, and for a character that crosses its end.
const ROOM: usize = BLOCK * 2;

/// Converts the characters that begin in the first block, one by one.
///
/// Returns the number of bytes read, and written to `small`.
#[inline(always)]
fn lower_block(text: &[u8], small: &mut [u8; ROOM]) -> (usize, usize) {
    let (mut read, mut written) = (0, 0);
    while read < text.len().min(BLOCK) {
        let (bytes, length, from) = lower_one(&text[read..]);
        small[written..written + 4].copy_from_slice(&bytes);
        read += from;
        written += length;
    }
    (read, written)
}

/// Converts the first character, or copies the first byte if there is no valid character.
///
/// Returns the bytes, how many of the four are used, and the number of bytes read.
#[inline(always)]
fn lower_one(text: &[u8]) -> ([u8; 4], usize, usize) {
    match decode(text) {
        Some((point, 1)) => ([(point as u8).to_ascii_lowercase(), 0, 0, 0], 1, 1),
        Some((point, from)) => {
            let (bytes, length) = encode(lower(point));
            (bytes, length, from)
        }
        None => ([text[0], 0, 0, 0], 1, 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oracle;

    fn agrees(text: &[u8]) {
        let expected = oracle::lowercase(text);
        for level in Level::available() {
            let mut out = b"before ".to_vec();
            assert_eq!(lowercase(level, text, &mut out), level);
            assert_eq!(out[..7], *b"before ");
            assert_eq!(out[7..], expected, "{level} on {text:x?}");
        }
    }

    #[test]
    fn every_character_at_every_offset_in_a_block() {
        let step = if cfg!(miri) { 1 << 14 } else { 1 };
        let all: String = (0..0x11_0000)
            .step_by(step)
            .filter_map(char::from_u32)
            .collect();
        agrees(all.as_bytes());
        for offset in 0..70 {
            agrees(&[&b"A".repeat(offset), "ÀⱭȺK\u{130}Z𐐀Ǆ".as_bytes()].concat());
        }
    }

    #[test]
    fn the_result_has_at_most_one_and_a_half_times_the_length() {
        let longest = char::from_u32(0x23a).into_iter().cycle().take(1000);
        let text: String = longest.collect();
        agrees(text.as_bytes());
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            assert!(oracle::lower(c).len_utf8() * 2 <= c.len_utf8() * 3, "{c:?}");
            if cfg!(miri) && c as u32 > 0x300 {
                break;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 2 } else { 300 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_convert_as_by_the_oracle(
            pieces in prop::collection::vec(
                prop_oneof![
                    3 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
                    2 => "[A-Za-z ]{1,80}".prop_map(String::into_bytes),
                    1 => prop::collection::vec(any::<u8>(), 1..4),
                ],
                0..if cfg!(miri) { 10 } else { 60 },
            ),
        ) {
            agrees(&pieces.concat());
        }
    }
}
