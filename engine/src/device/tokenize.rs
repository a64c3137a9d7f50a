//! `tokenize` on a device: finds the spans of tokens by any rule, in order.
//!
//! ```text
//! rule ─▶ a shader, a separator ─▶ recording ─▶ spans and a summary ─▶ check ─▶ tokens
//!         or a refusal: then the CPU does the work
//! ```
#![forbid(unsafe_code)]

mod device_rule;

pub(crate) use device_rule::refusal;

use std::sync::atomic::{AtomicU32, Ordering};

use arrow_buffer::Buffer;
use bytemuck::{Zeroable, bytes_of};
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{LANE_BYTES, TILE_BYTES, TokenizeParams, TokenizeSummary};

use self::device_rule::DeviceRule;
use super::recording::{BufferId, Extent, Recording};
use super::{Device, Fault};
use crate::TokenRule;

pub(crate) const SUMMARY_BYTES: u64 = size_of::<TokenizeSummary>() as u64;
pub(crate) const SPAN_BYTES: u64 = size_of::<[u32; 2]>() as u64;

/// Returns the maximum size of a text in bytes, so that its spans fit one binding.
pub(crate) fn max_bytes(rule: &TokenRule, binding_bytes: u64, has_records: bool) -> usize {
    DeviceRule::of(rule).max_bytes(binding_bytes, has_records)
}

/// Returns a new run number. The last dispatch writes it to the result. It is never 0, because
/// fresh buffers contain 0.
pub(crate) fn next_run() -> u32 {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed) % (u32::MAX - 1) + 1
}

/// A text to tokenize.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    /// The number of the run; see [`next_run`].
    pub(crate) run: u32,
    pub(crate) rule: &'a TokenRule,
    pub(crate) text: Buffer,
    /// The starts of the records in ascending order, if the text has records.
    pub(crate) records: Option<&'a [u32]>,
}

/// The buffers of a recording that hold the tokens, for the next stages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    pub(crate) text: BufferId,
    /// Start and end of each token, in order.
    pub(crate) spans: BufferId,
    /// A [`TokenizeSummary`], whose first word is the number of tokens.
    pub(crate) summary: BufferId,
}

/// The tokens of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokenized {
    pub(crate) spans: Vec<Span>,
    /// The number of lines without the field ([`TokenRule::Field`] only).
    pub(crate) rejected: u32,
}

/// Tokenizes a text. `records` are the starts of the records in ascending order.
///
/// Refuses a text that is larger than the device can bind, and records outside the text.
pub(crate) fn run(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    records: Option<&[u32]>,
) -> Result<Tokenized, Fault> {
    if text.is_empty() {
        let (spans, rejected) = (Vec::new(), 0);
        return Ok(Tokenized { spans, rejected });
    }
    if let Some(why) = refusal(rule, text) {
        return Err(Fault::Refused(why.to_owned()));
    }
    let limit = max_bytes(rule, device.binding_bytes(), records.is_some());
    if text.len() > limit {
        let bytes = text.len();
        let message = format!("{bytes} bytes of text at once; the limit is {limit}");
        return Err(Fault::Refused(message));
    }
    let last = records.and_then(|records| records.last());
    if last.is_some_and(|last| *last as usize > text.len()) {
        let message = "a record starts after the end of the text".to_owned();
        return Err(Fault::Refused(message));
    }
    let input = Input {
        run: next_run(),
        rule,
        text: Buffer::from(text),
        records,
    };
    let downloads = device.run(&record(&input))?;
    read(&input, &downloads)
}

fn record(input: &Input<'_>) -> Recording {
    let mut recording = Recording::default();
    let upload = record_uploads(&mut recording, input);
    let tokens = record_runs(&mut recording, &upload);
    let summary = recording.download(tokens.summary, Extent::Bytes(SUMMARY_BYTES));
    let counted = Extent::Counted {
        by: summary,
        word: 0,
        item_bytes: SPAN_BYTES,
    };
    recording.download(tokens.spans, counted);
    recording
}

/// A text whose uploads are recorded, and whose runs are not recorded yet.
pub(crate) struct Staged {
    rule: DeviceRule,
    params: BufferId,
    text: BufferId,
    records: BufferId,
    tiles: u32,
    capacity: usize,
}

/// Records the uploads of a text. They come before all runs of a recording.
pub(crate) fn record_uploads(recording: &mut Recording, input: &Input<'_>) -> Staged {
    let rule = DeviceRule::of(input.rule);
    let (bytes, has_records) = (input.text.len(), input.records.is_some());
    let tiles = bytes.div_ceil(TILE_BYTES) as u32;
    let capacity = rule.max_tokens(bytes, has_records);
    let params = TokenizeParams {
        text_bytes: bytes as u32,
        records: u32::from(has_records),
        tiles,
        capacity: capacity as u32,
        run: input.run,
        separator_bytes: rule.separator_bytes,
        field: rule.field,
        separator: rule.separator(),
        ..TokenizeParams::zeroed()
    };
    Staged {
        rule,
        params: recording.upload("params", bytes_of(&params).to_vec()),
        text: recording.upload("text", input.text.clone()),
        records: recording.upload("records", starts_of(input.records, bytes)),
        tiles,
        capacity,
    }
}

