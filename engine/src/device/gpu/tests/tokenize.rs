//! Tests of `tokenize.wgsl`.

use std::num::NonZeroUsize;

use keymill_kernels::oracle;
use keymill_shaders::{LANE_BYTES, Stage, TILE_BYTES};
use proptest::prelude::*;

use super::devices_of;
use crate::TokenRule;
use crate::device::{Device, Fault, tokenize};

/// Compares the tokens of a text with the oracle. Its records start at `records`.
fn compare(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    records: Option<&[u32]>,
) -> Result<(), String> {
    let cut = tokenize::run(device, rule, text, records).map_err(|fault| fault.to_string())?;
    let mut cuts = records.unwrap_or_default().to_vec();
    cuts.insert(0, 0);
    cuts.push(text.len() as u32);
    let mut expected = Vec::new();
    let mut rejected = 0;
    for cut in cuts.windows(2) {
        let record = &text[cut[0] as usize..cut[1] as usize];
        for token in oracle::tokenize(rule, record) {
            let start = token.as_ptr() as usize - text.as_ptr() as usize;
            expected.push((start as u32, (start + token.len()) as u32));
        }
        rejected += oracle::rejected(rule, record);
    }
    let found: Vec<_> = cut
        .spans
        .iter()
        .map(|span| (span.start, span.end))
        .collect();
    if found == expected && u64::from(cut.rejected) == rejected {
        return Ok(());
    }
    let at = found.iter().zip(&expected).position(|(a, b)| a != b);
    Err(format!(
        "{rule:?}: {} tokens, not {}; {} rejected, not {rejected}; first difference at {at:?} \
         of a text of {} bytes: {:?}",
        found.len(),
        expected.len(),
        cut.rejected,
        text.len(),
        text[..text.len().min(300)].escape_ascii().to_string()
    ))
}

fn agrees(rule: &TokenRule, text: &[u8], records: Option<&[u32]>) {
    for device in devices_of(Stage::Tokenize) {
        if let Err(wrong) = compare(&**device, rule, text, records) {
            panic!("{wrong}");
        }
    }
}

/// Checks a text without records, with a record at every byte, and with some records.
fn agrees_however_cut(rule: &TokenRule, text: &[u8]) {
    agrees(rule, text, None);
    for step in [1, 5, 1000] {
        let records: Vec<u32> = (0..=text.len() as u32).step_by(step).collect();
        agrees(rule, text, Some(&records));
    }
}

fn split(separator: &[u8]) -> TokenRule {
    TokenRule::Split(separator.into())
}

fn field(index: usize, separator: &[u8]) -> TokenRule {
    TokenRule::Field {
        index: NonZeroUsize::new(index).unwrap(),
        separator: separator.into(),
    }
}

/// Returns rules for lines and their parts: separators of one byte, of many bytes, of the maximum
/// length, and unusual ones; fields that exist in all lines, in some, and in none.
fn rules_of_lines() -> Vec<TokenRule> {
    let mut rules = vec![TokenRule::Lines];
    let separators: [&[u8]; 12] = [
        b",",
        b", ",
        b"ab",
        b"\r",
        b",\r",
        b"\r,",
        b"\n",
        b"",
        b"\0",
        b"x\0\0",
        b"\xe2\x80\x80",
        LONG,
    ];
    rules.extend(separators.map(split));
    for (index, separator) in [
        (1, &b","[..]),
        (2, b","),
        (3, b","),
        (2, b"ab"),
        (2, b"\r"),
        (2, b",\r"),
        (1, b"\n"),
        (2, LONG),
        (usize::MAX, b","),
    ] {
        rules.push(field(index, separator));
    }
    rules
}

const LONG: &[u8] = b"abcdefghijklmno,";

/// Generates lines from pieces that are separators under some rule, or similar to one.
fn lines(pieces: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            ",", ",,", ", ", "\n", "\r\n", "\r", ",\r\n", ",\r", "\r,", "\r\r\n", "a", "ab", "aab",
            "\0", "x\0\0", "x\0", "\u{2000}", "abcdefghijklmno,", "abcdefghijklmno", "\n\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        2 => "[a-z]{1,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..4),
        1 => (1_usize..40).prop_map(|length| vec![b','; length]),
    ];
    prop::collection::vec(piece, 0..pieces).prop_map(|pieces| pieces.concat())
}

