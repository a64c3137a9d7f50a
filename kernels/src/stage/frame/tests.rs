//! Compares lines and boundaries with the oracle, at every level and with the default and tiny
//! sizes.

use core::num::NonZeroUsize;

use proptest::prelude::*;

use super::{Boundary, Framer, first_boundary, last_boundary};
use crate::stage::tokenize::alphabet::{rules, text};
use crate::{Level, TokenRule, Tuning, oracle};

fn cases(many: u32) -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 2 } else { many },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Reads a stream block by block, as a reader does, and returns its chunks.
fn read<'a>(level: Level, rule: &TokenRule, stream: &'a [u8], block: usize) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let (mut start, mut searched) = (0, 0);
    for block in stream.chunks(block) {
        let read = block.as_ptr() as usize - stream.as_ptr() as usize + block.len();
        let held = &stream[start..read];
        // A reader that holds a long token uses the first boundary; then the last one of the rest.
        if let Some(cut) = first_boundary(level, rule, held, searched) {
            chunks.push(&held[..cut.end]);
            start += cut.next;
            let rest = &stream[start..read];
            if let Some(cut) = last_boundary(level, rule, rest) {
                chunks.push(&rest[..cut.end]);
                start += cut.next;
            }
        }
        // The rest has no boundary until more bytes are read.
        searched = match last_boundary(level, rule, &stream[start..read]) {
            None => read - start,
            Some(cut) => panic!("{cut:?} in the rest {:x?}", &stream[start..read]),
        };
    }
    chunks.push(&stream[start..]);
    chunks
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn lines_equal_those_of_the_oracle(text in text(400)) {
        let expected = oracle::frame(&text);
        for level in Level::available() {
            for tuning in [Tuning::DEFAULT, Tuning::TINY] {
                let mut records = Vec::new();
                let done = Framer::new(level, &tuning).frame(&text, &mut records);
                let done = done.expect("the text is short");
                prop_assert_eq!(done.level, level);
                prop_assert_eq!(done.tokens, expected.len());
                let found: Vec<_> = records.iter().map(|record| record.of(&text)).collect();
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    #[test]
    fn cuts_change_no_token(text in text(300), block in 1usize..100) {
        for rule in rules() {
            let expected = oracle::tokenize(&rule, &text);
            for level in Level::available() {
                let chunks = read(level, &rule, &text, block);
                let found: Vec<_> = chunks
                    .iter()
                    .flat_map(|chunk| oracle::tokenize(&rule, chunk))
                    .collect();
                prop_assert_eq!(&found, &expected, "{:?} by {} in {:x?}", rule, block, chunks);
            }
        }
    }

    #[test]
    fn every_level_cuts_at_the_same_place(text in text(300), searched in 0usize..300) {
        for rule in rules() {
            let last = last_boundary(Level::Scalar, &rule, &text);
            let first = first_boundary(Level::Scalar, &rule, &text, searched);
            for level in Level::available() {
                prop_assert_eq!(last_boundary(level, &rule, &text), last);
                prop_assert_eq!(first_boundary(level, &rule, &text, searched), first);
            }
            prop_assert_eq!(
                first_boundary(Level::Scalar, &rule, &text, 0).is_some(),
                last.is_some()
            );
        }
    }
}

fn last(rule: &TokenRule, bytes: &[u8]) -> Option<(usize, usize)> {
    let found = last_boundary(Level::best(), rule, bytes);
    found.map(|Boundary { end, next }| (end, next))
}

#[test]
fn a_cut_is_never_inside_a_character() {
    let rule = TokenRule::Whitespace;
    assert_eq!(last(&rule, b"a\xe2\x80\x80b"), Some((4, 4)));
    assert_eq!(last(&rule, b"a b\xe2\x80"), Some((2, 2)));
    assert_eq!(last(&rule, b"ab\xe2\x80"), None);
    let long = [&b"x".repeat(62)[..], "\u{3000}".as_bytes(), b"y"].concat();
    assert_eq!(last(&rule, &long), Some((65, 65)));
    let rule = TokenRule::Words;
    assert_eq!(last(&rule, "é".as_bytes()), None);
    assert_eq!(last(&rule, b"a\xc3"), None, "it may become a letter");
    assert_eq!(last(&rule, b"a\xc3a"), Some((2, 2)), "it did not");
    assert_eq!(last(&rule, "é。é".as_bytes()), Some((5, 5)));
}

#[test]
fn a_cut_is_never_inside_a_line_end() {
    let field = TokenRule::Field {
        index: NonZeroUsize::MIN,
        separator: b",".as_slice().into(),
    };
    for rule in [TokenRule::Lines, field] {
        assert_eq!(last(&rule, b"a\r\nb,c\r"), Some((3, 3)));
        assert_eq!(last(&rule, b"a,b\r"), None);
        assert_eq!(last(&rule, b"a\r\n"), Some((3, 3)));
    }
}

#[test]
fn a_separator_is_dropped_where_both_sides_have_bytes() {
    let comma = TokenRule::Split(b",".as_slice().into());
    assert_eq!(last(&comma, b"a,b,c"), Some((3, 4)));
    assert_eq!(last(&comma, b"a,b,"), Some((1, 2)), "c may be empty");
    assert_eq!(last(&comma, b",b"), None, "an empty token comes before");
    assert_eq!(last(&comma, b"a\n,b"), Some((2, 2)));
    let twice = TokenRule::Split(b",,".as_slice().into());
    assert_eq!(last(&twice, b"a,,,b"), None, "which two are the separator?");
}
