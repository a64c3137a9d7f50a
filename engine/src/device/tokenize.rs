//! `tokenize` on a device: text to spans of tokens by white space, in order.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arrow_buffer::Buffer;
use bytemuck::{Zeroable, bytes_of};
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{LANE_BYTES, Stage, TILE_BYTES, TokenizeParams, TokenizeSummary};

use super::recording::{BufferId, Extent, Recording};
use super::{Device, Fault};
use crate::TokenRule;

pub(crate) const SUMMARY_BYTES: u64 = size_of::<TokenizeSummary>() as u64;
pub(crate) const SPAN_BYTES: u64 = size_of::<[u32; 2]>() as u64;

/// The most bytes of text that are tokenized at once, so that its spans fit a binding.
pub(crate) fn most_bytes(binding_bytes: u64, has_records: bool) -> usize {
    let spans = usize::try_from(binding_bytes / SPAN_BYTES).unwrap_or(usize::MAX);
    if has_records {
        spans
    } else {
        spans.saturating_mul(2)
    }
}

/// How many tokens there can be: two are at least two bytes apart, unless a record ends between.
fn most_tokens(text_bytes: usize, has_records: bool) -> usize {
    if has_records {
        text_bytes
    } else {
        text_bytes.div_ceil(2)
    }
}

/// A number for each run, which the last dispatch writes down; 0 is what a fresh buffer holds.
pub(crate) fn next_run() -> u32 {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed) % (u32::MAX - 1) + 1
}

/// A text that a device is to cut into tokens.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    /// Which run this is; see [`next_run`].
    pub(crate) run: u32,
    pub(crate) rule: &'a TokenRule,
    pub(crate) text: Buffer,
    /// Where records start, ascending, if the text has any.
    pub(crate) records: Option<&'a [u32]>,
}

/// Where a recording has the tokens of a text, for the stages behind this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    pub(crate) text: BufferId,
    /// Start and end of each token, in order.
    pub(crate) spans: BufferId,
    /// A [`TokenizeSummary`], whose first word is the number of tokens.
    pub(crate) summary: BufferId,
}

/// Why a device does not cut this text by this rule; `None` where it does.
pub(crate) fn refusal(rule: &TokenRule, _text: &[u8]) -> Option<&'static str> {
    match rule {
        TokenRule::Whitespace => None,
        _ => Some("devices cut at white space alone"),
    }
}

/// Tokenizes a text, with records if their starts, which ascend, are given.
///
/// What is longer than the device binds is refused, and so are records that do not lie in the text.
pub(crate) fn run(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    records: Option<&[u32]>,
) -> Result<Vec<Span>, Fault> {
    run_timed(device, rule, text, records).map(|(spans, _)| spans)
}

/// The same, with what the runs took if the device can tell.
pub(crate) fn run_timed(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    records: Option<&[u32]>,
) -> Result<(Vec<Span>, Option<Duration>), Fault> {
    if text.is_empty() {
        return Ok((Vec::new(), None));
    }
    if let Some(why) = refusal(rule, text) {
        return Err(Fault::Refused(why.to_owned()));
    }
    let most = most_bytes(device.binding_bytes(), records.is_some());
    if text.len() > most {
        let bytes = text.len();
        let message = format!("{bytes} bytes of text at once; it takes {most}");
        return Err(Fault::Refused(message));
    }
    let last = records.and_then(|records| records.last());
    if last.is_some_and(|last| *last as usize > text.len()) {
        let message = "a record begins behind the text".to_owned();
        return Err(Fault::Refused(message));
    }
    let input = Input {
        run: next_run(),
        rule,
        text: Buffer::from(text),
        records,
    };
    let ran = device.begin(record(&input))()?;
    let spans = read(&input, &ran.downloads)?;
    Ok((spans, ran.runs.map(|runs| runs.iter().sum())))
}

fn record(input: &Input<'_>) -> Recording {
    let mut recording = Recording::default();
    recording.time();
    let upload = stage(&mut recording, input);
    let tokens = cut(&mut recording, &upload);
    let summary = recording.download(tokens.summary, Extent::Bytes(SUMMARY_BYTES));
    let counted = Extent::Counted {
        by: summary,
        word: 0,
        item_bytes: SPAN_BYTES,
    };
    recording.download(tokens.spans, counted);
    recording
}

/// A text whose uploads are recorded, and whose runs are not yet.
pub(crate) struct Staged {
    buffers: [BufferId; 6],
    tiles: u32,
}

/// Records the uploads of a text, which come before all runs of a recording.
pub(crate) fn stage(recording: &mut Recording, input: &Input<'_>) -> Staged {
    let (bytes, has_records) = (input.text.len(), input.records.is_some());
    let tiles = bytes.div_ceil(TILE_BYTES) as u32;
    let capacity = most_tokens(bytes, has_records);
    let params = TokenizeParams {
        text_bytes: bytes as u32,
        records: u32::from(has_records),
        tiles,
        capacity: capacity as u32,
        run: input.run,
        ..TokenizeParams::zeroed()
    };
    let buffers = [
        recording.upload("params", bytes_of(&params).to_vec()),
        recording.upload("text", input.text.clone()),
        recording.upload("records", starts_of(input.records, bytes)),
        recording.scratch("tiles", u64::from(tiles) * SPAN_BYTES),
        recording.scratch("spans", capacity as u64 * SPAN_BYTES),
        recording.buffer("summary", SUMMARY_BYTES),
    ];
    Staged { buffers, tiles }
}

