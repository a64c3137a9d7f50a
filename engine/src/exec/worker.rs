//! A worker: takes work, reads and cuts it, and pushes the chunks to its own operator.
#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow_array::RecordBatch;

use super::chunk_sink::ChunkSink;
use super::context::JobContext;
use super::job::Job;
use super::lowercase::lowercase_columns;
use super::stats::Stats;
use super::work_queue::{HandOver, OpenBytes, OpenSplit, Work, WorkQueue};
use keymill_kernels::stage::lowercase::lowercase;

use crate::operator::{Input, Operator};
use crate::read::chunk::{Block, BlockReader, Ranges, Slices};
use crate::read::{
    ByteStream, KeyedRows, Offset, Push, ReadAt, RecordBatches, Source, Split, SplitBytes,
    cannot_read,
};
use crate::{Cancel, Error, ErrorKind, Result};

/// Maximum number of chunks in a range. With more chunks the cost of finding the ends of ranges is
/// lower; with fewer chunks all workers finish at about the same time.
const CHUNKS_PER_RANGE: u64 = 8;

/// Minimum bytes of a range, so that separators are shorter than a range.
const LEAST_RANGE: u64 = 256;

/// Maximum rows of an array that are pushed at a time.
const ROWS_PER_PUSH: usize = 1 << 14;

/// A worker with its operator and its block.
pub(super) struct Worker<'a, J: Job> {
    context: &'a JobContext<'a, J>,
    operator: J::Operator,
    workers: usize,
    block: Option<Block>,
    /// Buffer for text in lower case.
    lowered: Vec<u8>,
    /// Counts chunks on a device. Without it the operator counts them.
    chunk_sink: Option<Box<dyn ChunkSink<J::Operator> + 'a>>,
    stats: Stats,
}

impl<'a, J: Job> Worker<'a, J> {
    pub(super) fn new(
        context: &'a JobContext<'a, J>,
        operator: J::Operator,
        workers: usize,
        chunk_sink: Option<Box<dyn ChunkSink<J::Operator> + 'a>>,
    ) -> Self {
        Self {
            context,
            operator,
            workers,
            block: None,
            lowered: Vec::new(),
            chunk_sink,
            stats: Stats::default(),
        }
    }

    /// Pushes the remaining groups of the device to the operator, and returns it.
    pub(super) fn finish(mut self) -> Result<(J::Operator, Stats)> {
        if let Some(chunk_sink) = &mut self.chunk_sink {
            let started = Instant::now();
            chunk_sink.finish(&mut self.operator, &mut self.stats)?;
            self.stats.count_time += started.elapsed();
        }
        Ok((self.operator, self.stats))
    }

