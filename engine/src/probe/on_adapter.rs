//! One stage on one adapter, as often as asked.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_buffer::Buffer;
use keymill_kernels::KeyCounts;
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::ReducedGroup;

use super::{AdapterLimits, Answer, Content, Keys, Resident, SEED, Stage, Times};
use crate::device::hash_partition::{self, Dealt};
use crate::device::reduce_by_key::{self, Keyed, Reduced, Rows, Table, TextRows};
use crate::device::{Device, DeviceCounter, Fault, TimedDevice, frame, measure, refusal, tokenize};
use crate::read::chunk::{Boundary, Slices};
use crate::{Error, ErrorKind, Level, TokenRule, Tuning};

type Result<T, E = Error> = std::result::Result<T, E>;

const SPAN_BYTES: u64 = 8;
/// Bytes of a group on a device, beside those of its key.
const GROUP_BYTES: u64 = 16;
/// Bytes of what comes back for a key whose values were reduced.
const REDUCED_BYTES: u64 = size_of::<ReducedGroup>() as u64;

/// What a run answered, and what it took.
pub(super) type Run = Result<(Answer, Times)>;

/// A stage on a device, run by run.
pub(super) struct Stand<'a> {
    device: &'a Arc<dyn Device>,
    stage: &'a Stage,
    data: &'a Resident,
    limits: Tuning,
    /// KeyCounts that a table is made for: what the runs before have shown.
    groups: usize,
}

impl<'a> Stand<'a> {
    /// Text goes in chunks of so many bytes.
    pub(super) fn new(
        device: &'a Arc<dyn Device>,
        stage: &'a Stage,
        data: &'a Resident,
        chunk_bytes: usize,
    ) -> Self {
        let limits = Tuning {
            device_chunk_bytes: chunk_bytes.max(1),
            ..Tuning::DEFAULT
        };
        Self {
            device,
            stage,
            data,
            limits,
            groups: GROUPS_AT_FIRST,
        }
    }

    /// Runs once. The clock stands while the answer is looked at.
    pub(super) fn run(&mut self) -> Run {
        let timed = Arc::new(TimedDevice::new(Arc::clone(self.device)));
        let started = Instant::now();
        let raw = self.raw(&timed)?;
        let whole = started.elapsed();
        let (answer, answer_bytes) = raw.digest();
        self.groups = self.groups.max(answer.groups as usize);
        let data = self.data.of_stage(self.stage);
        let copies = copies(&**self.device, &data, answer_bytes).map_err(failed)?;
        // Where the host did a part of the work the device's clock does not tell the time of it.
        let kernel = timed.runs().filter(|_| !raw.has_spilled());
        let kernel = kernel.unwrap_or_else(|| {
            // Copies are measured apart, and may then take longer than they did within the whole.
            let rest = whole.saturating_sub(copies.upload + copies.readback);
            rest.max(Duration::from_nanos(1))
        });
        let times = Times {
            kernel,
            whole,
            ..copies
        };
        Ok((answer, times))
    }

    fn raw(&self, timed: &Arc<TimedDevice>) -> Answered<'a> {
        let limits = &self.limits;
        match (self.stage, &self.data.0) {
            (Stage::Frame, Content::Text(text)) => frame(&**timed, text, limits),
            (Stage::Tokenize(rule), Content::Text(text)) => tokenize(&**timed, rule, text, limits),
            (Stage::Count(rule), Content::Text(text)) => count(timed, rule, text, limits),
            (&Stage::HashPartition(partitions), content) => {
                let keys = content.keys().ok_or_else(|| unknown(self.stage))?;
                hash_partition(&**timed, partitions, keys)
            }
            (Stage::ReduceByKey, Content::Rows { keys, values }) => {
                let rows = Rows { keys, values };
                Ok(Raw::Reduced(self.reduced(timed, rows)?, keys.len() as u64))
            }
            (
                Stage::ReduceByKey,
                Content::TextRows {
                    text,
                    spans,
                    values,
                },
            ) => {
                let rows = TextRows {
                    text,
                    spans,
                    values,
                };
                let all = spans.len() as u64;
                Ok(Raw::ReducedBytes(self.reduced(timed, rows)?, all))
            }
            _ => Err(unknown(self.stage)),
        }
    }

    fn reduced<R: Keyed>(&self, timed: &Arc<TimedDevice>, rows: R) -> Result<Reduced<R::Key>> {
        let count = rows.values().len();
        let table = Table::for_rows(count, count.min(self.groups), timed.binding_bytes());
        reduce_by_key::run_counting(&**timed, rows, &table).map_err(failed)
    }
}

