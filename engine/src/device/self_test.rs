//! What an adapter must get right before it is trusted with data.
//!
//! Known answers, a few milliseconds: barriers, atomics, a loop that is longer than the budget some
//! software drivers end it at in silence, the length of a buffer, and each stage on a small text, as
//! one text and as records; counts by key, over two texts.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_buffer::Buffer;
use bytemuck::{Zeroable, bytes_of};
use keymill_kernels::oracle;
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{SelfTestAnswers, SelfTestParams, Stage};

use super::recording::{Extent, Recording};
use super::{Device, DeviceCounter, Fault, tokenize};
use crate::{Limits, TokenRule};

/// Rounds of the long loop: more than 65,535, which a driver was seen to stop at.
const LOOPS: u32 = 70_000;
const RUN: u32 = 0x5e1f_7e57;
const LANES: u32 = 256;
const WORDS: u32 = 4;

/// Text that meets each kind of white space, tokens across lanes, and bytes that are no UTF-8.
const TEXT: &[u8] = b"to be\tor\xc2\xa0not\xc2\x85 \xe3\x80\x80a-token-of-more-than-sixteen-bytes\
    \xe2\x80\xa8\r\nthat\xe1\x9a\x80is\xe2\x81\x9fthe\xe2\x80\xafquestion\xff\xe2\x80 \xc3\xa9end";

/// Runs the known-answer kernels; the error says what is wrong with the device.
pub(crate) fn run(device: &Arc<dyn Device>) -> Result<(), Fault> {
    primitives(&**device)?;
    tokens(&**device)?;
    counts(device)
}

fn tokens(device: &dyn Device) -> Result<(), Fault> {
    let text = TEXT.repeat(120);
    let rule = TokenRule::Whitespace;
    known(
        "a text",
        &text,
        None,
        device,
        oracle::tokenize(&rule, &text),
    )?;
    // Records of seven bytes cut through tokens, and through white space of several bytes.
    let starts: Vec<u32> = (0..text.len() as u32).step_by(7).collect();
    let records = text.chunks(7);
    let tokens = records.flat_map(|record| oracle::tokenize(&rule, record));
    known("records", &text, Some(&starts), device, tokens.collect())
}

fn known(
    what: &str,
    text: &[u8],
    records: Option<&[u32]>,
    device: &dyn Device,
    expected: Vec<&[u8]>,
) -> Result<(), Fault> {
    let spans = tokenize::run(device, &TokenRule::Whitespace, text, records)?;
    let tokens = spans.iter().map(|span: &Span| span.of(text));
    if tokens.eq(expected) {
        return Ok(());
    }
    let message = format!("tokenize cuts {what} wrongly");
    Err(Fault::NotConserved(message))
}

/// The second text is counted with what the device learnt from the first one.
fn counts(device: &Arc<dyn Device>) -> Result<(), Fault> {
    let rule = TokenRule::Whitespace;
    let limits = Limits {
        device_chunk_bytes: 1 << 16,
        device_slots: 1 << 10,
        ..Limits::DEFAULT
    };
    let text = TEXT.repeat(120);
    let mut counter = DeviceCounter::new(Arc::clone(device), &rule, &limits, u64::from(RUN));
    counter.push(Buffer::from(&text[..]))?;
    counter.push(Buffer::from(TEXT))?;
    let mut found = BTreeMap::<Vec<u8>, u64>::new();
    counter.drain(&mut |key, count| *found.entry(key.to_vec()).or_default() += count)?;
    let mut expected = oracle::count(&rule, &text);
    for (key, count) in oracle::count(&rule, TEXT) {
        *expected.entry(key).or_default() += count;
    }
    match found == expected {
        true => Ok(()),
        false => Err(Fault::NotConserved("count counts wrongly".to_owned())),
    }
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
