//! Runs one stage on one adapter.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_buffer::Buffer;
use keymill_kernels::KeyCounts;
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::ReducedGroup;

use super::{AdapterLimits, Answer, Content, Keys, Resident, SEED, Stage, Times};
use crate::device::hash_partition::{self, PartitionedRows};
use crate::device::reduce_by_key::{self, KeyedRows, Reduced, Rows, Table, TextRows};
use crate::device::{Device, DeviceCounter, Fault, TimedDevice, frame, measure, refusal, tokenize};
use crate::read::chunk::{Boundary, Slices};
use crate::{Error, ErrorKind, Level, TokenRule, Tuning};

type Result<T, E = Error> = std::result::Result<T, E>;

const SPAN_BYTES: u64 = 8;
/// Bytes of a group on a device, without its key.
const GROUP_BYTES: u64 = 16;
/// Bytes of a downloaded group of `reduce_by_key`.
const REDUCED_BYTES: u64 = size_of::<ReducedGroup>() as u64;

/// The result and the times of a run.
pub(super) type Run = Result<(Answer, Times)>;

/// Runs a stage on a device repeatedly.
pub(super) struct StageRunner<'a> {
    device: &'a Arc<dyn Device>,
    stage: &'a Stage,
    data: &'a Resident,
    limits: Tuning,
    /// The expected number of groups, from the earlier runs.
    groups: usize,
}

impl<'a> StageRunner<'a> {
    /// Creates a runner that splits text into chunks of `chunk_bytes` bytes.
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
            groups: INITIAL_GROUPS,
        }
    }

    /// Runs the stage once. The time to digest the result is not measured.
    pub(super) fn run(&mut self) -> Run {
        let timed = Arc::new(TimedDevice::new(Arc::clone(self.device)));
        let started = Instant::now();
        let raw = self.raw(&timed)?;
        let whole = started.elapsed();
        let (answer, answer_bytes) = raw.digest();
        self.groups = self.groups.max(answer.groups as usize);
        let data = self.data.inputs_of(self.stage);
        let copy_times = copy_times(&**self.device, &data, answer_bytes).map_err(to_error)?;
        // The device's clock does not include work that the host did.
        let kernel = timed.runs().filter(|_| !raw.has_spilled());
        let kernel = kernel.unwrap_or_else(|| {
            // Copies are measured separately, and may then take longer than in the run.
            let rest = whole.saturating_sub(copy_times.upload + copy_times.readback);
            rest.max(Duration::from_nanos(1))
        });
        let times = Times {
            kernel,
            whole,
            ..copy_times
        };
        Ok((answer, times))
    }

    fn raw(&self, timed: &Arc<TimedDevice>) -> RawResult<'a> {
        let limits = &self.limits;
        match (self.stage, &self.data.0) {
            (Stage::Frame, Content::Text(text)) => frame(&**timed, text, limits),
            (Stage::Tokenize(rule), Content::Text(text)) => tokenize(&**timed, rule, text, limits),
            (Stage::Count(rule), Content::Text(text)) => count(timed, rule, text, limits),
            (&Stage::HashPartition(partitions), content) => {
                let keys = content.keys().ok_or_else(|| unsupported(self.stage))?;
                hash_partition(&**timed, partitions, keys)
            }
            (Stage::ReduceByKey, Content::Rows { keys, values }) => {
                let rows = Rows { keys, values };
                Ok(RawOutput::Reduced(
                    self.reduced(timed, rows)?,
                    keys.len() as u64,
                ))
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
                Ok(RawOutput::ReducedBytes(self.reduced(timed, rows)?, all))
            }
            _ => Err(unsupported(self.stage)),
        }
    }

    fn reduced<R: KeyedRows>(&self, timed: &Arc<TimedDevice>, rows: R) -> Result<Reduced<R::Key>> {
        let count = rows.values().len();
        let table = Table::for_rows(count, count.min(self.groups), timed.binding_bytes());
        reduce_by_key::run_with_stats(&**timed, rows, &table).map_err(to_error)
    }
}