/// What bringing the same bytes there and back takes, alone, and a run that does nothing.
fn copies(device: &dyn Device, data: &[&[u8]], answer_bytes: u64) -> Result<Times, Fault> {
    let there = data.iter().map(|bytes| copy_there(device, bytes));
    Ok(Times {
        upload: there.sum::<Result<Duration, Fault>>()?,
        readback: copy_back(device, answer_bytes)?,
        launch: measure::launch(device)?,
        ..Times::default()
    })
}

/// What a stage answered, as it came.
enum Raw<'a> {
    /// Spans, each chunk's behind the place where it begins.
    Spans(Vec<(u64, Vec<Span>)>),
    /// KeyCounts of one drain or several, and how many tokens they count.
    KeyCounts(KeyCounts, u64),
    Dealt(Dealt),
    Reduced(Reduced<u64>, u64),
    ReducedBytes(Reduced<&'a [u8]>, u64),
}

impl Raw<'_> {
    /// In short, and how many bytes of it came from the device.
    fn digest(&self) -> (Answer, u64) {
        let mut answer = Answer::default();
        let bytes = match self {
            Self::Spans(chunks) => {
                for (start, spans) in chunks {
                    for span in spans {
                        answer.span(start + u64::from(span.start), start + u64::from(span.end));
                    }
                }
                answer.rows * SPAN_BYTES
            }
            Self::KeyCounts(groups, tokens) => {
                answer.rows = *tokens;
                digest_groups(groups, &mut answer)
            }
            Self::Dealt(dealt) => {
                for (&row, place) in dealt.rows.iter().zip(0..) {
                    answer.placed(row, place);
                }
                let filled = dealt.starts.windows(2).filter(|ends| ends[0] < ends[1]);
                answer.groups = filled.count() as u64;
                size_of_val(&dealt.rows[..]) as u64
            }
            Self::Reduced(Reduced { groups, .. }, rows) => {
                answer.rows = *rows;
                for group in groups {
                    answer.group(&group.key.to_le_bytes(), group.sum as u64);
                }
                groups.len() as u64 * REDUCED_BYTES
            }
            Self::ReducedBytes(Reduced { groups, .. }, rows) => {
                answer.rows = *rows;
                for group in groups {
                    answer.group(group.key, group.sum as u64);
                }
                // A row stands for its key, so that no bytes of keys come back.
                groups.len() as u64 * REDUCED_BYTES
            }
        };
        (answer, bytes)
    }
}

impl Raw<'_> {
    /// Whether the host has done a part of the work.
    fn has_spilled(&self) -> bool {
        match self {
            Self::Reduced(reduced, _) => reduced.spilled > 0,
            Self::ReducedBytes(reduced, _) => reduced.spilled > 0,
            Self::Spans(..) | Self::KeyCounts(..) | Self::Dealt(..) => false,
        }
    }
}

/// A key of several drains is one group.
fn digest_groups(groups: &KeyCounts, answer: &mut Answer) -> u64 {
    let mut counts = HashMap::<Vec<u8>, u64>::new();
    let mut bytes = 0;
    groups.for_each(|key, count| {
        bytes += key.len() as u64 + GROUP_BYTES;
        *counts.entry(key.to_vec()).or_default() += count;
    });
    counts
        .iter()
        .for_each(|(key, count)| answer.group(key, *count));
    bytes
}

/// What a stage answered.
type Answered<'a> = Result<Raw<'a>>;

/// Text in chunks that the device takes, none of which cuts a token.
fn chunks<'a>(rule: &TokenRule, text: &'a [u8], most: usize) -> Result<Vec<&'a [u8]>> {
    let boundary = Boundary::new(Level::best(), rule, false);
    let place = |chunk: &[u8]| chunk.as_ptr() as usize - text.as_ptr() as usize;
    let chunks: Vec<&'a [u8]> = Slices::new(text, &boundary, most)
        .map(|chunk| &text[place(chunk)..][..chunk.len()])
        .collect();
    if chunks.iter().any(|chunk| chunk.len() > most) {
        let message = "a token is longer than what the device takes at once";
        return Err(Error::new(ErrorKind::Config, message));
    }
    if let Some(why) = chunks.iter().find_map(|chunk| refusal(rule, chunk)) {
        return Err(Error::new(ErrorKind::Config, why));
    }
    Ok(chunks)
}

fn frame(device: &dyn Device, text: &[u8], limits: &Tuning) -> Answered<'static> {
    let rule = TokenRule::Lines;
    let find = |chunk: &[u8]| frame::run(device, chunk);
    let most = most_bytes(device, &rule, limits);
    by_chunk(text, chunks(&rule, text, most)?, find)
}