    /// Takes work until the queue is empty.
    pub(super) fn push_splits<'s>(
        &mut self,
        source: &'s dyn Source,
        splits: &'s [Split],
        work_queue: &WorkQueue<'s>,
    ) -> Result<()> {
        while !self.has_enough() {
            match work_queue.take() {
                Work::Done => return Ok(()),
                Work::Block(block) => {
                    self.push(block.text())?;
                    work_queue.recycle(block);
                }
                Work::Range(split, index) => self.push_range(&split, index)?,
                Work::Split(index) => {
                    let opener = Opener(work_queue);
                    self.push_split(source, &splits[index], opener)?;
                }
            }
        }
        Ok(())
    }

    fn has_enough(&self) -> bool {
        self.chunk_sink.as_ref().is_some_and(|it| it.has_enough())
    }

    /// Opens a split, and counts it or adds its ranges to the queue.
    fn push_split<'s>(
        &mut self,
        source: &'s dyn Source,
        split: &'s Split,
        opener: Opener<'_, 's>,
    ) -> Result<()> {
        let bytes = source.read(split, Offset::START..source.latest(split)?)?;
        let (bytes, size) = match bytes {
            SplitBytes::Stream(stream) => return self.push_stream(split, stream, &opener),
            SplitBytes::Memory(bytes) => (OpenBytes::Memory(bytes), bytes.len() as u64),
            SplitBytes::At(bytes) => {
                let size = bytes.size();
                (OpenBytes::At(bytes), size)
            }
        };
        let step = self.range_bytes(size);
        let open = Arc::new(OpenSplit {
            name: split.name(),
            bytes,
            ranges: Ranges::new(size, step),
        });
        if open.ranges.len() > 1 {
            opener.0.push_split(open);
            return Ok(());
        }
        drop(opener);
        self.push_range(&open, 0)
    }

    /// Returns a range size with which all workers finish at about the same time.
    fn range_bytes(&self, size: u64) -> u64 {
        if self.workers == 1 {
            return size.max(1);
        }
        let chunk = self.context.resources.tuning.chunk_bytes as u64;
        let even = size / (4 * self.workers as u64);
        even.clamp(chunk, chunk * CHUNKS_PER_RANGE).max(LEAST_RANGE)
    }

    fn push_range(&mut self, split: &OpenSplit<'_>, index: usize) -> Result<()> {
        let boundary = &self.context.boundary;
        match &split.bytes {
            OpenBytes::Memory(text) => {
                let range = split.ranges.range(index, boundary, |into, at| {
                    into.copy_from_slice(&text[at as usize..][..into.len()]);
                    Ok(())
                })?;
                let text = &text[range.start as usize..range.end as usize];
                let chunk_bytes = self.context.resources.tuning.chunk_bytes;
                for chunk in Slices::new(text, boundary, chunk_bytes) {
                    self.context.progress.add(chunk.len() as u64);
                    self.push(chunk)?;
                }
                Ok(())
            }
            OpenBytes::At(file) => {
                let range = split.ranges.range(index, boundary, |into, at| {
                    self.context.resources.cancel.check()?;
                    read_exactly(&**file, split.name, into, at)
                })?;
                self.push_file(&**file, split.name, range.start, range.end)
            }
        }
    }

    /// Counts a part of a file. Both ends are token boundaries.
    fn push_file(&mut self, file: &dyn ReadAt, name: &str, from: u64, to: u64) -> Result<()> {
        let context = self.context;
        let chunk_bytes = self.block_bytes(to - from);
        let mut block = self.take_block(chunk_bytes);
        let mut reader = BlockReader::new(&context.boundary, chunk_bytes);
        let mut at = from;
        loop {
            let started = Instant::now();
            let more = reader.next(&mut block, |into| {
                let left = usize::try_from(to - at).unwrap_or(usize::MAX);
                let room = into.len().min(left);
                if room == 0 {
                    return Ok(0);
                }
                context.resources.cancel.check()?;
                let bytes = read_some(file, name, &mut into[..room], at)?;
                at += bytes as u64;
                context.progress.add(bytes as u64);
                Ok(bytes)
            })?;
            self.stats.read_time += started.elapsed();
            if !more {
                self.block = Some(block);
                return Ok(());
            }
            self.push(block.text())?;
        }
    }

    /// Reads a stream into blocks. Other workers count them, or this one if the queue is full.
    fn push_stream(
        &mut self,
        split: &Split,
        mut stream: ByteStream<'_>,
        opener: &Opener<'_, '_>,
    ) -> Result<()> {
        let context = self.context;
        let work_queue = opener.0;
        let chunk_bytes = context.resources.tuning.chunk_bytes;
        let mut block = self.take_block(chunk_bytes);
        let mut reader = BlockReader::new(&context.boundary, chunk_bytes);
        let mut taken = 0;
        loop {
            let started = Instant::now();
            let mut decoded = 0;
            let more = reader.next(&mut block, |into| {
                context.resources.cancel.check()?;
                let cancel = &context.resources.cancel;
                let bytes = read_stream(&mut stream, split.name(), into, cancel)?;
                decoded += bytes as u64;
                Ok(bytes)
            })?;
            let now = stream.taken().unwrap_or(taken + decoded);
            context.progress.add(now - taken);
            taken = now;
            self.stats.read_time += started.elapsed();
            if !more {
                self.block = Some(block);
                return Ok(());
            }
            let make = || Block::new(chunk_bytes, &context.resources.memory);
            block = match work_queue.hand_over(block, make) {
                HandOver::Given(empty) => empty,
                HandOver::Kept(full) => {
                    self.push(full.text())?;
                    full
                }
            };
            if work_queue.has_failed() {
                return Ok(());
            }
        }
    }

    /// Takes rows until the input ends.
    pub(super) fn push_batches(
        &mut self,
        batches: &Mutex<RecordBatches>,
        work_queue: &WorkQueue<'_>,
    ) -> Result<()> {
        while !work_queue.has_failed() && !self.has_enough() {
            let started = Instant::now();
            let next = batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next_rows(self.context.resources);
            let Some(rows) = next else { break };
            let rows = rows?;
            let bytes = rows.bytes();
            let position = self.context.position_of(rows.number());
            let counted = self.stats.count_time;
            rows.decode(&mut PushTo {
                worker: self,
                position,
                notes_bytes: bytes.is_none(),
            })?;
            let counted = self.stats.count_time - counted;
            self.stats.read_time += started.elapsed().saturating_sub(counted);
            if let Some(bytes) = bytes {
                self.stats.bytes += bytes;
                self.context.progress.add(bytes);
            }
        }
        Ok(())
    }

    /// Pushes a batch whose first row has this position in the input. `notes_bytes` means that its bytes are the bytes of the input.
    fn push_batch(&mut self, batch: &RecordBatch, position: i128, notes_bytes: bool) -> Result<()> {
        for first in (0..batch.num_rows()).step_by(ROWS_PER_PUSH) {
            self.context.resources.cancel.check()?;
            let rows = ROWS_PER_PUSH.min(batch.num_rows() - first);
            let started = Instant::now();
            self.operator.at_row(position + first as i128);
            let bytes = self.push_rows(&batch.slice(first, rows))?;
            self.stats.count_time += started.elapsed();
            self.stats.rows += rows as u64;
            if notes_bytes {
                self.stats.bytes += bytes;
                self.context.progress.add(bytes);
            }
            self.note_chunk();
        }
        Ok(())
    }

    /// Pushes rows whose key is still in the text. Returns false if the operator refuses them.
    fn push_keyed(&mut self, rows: &KeyedRows<'_>, position: i128) -> Result<bool> {
        self.context.resources.cancel.check()?;
        let started = Instant::now();
        self.operator.at_row(position);
        let taken = self.context.job.push_keyed(&mut self.operator, rows)?;
        self.stats.count_time += started.elapsed();
        if taken {
            self.stats.rows += rows.keys.len() as u64;
            self.note_chunk();
        }
        Ok(taken)
    }

    /// Pushes rows and returns their bytes.
    fn push_rows(&mut self, batch: &RecordBatch) -> Result<u64> {
        let batch = match self.context.job.lowercase() {
            true => &lowercase_columns(self.context.resources.level, batch)?,
            false => batch,
        };
        let before = self.operator.metrics().bytes;
        self.push_chunk(Input::Batch(batch))?;
        let bytes = match self.chunk_sink {
            None => self.operator.metrics().bytes - before,
            Some(_) => batch.get_array_memory_size() as u64,
        };
        Ok(bytes)
    }

    fn push(&mut self, text: &[u8]) -> Result<()> {
        self.context.resources.cancel.check()?;
        let started = Instant::now();
        if self.context.job.lowercase() {
            self.push_lowered(text)?;
        } else {
            self.push_chunk(Input::Text(text))?;
        }
        let took = started.elapsed();
        if self.chunk_sink.is_none() {
            self.context.throughput.note(text.len(), took);
        }
        self.stats.count_time += took;
        self.stats.bytes += text.len() as u64;
        self.note_chunk();
        Ok(())
    }

    /// Records that a chunk was read. A chunk sink records the chunks that it counts.
    fn note_chunk(&mut self) {
        self.stats.chunks += 1;
        if self.chunk_sink.is_none() {
            self.stats.cpu_chunks += 1;
        }
    }

    fn push_chunk(&mut self, chunk: Input<'_>) -> Result<()> {
        match &mut self.chunk_sink {
            None => self.operator.push(chunk),
            Some(chunk_sink) => chunk_sink.push(chunk, &mut self.operator, &mut self.stats),
        }
    }

    /// Pushes text in lower case. No chunk cuts a character, so mapping chunks one by one is correct.
    fn push_lowered(&mut self, text: &[u8]) -> Result<()> {
        let mut lowered = std::mem::take(&mut self.lowered);
        lowered.clear();
        lowercase(self.context.resources.level, text, &mut lowered);
        let pushed = self.push_chunk(Input::Text(&lowered));
        self.lowered = lowered;
        pushed
    }

    /// Returns the size of the block for a part of a file. It has one byte more than a small file, so
    /// that the end is found in the same read.
    fn block_bytes(&self, size: u64) -> usize {
        let chunk_bytes = self.context.resources.tuning.chunk_bytes;
        usize::try_from(size).map_or(chunk_bytes, |size| size.saturating_add(1).min(chunk_bytes))
    }

    fn take_block(&mut self, bytes: usize) -> Block {
        self.block
            .take()
            .unwrap_or_else(|| Block::new(bytes, &self.context.resources.memory))
    }
}

