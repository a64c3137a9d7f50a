//! The stages of the kernels as closures that can run repeatedly.
//!
//! State that a stage keeps between batches is created once. State of a single job is created in
//! every run.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill_kernels::stage::count::Counter;
use keymill_kernels::stage::frame::Framer;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::stage::lowercase;
use keymill_kernels::stage::reduce_by_key::{ReduceByBytes, ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::{InputError, Span, Tokenizer};
use keymill_kernels::{HashKey, KeyCounts};

use super::{Answer, Keys, SEED};
use crate::read::chunk::{Boundary, Slices};
use crate::{Error, ErrorKind, Level, Result, TokenRule, Tuning};

/// The result of a run and the time of the stage itself.
pub(super) type Run = Result<(Answer, Duration)>;

pub(super) const LIMITS: Tuning = Tuning::DEFAULT;

/// The text starts at `start` of a larger one; the spans are positions in the larger one.
pub(super) fn frame(level: Level, text: &[u8], start: u64) -> impl FnMut() -> Run {
    let mut framer = Framer::new(level, &LIMITS);
    let mut lines = Vec::new();
    move || {
        let started = Instant::now();
        let done = framer.frame(text, &mut lines).map_err(too_long)?;
        let kernel = started.elapsed();
        check_level(level, done.level)?;
        let mut answer = Answer::default();
        for line in &lines {
            answer.span(start + u64::from(line.start), start + u64::from(line.end));
        }
        Ok((answer, kernel))
    }
}

pub(super) fn lowercase(level: Level, text: &[u8]) -> impl FnMut() -> Run {
    let mut lower = Vec::new();
    move || {
        lower.clear();
        let started = Instant::now();
        let ran = lowercase::lowercase(level, text, &mut lower);
        let kernel = started.elapsed();
        check_level(level, ran)?;
        let mut answer = Answer::default();
        answer.text(&lower);
        Ok((answer, kernel))
    }
}

/// The text starts at `at` of a larger one; the spans are positions in the larger one.
pub(super) fn tokenize<'a>(
    level: Level,
    rule: &TokenRule,
    text: &'a [u8],
    at: u64,
) -> impl FnMut() -> Run + use<'a> {
    let mut tokenizer = Tokenizer::new(level, rule, &LIMITS);
    let boundary = Boundary::new(level, rule, false);
    let mut spans = Vec::new();
    move || {
        let (mut answer, mut kernel) = (Answer::default(), Duration::ZERO);
        for chunk in Slices::new(text, &boundary, LIMITS.chunk_bytes) {
            let started = Instant::now();
            let done = tokenizer
                .tokenize(chunk, None, &mut spans)
                .map_err(too_long)?;
            kernel += started.elapsed();
            check_level(level, done.level)?;
            let start = at + (chunk.as_ptr() as usize - text.as_ptr() as usize) as u64;
            for span in &spans {
                answer.span(start + u64::from(span.start), start + u64::from(span.end));
            }
        }
        Ok((answer, kernel))
    }
}

pub(super) fn count(level: Level, rule: &TokenRule, text: &[u8]) -> impl FnMut() -> Run {
    let mut groups = KeyCounts::default();
    move || {
        groups.clear();
        let started = Instant::now();
        let mut counter = Counter::new(level, rule, &LIMITS, SEED.0);
        counter.push(text);
        counter.drain_into(&mut groups);
        let kernel = started.elapsed();
        let mut answer = Answer::default();
        groups.for_each(|key, count| answer.group(key, count));
        answer.rows = counter.tokens();
        Ok((answer, kernel))
    }
}

pub(super) fn hash_partition(
    level: Level,
    partitions: usize,
    keys: Keys<'_>,
) -> impl FnMut() -> Run {
    let mut stage = HashPartition::new(level, SEED, partitions);
    let mut out = Partitioned::default();
    move || {
        let started = Instant::now();
        keys.partition(&mut stage, &mut out);
        let kernel = started.elapsed();
        let mut answer = Answer::default();
        for (&row, place) in out.rows().iter().zip(0..) {
            answer.placed(row, place);
        }
        answer.groups = out.histogram().filter(|rows| *rows > 0).count() as u64;
        Ok((answer, kernel))
    }
}

pub(super) fn reduce_by_key(level: Level, keys: &[u64], values: &[i64]) -> impl FnMut() -> Run {
    move || {
        let started = Instant::now();
        let hash_key = HashKey::from_seed(SEED.0);
        let mut reducer = ReduceByKey::<u64, Sum>::new(level, LIMITS, hash_key);
        reducer.update(keys, values);
        reducer.size();
        let mut kernel = started.elapsed();
        let mut answer = Answer::default();
        reducer.for_each(|key, sum| answer.group(&key.to_le_bytes(), sum as u64));
        answer.rows = keys.len() as u64;
        // The time includes freeing the state, as in any loop that creates it.
        let started = Instant::now();
        drop(reducer);
        kernel += started.elapsed();
        Ok((answer, kernel))
    }
}

pub(super) fn reduce_by_bytes(
    level: Level,
    text: &[u8],
    spans: &[Span],
    values: &[i64],
) -> impl FnMut() -> Run {
    move || {
        let started = Instant::now();
        let hash_key = HashKey::from_seed(SEED.0);
        let mut reducer = ReduceByBytes::<Sum>::new(level, LIMITS, hash_key);
        let updated = reducer.update(text, spans, values);
        updated.map_err(|cause| {
            Error::new(ErrorKind::Internal, "a key is outside its text").with_source(cause)
        })?;
        let mut kernel = started.elapsed();
        let mut answer = Answer::default();
        reducer.for_each(|key, sum| answer.group(key, sum as u64));
        answer.rows = spans.len() as u64;
        let started = Instant::now();
        drop(reducer);
        kernel += started.elapsed();
        Ok((answer, kernel))
    }
}

/// Checks that the stage ran on the requested level, so that no result is published for the wrong
/// level.
fn check_level(asked: Level, ran: Level) -> Result<()> {
    if asked == ran {
        return Ok(());
    }
    let message = format!("the stage ran on level `{ran}` instead of `{asked}`");
    Err(Error::new(ErrorKind::Internal, message))
}

fn too_long(cause: InputError) -> Error {
    Error::new(ErrorKind::Capacity, "a text is too long for spans").with_source(cause)
}
