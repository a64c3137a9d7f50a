//! `reduce_by_key` on several threads: each reduces a part of the rows, and then all groups of a
//! part of the keys.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill_kernels::stable_hash::{hash_bytes, partition_of};
use keymill_kernels::stage::reduce_by_key::{ReduceByBytes, ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashKey, InternError, Level};

use super::begin::side_by_side;
use crate::probe::stages::{LIMITS, Run};
use crate::probe::{Answer, SEED};
use crate::{Error, ErrorKind, Result};

/// Rows that can be shared out.
pub(in crate::probe) trait SharedRows: Copy + Send + Sync {
    /// Keys and sums on their way to the thread that has their part.
    type Dealt: Default + Send;
    /// The groups of a part of the keys.
    type Whole: Send;

    fn rows(self) -> usize;

    /// As many rows as those, from a place on.
    fn stretch(self, start: usize, rows: usize) -> Self;

    /// Reduces the rows, and deals the groups out by their keys.
    fn deal(self, level: Level, parts: usize) -> Result<Vec<Self::Dealt>>;

    fn reduce(level: Level, dealt: Vec<Self::Dealt>) -> Result<Self::Whole>;

    fn tell(whole: Self::Whole, answer: &mut Answer);
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

/// Keys that are texts, and sums, on their way.
#[derive(Default)]
pub(in crate::probe) struct DealtTexts {
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
        let stretch = |start| rows.stretch(start, share.min(all - start));
        let mut parts: Vec<R> = (0..all).step_by(share).map(stretch).collect();
        let count = parts.len();
        let (dealt, dealing) = timed(&mut parts, |part| part.deal(level, count))?;
        let mut owned: Vec<Vec<R::Dealt>> = (0..count).map(|_| Vec::new()).collect();
        for from_one in dealt {
            let pairs = owned.iter_mut().zip(from_one);
            pairs.for_each(|(own, groups)| own.push(groups));
        }
        let (wholes, reducing) = timed(&mut owned, |own| R::reduce(level, std::mem::take(own)))?;
        let mut answer = Answer {
            rows: all as u64,
            ..Answer::default()
        };
        wholes.into_iter().for_each(|it| R::tell(it, &mut answer));
        Ok((answer, dealing + reducing))
    }
}

/// What came of all parts, and what the slowest took.
fn timed<P: Send, T: Send>(
    parts: &mut [P],
    work: impl Fn(&mut P) -> Result<T> + Sync,
) -> Result<(Vec<T>, Duration)> {
    let done = side_by_side(parts, |part| {
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
    type Dealt = (Vec<u64>, Vec<i64>);
    type Whole = ReduceByKey<u64, Sum>;

    fn rows(self) -> usize {
        self.keys.len()
    }

    fn stretch(self, start: usize, rows: usize) -> Self {
        Self {
            keys: &self.keys[start..][..rows],
            values: &self.values[start..][..rows],
        }
    }

    fn deal(self, level: Level, parts: usize) -> Result<Vec<Self::Dealt>> {
        let mut own = ReduceByKey::<u64, Sum>::new(level, LIMITS, hash_key());
        own.update(self.keys, self.values);
        let mut dealt = vec![Self::Dealt::default(); parts];
        own.for_each(|key, sum| {
            let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (keys, sums) = &mut dealt[partition_of(mixed, parts as u32) as usize];
            keys.push(key);
            // The answer is told in 64 bits, which wrap alike however the rows were shared out.
            sums.push(sum as i64);
        });
        Ok(dealt)
    }

    fn reduce(level: Level, dealt: Vec<Self::Dealt>) -> Result<Self::Whole> {
        let mut whole = ReduceByKey::new(level, LIMITS, hash_key());
        dealt
            .iter()
            .for_each(|(keys, sums)| whole.update(keys, sums));
        Ok(whole)
    }

    fn tell(mut whole: Self::Whole, answer: &mut Answer) {
        whole.for_each(|key, sum| answer.group(&key.to_le_bytes(), sum as u64));
    }
}

impl SharedRows for TextRows<'_> {
    type Dealt = DealtTexts;
    type Whole = ReduceByBytes<Sum>;

    fn rows(self) -> usize {
        self.spans.len()
    }

    fn stretch(self, start: usize, rows: usize) -> Self {
        Self {
            text: self.text,
            spans: &self.spans[start..][..rows],
            values: &self.values[start..][..rows],
        }
    }

    fn deal(self, level: Level, parts: usize) -> Result<Vec<Self::Dealt>> {
        let mut own = ReduceByBytes::<Sum>::new(level, LIMITS, hash_key());
        own.update(self.text, self.spans, self.values)
            .map_err(not_rows)?;
        let mut dealt: Vec<DealtTexts> = (0..parts).map(|_| DealtTexts::default()).collect();
        own.for_each(|key, sum| {
            let part = partition_of(hash_bytes(SEED, key), parts as u32);
            let to = &mut dealt[part as usize];
            // The keys of all rows are no more than spans reach, and so are these.
            let start = to.text.len() as u32;
            to.text.extend_from_slice(key);
            let end = to.text.len() as u32;
            to.spans.push(Span { start, end });
            to.sums.push(sum as i64);
        });
        Ok(dealt)
    }

    fn reduce(level: Level, dealt: Vec<Self::Dealt>) -> Result<Self::Whole> {
        let mut whole = ReduceByBytes::new(level, LIMITS, hash_key());
        for part in dealt {
            whole
                .update(&part.text, &part.spans, &part.sums)
                .map_err(not_rows)?;
        }
        Ok(whole)
    }

    fn tell(mut whole: Self::Whole, answer: &mut Answer) {
        whole.for_each(|key, sum| answer.group(key, sum as u64));
    }
}

fn not_rows(cause: InternError) -> Error {
    Error::new(ErrorKind::Internal, "the spans of the rows are broken").with_source(cause)
}