/// Pushes the rows of a piece to the operator of a worker.
struct PushTo<'w, 'a, J: Job> {
    worker: &'w mut Worker<'a, J>,
    /// The position of the next row.
    position: i128,
    notes_bytes: bool,
}

impl<J: Job> Push for PushTo<'_, '_, J> {
    fn batch(&mut self, batch: RecordBatch) -> Result<()> {
        let first = self.position;
        self.position += batch.num_rows() as i128;
        self.worker.push_batch(&batch, first, self.notes_bytes)
    }

    fn takes_keyed(&self) -> bool {
        let worker = &self.worker;
        worker.chunk_sink.is_none() && worker.context.job.takes_keyed(&worker.operator)
    }

    fn keyed(&mut self, rows: &KeyedRows<'_>) -> Result<bool> {
        let taken = self.worker.push_keyed(rows, self.position)?;
        if taken {
            self.position += rows.keys.len() as i128;
        }
        Ok(taken)
    }
}

/// Marks a worker that may still add work. Other workers wait until it is dropped.
struct Opener<'b, 's>(&'b WorkQueue<'s>);

impl Drop for Opener<'_, '_> {
    fn drop(&mut self) {
        self.0.opened();
    }
}

fn read_exactly(file: &dyn ReadAt, name: &str, into: &mut [u8], at: u64) -> Result<()> {
    let mut filled = 0;
    while filled < into.len() {
        filled += read_some(file, name, &mut into[filled..], at + filled as u64)?;
    }
    Ok(())
}

/// Reads at least one byte. The end of the file is an error.
fn read_some(file: &dyn ReadAt, name: &str, into: &mut [u8], at: u64) -> Result<usize> {
    loop {
        match file.read_at(into, at) {
            Ok(0) => return Err(shrunk(name, at, file.size())),
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot_read(name, error)),
        }
    }
}

/// Reads from a stream. A stream without data returns `Interrupted` from time to time, so that the job
/// can be cancelled.
fn read_stream(
    stream: &mut ByteStream<'_>,
    name: &str,
    into: &mut [u8],
    cancel: &Cancel,
) -> Result<usize> {
    loop {
        match stream.read(into) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => cancel.check()?,
            Err(error) => return Err(cannot_read(name, error)),
        }
    }
}

fn shrunk(name: &str, at: u64, size: u64) -> Error {
    Error::new(
        ErrorKind::Source,
        format!(
            "`{name}` became shorter while it was read: it ends at byte {at} of {size}; \
             try again when no other program writes to it"
        ),
    )
}
