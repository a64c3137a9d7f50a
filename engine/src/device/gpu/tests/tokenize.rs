//! `tokenize.wgsl`.

use keymill_kernels::oracle;
use keymill_shaders::{LANE_BYTES, TILE_BYTES};
use proptest::prelude::*;

use super::devices;
use crate::TokenRule;
use crate::device::Device;
use crate::device::tokenize;

/// What is wrong with the spans of a text whose records begin at `records`.
fn compare(device: &dyn Device, text: &[u8], records: Option<&[u32]>) -> Result<(), String> {
    let spans = tokenize::run(device, &TokenRule::Whitespace, text, records)
        .map_err(|fault| fault.to_string())?;
    let mut cuts = records.unwrap_or_default().to_vec();
    cuts.insert(0, 0);
    cuts.push(text.len() as u32);
    let mut expected = Vec::new();
    for cut in cuts.windows(2) {
        let record = &text[cut[0] as usize..cut[1] as usize];
        for token in oracle::tokenize(&TokenRule::Whitespace, record) {
            let start = token.as_ptr() as usize - text.as_ptr() as usize;
            expected.push((start as u32, (start + token.len()) as u32));
        }
    }
    let found: Vec<_> = spans.iter().map(|span| (span.start, span.end)).collect();
    if found == expected {
        return Ok(());
    }
    let at = found.iter().zip(&expected).position(|(a, b)| a != b);
    Err(format!(
        "{} tokens, not {}; the first other one is {at:?} of a text of {} bytes",
        found.len(),
        expected.len(),
        text.len()
    ))
}

fn agrees(text: &[u8], records: Option<&[u32]>) {
    for device in devices() {
        if let Err(wrong) = compare(&**device, text, records) {
            panic!("{wrong}");
        }
    }
}

/// Pieces that meet every class of byte: white space of one, two and three bytes, its neighbours,
/// and bytes that are no UTF-8.
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

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn texts_are_cut_as_the_oracle_cuts(text in text(300)) {
        for device in devices() {
            compare(&**device, &text, None).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn records_are_texts_of_their_own(
        text in text(200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let cuts = cuts.iter().map(|cut| cut.index(text.len() + 1) as u32);
        let mut records: Vec<u32> = cuts.collect();
        records.sort_unstable();
        for device in devices() {
            compare(&**device, &text, Some(&records)).map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn tokens_around_every_edge() {
    for edge in [0, LANE_BYTES, TILE_BYTES, 2 * TILE_BYTES] {
        for length in edge.saturating_sub(3)..=edge + 3 {
            agrees(&vec![b'x'; length], None);
            agrees(&vec![b' '; length], None);
            for space in [" ", "\u{a0}", "\u{3000}"] {
                let token = "y".repeat(length);
                agrees(format!("{token}{space}{token}").as_bytes(), None);
                agrees(format!("{space}{token}{space}").as_bytes(), None);
            }
        }
    }
}

#[test]
fn more_tiles_than_a_workgroup_has_lanes() {
    let words = "one of\u{2003}many words, ".repeat(120_000);
    agrees(words.as_bytes(), None);
    agrees(&vec![b'x'; 3 << 20], None);
    agrees(&vec![b'\n'; 3 << 20], None);
    agrees(&b"a ".repeat(1 << 20), None);
}

#[test]
fn every_byte_can_begin_a_record() {
    let text = "ab \u{3000}c".repeat(2_000);
    let records: Vec<u32> = (0..text.len() as u32).collect();
    agrees(text.as_bytes(), Some(&records));
}