/// Records the runs that cut a text into tokens.
pub(crate) fn cut(recording: &mut Recording, staged: &Staged) -> Tokens {
    let Staged { buffers, tiles } = staged;
    recording.run(Stage::Tokenize, "count_edges", buffers, *tiles);
    recording.run(Stage::Tokenize, "scan_tiles", buffers, 1);
    recording.run(Stage::Tokenize, "write_spans", buffers, *tiles);
    let [_, text, _, _, spans, summary] = *buffers;
    Tokens {
        text,
        spans,
        summary,
    }
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

fn wrong(what: String) -> Fault {
    Fault::NotConserved(format!("tokenize, {what}"))
}

/// Checks a summary against what is known without the device.
pub(crate) fn check(input: &Input<'_>, summary: &TokenizeSummary) -> Result<(), Fault> {
    if summary.run != input.run {
        let (other, run) = (summary.run, input.run);
        return Err(wrong(format!("run {other} answered, not {run}")));
    }
    let bytes = u64::from(summary.token_bytes) + u64::from(summary.space_bytes);
    if bytes != input.text.len() as u64 {
        return Err(wrong(format!("{bytes} bytes of {}", input.text.len())));
    }
    if summary.starts != summary.ends {
        let TokenizeSummary { starts, ends, .. } = summary;
        return Err(wrong(format!("{starts} starts, {ends} ends")));
    }
    Ok(())
}

/// Checks what came back against what is known without the device.
fn read(input: &Input<'_>, downloads: &[Vec<u8>]) -> Result<Vec<Span>, Fault> {
    let summary: TokenizeSummary = bytemuck::pod_read_unaligned(&downloads[0]);
    check(input, &summary)?;
    let (text, records) = (&input.text, input.records);
    let spans: Vec<Span> = bytemuck::pod_collect_to_vec(&downloads[1]);
    // Tokens that touch are one, unless a record begins between them.
    let begins = |at: u32| records.is_some_and(|records| records.binary_search(&at).is_ok());
    let mut last = 0;
    let mut token_bytes = 0;
    for span in &spans {
        let touches = span.start == last && last > 0 && !begins(last);
        if touches || span.start < last || span.end <= span.start || span.end as usize > text.len()
        {
            let Span { start, end } = span;
            return Err(wrong(format!("span {start}..{end} behind {last}")));
        }
        last = span.end;
        token_bytes += u64::from(span.end - span.start);
    }
    if (spans.len(), token_bytes) != (summary.starts as usize, summary.token_bytes.into()) {
        let count = spans.len();
        return Err(wrong(format!("{token_bytes} bytes in {count} spans")));
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Pending;
    use crate::device::recording::Kept;

    fn input<'a>(text: &[u8], records: Option<&'a [u32]>) -> Input<'a> {
        Input {
            run: 7,
            rule: &TokenRule::Whitespace,
            text: Buffer::from(text),
            records,
        }
    }

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
            run: 7,
        };
        let read = |text: &[u8], downloads: &[Vec<u8>]| read(&input(text, None), downloads);
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
            answer(TokenizeSummary { run: 6, ..right }, &spans),
            answer(
                TokenizeSummary {
                    starts: 3,
                    ends: 3,
                    ..right
                },
                &[[0, 1], [1, 2], [3, 5]],
            ),
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

    /// A device that binds little and runs nothing.
    struct Small;

    impl Device for Small {
        fn begin(&self, recording: Recording) -> Pending {
            panic!("it was asked to\n{recording}");
        }

        fn forget(&self, _: &[Kept]) {}

        fn binding_bytes(&self) -> u64 {
            1024
        }

        fn name(&self) -> &str {
            "small"
        }

        fn identity(&self) -> String {
            self.name().to_owned()
        }

        fn is_software(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused_with_what_would() {
        let rule = &TokenRule::Whitespace;
        for (records, most) in [(None, 256), (Some(&[0][..]), 128)] {
            assert_eq!(most_bytes(1024, records.is_some()), most);
            let recording = record(&input(&vec![b'x'; most], records));
            assert!(
                recording
                    .buffers()
                    .iter()
                    .all(|buffer| buffer.bytes <= 1024)
            );
            let fault = run(&Small, rule, &vec![b'x'; most + 1], records).unwrap_err();
            let says = format!("takes {most}");
            assert!(fault.to_string().contains(&says), "{fault}");
        }
        let fault = run(&Small, rule, b"to be", Some(&[9])).unwrap_err();
        assert!(fault.to_string().contains("behind the text"), "{fault}");
    }
}
