//! Tests of `frame.wgsl`.

use keymill_kernels::oracle;
use keymill_shaders::{LANE_BYTES, Stage, TILE_BYTES};
use proptest::prelude::*;

use super::devices_of;
use crate::device::{Device, frame};

/// Compares the lines of a text with the oracle.
fn compare(device: &dyn Device, text: &[u8]) -> Result<(), String> {
    let lines = frame::run(device, text).map_err(|fault| fault.to_string())?;
    let found: Vec<_> = lines.iter().map(|line| (line.start, line.end)).collect();
    let expected: Vec<_> = oracle::frame(text)
        .into_iter()
        .map(|line| {
            let start = line.as_ptr() as usize - text.as_ptr() as usize;
            (start as u32, (start + line.len()) as u32)
        })
        .collect();
    if found == expected {
        return Ok(());
    }
    let at = found.iter().zip(&expected).position(|(a, b)| a != b);
    let (found, expected) = (found.len(), expected.len());
    Err(format!(
        "{found} lines, not {expected}; the first difference is at {at:?}"
    ))
}

fn agrees(text: &[u8]) {
    for device in devices_of(Stage::Frame) {
        if let Err(wrong) = compare(&**device, text) {
            panic!("{wrong}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn lines_are_those_of_the_oracle(
        pieces in prop::collection::vec("\r?\n|\r|[a-z,]{0,30}|\u{e9}\0", 0..600),
    ) {
        let text = pieces.concat();
        for device in devices_of(Stage::Frame) {
            compare(&**device, text.as_bytes()).map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn line_ends_around_every_edge() {
    for edge in [LANE_BYTES, TILE_BYTES, 2 * TILE_BYTES] {
        for length in edge - 3..=edge + 1 {
            let line = "y".repeat(length);
            for end in ["", "\r", "\n", "\r\n", "\r\r\n", "\n\n", "\r\n\r\n"] {
                agrees(format!("{line}{end}").as_bytes());
                agrees(format!("{line}{end}z").as_bytes());
            }
        }
    }
}

#[test]
fn few_lines_none_and_many() {
    for text in [&b""[..], b"\n", b"\r\n", b"\r", b"a", b"a\n", b"\n\r"] {
        agrees(text);
    }
    agrees(&b"a\r\nbc\n\n".repeat(200_000));
    agrees(&vec![b'\n'; 2 << 20]);
    agrees(&vec![b'\r'; 2 << 20]);
}
