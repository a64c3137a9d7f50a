//! Inputs that break code written for ordinary text.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::registry::Generator;
use crate::rng::Rng;

/// All characters with Unicode's `White_Space` property.
const WHITE_SPACE: [char; 25] = [
    '\t', '\n', '\u{b}', '\u{c}', '\r', ' ', '\u{85}', '\u{a0}', '\u{1680}', '\u{2000}',
    '\u{2001}', '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}',
    '\u{2009}', '\u{200a}', '\u{2028}', '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}',
];

/// Byte sequences that are not valid UTF-8. Most of them resemble a white-space character.
const BROKEN: [&[u8]; 20] = [
    // Truncated white space.
    b"\xC2",
    b"\xE1\x9A",
    b"\xE2",
    b"\xE2\x80",
    b"\xE2\x81",
    b"\xE3\x80",
    // Overlong encodings: U+0020 in two, three and four bytes, U+00A0 in three.
    b"\xC0\xA0",
    b"\xE0\x80\xA0",
    b"\xF0\x80\x80\xA0",
    b"\xE0\x82\xA0",
    // The last bytes of white-space characters without the first ones.
    b"\x85",
    b"\xA0",
    b"\x80\x80",
    b"\x80\xA8",
    // A second lead byte in place of a continuation byte.
    b"\xE2\xE2\x80",
    b"\xC2\xC2",
    // Surrogates, and values above U+10FFFF.
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xF5",
    b"\xFF\xFE",
];

/// Difficult shapes of input.
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Pathological};
///
/// let mut out = Vec::new();
/// Pathological::Giant.write_to(100_000, &mut out)?;
/// assert_eq!(String::from_utf8_lossy(&out).split_whitespace().count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pathological {
    /// One token as long as the data, then a line feed.
    Giant,
    /// Only white space: all 25 characters of it.
    Separators,
    /// The same short key, repeated.
    Equal,
    /// 65,536 keys with a common prefix of this length. One of the keys is only the prefix.
    Prefix(u32),
    /// Words, random bytes, invalid sequences and white space in random order.
    InvalidUtf8,
    /// Keys with NUL bytes before, in and after them, and keys of NUL bytes only.
    Nul,
}

impl Generator for Pathological {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        match *self {
            Self::Giant => giant(bytes, out),
            Self::Separators => repeat(bytes, out, |rng, record| {
                let drawn = WHITE_SPACE[rng.below(WHITE_SPACE.len() as u64) as usize];
                record.extend_from_slice(drawn.encode_utf8(&mut [0; 4]).as_bytes());
            }),
            Self::Equal => repeat(bytes, out, |_, record| record.extend_from_slice(b"equal ")),
            Self::Prefix(shared) => prefix(shared, bytes, out),
            Self::InvalidUtf8 => repeat(bytes, out, broken_piece),
            Self::Nul => repeat(bytes, out, nul_key),
        }
    }
}

/// Writes records made by `fill`, one after another.
fn repeat(
    bytes: u64,
    out: &mut dyn Write,
    fill: impl Fn(&mut Rng, &mut Vec<u8>),
) -> io::Result<Written> {
    let mut rng = Rng::new(0x7061_7468);
    let mut blocks = Blocks::new(bytes, out);
    let mut record = Vec::new();
    loop {
        record.clear();
        fill(&mut rng, &mut record);
        if !blocks.push(&record)? {
            return blocks.finish();
        }
    }
}

/// Writes random letters, so that all parts of the token are different.
fn giant(bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
    let mut rng = Rng::new(0x6769_616E);
    let mut blocks = Blocks::new(bytes, out);
    let mut left = bytes.saturating_sub(1);
    while left > 0 {
        let piece = rng.next_u64().to_le_bytes().map(|byte| b'a' + byte % 26);
        let length = left.min(8) as usize;
        blocks.push(&piece[..length])?;
        left -= length as u64;
    }
    blocks.push(b"\n")?;
    blocks.finish()
}

