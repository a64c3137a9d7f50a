//! `reduce_by_key` on several threads: each thread reduces a part of the rows, and then all groups
//! of a part of the keys.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill_kernels::stable_hash::{hash_bytes, partition_of};
use keymill_kernels::stage::reduce_by_key::{ReduceByBytes, ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashKey, InternError, Level};

use super::begin::run_on_all_threads;
use crate::probe::stages::{LIMITS, Run};
use crate::probe::{Answer, SEED};
use crate::{Error, ErrorKind, Result};

/// Rows that can be split between threads.
pub(in crate::probe) trait SharedRows: Copy + Send + Sync {
    /// Keys and sums for one part of the keys.
    type Partitioned: Default + Send;
    /// The reduced groups of one part of the keys.
    type Whole: Send;

    fn rows(self) -> usize;

    /// Returns `rows` rows from `start` on.
    fn slice(self, start: usize, rows: usize) -> Self;

    /// Reduces the rows, and partitions the groups by their keys.
    fn partition(self, level: Level, parts: usize) -> Result<Vec<Self::Partitioned>>;

    fn reduce(level: Level, partitioned: Vec<Self::Partitioned>) -> Result<Self::Whole>;

    fn add_to(whole: Self::Whole, answer: &mut Answer);
}

/// Rows whose keys are integers.
#[derive(Clone, Copy)]
pub(in crate::probe) struct IntRows<'a> {
    pub(in crate::probe) keys: &'a [u64],
    pub(in crate::probe) values: &'a [i64],
}

/// Rows whose keys are spans of a text.
#[derive(Clone, Copy)]
pub(in crate::probe) struct TextRows<'a> {
    pub(in crate::probe) text: &'a [u8],
    pub(in crate::probe) spans: &'a [Span],
    pub(in crate::probe) values: &'a [i64],
}

/// Byte keys and their sums for one part of the keys.
#[derive(Default)]
pub(in crate::probe) struct PartitionedTexts {
    text: Vec<u8>,
    spans: Vec<Span>,
    sums: Vec<i64>,
}

pub(in crate::probe) fn reduce_by_key<R: SharedRows>(
    level: Level,
    rows: R,
    threads: usize,
) -> impl FnMut() -> Run {
    let all = rows.rows();
    let share = all.div_ceil(threads).max(1);
    move || {
        let slice = |start| rows.slice(start, share.min(all - start));
        let mut parts: Vec<R> = (0..all).step_by(share).map(slice).collect();
        let count = parts.len();
        let (partitioned, partitioning) = timed(&mut parts, |part| part.partition(level, count))?;
        let mut owned: Vec<Vec<R::Partitioned>> = (0..count).map(|_| Vec::new()).collect();
        for from_one in partitioned {
            let pairs = owned.iter_mut().zip(from_one);
            pairs.for_each(|(own, groups)| own.push(groups));
        }
        let (wholes, reducing) = timed(&mut owned, |own| R::reduce(level, std::mem::take(own)))?;
        let mut answer = Answer {
            rows: all as u64,
            ..Answer::default()
        };
        wholes.into_iter().for_each(|it| R::add_to(it, &mut answer));
        Ok((answer, partitioning + reducing))
    }
}

/// Runs `work` on all parts in parallel. Returns the results and the time of the slowest part.
fn timed<P: Send, T: Send>(
    parts: &mut [P],
    work: impl Fn(&mut P) -> Result<T> + Sync,
) -> Result<(Vec<T>, Duration)> {
    let done = run_on_all_threads(parts, |part| {
        let started = Instant::now();
        let done = work(part);
        done.map(|done| (done, started.elapsed()))
    })?;
    let done: Vec<(T, Duration)> = done.into_iter().collect::<Result<_>>()?;
    let slowest = done.iter().map(|(_, took)| *took).max();
    let all = done.into_iter().map(|(done, _)| done).collect();
    Ok((all, slowest.unwrap_or_default()))
}

fn hash_key() -> HashKey {
    HashKey::from_seed(SEED.0)
}

impl SharedRows for IntRows<'_> {
    type Partitioned = (Vec<u64>, Vec<i64>);
    type Whole = ReduceByKey<u64, Sum>;

    fn rows(self) -> usize {
        self.keys.len()
    }

    fn slice(self, start: usize, rows: usize) -> Self {
        Self {
            keys: &self.keys[start..][..rows],
            values: &self.values[start..][..rows],
        }
    }

    fn partition(self, level: Level, parts: usize) -> Result<Vec<Self::Partitioned>> {
        let mut own = ReduceByKey::<u64, Sum>::new(level, LIMITS, hash_key());
        own.update(self.keys, self.values);
        let mut partitioned = vec![Self::Partitioned::default(); parts];
        own.for_each(|key, sum| {
            let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (keys, sums) = &mut partitioned[partition_of(mixed, parts as u32) as usize];
            keys.push(key);
            // The digest has 64-bit sums, which wrap to the same value for any split of the rows.
            sums.push(sum as i64);
        });
        Ok(partitioned)
    }

    fn reduce(level: Level, partitioned: Vec<Self::Partitioned>) -> Result<Self::Whole> {
        let mut whole = ReduceByKey::new(level, LIMITS, hash_key());
        partitioned
            .iter()
            .for_each(|(keys, sums)| whole.update(keys, sums));
        Ok(whole)
    }

    fn add_to(mut whole: Self::Whole, answer: &mut Answer) {
        whole.for_each(|key, sum| answer.group(&key.to_le_bytes(), sum as u64));
    }
}

impl SharedRows for TextRows<'_> {
    type Partitioned = PartitionedTexts;
    type Whole = ReduceByBytes<Sum>;

    fn rows(self) -> usize {
        self.spans.len()
    }

    fn slice(self, start: usize, rows: usize) -> Self {
        Self {
            text: self.text,
            spans: &self.spans[start..][..rows],
            values: &self.values[start..][..rows],
        }
    }

    fn partition(self, level: Level, parts: usize) -> Result<Vec<Self::Partitioned>> {
        let mut own = ReduceByBytes::<Sum>::new(level, LIMITS, hash_key());
        own.update(self.text, self.spans, self.values)
            .map_err(broken_spans)?;
        let mut partitioned: Vec<PartitionedTexts> =
            (0..parts).map(|_| PartitionedTexts::default()).collect();
        own.for_each(|key, sum| {
            let part = partition_of(hash_bytes(SEED, key), parts as u32);
            let to = &mut partitioned[part as usize];
            // The keys of all rows fit in 32-bit spans, and so do these.
            let start = to.text.len() as u32;
            to.text.extend_from_slice(key);
            let end = to.text.len() as u32;
            to.spans.push(Span { start, end });
            to.sums.push(sum as i64);
        });
        Ok(partitioned)
    }

    fn reduce(level: Level, partitioned: Vec<Self::Partitioned>) -> Result<Self::Whole> {
        let mut whole = ReduceByBytes::new(level, LIMITS, hash_key());
        for part in partitioned {
            whole
                .update(&part.text, &part.spans, &part.sums)
                .map_err(broken_spans)?;
        }
        Ok(whole)
    }

    fn add_to(mut whole: Self::Whole, answer: &mut Answer) {
        whole.for_each(|key, sum| answer.group(key, sum as u64));
    }
}

fn broken_spans(cause: InternError) -> Error {
    Error::new(ErrorKind::Internal, "the spans of the rows are broken").with_source(cause)
}