/// Measures copies of the same sizes alone, and a run that does nothing.
fn copy_times(device: &dyn Device, data: &[&[u8]], answer_bytes: u64) -> Result<Times, Fault> {
    let there = data.iter().map(|bytes| time_upload(device, bytes));
    Ok(Times {
        upload: there.sum::<Result<Duration, Fault>>()?,
        readback: time_readback(device, answer_bytes)?,
        launch: measure::launch(device)?,
        ..Times::default()
    })
}

/// The result of a stage before it is digested.
enum RawOutput<'a> {
    /// Spans by chunk, with the position of each chunk in the text.
    Spans(Vec<(u64, Vec<Span>)>),
    /// Groups of one or several drains, and the number of their tokens.
    KeyCounts(KeyCounts, u64),
    Partitioned(PartitionedRows),
    Reduced(Reduced<u64>, u64),
    ReducedBytes(Reduced<&'a [u8]>, u64),
}

impl RawOutput<'_> {
    /// Returns the digest, and the number of bytes that came from the device.
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
            Self::Partitioned(partitioned) => {
                for (&row, place) in partitioned.rows.iter().zip(0..) {
                    answer.placed(row, place);
                }
                let filled = partitioned
                    .starts
                    .windows(2)
                    .filter(|ends| ends[0] < ends[1]);
                answer.groups = filled.count() as u64;
                size_of_val(&partitioned.rows[..]) as u64
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
                // A record contains a row number instead of the key, so no key bytes are
                // downloaded.
                groups.len() as u64 * REDUCED_BYTES
            }
        };
        (answer, bytes)
    }
}

impl RawOutput<'_> {
    /// Tells whether the host did a part of the work.
    fn has_spilled(&self) -> bool {
        match self {
            Self::Reduced(reduced, _) => reduced.spilled > 0,
            Self::ReducedBytes(reduced, _) => reduced.spilled > 0,
            Self::Spans(..) | Self::KeyCounts(..) | Self::Partitioned(..) => false,
        }
    }
}

/// Adds the groups to the digest. A key of several drains is one group.
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

/// The result of a stage, or an error.
type RawResult<'a> = Result<RawOutput<'a>>;

/// Splits a text into chunks that the device supports, without cutting a token.
fn chunks<'a>(rule: &TokenRule, text: &'a [u8], limit: usize) -> Result<Vec<&'a [u8]>> {
    let boundary = Boundary::new(Level::best(), rule, false);
    let place = |chunk: &[u8]| chunk.as_ptr() as usize - text.as_ptr() as usize;
    let chunks: Vec<&'a [u8]> = Slices::new(text, &boundary, limit)
        .map(|chunk| &text[place(chunk)..][..chunk.len()])
        .collect();
    if chunks.iter().any(|chunk| chunk.len() > limit) {
        let message = "a token is longer than the largest chunk of the device";
        return Err(Error::new(ErrorKind::Config, message));
    }
    if let Some(why) = chunks.iter().find_map(|chunk| refusal(rule, chunk)) {
        return Err(Error::new(ErrorKind::Config, why));
    }
    Ok(chunks)
}

fn frame(device: &dyn Device, text: &[u8], limits: &Tuning) -> RawResult<'static> {
    let rule = TokenRule::Lines;
    let find = |chunk: &[u8]| frame::run(device, chunk);
    let limit = max_bytes(device, &rule, limits);
    by_chunk(text, chunks(&rule, text, limit)?, find)
}

fn tokenize(
    device: &dyn Device,
    rule: &TokenRule,
    text: &[u8],
    limits: &Tuning,
) -> RawResult<'static> {
    let cut = |chunk: &[u8]| tokenize::run(device, rule, chunk, None).map(|cut| cut.spans);
    let limit = max_bytes(device, rule, limits);
    by_chunk(text, chunks(rule, text, limit)?, cut)
}

fn max_bytes(device: &dyn Device, rule: &TokenRule, limits: &Tuning) -> usize {
    tokenize::max_bytes(rule, device.binding_bytes(), false).min(limits.device_chunk_bytes)
}

fn by_chunk(
    text: &[u8],
    chunks: Vec<&[u8]>,
    spans_of: impl Fn(&[u8]) -> Result<Vec<Span>, Fault>,
) -> RawResult<'static> {
    let place = |chunk: &[u8]| (chunk.as_ptr() as usize - text.as_ptr() as usize) as u64;
    let found = chunks.into_iter().map(|chunk| {
        let spans = spans_of(chunk).map_err(to_error)?;
        Ok((place(chunk), spans))
    });
    Ok(RawOutput::Spans(found.collect::<Result<_>>()?))
}