fn prefix(shared: u32, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
    let head: Vec<u8> = (0..shared).map(|i| b'a' + (i % 26) as u8).collect();
    repeat(bytes, out, |rng, record| {
        record.extend_from_slice(&head);
        // Suffix 0 is empty and frequent, so that one key is a prefix of all other keys.
        let number_or_zero = [rng.below(1 << 16), 0];
        let mut number = number_or_zero[usize::from(rng.below(64) == 0)];
        while number > 0 || record.is_empty() {
            record.push(b"0123456789abcdef"[(number % 16) as usize]);
            number /= 16;
        }
        record.push(b' ');
    })
}

fn broken_piece(rng: &mut Rng, record: &mut Vec<u8>) {
    match rng.below(8) {
        0..3 => record.extend_from_slice(BROKEN[rng.below(BROKEN.len() as u64) as usize]),
        3 => {
            let length = 1 + rng.below(8) as usize;
            record.extend_from_slice(&rng.next_u64().to_le_bytes()[..length]);
        }
        4 => {
            let drawn = WHITE_SPACE[rng.below(WHITE_SPACE.len() as u64) as usize];
            record.extend_from_slice(drawn.encode_utf8(&mut [0; 4]).as_bytes());
        }
        5 => record.push(b' '),
        _ => record.push(b'a' + rng.below(4) as u8),
    }
}

fn nul_key(rng: &mut Rng, record: &mut Vec<u8>) {
    let (before, letters, inside, after) =
        (rng.below(3), rng.below(10), rng.below(2), rng.below(4));
    push_nuls(before, record);
    for _ in 0..letters {
        record.push(b'a' + rng.below(2) as u8);
    }
    push_nuls(inside, record);
    for _ in 0..letters * inside {
        record.push(b'b');
    }
    push_nuls(after, record);
    record.push(b' ');
}

fn push_nuls(count: u64, record: &mut Vec<u8>) {
    record.extend((0..count).map(|_| 0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn made(shape: Pathological, bytes: u64) -> Vec<u8> {
        let mut out = Vec::new();
        shape.write_to(bytes, &mut out).unwrap();
        out
    }

    fn keys(bytes: &[u8]) -> BTreeSet<&[u8]> {
        bytes
            .split(|&b| b == b' ' || b == b'\n')
            .filter(|key| !key.is_empty())
            .collect()
    }

    #[test]
    fn the_white_space_list_is_complete() {
        let all: Vec<char> = ('\0'..=char::MAX).filter(|c| c.is_whitespace()).collect();
        assert_eq!(all, WHITE_SPACE);
    }

    #[test]
    fn broken_sequences_are_broken() {
        assert!(
            BROKEN
                .iter()
                .all(|piece| std::str::from_utf8(piece).is_err())
        );
    }

    #[test]
    fn a_giant_has_exactly_the_requested_size() {
        for bytes in [0, 1, 2, 9, 100_000] {
            assert_eq!(made(Pathological::Giant, bytes).len() as u64, bytes);
        }
        assert_eq!(keys(&made(Pathological::Giant, 100_000)).len(), 1);
    }

    #[test]
    fn separators_are_all_white_space_and_only_that() {
        let text = String::from_utf8(made(Pathological::Separators, 10_000)).unwrap();
        assert_eq!(
            text.chars().collect::<BTreeSet<_>>(),
            WHITE_SPACE.into_iter().collect()
        );
    }

    #[test]
    fn prefixed_keys_share_only_their_prefix() {
        for shared in [0, 8, 16, 32] {
            let bytes = made(Pathological::Prefix(shared), 12_000_000);
            let keys = keys(&bytes);
            let head = *keys.first().unwrap();
            assert_eq!(head.len(), shared.max(1) as usize);
            assert!(shared == 0 || keys.iter().all(|key| key.starts_with(head)));
            assert!(keys.len() > 60_000, "{}", keys.len());
        }
    }

    #[test]
    fn some_nul_keys_differ_only_in_their_nul_bytes() {
        let bytes = made(Pathological::Nul, 100_000);
        let keys = keys(&bytes);
        for key in [&b"\0"[..], b"\0\0", b"a", b"a\0", b"a\0\0", b"\0a", b"a\0b"] {
            assert!(keys.contains(key), "{}", key.escape_ascii());
        }
    }
}
