//! `tokenize` on a device: text to spans of tokens by white space, in order.
#![forbid(unsafe_code)]

use arrow_buffer::Buffer;
use bytemuck::{Zeroable, bytes_of};
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{LANE_BYTES, Stage, TILE_BYTES, TokenizeParams, TokenizeSummary};

use super::recording::{Extent, Recording};
use super::{Device, Fault};

/// The number that the last dispatch writes down, which no zeroed buffer has.
const RUN: u32 = 0x7061_6e73;
const SUMMARY_BYTES: u64 = size_of::<TokenizeSummary>() as u64;
const SPAN_BYTES: u64 = size_of::<[u32; 2]>() as u64;

/// Text that is tokenized at once so that its spans, which are at most four times as long, fit a
/// binding of so many bytes.
pub(crate) fn most_bytes(binding_bytes: u64) -> usize {
    let bytes = (binding_bytes / SPAN_BYTES * 2).saturating_sub(2);
    usize::try_from(bytes).unwrap_or(usize::MAX) / LANE_BYTES * LANE_BYTES
}

/// Tokenizes a text, with records if their starts are given.
///
/// What is longer than the device binds is refused; who has more text cuts it.
pub(crate) fn run(
    device: &dyn Device,
    text: &[u8],
    records: Option<&[u32]>,
) -> Result<Vec<Span>, Fault> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let recording = record(text, records);
    if recording.largest() > device.binding_bytes() {
        let most = most_bytes(device.binding_bytes());
        return Err(Fault::Refused(format!(
            "{} bytes of text at once; it takes {most}",
            text.len()
        )));
    }
    let downloads = device.run(&recording)?;
    read(text, &downloads)
}

fn record(text: &[u8], records: Option<&[u32]>) -> Recording {
    let tiles = text.len().div_ceil(TILE_BYTES) as u32;
    // Two tokens are at least two bytes apart, unless records end between them.
    let capacity = match records {
        Some(_) => text.len(),
        None => text.len().div_ceil(2),
    };
    let params = TokenizeParams {
        text_bytes: text.len() as u32,
        records: u32::from(records.is_some()),
        tiles,
        capacity: capacity as u32,
        run: RUN,
        ..TokenizeParams::zeroed()
    };
    let mut recording = Recording::default();
    let summary = recording.buffer("summary", SUMMARY_BYTES);
    let spans = recording.buffer("spans", capacity as u64 * SPAN_BYTES);
    let buffers = [
        recording.upload("params", bytes_of(&params).to_vec()),
        recording.upload("text", Buffer::from(text)),
        recording.upload("records", starts_of(records, text.len())),
        recording.buffer("tiles", u64::from(tiles) * SPAN_BYTES),
        spans,
        summary,
    ];
    recording.run(Stage::Tokenize, "count_edges", &buffers, tiles);
    recording.run(Stage::Tokenize, "scan_tiles", &buffers, 1);
    recording.run(Stage::Tokenize, "write_spans", &buffers, tiles);
    let summary = recording.download(summary, Extent::Bytes(SUMMARY_BYTES));
    let counted = Extent::Counted {
        by: summary,
        word: 0,
        item_bytes: SPAN_BYTES,
    };
    recording.download(spans, counted);
    recording
}

/// A bit for each byte of the text, and a lane's more: whether a record begins there.
fn starts_of(records: Option<&[u32]>, text_bytes: usize) -> Vec<u8> {
    let Some(records) = records else {
        return Vec::new();
    };
    let bits = text_bytes.next_multiple_of(LANE_BYTES) + 2 * LANE_BYTES;
    let mut starts = vec![0u8; bits.div_ceil(32) * 4];
    for &start in records {
        let start = start as usize;
        starts[start / 8] |= 1 << (start % 8);
    }
    starts
}

/// Checks what came back against what is known without the device.
fn read(text: &[u8], downloads: &[Vec<u8>]) -> Result<Vec<Span>, Fault> {
    let summary: TokenizeSummary = bytemuck::pod_read_unaligned(&downloads[0]);
    let wrong = |what: String| Err(Fault::NotConserved(format!("tokenize, {what}")));
    if summary.run != RUN {
        return wrong(format!("run {:#x} answered, not {RUN:#x}", summary.run));
    }
    let bytes = u64::from(summary.token_bytes) + u64::from(summary.space_bytes);
    if bytes != text.len() as u64 {
        return wrong(format!("{bytes} bytes of {}", text.len()));
    }
    if summary.starts != summary.ends {
        return wrong(format!("{} starts, {} ends", summary.starts, summary.ends));
    }
    let spans: Vec<Span> = bytemuck::pod_collect_to_vec(&downloads[1]);
    let mut last = 0;
    let mut token_bytes = 0;
    for span in &spans {
        if span.start < last || span.end <= span.start || span.end as usize > text.len() {
            return wrong(format!("span {}..{} behind {last}", span.start, span.end));
        }
        last = span.end;
        token_bytes += u64::from(span.end - span.start);
    }
    if (spans.len(), token_bytes) != (summary.starts as usize, summary.token_bytes.into()) {
        return wrong(format!("{token_bytes} bytes in {} spans", spans.len()));
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(summary: TokenizeSummary, spans: &[[u32; 2]]) -> Vec<Vec<u8>> {
        vec![
            bytes_of(&summary).to_vec(),
            bytemuck::cast_slice(spans).to_vec(),
        ]
    }

    #[test]
    fn a_damaged_answer_is_caught() {
        let right = TokenizeSummary {
            starts: 2,
            ends: 2,
            token_bytes: 4,
            space_bytes: 1,
            run: RUN,
        };
        let spans = [[0, 2], [3, 5]];
        let text = b"to be";
        assert_eq!(read(text, &answer(right, &spans)).unwrap().len(), 2);
        let zeros = answer(TokenizeSummary::zeroed(), &[[0; 2]; 2]);
        for damaged in [
            zeros,
            answer(right, &[[0; 2]; 2]),
            answer(right, &spans[..1]),
            answer(right, &[spans[1], spans[0]]),
            answer(right, &[[0, 2], [3, 6]]),
            answer(TokenizeSummary { ends: 1, ..right }, &spans),
            answer(
                TokenizeSummary {
                    space_bytes: 0,
                    ..right
                },
                &spans,
            ),
        ] {
            let fault = read(text, &damaged).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
        }
    }

    #[test]
    fn the_longest_text_has_spans_that_fit() {
        for binding in [1 << 10, 128 << 20, (2 << 30) - 1] {
            let most = most_bytes(binding);
            assert!(most > 0 && most.div_ceil(2) as u64 * SPAN_BYTES <= binding);
        }
    }
}