fn count(
    device: &Arc<TimedDevice>,
    rule: &TokenRule,
    text: &[u8],
    limits: &Tuning,
) -> RawResult<'static> {
    let device: Arc<dyn Device> = Arc::clone(device) as _;
    let mut counter = DeviceCounter::new(device, rule, limits, SEED.0);
    let (mut groups, mut tokens) = (KeyCounts::default(), 0);
    let mut visit = |key: &[u8], count: u64| groups.push(key, count);
    for chunk in chunks(rule, text, counter.max_bytes())? {
        if !counter.has_room(chunk.len()) {
            tokens += counter.drain(&mut visit).map_err(to_error)?.tokens;
        }
        counter.push(Buffer::from(chunk)).map_err(to_error)?;
    }
    tokens += counter.drain(&mut visit).map_err(to_error)?.tokens;
    Ok(RawOutput::KeyCounts(groups, tokens))
}

fn hash_partition(device: &dyn Device, partitions: usize, keys: Keys<'_>) -> RawResult<'static> {
    super::check_partitions(partitions)?;
    let keys = match keys {
        Keys::Wide(keys) => hash_partition::Keys::U64(keys),
        Keys::Narrow(keys) => hash_partition::Keys::U32(keys),
    };
    let partitioned = hash_partition::run(device, keys, SEED, partitions);
    partitioned.map(RawOutput::Partitioned).map_err(to_error)
}

/// The expected number of groups before the first run.
const INITIAL_GROUPS: usize = 1 << 20;

/// The size of the pieces of a measured copy.
const COPY_PIECE_BYTES: usize = 8 << 20;

fn time_upload(device: &dyn Device, bytes: &[u8]) -> Result<Duration, Fault> {
    let pieces = bytes.chunks(COPY_PIECE_BYTES);
    pieces
        .map(|piece| measure::upload(device, &Buffer::from(piece)))
        .sum()
}

fn time_readback(device: &dyn Device, bytes: u64) -> Result<Duration, Fault> {
    let starts = (0..bytes).step_by(COPY_PIECE_BYTES);
    starts
        .map(|start| measure::readback(device, (bytes - start).min(COPY_PIECE_BYTES as u64)))
        .sum()
}

/// The size of a measured copy, and the number of runs. The fastest one counts.
const COPY_BYTES: u64 = 32 << 20;
const COPY_RUNS: usize = 5;

/// Measures the upper bounds of the device's throughput.
pub(super) fn limits(device: &dyn Device) -> Result<AdapterLimits, Fault> {
    let bytes = COPY_BYTES.min(device.binding_bytes());
    let text = Buffer::from(vec![b'x'; bytes as usize]);
    let per_second = |time: Duration| bytes as f64 / time.as_secs_f64().max(1e-9);
    Ok(AdapterLimits {
        upload_bytes_per_second: per_second(fastest(|| measure::upload(device, &text))?),
        pinned_bytes_per_second: per_second(fastest(|| device.time_pinned_copy(bytes))?),
        readback_bytes_per_second: per_second(fastest(|| measure::readback(device, bytes))?),
        launch: fastest(|| measure::launch(device))?,
    })
}

/// Returns the fastest of several runs, after a warm-up run.
fn fastest(mut run: impl FnMut() -> Result<Duration, Fault>) -> Result<Duration, Fault> {
    run()?;
    let mut least = run()?;
    for _ in 1..COPY_RUNS {
        least = least.min(run()?);
    }
    Ok(least)
}

pub(super) fn to_error(fault: Fault) -> Error {
    let kind = match fault {
        // The device works, but does not support this input.
        Fault::Refused(_) => ErrorKind::Config,
        _ => ErrorKind::Device,
    };
    Error::new(kind, fault.to_string())
}

fn unsupported(stage: &Stage) -> Error {
    let message = format!(
        "no adapter runs the stage `{}` on this kind of data",
        stage.name()
    );
    Error::new(ErrorKind::Config, message)
}
