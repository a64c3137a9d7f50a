//! Stages on several threads, each with a part of the data, as in jobs.
//!
//! ```text
//! frame, tokenize    parts of the text, cut between tokens
//! hash_partition     parts of the rows
//! reduce_by_key      parts of the rows ─▶ groups, partitioned by key ─▶ one part of the keys each
//! ```
//!
//! All threads start together, and the time is that of the slowest. The time to digest the results
//! is not measured.
#![forbid(unsafe_code)]

mod begin;
mod reduce;

pub(super) use reduce::{IntRows, TextRows, reduce_by_key};

use std::time::{Duration, Instant};

use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};

use super::stages::{self, Run};
use super::{Answer, Keys, SEED};
use crate::read::chunk::{Boundary, Slices};
use crate::{Level, Result, TokenRule};
use begin::run_on_all_threads;

/// A part of a stage's work that can run repeatedly.
type Part<'a> = Box<dyn FnMut() -> Run + Send + 'a>;

pub(super) fn frame(level: Level, text: &[u8], threads: usize) -> impl FnMut() -> Run {
    let parts = parts_of(&TokenRule::Lines, text, threads);
    let part = |(start, text)| Box::new(stages::frame(level, text, start)) as Part<'_>;
    of_text(parts.into_iter().map(part).collect())
}

pub(super) fn tokenize<'a>(
    level: Level,
    rule: &TokenRule,
    text: &'a [u8],
    threads: usize,
) -> impl FnMut() -> Run + 'a {
    let parts = parts_of(rule, text, threads);
    let part = |(start, text)| Box::new(stages::tokenize(level, rule, text, start)) as Part<'a>;
    of_text(parts.into_iter().map(part).collect())
}

/// Splits a text into one part per thread, or a few more if tokens are long. Returns each part with
/// its position.
fn parts_of<'a>(rule: &TokenRule, text: &'a [u8], threads: usize) -> Vec<(u64, &'a [u8])> {
    let boundary = Boundary::new(Level::best(), rule, false);
    // A little more than an equal share, because a part ends before the token that it would cut.
    let share = text.len().div_ceil(threads) + text.len() / 64 + 1;
    let start = |part: &[u8]| part.as_ptr() as usize - text.as_ptr() as usize;
    Slices::new(text, &boundary, share)
        .map(|part| (start(part) as u64, &text[start(part)..][..part.len()]))
        .collect()
}

fn of_text(mut parts: Vec<Part<'_>>) -> impl FnMut() -> Run {
    move || {
        let (mut answer, mut slowest) = (Answer::default(), Duration::ZERO);
        for ran in run_on_all_threads(&mut parts, |part| part())? {
            let (part, kernel) = ran?;
            answer.merge(part);
            slowest = slowest.max(kernel);
        }
        Ok((answer, slowest))
    }
}

pub(super) fn hash_partition(
    level: Level,
    partitions: usize,
    keys: Keys<'_>,
    threads: usize,
) -> impl FnMut() -> Run {
    let stage = |keys| {
        let stage = HashPartition::new(level, SEED, partitions);
        (keys, stage, Partitioned::default())
    };
    let mut parts: Vec<_> = keys.parts(threads).into_iter().map(stage).collect();
    move || {
        let times = run_on_all_threads(&mut parts, |(keys, stage, out)| {
            let started = Instant::now();
            keys.partition(stage, out);
            started.elapsed()
        })?;
        let mut answer = Answer::default();
        let mut place = 0;
        for partition in 0..partitions {
            let (mut start, before) = (0, place);
            for (keys, _, out) in &parts {
                for &row in out.rows_of(partition) {
                    answer.placed(start + row, place);
                    place += 1;
                }
                start += keys.len() as u32;
            }
            answer.groups += u64::from(place > before);
        }
        Ok((answer, times.into_iter().max().unwrap_or_default()))
    }
}

/// Checks that the number of threads is not 0.
pub(super) fn checked(threads: usize) -> Result<usize> {
    match threads {
        0 => Err(crate::Error::new(
            crate::ErrorKind::Config,
            "the number of threads must be at least 1",
        )),
        threads => Ok(threads),
    }
}