/// Records the runs that tokenize a text.
pub(crate) fn record_runs(recording: &mut Recording, staged: &Staged) -> Tokens {
    let DeviceRule { stage, field, .. } = staged.rule;
    let (text, groups) = (staged.text, staged.tiles);
    let tiles = recording.scratch("tiles", u64::from(groups) * SPAN_BYTES);
    let spans = recording.scratch("spans", staged.capacity as u64 * SPAN_BYTES);
    let summary = recording.buffer("summary", SUMMARY_BYTES);
    let mut buffers = vec![staged.params, text, staged.records, tiles, spans, summary];
    if field > 0 {
        buffers.push(recording.scratch("parts", u64::from(groups) * 4));
        recording.run(stage, "count_parts", &buffers, groups);
        recording.run(stage, "scan_parts", &buffers, 1);
    }
    recording.run(stage, "count_edges", &buffers, groups);
    recording.run(stage, "scan_tiles", &buffers, 1);
    recording.run(stage, "write_spans", &buffers, groups);
    Tokens {
        text,
        spans,
        summary,
    }
}

/// Returns a bitmap with one bit for each byte of the text and for one more lane. A bit is set
/// where a record starts.
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

/// Checks a summary against values that are known without the device.
pub(crate) fn check(input: &Input<'_>, summary: &TokenizeSummary) -> Result<(), Fault> {
    if summary.run != input.run {
        let (other, run) = (summary.run, input.run);
        return Err(wrong(format!(
            "the result is of run {other}, not of run {run}"
        )));
    }
    let bytes = u64::from(summary.token_bytes) + u64::from(summary.other_bytes);
    if bytes != input.text.len() as u64 {
        return Err(wrong(format!(
            "tokens and separators have {bytes} bytes, the text has {}",
            input.text.len()
        )));
    }
    let TokenizeSummary { starts, ends, .. } = *summary;
    if starts != ends {
        return Err(wrong(format!("{starts} starts, {ends} ends")));
    }
    let TokenizeSummary { rows, rejected, .. } = *summary;
    let judged = match input.rule {
        TokenRule::Field { .. } => u64::from(starts) + u64::from(rejected),
        _ => 0,
    };
    if u64::from(rows) != judged {
        return Err(wrong(format!(
            "{rows} rows, but {starts} tokens and {rejected} rejected rows"
        )));
    }
    Ok(())
}

/// Checks the downloads against values that are known without the device.
fn read(input: &Input<'_>, downloads: &[Vec<u8>]) -> Result<Tokenized, Fault> {
    let summary: TokenizeSummary = bytemuck::pod_read_unaligned(&downloads[0]);
    check(input, &summary)?;
    let spans: Vec<Span> = bytemuck::pod_collect_to_vec(&downloads[1]);
    let token_bytes = bytes_in_order(input, &spans)?;
    if (spans.len(), token_bytes) != (summary.starts as usize, summary.token_bytes.into()) {
        let count = spans.len();
        return Err(wrong(format!("{token_bytes} bytes in {count} spans")));
    }
    let rejected = summary.rejected;
    Ok(Tokenized { spans, rejected })
}

