//! What an adapter must get right before it is trusted with data.
//!
//! Known answers, for which even a software driver takes less than a second: barriers, atomics, a
//! loop that is longer than the budget some drivers end it at in silence, the length of a buffer, and
//! each stage by each rule on a small text, as one text and as records.
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;

use arrow_buffer::Buffer;
use bytemuck::{Zeroable, bytes_of};
use keymill_kernels::oracle;
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{SelfTestAnswers, SelfTestParams, Stage};

use super::recording::{Extent, Recording};
use super::tokenize::Input;
use super::{Device, Fault, frame, tokenize};
use crate::TokenRule;

/// Rounds of the long loop: more than 65,535, which a driver was seen to stop at.
const LOOPS: u32 = 70_000;
const RUN: u32 = 0x5e1f_7e57;
const LANES: u32 = 256;
const WORDS: u32 = 4;

/// Text that meets each kind of white space, tokens across lanes, and bytes that are no UTF-8.
const TEXT: &[u8] = b"to be\tor\xc2\xa0not\xc2\x85 \xe3\x80\x80a-token-of-more-than-sixteen-bytes\
    \xe2\x80\xa8\r\nthat\xe1\x9a\x80is\xe2\x81\x9fthe\xe2\x80\xafquestion\xff\xe2\x80 \xc3\xa9end";

/// Lines of ASCII with both ends, with parts that are empty, and with more and fewer of them.
const TABLE: &[u8] = b"1,to be,,or not\r\n,a-part-of-more-than-sixteen-bytes,\n\n\r\nrow\r,\r\n2,3";

/// Runs the known-answer kernels; the error says what is wrong with the device.
pub(crate) fn run(device: &dyn Device) -> Result<(), Fault> {
    primitives(device)?;
    cuts(device, &TokenRule::Whitespace, &TEXT.repeat(120))?;
    let table = TABLE.repeat(120);
    for rule in rules_of_the_table() {
        cuts(device, &rule, &table)?;
    }
    frames(device, &table)?;
    keeps(device, &table)
}

/// A rule for each way in which a shader cuts.
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

/// Whether the device cuts a text by a rule as the oracle does, and so its records.
fn cuts(device: &dyn Device, rule: &TokenRule, text: &[u8]) -> Result<(), Fault> {
    known(device, rule, text, None)?;
    // Records of seven bytes cut through tokens, and through what separates them.
    let starts: Vec<u32> = (0..text.len() as u32).step_by(7).collect();
    known(device, rule, text, Some(&starts))
}

fn known(
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
    if tokens.eq(expected) && u64::from(cut.rejected) == rejected {
        return Ok(());
    }
    let message = format!("tokenize cuts records of {record_bytes} bytes wrongly by {rule:?}");
    Err(Fault::NotConserved(message))
}

fn frames(device: &dyn Device, text: &[u8]) -> Result<(), Fault> {
    let spans = frame::run(device, text)?;
    let lines: Vec<&[u8]> = spans.iter().map(|span| span.of(text)).collect();
    if lines == oracle::frame(text) {
        return Ok(());
    }
    Err(Fault::NotConserved("frame finds wrong lines".to_owned()))
}

/// Whether a text that was cut lies on the device as it was sent, for the stages behind.
fn keeps(device: &dyn Device, text: &[u8]) -> Result<(), Fault> {
    let mut recording = Recording::default();
    let input = Input {
        run: RUN,
        rule: &TokenRule::Lines,
        text: Buffer::from(text),
        records: None,
    };
    let staged = tokenize::stage(&mut recording, &input);
    let tokens = tokenize::cut(&mut recording, &staged);
    recording.download(tokens.text, Extent::Bytes(text.len() as u64));
    if device.run(&recording)?[0] == text {
        return Ok(());
    }
    let message = "a text is not kept as it was sent".to_owned();
    Err(Fault::NotConserved(message))
}

fn primitives(device: &dyn Device) -> Result<(), Fault> {
    let mut recording = Recording::default();
    let asked = SelfTestParams {
        run: RUN,
        loops: LOOPS,
        ..SelfTestParams::zeroed()
    };
    let asked = recording.upload("asked", bytes_of(&asked).to_vec());
    let answers = recording.buffer("answers", size_of::<SelfTestAnswers>() as u64);
    let word = recording.buffer("word", u64::from(WORDS) * 4);
    let buffers = [asked, answers, word];
    recording.run(Stage::SelfTest, "self_test", &buffers, 1);
    recording.run(Stage::SelfTest, "long_loop", &buffers, 1);
    recording.download(answers, Extent::Bytes(size_of::<SelfTestAnswers>() as u64));
    let downloads = device.run(&recording)?;
    let answers: SelfTestAnswers = bytemuck::pod_read_unaligned(&downloads[0]);
    judge(&answers)
}

fn judge(answers: &SelfTestAnswers) -> Result<(), Fault> {
    let known = [
        ("the number of the run", answers.run, RUN),
        ("the rounds of a long loop", answers.rounds, LOOPS),
        ("atomic additions", answers.added, LANES),
        ("a word seen behind a barrier", answers.greatest, LANES - 1),
        ("lanes not yet at a barrier", answers.disagreed, 0),
        ("winners of a compare-and-swap", answers.won, 1),
        ("words of a buffer", answers.words, WORDS),
    ];
    for (what, found, expected) in known {
        if found != expected {
            return Err(Fault::NotConserved(format!(
                "{what}: {found}, not {expected}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_answer_is_named() {
        let right = SelfTestAnswers {
            rounds: LOOPS,
            added: LANES,
            greatest: LANES - 1,
            disagreed: 0,
            won: 1,
            words: WORDS,
            run: RUN,
        };
        assert_eq!(judge(&right), Ok(()));
        let stopped = SelfTestAnswers {
            rounds: 65_535,
            ..right
        };
        let fault = judge(&stopped).unwrap_err().to_string();
        assert!(fault.contains("long loop: 65535, not 70000"), "{fault}");
        for wrong in [
            SelfTestAnswers {
                added: 255,
                ..right
            },
            SelfTestAnswers {
                greatest: 0,
                ..right
            },
            SelfTestAnswers {
                disagreed: 1,
                ..right
            },
            SelfTestAnswers { won: 2, ..right },
            SelfTestAnswers { words: 0, ..right },
            SelfTestAnswers { run: 0, ..right },
            SelfTestAnswers::zeroed(),
        ] {
            assert!(judge(&wrong).is_err(), "{wrong:?}");
        }
    }
}
