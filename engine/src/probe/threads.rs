//! Stages on several threads, each with a part of the data, as jobs share out their input.
//!
//! ```text
//! frame, tokenize    parts of the text, cut where no token is
//! hash_partition     parts of the rows
//! reduce_by_key      parts of the rows ─▶ groups, dealt out by key ─▶ a part of the keys each
//! ```
//!
//! All begin together, and the slowest one's time is the time of all. The clock stands while answers
//! are looked at.
#![forbid(unsafe_code)]

use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use keymill_kernels::Secret;
use keymill_kernels::contract_hash::partition_of;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
use keymill_kernels::stage::reduce_by_key::{ReduceByKey, Sum};

use super::stages::{self, LIMITS, Run};
use super::{Answer, Keys, SEED};
use crate::chunk::{Boundary, Slices};
use crate::{Level, Result, TokenRule};

/// A part of a stage's work, again and again.
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

/// A part for each thread, or a few more where tokens are long, and where each begins.
fn parts_of<'a>(rule: &TokenRule, text: &'a [u8], threads: usize) -> Vec<(u64, &'a [u8])> {
    let boundary = Boundary::new(Level::best(), rule, false);
    // A little more than its share, as a part ends before the token that it would cut.
    let share = text.len().div_ceil(threads) + text.len() / 64 + 1;
    let start = |part: &[u8]| part.as_ptr() as usize - text.as_ptr() as usize;
    Slices::new(text, &boundary, share)
        .map(|part| (start(part) as u64, &text[start(part)..][..part.len()]))
        .collect()
}

fn of_text(mut parts: Vec<Part<'_>>) -> impl FnMut() -> Run {
    move || {
        let (mut answer, mut slowest) = (Answer::default(), Duration::ZERO);
        for ran in side_by_side(&mut parts, |part| part()) {
            let (part, kernel) = ran?;
            answer.join(part);
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
        let times = side_by_side(&mut parts, |(keys, stage, out)| {
            let started = Instant::now();
            keys.deal(stage, out);
            started.elapsed()
        });
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

/// Keys and sums on their way to the thread that has their part.
type Dealt = (Vec<u64>, Vec<i64>);

pub(super) fn reduce_by_key(
    level: Level,
    keys: &[u64],
    values: &[i64],
    threads: usize,
) -> impl FnMut() -> Run {
    let rows = keys.len().div_ceil(threads).max(1);
    move || {
        let mut parts: Vec<_> = (0..)
            .zip(keys.chunks(rows).zip(values.chunks(rows)))
            .collect();
        let all = parts.len();
        let dealt: Vec<Mutex<Vec<Dealt>>> = (0..all).map(|_| Mutex::default()).collect();
        let is_dealt = Barrier::new(all.max(1));
        let reduced = side_by_side(&mut parts, |(own, (keys, values))| {
            let started = Instant::now();
            let groups = deal_groups(level, keys, values, all);
            for (to, groups) in dealt.iter().zip(groups) {
                lock(to).push(groups);
            }
            is_dealt.wait();
            let mut whole = reducer(level);
            for (keys, sums) in std::mem::take(&mut *lock(&dealt[*own])) {
                whole.update(&keys, &sums);
            }
            whole.size();
            (whole, started.elapsed())
        });
        let mut answer = Answer {
            rows: keys.len() as u64,
            ..Answer::default()
        };
        let mut slowest = Duration::ZERO;
        for (mut whole, time) in reduced {
            slowest = slowest.max(time);
            whole.for_each(|key, sum| answer.group(&key.to_le_bytes(), sum as u64));
        }
        Ok((answer, slowest))
    }
}

fn reducer(level: Level) -> ReduceByKey<u64, Sum> {
    ReduceByKey::new(level, LIMITS, Secret::from_seed(SEED.0))
}

/// Reduces some rows, and deals the groups out to so many threads by their keys.
fn deal_groups(level: Level, keys: &[u64], values: &[i64], threads: usize) -> Vec<Dealt> {
    let mut own = reducer(level);
    own.update(keys, values);
    let mut dealt = vec![Dealt::default(); threads];
    own.for_each(|key, sum| {
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (keys, sums) = &mut dealt[partition_of(mixed, threads as u32) as usize];
        keys.push(key);
        // The answer is told in 64 bits, which wrap alike however the rows were shared out.
        sums.push(sum as i64);
    });
    dealt
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works on each part with a thread of its own; all begin when the last is ready.
fn side_by_side<P: Send, T: Send>(parts: &mut [P], work: impl Fn(&mut P) -> T + Sync) -> Vec<T> {
    let ready = Barrier::new(parts.len());
    let (ready, work) = (&ready, &work);
    thread::scope(|scope| {
        let start = |part| {
            scope.spawn(move || {
                ready.wait();
                work(part)
            })
        };
        let workers: Vec<_> = parts.iter_mut().map(start).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, T>| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().map(join).collect()
    })
}

/// A number of threads that do something.
pub(super) fn checked(threads: usize) -> Result<usize> {
    match threads {
        0 => Err(crate::Error::new(
            crate::ErrorKind::Config,
            "0 threads do nothing: give it one at least",
        )),
        threads => Ok(threads),
    }
}