/// Returns the number of bytes in the spans. Fails if the spans cannot be tokens in order.
fn bytes_in_order(input: &Input<'_>, spans: &[Span]) -> Result<u64, Fault> {
    let (text, records) = (&input.text, input.records);
    let least = u32::from(DeviceRule::of(input.rule).yields_runs());
    // There is a separator between two tokens, unless a record starts there.
    let begins = |at: u32| records.is_some_and(|records| records.binary_search(&at).is_ok());
    let mut last = None;
    let mut bytes = 0;
    for &Span { start, end } in spans {
        let follows = last.is_none_or(|last| start > last || start == last && begins(last));
        let is_long_enough = end.checked_sub(start).is_some_and(|bytes| bytes >= least);
        if !follows || !is_long_enough || end as usize > text.len() {
            return Err(wrong(format!("span {start}..{end} after {last:?}")));
        }
        last = Some(end);
        bytes += u64::from(end - start);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroUsize;

    use super::*;

    use crate::device::recording::Command;

    use crate::device::stub::Stub;

    fn input<'a>(text: &[u8], records: Option<&'a [u32]>) -> Input<'a> {
        Input {
            run: 7,
            rule: &TokenRule::Whitespace,
            text: Buffer::from(text),
            records,
        }
    }

    fn field(index: usize) -> TokenRule {
        TokenRule::Field {
            index: NonZeroUsize::new(index).unwrap(),
            separator: b","[..].into(),
        }
    }

    fn answer(summary: TokenizeSummary, spans: &[[u32; 2]]) -> Vec<Vec<u8>> {
        vec![
            bytes_of(&summary).to_vec(),
            bytemuck::cast_slice(spans).to_vec(),
        ]
    }

    #[test]
    fn damaged_results_are_detected() {
        let right = TokenizeSummary {
            starts: 2,
            ends: 2,
            token_bytes: 4,
            other_bytes: 1,
            run: 7,
            ..TokenizeSummary::zeroed()
        };
        let read = |text: &[u8], downloads: &[Vec<u8>]| {
            read(&input(text, None), downloads).map(|cut| cut.spans)
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
                    other_bytes: 0,
                    ..right
                },
                &spans,
            ),
            answer(TokenizeSummary { rows: 1, ..right }, &spans),
        ] {
            let fault = read(text, &damaged).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
        }
    }

    #[test]
    fn damaged_results_with_empty_tokens_are_detected() {
        let rule = TokenRule::Split(b","[..].into());
        let records = [0, 3];
        // The parts of ",b," and ",".
        let input = Input {
            rule: &rule,
            ..input(b",b,,", Some(&records))
        };
        let right = TokenizeSummary {
            starts: 5,
            ends: 5,
            token_bytes: 1,
            other_bytes: 3,
            run: 7,
            ..TokenizeSummary::zeroed()
        };
        let spans = [[0, 0], [1, 2], [3, 3], [3, 3], [4, 4]];
        assert_eq!(read(&input, &answer(right, &spans)).unwrap().spans.len(), 5);
        for damaged in [
            [[0; 2]; 5],
            [[0, 0], [1, 2], [2, 2], [3, 3], [4, 4]],
            [[0, 0], [1, 1], [3, 3], [3, 3], [4, 4]],
            [[0, 0], [1, 2], [3, 3], [3, 3], [5, 5]],
            [[0, 0], [3, 2], [3, 5], [5, 5], [6, 6]],
        ] {
            let fault = read(&input, &answer(right, &damaged)).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
        }
    }

    #[test]
    fn lost_rows_are_detected() {
        let rule = field(2);
        let input = Input {
            rule: &rule,
            ..input(b"a,b\nc\n", None)
        };
        let right = TokenizeSummary {
            starts: 1,
            ends: 1,
            token_bytes: 1,
            other_bytes: 5,
            rows: 2,
            rejected: 1,
            run: 7,
        };
        let spans = [[2, 3]];
        let cut = read(&input, &answer(right, &spans)).unwrap();
        assert_eq!((cut.spans.len(), cut.rejected), (1, 1));
        let lost = [
            TokenizeSummary { rows: 1, ..right },
            TokenizeSummary {
                rejected: 0,
                ..right
            },
            TokenizeSummary {
                rows: 0,
                rejected: 0,
                ..right
            },
            TokenizeSummary {
                token_bytes: 0,
                other_bytes: 6,
                ..right
            },
        ];
        for summary in lost {
            let fault = read(&input, &answer(summary, &spans)).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
        }
    }

    #[test]
    fn lines_are_counted_before_fields() {
        let rule = field(2);
        let input = Input {
            rule: &rule,
            ..input(b"a,b", None)
        };
        let entries = |recording: &Recording| -> Vec<&str> {
            let entry = |command: &Command| match command {
                Command::Run { entry, .. } => Some(*entry),
                _ => None,
            };
            recording.commands().iter().filter_map(entry).collect()
        };
        let edges = ["count_edges", "scan_tiles", "write_spans"];
        let all = [&["count_parts", "scan_parts"], &edges[..]].concat();
        assert_eq!(entries(&record(&input)), all);
        let input = Input {
            rule: &TokenRule::Lines,
            ..input
        };
        assert_eq!(entries(&record(&input)), edges);
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused_with_the_limit() {
        let rule = &TokenRule::Whitespace;
        for (records, limit) in [(None, 256), (Some(&[0][..]), 128)] {
            assert_eq!(max_bytes(rule, 1024, records.is_some()), limit);
            let recording = record(&input(&vec![b'x'; limit], records));
            assert!(
                recording
                    .buffers()
                    .iter()
                    .all(|buffer| buffer.bytes <= 1024)
            );
            let fault = run(
                &Stub::that_never_runs(1024),
                rule,
                &vec![b'x'; limit + 1],
                records,
            )
            .unwrap_err();
            let says = format!("the limit is {limit}");
            assert!(fault.to_string().contains(&says), "{fault}");
        }
        let fault = run(&Stub::that_never_runs(1024), rule, b"to be", Some(&[9])).unwrap_err();
        assert!(
            fault.to_string().contains("after the end of the text"),
            "{fault}"
        );
    }
}
