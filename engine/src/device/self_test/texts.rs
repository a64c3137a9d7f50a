//! Known results of the stages for text.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_buffer::Buffer;
use keymill_kernels::oracle;
use keymill_kernels::stage::tokenize::Span;

use super::check_answer;
use crate::device::{Device, DeviceCounter, Fault, frame, tokenize};
use crate::{TokenRule, Tuning};

/// Text with each kind of white space, tokens across lanes, and bytes that are not UTF-8.
const TEXT: &[u8] = b"to be\tor\xc2\xa0not\xc2\x85 \xe3\x80\x80a-token-of-more-than-sixteen-bytes\
    \xe2\x80\xa8\r\nthat\xe1\x9a\x80is\xe2\x81\x9fthe\xe2\x80\xafquestion\xff\xe2\x80 \xc3\xa9end";

/// Lines of ASCII with both line ends, with empty parts, and with different numbers of parts.
const TABLE: &[u8] = b"1,to be,,or not\r\n,a-part-of-more-than-sixteen-bytes,\n\n\r\nrow\r,\r\n2,3";

/// Checks a text and a table by every rule, and the lines of the table.
pub(super) fn spans(device: &dyn Device) -> Result<(), Fault> {
    check_spans(device, &TokenRule::Whitespace, &TEXT.repeat(120))?;
    let table = TABLE.repeat(120);
    for rule in rules_of_the_table() {
        check_spans(device, &rule, &table)?;
    }
    check_lines(device, &table)
}

/// Checks counts in a table with room, in one that is too small, and in one where all keys collide.
pub(super) fn counts(device: &Arc<dyn Device>) -> Result<(), Fault> {
    let text = TEXT.repeat(120);
    let table = TABLE.repeat(120);
    let comma = TokenRule::Split(Box::from(&b","[..]));
    let small = Tuning {
        device_slots: 8,
        device_key_bytes: 24,
        ..Tuning::DEFAULT
    };
    let roomy = Tuning {
        device_slots: 1 << 10,
        ..Tuning::DEFAULT
    };
    for tuning in [roomy, small, small.all_colliding()] {
        for (rule, text) in [(&TokenRule::Whitespace, &text), (&comma, &table)] {
            let counter = DeviceCounter::new(Arc::clone(device), rule, &tuning, 0x5eed);
            // With two workgroups each counts several tiles.
            let counter = counter.with_max_workgroups(2);
            let message = format!("count returns wrong counts by {rule:?}");
            check_answer(count_twice(counter, rule, text)?, &message)?;
        }
    }
    Ok(())
}

/// Counts a text twice. The second time its hot keys are cached.
fn count_twice(mut counter: DeviceCounter, rule: &TokenRule, text: &[u8]) -> Result<bool, Fault> {
    counter.push(Buffer::from(text))?;
    counter.push(Buffer::from(text))?;
    let mut counts = BTreeMap::<Vec<u8>, u64>::new();
    counter.drain(&mut |key, count| *counts.entry(key.to_vec()).or_default() += count)?;
    let mut expected = oracle::count(rule, text);
    expected.values_mut().for_each(|count| *count *= 2);
    Ok(counts == expected)
}

/// Returns a rule for each method by which a shader tokenizes.
fn rules_of_the_table() -> [TokenRule; 5] {
    let separator = |bytes: &[u8]| Box::from(bytes);
    [
        TokenRule::Words,
        TokenRule::Lines,
        TokenRule::Split(separator(b"o")),
        TokenRule::Split(separator(b",to")),
        TokenRule::Field {
            index: NonZeroUsize::MIN.saturating_add(1),
            separator: separator(b","),
        },
    ]
}

/// Checks that the device tokenizes a text and its records as the oracle does.
fn check_spans(device: &dyn Device, rule: &TokenRule, text: &[u8]) -> Result<(), Fault> {
    compare_with_oracle(device, rule, text, None)?;
    // Records of seven bytes end inside tokens and inside separators.
    let starts: Vec<u32> = (0..text.len() as u32).step_by(7).collect();
    compare_with_oracle(device, rule, text, Some(&starts))
}

fn compare_with_oracle(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    records: Option<&[u32]>,
) -> Result<(), Fault> {
    let cut = tokenize::run(device, rule, text, records)?;
    let tokens = cut.spans.iter().map(|span: &Span| span.of(text));
    let record_bytes = records.map_or(text.len(), |_| 7);
    let records = || text.chunks(record_bytes);
    let expected = records().flat_map(|record| oracle::tokenize(rule, record));
    let rejected: u64 = records().map(|record| oracle::rejected(rule, record)).sum();
    let is_right = tokens.eq(expected) && u64::from(cut.rejected) == rejected;
    check_answer(
        is_right,
        &format!("tokenize returns wrong tokens for records of {record_bytes} bytes by {rule:?}"),
    )
}

fn check_lines(device: &dyn Device, text: &[u8]) -> Result<(), Fault> {
    let spans = frame::run(device, text)?;
    let lines: Vec<&[u8]> = spans.iter().map(|span| span.of(text)).collect();
    check_answer(lines == oracle::frame(text), "frame returns wrong lines")
}