fn tokenize(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    limits: &Tuning,
) -> Answered<'static> {
    let cut = |chunk: &[u8]| tokenize::run(device, rule, chunk, None).map(|cut| cut.spans);
    let most = most_bytes(device, rule, limits);
    by_chunk(text, chunks(rule, text, most)?, cut)
}

fn most_bytes(device: &dyn Device, rule: &TokenRule, limits: &Tuning) -> usize {
    tokenize::most_bytes(rule, device.binding_bytes(), false).min(limits.device_chunk_bytes)
}

fn by_chunk(
    text: &[u8],
    chunks: Vec<&[u8]>,
    spans_of: impl Fn(&[u8]) -> Result<Vec<Span>, Fault>,
) -> Answered<'static> {
    let place = |chunk: &[u8]| (chunk.as_ptr() as usize - text.as_ptr() as usize) as u64;
    let found = chunks.into_iter().map(|chunk| {
        let spans = spans_of(chunk).map_err(failed)?;
        Ok((place(chunk), spans))
    });
    Ok(Raw::Spans(found.collect::<Result<_>>()?))
}

fn count(
    device: &Arc<TimedDevice>,
    rule: &TokenRule,
    text: &[u8],
    limits: &Tuning,
) -> Answered<'static> {
    let device: Arc<dyn Device> = Arc::clone(device) as _;
    let mut counter = DeviceCounter::new(device, rule, limits, SEED.0);
    let (mut groups, mut tokens) = (KeyCounts::default(), 0);
    let mut visit = |key: &[u8], count: u64| groups.push(key, count);
    for chunk in chunks(rule, text, counter.most_bytes())? {
        if !counter.has_room(chunk.len()) {
            tokens += counter.drain(&mut visit).map_err(failed)?.tokens;
        }
        counter.push(Buffer::from(chunk)).map_err(failed)?;
    }
    tokens += counter.drain(&mut visit).map_err(failed)?.tokens;
    Ok(Raw::KeyCounts(groups, tokens))
}

fn hash_partition(device: &dyn Device, partitions: usize, keys: Keys<'_>) -> Answered<'static> {
    super::check_partitions(partitions)?;
    let keys = match keys {
        Keys::Wide(keys) => hash_partition::Keys::U64(keys),
        Keys::Narrow(keys) => hash_partition::Keys::U32(keys),
    };
    let dealt = hash_partition::run(device, keys, SEED, partitions);
    dealt.map(Raw::Dealt).map_err(failed)
}

/// KeyCounts that a table is made for where nobody knows how many there will be.
const GROUPS_AT_FIRST: usize = 1 << 20;

/// Pieces in which bytes are brought to a device alone.
const PIECE: usize = 8 << 20;

fn copy_there(device: &dyn Device, bytes: &[u8]) -> Result<Duration, Fault> {
    let pieces = bytes.chunks(PIECE);
    pieces
        .map(|piece| measure::upload(device, &Buffer::from(piece)))
        .sum()
}

fn copy_back(device: &dyn Device, bytes: u64) -> Result<Duration, Fault> {
    let starts = (0..bytes).step_by(PIECE);
    starts
        .map(|start| measure::readback(device, (bytes - start).min(PIECE as u64)))
        .sum()
}

/// Bytes by which copies are measured, and how often: the fastest one counts.
const COPIED: u64 = 32 << 20;
const COPIES: usize = 5;

/// What the device can do at most.
pub(super) fn limits(device: &dyn Device) -> Result<AdapterLimits, Fault> {
    let bytes = COPIED.min(device.binding_bytes());
    let text = Buffer::from(vec![b'x'; bytes as usize]);
    let per_second = |time: Duration| bytes as f64 / time.as_secs_f64().max(1e-9);
    Ok(AdapterLimits {
        upload_bytes_per_second: per_second(fastest(|| measure::upload(device, &text))?),
        pinned_bytes_per_second: per_second(fastest(|| device.copy_alone(bytes))?),
        readback_bytes_per_second: per_second(fastest(|| measure::readback(device, bytes))?),
        launch: fastest(|| measure::launch(device))?,
    })
}

/// The fastest of some, after a first one that does not count.
fn fastest(mut run: impl FnMut() -> Result<Duration, Fault>) -> Result<Duration, Fault> {
    run()?;
    let mut least = run()?;
    for _ in 1..COPIES {
        least = least.min(run()?);
    }
    Ok(least)
}

pub(super) fn failed(fault: Fault) -> Error {
    let kind = match fault {
        // It is sound, and does not take this.
        Fault::Refused(_) => ErrorKind::Config,
        _ => ErrorKind::Device,
    };
    Error::new(kind, fault.to_string())
}

fn unknown(stage: &Stage) -> Error {
    let message = format!("no adapter runs the stage `{}` on such data", stage.name());
    Error::new(ErrorKind::Config, message)
}
