//! The seeded data sets as a source: `dataset:NAME?bytes=64MiB&rate=10MB`.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use keymill::read::MemorySource;
use keymill::stream::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use keymill::{Error, ErrorKind, Result, shown_name};
use keymill_datasets::Dataset;

use crate::size;

/// The size without `?bytes=`.
const DEFAULT_BYTES: u64 = 64 << 20;

/// What an epoch takes if nothing limits it.
const EPOCH_BYTES: u64 = 8 << 20;

/// Blocks that the generator is ahead.
const BLOCKS_AHEAD: usize = 16;

/// A seeded data set, as fast as it can be made or at a rate. It gives the same bytes in every run.
pub(super) struct DatasetSource {
    url: String,
    set: &'static Dataset,
    bytes: u64,
    /// Bytes a second.
    rate: Option<u64>,
    started: Option<Instant>,
    /// Where this run began.
    first: u64,
    reading: Option<Reading>,
    ready: Option<(OffsetRange, Vec<u8>)>,
    next: u64,
    committed: u64,
}

/// A generator on a thread of its own, and what it has made.
struct Reading {
    made: Receiver<Vec<u8>>,
    buffer: Vec<u8>,
    /// Where the buffer begins.
    start: u64,
    is_finished: bool,
}

/// Sends what is written to it.
struct Sender(SyncSender<Vec<u8>>);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(bytes.to_vec());
        // The source is gone.
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reading {
    fn start(set: &'static Dataset, bytes: u64) -> Result<Self> {
        let (sender, made) = sync_channel(BLOCKS_AHEAD);
        let thread = std::thread::Builder::new().name("keymill-dataset".to_owned());
        let spawned = thread.spawn(move || {
            // It ends early only if the source is gone.
            let _ = set.write_to(bytes, &mut Sender(sender));
        });
        spawned.map_err(|cause| {
            let message = "the system starts no thread for a data set";
            Error::new(ErrorKind::Source, message).with_source(cause)
        })?;
        Ok(Self {
            made,
            buffer: Vec::new(),
            start: 0,
            is_finished: false,
        })
    }

    /// Adds the next block to the buffer.
    fn receive(&mut self) {
        match self.made.recv() {
            Ok(block) => self.buffer.extend_from_slice(&block),
            Err(_) => self.is_finished = true,
        }
    }

    /// Goes to a byte.
    fn skip_to(&mut self, start: u64) {
        while self.start < start {
            if self.buffer.is_empty() {
                self.receive();
            }
            if self.is_finished && self.buffer.is_empty() {
                return;
            }
            let skipped = (start - self.start).min(self.buffer.len() as u64);
            self.take(skipped as usize);
        }
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(bytes);
        self.start += bytes as u64;
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Takes lines: about this many bytes, and at least one line; all that there is at the end.
    fn lines(&mut self, bytes: u64) -> Vec<u8> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        while self.buffer.len() < bytes && !self.is_finished {
            self.receive();
        }
        let room = bytes.min(self.buffer.len());
        let newline = |found: Option<usize>| found.map(|it| it + 1);
        let is_newline = |byte: &u8| *byte == b'\n';
        if let Some(end) = newline(self.buffer[..room].iter().rposition(is_newline)) {
            return self.take(end);
        }
        let mut looked = room;
        loop {
            if let Some(end) = newline(self.buffer[looked..].iter().position(is_newline)) {
                return self.take(looked + end);
            }
            if self.is_finished {
                return self.take(self.buffer.len());
            }
            looked = self.buffer.len();
            self.receive();
        }
    }
}

impl DatasetSource {
    /// The source of `NAME`, `NAME?bytes=SIZE`, `NAME?rate=SIZE` or both with `&`.
    pub(super) fn parse(url: &str, rest: &str) -> Result<Self> {
        let wrong =
            |what: String| Error::new(ErrorKind::Config, format!("`{}`: {what}", shown_name(url)));
        let (name, options) = rest.split_once('?').unwrap_or((rest, ""));
        let set = keymill_datasets::find(name).ok_or_else(|| {
            let names: Vec<&str> = keymill_datasets::all().iter().map(|set| set.name).collect();
            wrong(format!(
                "no data set has this name; use one of {}",
                names.join(", ")
            ))
        })?;
        let (mut bytes, mut rate) = (DEFAULT_BYTES, None);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let size = |text: &str| size::parse(text).map_err(&wrong);
            match option.split_once('=') {
                Some(("bytes", text)) => bytes = size(text)?,
                Some(("rate", text)) => rate = Some(size(text)?),
                _ => {
                    return Err(wrong(
                        "the options are ?bytes=64MiB and &rate=10MB".to_owned(),
                    ));
                }
            }
        }
        Ok(Self {
            url: url.to_owned(),
            set,
            bytes,
            rate,
            started: None,
            first: 0,
            reading: None,
            ready: None,
            next: 0,
            committed: 0,
        })
    }

    /// The generator, at a byte.
    fn reading_at(&mut self, start: u64) -> Result<&mut Reading> {
        let reading = match self.reading.take() {
            Some(reading) if reading.start <= start => reading,
            _ => Reading::start(self.set, self.bytes)?,
        };
        let reading = self.reading.insert(reading);
        reading.skip_to(start);
        Ok(reading)
    }
}