/// Generates text from pieces of every class of bytes: white space of one, two and three bytes,
/// similar characters, and bytes that are not UTF-8.
fn text(pieces: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            " ", "\n", "\t", "\r\n", "\u{b}", "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}",
            "\u{200a}", "\u{200b}", "\u{2028}", "\u{2029}", "\u{202f}", "\u{205f}", "\u{3000}",
            "\u{3001}", "\u{e9}", "\0", "\u{8}", "\u{e}", "\u{1c}", "\u{21}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        2 => "[a-z]{1,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..4),
        1 => prop::collection::vec(prop::sample::select(vec![0xc2, 0xe1, 0xe2, 0xe3, 0x80, 0x85,
            0xa0, 0x9a, 0x81, 0x9f]), 1..6),
    ];
    prop::collection::vec(piece, 0..pieces).prop_map(|pieces| pieces.concat())
}

fn starts(cuts: &[prop::sample::Index], text: &[u8]) -> Vec<u32> {
    let cuts = cuts.iter().map(|cut| cut.index(text.len() + 1) as u32);
    let mut records: Vec<u32> = cuts.collect();
    records.sort_unstable();
    records
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn tokens_are_those_of_the_oracle(
        text in text(300),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let records = starts(&cuts, &text);
        for device in devices_of(Stage::Tokenize) {
            for records in [None, Some(&records[..])] {
                let rule = &TokenRule::Whitespace;
                compare(&**device, rule, &text, records).map_err(TestCaseError::fail)?;
            }
        }
    }

    #[test]
    fn words_are_those_of_the_oracle(
        text in prop::collection::vec(0_u8..0x80, 0..9000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let records = starts(&cuts, &text);
        for device in devices_of(Stage::Tokenize) {
            for records in [None, Some(&records[..])] {
                let rule = &TokenRule::Words;
                compare(&**device, rule, &text, records).map_err(TestCaseError::fail)?;
            }
        }
    }

    #[test]
    fn tokens_of_lines_are_those_of_the_oracle(
        text in lines(700),
        rule in prop::sample::select(rules_of_lines()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let records = starts(&cuts, &text);
        for device in devices_of(Stage::Tokenize) {
            for records in [None, Some(&records[..])] {
                compare(&**device, &rule, &text, records).map_err(TestCaseError::fail)?;
            }
        }
    }
}

#[test]
fn tokens_around_every_edge() {
    let rule = &TokenRule::Whitespace;
    for edge in [0, LANE_BYTES, TILE_BYTES, 2 * TILE_BYTES] {
        for length in edge.saturating_sub(3)..=edge + 3 {
            agrees(rule, &vec![b'x'; length], None);
            agrees(rule, &vec![b' '; length], None);
            for space in [" ", "\u{a0}", "\u{3000}"] {
                let token = "y".repeat(length);
                agrees(rule, format!("{token}{space}{token}").as_bytes(), None);
                agrees(rule, format!("{space}{token}{space}").as_bytes(), None);
            }
        }
    }
}

#[test]
fn words_around_every_edge() {
    let rule = &TokenRule::Words;
    for edge in [0, LANE_BYTES, TILE_BYTES] {
        for length in edge.saturating_sub(3)..=edge + 3 {
            let word = "y".repeat(length);
            agrees(rule, word.as_bytes(), None);
            agrees(rule, format!("{word}_{word}").as_bytes(), None);
            agrees(rule, format!("-{word}@").as_bytes(), None);
        }
    }
    let all: Vec<u8> = (0..0x80).collect();
    agrees_however_cut(rule, &all.repeat(3));
}

/// Returns texts with line ends and separators before, across and after an edge of a lane or tile.
fn around(edge: usize, reach: usize) -> impl Iterator<Item = Vec<u8>> {
    let ends = [
        "",
        "\n",
        "\r\n",
        "\r",
        ",",
        ",\r\n",
        ",\r",
        "abcdefghijklmno,",
    ];
    let lengths = edge.saturating_sub(reach)..=edge + 2;
    lengths.flat_map(move |length| {
        let token = "y".repeat(length);
        let line = move |end| format!("{token}{end}z,{end}{end}").into_bytes();
        ends.into_iter().map(line)
    })
}

#[test]
fn lines_around_every_edge() {
    let rules = [
        (TokenRule::Lines, 3),
        (split(b","), 3),
        (split(b",\r"), 3),
        (split(LONG), LONG.len()),
        (field(1, b","), 3),
        (field(2, b","), 3),
        (field(2, LONG), LONG.len()),
    ];
    for (rule, reach) in &rules {
        for edge in [LANE_BYTES, TILE_BYTES] {
            for text in around(edge, *reach) {
                agrees(rule, &text, None);
            }
        }
    }
}

#[test]
fn records_around_every_edge() {
    for rule in [TokenRule::Lines, split(b","), split(LONG), field(2, b",")] {
        for edge in [LANE_BYTES, TILE_BYTES] {
            for text in around(edge, LONG.len()).step_by(3) {
                // The record ends inside line ends and separators.
                let last = text.len() as u32;
                let records = [edge as u32 - 1, edge as u32, edge as u32 + 1, last];
                for record in records.into_iter().filter(|record| *record <= last) {
                    agrees(&rule, &text, Some(&[record]));
                }
            }
        }
    }
}

#[test]
fn small_texts_and_those_without_a_last_line_end() {
    let texts: [&[u8]; 14] = [
        b"",
        b"a",
        b",",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\r",
        b"a\n",
        b"a\nb",
        b"a,\r\n,b,",
        b",,,",
        b"\n\n",
        b"\r\r\n",
        b"abcdefghijklmno,",
    ];
    for rule in rules_of_lines() {
        for text in texts {
            agrees_however_cut(&rule, text);
        }
    }
}

#[test]
fn more_tiles_than_a_workgroup_has_lanes() {
    let words = "one of\u{2003}many words, ".repeat(120_000);
    let rule = &TokenRule::Whitespace;
    agrees(rule, words.as_bytes(), None);
    agrees(rule, &vec![b'x'; 3 << 20], None);
    agrees(rule, &vec![b'\n'; 3 << 20], None);
    agrees(rule, &b"a ".repeat(1 << 20), None);
    agrees(
        &TokenRule::Words,
        &b"a few more words, ".repeat(100_000),
        None,
    );
}

#[test]
fn more_tiles_of_lines_than_a_workgroup_has_lanes() {
    let rows = b"1,to be,,or not\r\nx\n,abcdefghijklmno,".repeat(40_000);
    let texts = [
        rows,
        vec![b','; 3 << 20],
        vec![b'\n'; 3 << 20],
        vec![b'x'; 3 << 20],
        // A line of many tiles: its fields are counted far from its start.
        [b"a,".repeat(1 << 20), b"\nb,c".to_vec()].concat(),
    ];
    for text in &texts {
        for rule in [
            TokenRule::Lines,
            split(b","),
            split(LONG),
            field(2, b","),
            field(1_000_000, b","),
        ] {
            agrees(&rule, text, None);
        }
    }
}

#[test]
fn every_byte_can_begin_a_record() {
    let text = "ab \u{3000}c".repeat(2_000);
    let records: Vec<u32> = (0..text.len() as u32).collect();
    agrees(&TokenRule::Whitespace, text.as_bytes(), Some(&records));
    // Each byte is a line of two empty parts. No text has more tokens.
    let text = vec![b','; 3 * TILE_BYTES];
    let records: Vec<u32> = (0..text.len() as u32).collect();
    agrees(&split(b","), &text, Some(&records));
    agrees(&field(2, b","), &text, Some(&records));
    agrees_however_cut(&split(LONG), &LONG.repeat(600));
    agrees_however_cut(&field(3, LONG), &LONG.repeat(600));
}

#[test]
fn unsupported_rules_are_refused() {
    for device in devices_of(Stage::Tokenize) {
        for (rule, text) in [
            (TokenRule::Words, "caf\u{e9}"),
            (split(b",,"), "a,,b"),
            (field(1, &[b'x'; 17]), "a,,b"),
        ] {
            let fault = tokenize::run(&**device, &rule, text.as_bytes(), None).unwrap_err();
            assert!(matches!(fault, Fault::Refused(_)), "{fault}");
        }
    }
}
