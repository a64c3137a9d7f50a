//! One stage on one adapter, as often as asked.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_buffer::Buffer;

use super::{AdapterLimits, Answer, Content, Resident, SEED, Stage, Times};
use crate::chunk::{Boundary, Slices};
use crate::device::{Device, DeviceCounter, Fault, measure, refusal, tokenize};
use crate::{Error, ErrorKind, Level, Limits, TokenRule};

type Result<T, E = Error> = std::result::Result<T, E>;

const LIMITS: Limits = Limits::DEFAULT;

/// What a run answered, and what it took.
pub(super) type Run = Result<(Answer, Times)>;

/// Runs a stage once on a device.
pub(super) fn run(device: &Arc<dyn Device>, stage: &Stage, data: &Resident) -> Run {
    match (stage, &data.0) {
        (Stage::Tokenize(rule), Content::Text(text)) => tokenize(device, rule, text),
        (Stage::Count(rule), Content::Text(text)) => count(device, rule, text),
        _ => Err(unknown(stage)),
    }
}

/// Text in chunks that the device takes, none of which cuts a token.
fn chunks<'a>(rule: &TokenRule, text: &'a [u8], most: usize) -> Result<Vec<&'a [u8]>> {
    let boundary = Boundary::new(Level::best(), rule, false);
    let place = |chunk: &[u8]| chunk.as_ptr() as usize - text.as_ptr() as usize;
    let chunks: Vec<&'a [u8]> = Slices::new(text, &boundary, most)
        .map(|chunk| &text[place(chunk)..][..chunk.len()])
        .collect();
    if chunks.iter().any(|chunk| chunk.len() > most) {
        let message = "a token is longer than what the device takes at once";
        return Err(Error::new(ErrorKind::Device, message));
    }
    if let Some(why) = chunks.iter().find_map(|chunk| refusal(rule, chunk)) {
        return Err(Error::new(ErrorKind::Device, why));
    }
    Ok(chunks)
}

fn tokenize(device: &Arc<dyn Device>, rule: &TokenRule, text: &[u8]) -> Run {
    let most =
        tokenize::most_bytes(rule, device.binding_bytes(), false).min(LIMITS.device_chunk_bytes);
    let (mut answer, mut clock) = (Answer::default(), Clock::default());
    for chunk in chunks(rule, text, most)? {
        let started = Instant::now();
        let (cut, runs) = tokenize::run_timed(&**device, rule, chunk, None).map_err(failed)?;
        let whole = started.elapsed();
        clock.add(&**device, chunk, cut.spans.len() as u64 * 8, whole, runs)?;
        let start = (chunk.as_ptr() as usize - text.as_ptr() as usize) as u64;
        for span in &cut.spans {
            answer.span(start + u64::from(span.start), start + u64::from(span.end));
        }
    }
    Ok((answer, clock.times))
}

fn count(device: &Arc<dyn Device>, rule: &TokenRule, text: &[u8]) -> Run {
    let mut counter = DeviceCounter::new(Arc::clone(device), rule, &LIMITS, SEED.0);
    counter.time();
    let chunks: Vec<Buffer> = chunks(rule, text, counter.most_bytes())?
        .into_iter()
        .map(Buffer::from)
        .collect();
    let (mut answer, mut bytes) = (Answer::default(), 0);
    let mut groups = std::collections::HashMap::<Vec<u8>, u64>::new();
    let mut visit = |key: &[u8], count: u64| match groups.get_mut(key) {
        Some(sum) => *sum += count,
        None => {
            bytes += key.len() as u64 + 16;
            groups.insert(key.to_vec(), count);
        }
    };
    let started = Instant::now();
    for chunk in &chunks {
        if !counter.has_room(chunk.len()) {
            answer.rows += counter.drain(&mut visit).map_err(failed)?.tokens;
        }
        counter.push(chunk.clone()).map_err(failed)?;
    }
    answer.rows += counter.drain(&mut visit).map_err(failed)?.tokens;
    let whole = started.elapsed();
    let mut clock = Clock::default();
    clock.add(&**device, text, bytes, whole, counter.timed())?;
    groups
        .iter()
        .for_each(|(key, count)| answer.group(key, *count));
    Ok((answer, clock.times))
}

/// Adds up what chunks took.
#[derive(Default)]
struct Clock {
    times: Times,
}

impl Clock {
    /// Adds a run: what it took in all, and in its kernels if the device can tell. The same bytes
    /// are then brought there and back alone.
    fn add(
        &mut self,
        device: &dyn Device,
        text: &[u8],
        answer_bytes: u64,
        whole: Duration,
        kernels: Option<Duration>,
    ) -> Result<()> {
        let (upload, readback) = copies(device, text, answer_bytes).map_err(failed)?;
        let rest = whole.saturating_sub(upload + readback);
        self.times.whole += whole;
        self.times.kernel += kernels.unwrap_or(rest);
        self.times.upload += upload;
        self.times.readback += readback;
        self.times.launch += measure::launch(device).map_err(failed)?;
        Ok(())
    }
}

/// Pieces in which bytes are brought to a device alone.
const PIECE: usize = 8 << 20;

fn copies(device: &dyn Device, text: &[u8], back: u64) -> Result<(Duration, Duration), Fault> {
    let (mut upload, mut readback) = (Duration::ZERO, Duration::ZERO);
    for piece in text.chunks(PIECE) {
        upload += measure::upload(device, &Buffer::from(piece))?;
    }
    let piece = (PIECE as u64).min(device.binding_bytes());
    for start in (0..back).step_by(PIECE) {
        readback += measure::readback(device, (back - start).min(piece))?;
    }
    Ok((upload, readback))
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
    Error::new(ErrorKind::Device, fault.to_string())
}

fn unknown(stage: &Stage) -> Error {
    let message = format!("no adapter runs the stage `{}` on such data", stage.name());
    Error::new(ErrorKind::Config, message)
}