impl StreamSource for DatasetSource {
    fn describe(&self) -> String {
        shown_name(&self.url)
    }

    fn kind(&self) -> &'static str {
        "dataset"
    }

    fn replay(&self) -> Replay {
        Replay::SameBytes
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        self.committed = context.history.number();
        (self.first, self.next) = (self.committed, self.committed);
        self.started = Some(Instant::now());
        Ok(())
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let mut most = limits.bytes.or(limits.pace).unwrap_or(EPOCH_BYTES);
        if let (Some(rate), Some(started)) = (self.rate, self.started) {
            let due = started.elapsed().as_secs_f64() * rate as f64;
            let due = self.first.saturating_add(due as u64);
            most = most.min(due.saturating_sub(self.next));
        }
        if most == 0 {
            return Ok(None);
        }
        let start = self.next;
        let lines = self.reading_at(start)?.lines(most);
        if lines.is_empty() {
            return Ok(None);
        }
        self.next += lines.len() as u64;
        let range = OffsetRange::numbers(start, self.next);
        self.ready = Some((range.clone(), lines));
        Ok(Some(range))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let ready = self.ready.take().filter(|(ready, _)| ready == range);
        let lines = match (ready, range.as_numbers()) {
            (Some((_, lines)), _) => lines,
            (None, Some((start, end))) => {
                let wanted = end - start;
                let reading = self.reading_at(start)?;
                while (reading.buffer.len() as u64) < wanted && !reading.is_finished {
                    reading.receive();
                }
                if (reading.buffer.len() as u64) < wanted {
                    let message = format!("`{}` is shorter than it was", shown_name(&self.url));
                    return Err(Error::new(ErrorKind::Source, message));
                }
                let lines = reading.take(wanted as usize);
                (self.first, self.next) = (self.first.max(end), self.next.max(end));
                lines
            }
            _ => return Err(Error::new(ErrorKind::Source, "not a range of bytes")),
        };
        Ok(EpochInput::Text(Arc::new(MemorySource::new(lines))))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.committed = range.end.as_u64().unwrap_or(self.committed);
        Ok(())
    }

    fn position(&self) -> serde_json::Value {
        self.committed.into()
    }

    fn is_finished(&self) -> bool {
        let reading = self.reading.as_ref();
        reading.is_some_and(|it| it.is_finished && it.buffer.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_the_data_set_and_come_again() {
        let url = "dataset:visits?bytes=300KiB";
        let new = || DatasetSource::parse(url, &url[8..]).unwrap();
        let expected = keymill_datasets::find("visits").unwrap().to_vec(300 << 10);
        for most in [1, 1000, 70_000, 1 << 20] {
            let mut source = new();
            let mut limits = EpochLimits::default();
            limits.bytes = Some(most);
            let (mut all, mut ranges) = (Vec::new(), Vec::new());
            while let Some(range) = source.next_range(&limits).unwrap() {
                let (ready, lines) = source.ready.clone().unwrap();
                assert!(ready == range && lines.ends_with(b"\n"));
                all.extend_from_slice(&lines);
                ranges.push((range, lines));
                if ranges.len() > 2000 {
                    break;
                }
            }
            assert_eq!(all, expected[..all.len()]);
            if most > 1000 {
                assert_eq!(all.len(), expected.len());
                assert!(source.is_finished());
            }
            let (mut again, (range, lines)) = (new(), ranges.pop().unwrap());
            let (start, end) = range.as_numbers().unwrap();
            let reading = again.reading_at(start).unwrap();
            assert_eq!(reading.lines(end - start), lines);
        }
    }

    #[test]
    fn wrong_names_and_options_are_refused() {
        for (rest, says) in [
            ("nothing", "use one of zipf"),
            ("visits?byte=1", "the options are"),
            ("visits?bytes=x", "a size is"),
            ("visits?bytes=1&rate", "the options are"),
        ] {
            let error = DatasetSource::parse("dataset:x", rest).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
