//! The self-test that an adapter must pass before it is used.
//!
//! It compares known results, and takes about a second even on a software driver. It checks
//! barriers, atomics, a loop longer than the limit at which some drivers stop without an error, the
//! length of a buffer, and each stage on little data: a text and records by each rule, keys of each
//! kind, tables with enough slots and with too few.
#![forbid(unsafe_code)]

mod rows;
mod texts;

use std::sync::Arc;

use bytemuck::{Zeroable, bytes_of};
use keymill_shaders::{SelfTestAnswers, SelfTestParams, Stage};

use super::recording::{Extent, Recording};
use super::{Device, Fault};

/// Rounds of the long loop. One driver stops after 65,535.
const LOOPS: u32 = 70_000;
const RUN: u32 = 0x5e1f_7e57;
const LANES: u32 = 256;
const WORDS: u32 = 4;

/// Runs all checks. The error says which check failed.
pub(crate) fn run(device: &Arc<dyn Device>) -> Result<(), Fault> {
    primitives(&**device)?;
    texts::spans(&**device)?;
    texts::counts(device)?;
    rows::partitions(&**device)?;
    rows::groups(&**device)
}

/// Returns a fault with this message if the result is wrong.
fn check_answer(is_right: bool, what: &str) -> Result<(), Fault> {
    if is_right {
        return Ok(());
    }
    Err(Fault::NotConserved(what.to_owned()))
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
    check_primitives(&answers)
}

fn check_primitives(answers: &SelfTestAnswers) -> Result<(), Fault> {
    let known = [
        ("the number of the run", answers.run, RUN),
        ("the rounds of a long loop", answers.rounds, LOOPS),
        ("atomic additions", answers.added, LANES),
        ("a word read after a barrier", answers.greatest, LANES - 1),
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
    fn every_wrong_result_is_named() {
        let right = SelfTestAnswers {
            rounds: LOOPS,
            added: LANES,
            greatest: LANES - 1,
            disagreed: 0,
            won: 1,
            words: WORDS,
            run: RUN,
        };
        assert_eq!(check_primitives(&right), Ok(()));
        let stopped = SelfTestAnswers {
            rounds: 65_535,
            ..right
        };
        let fault = check_primitives(&stopped).unwrap_err().to_string();
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
            assert!(check_primitives(&wrong).is_err(), "{wrong:?}");
        }
    }
}
