//! What an adapter must get right before it is trusted with data.
//!
//! Known answers, a few milliseconds: barriers, atomics, a loop that is longer than the budget some
//! software drivers end it at in silence, the length of a buffer, and each stage on little data: a
//! text and records, keys of each kind, a table that is large enough and one where all keys collide.
#![forbid(unsafe_code)]

use bytemuck::{Zeroable, bytes_of};
use keymill_kernels::contract_hash::hash_bytes;
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{ContractSeed, oracle};
use keymill_shaders::{SelfTestAnswers, SelfTestParams, Stage};

use super::hash_partition::{self, Keys};
use super::recording::{Extent, Recording};
use super::reduce_by_key::{self, Rows, Table};
use super::{Device, Fault, tokenize};
use crate::TokenRule;

/// Rounds of the long loop: more than 65,535, which a driver was seen to stop at.
const LOOPS: u32 = 70_000;
const RUN: u32 = 0x5e1f_7e57;
const LANES: u32 = 256;
const WORDS: u32 = 4;
/// More than a tile of each stage that takes rows.
const ROWS: u64 = 5000;
const SEED: ContractSeed = ContractSeed(0x0706_0504_0302_0100);

/// Text that meets each kind of white space, tokens across lanes, and bytes that are no UTF-8.
const TEXT: &[u8] = b"to be\tor\xc2\xa0not\xc2\x85 \xe3\x80\x80a-token-of-more-than-sixteen-bytes\
    \xe2\x80\xa8\r\nthat\xe1\x9a\x80is\xe2\x81\x9fthe\xe2\x80\xafquestion\xff\xe2\x80 \xc3\xa9end";

/// Runs the known-answer kernels; the error says what is wrong with the device.
pub(crate) fn run(device: &dyn Device) -> Result<(), Fault> {
    primitives(device)?;
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
    known("records", &text, Some(&starts), device, tokens.collect())?;
    partitions(device)?;
    groups(device)
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
    unless(
        tokens.eq(expected),
        &format!("tokenize cuts {what} wrongly"),
    )
}

/// A fault with these words, unless the answer is right.
fn unless(is_right: bool, what: &str) -> Result<(), Fault> {
    if is_right {
        return Ok(());
    }
    Err(Fault::NotConserved(what.to_owned()))
}

/// Keys of each kind: their hashes, and their rows dealt out in one pass and in two.
fn partitions(device: &dyn Device) -> Result<(), Fault> {
    let wide: Vec<u64> = (0..ROWS).map(|row| (row * row) << (row % 40)).collect();
    let narrow: Vec<u32> = wide.iter().map(|&key| key as u32).collect();
    // Keys of 0 to 16 bytes that begin anywhere in a word.
    let ends = (0..ROWS).scan(0, |end, row| {
        *end += row as u32 % 17;
        Some(*end)
    });
    let offsets: Vec<u32> = [0].into_iter().chain(ends).collect();
    let bytes = TEXT.repeat(offsets[offsets.len() - 1] as usize / TEXT.len() + 1);
    let hash = |key: &[u8]| hash_bytes(SEED, key);
    let span = |ends: &[u32]| hash(&bytes[ends[0] as usize..ends[1] as usize]);
    let of_bytes = Keys::Bytes {
        bytes: &bytes,
        offsets: &offsets,
    };
    let narrow_hashes = narrow.iter().map(|key| hash(&key.to_le_bytes()));
    let wide_hashes = wide.iter().map(|key| hash(&key.to_le_bytes()));
    deals(device, Keys::U32(&narrow), narrow_hashes.collect())?;
    deals(device, Keys::U64(&wide), wide_hashes.collect())?;
    deals(device, of_bytes, offsets.windows(2).map(span).collect())
}

fn deals(device: &dyn Device, keys: Keys<'_>, expected: Vec<u64>) -> Result<(), Fault> {
    let hashes = hash_partition::hashes(device, keys, SEED)?;
    unless(hashes == expected, "hash_partition hashes wrongly")?;
    for partitions in [7, 1000] {
        let dealt = hash_partition::run(device, keys, SEED, partitions)?;
        let expected = oracle::hash_partition(&expected, partitions);
        let rows_of = |ends: &[usize]| &dealt.rows[ends[0]..ends[1]];
        let is_right = dealt.starts.windows(2).map(rows_of).eq(&expected);
        unless(is_right, "hash_partition deals rows out wrongly")?;
    }
    Ok(())
}

/// Values at both ends, in a table with room and in one where every key collides.
fn groups(device: &dyn Device) -> Result<(), Fault> {
    let keys: Vec<u64> = (0..ROWS)
        .map(|row| (row * row % 97) << (row % 3 * 20))
        .collect();
    let values = (0..ROWS as i64).map(|row| match row % 5 {
        0 => i64::MAX - row,
        1 => i64::MIN + row,
        _ => row - 2500,
    });
    let values: Vec<i64> = values.collect();
    let expected = oracle::reduce_by_key(&keys, &values);
    let rows = Rows {
        keys: &keys,
        values: &values,
    };
    let roomy = Table::for_rows(keys.len(), expected.len(), device.binding_bytes());
    for table in [roomy, Table::new(64, 8, 0)] {
        let groups = reduce_by_key::run(device, rows, &table)?;
        let found = groups.iter().map(|group| {
            let (count, sum, min, max) = (group.count, group.sum, group.min, group.max);
            (
                group.key,
                oracle::Reduced {
                    count,
                    sum,
                    min,
                    max,
                },
            )
        });
        let is_right = found.eq(expected.iter().map(|(&key, &reduced)| (key, reduced)));
        unless(is_right, "reduce_by_key answers wrongly")?;
    }
    Ok(())
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
