//! Texts and rules with many edge cases, for the tests of this stage and of others.

use core::num::NonZeroUsize;

use proptest::prelude::*;

use crate::TokenRule;

/// Every rule, with separators of one byte, of many, that overlap themselves, and unusual ones.
pub(crate) fn rules() -> Vec<TokenRule> {
    let mut rules = vec![TokenRule::Whitespace, TokenRule::Words, TokenRule::Lines];
    let separators: [&[u8]; 11] = [
        b",",
        b", ",
        b",,",
        b"a,a",
        b"\r",
        b",\r",
        b"\r,",
        b"\n",
        b"",
        b"\xe2\x80\x80",
        b"\0",
    ];
    rules.extend(separators.map(|separator| TokenRule::Split(separator.into())));
    rules.push(TokenRule::Split(b",".repeat(70).into()));
    for (index, separator) in [
        (1, &b","[..]),
        (2, b","),
        (3, b",,"),
        (2, b"\r"),
        (2, b"\n"),
    ] {
        rules.push(TokenRule::Field {
            index: NonZeroUsize::new(index).expect("fields count from 1"),
            separator: separator.into(),
        });
    }
    rules
}

/// Bytes and characters that are separators under some rule, or similar to one.
const PIECES: [&str; 26] = [
    " ", "\t", "\n", "\r", "\r\n", ",", ",,", ",,,", "\0", "a", "a,a", "Z", "_", "\u{85}",
    "\u{a0}", "\u{1680}", "\u{2000}", "\u{200b}", "\u{2028}", "\u{202f}", "\u{205f}", "\u{3000}",
    "é", "e\u{301}", "٣", "𐐀",
];

/// Single bytes of those characters.
const STRAYS: [u8; 14] = [
    0x80, 0x81, 0x85, 0x9a, 0x9f, 0xa0, 0xa8, 0xaf, 0xc2, 0xe1, 0xe2, 0xe3, 0xf0, 0xff,
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        3 => prop::sample::select(&STRAYS[..]).prop_map(|byte| vec![byte]),
        // As long as a block of 64 bytes, or a few bytes more or less; longer than a tiny tile.
        2 => (1usize..12).prop_map(|length| vec![b'x'; length]),
        1 => (57usize..72).prop_map(|length| vec![b'y'; length]),
        1 => (57usize..72).prop_map(|length| vec![b','; length]),
        1 => (20usize..60).prop_map(|length| "é".repeat(length).into_bytes()),
    ]
}

/// Texts of up to `pieces` pieces.
pub(crate) fn text(pieces: usize) -> impl Strategy<Value = Vec<u8>> {
    let most = if cfg!(miri) { 20 } else { pieces / 4 };
    prop_oneof![
        prop::collection::vec(piece(), 0..=most),
        prop::collection::vec(piece(), 0..=8),
    ]
    .prop_map(|pieces| pieces.concat())
}
