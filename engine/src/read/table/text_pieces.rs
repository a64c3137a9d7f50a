//! Reads text in chunks of whole records.
//!
//! ```text
//! input   |a,1\nb,2\nc|,3\nd,4\n    the reads
//! pieces  |a,1\nb,2\n|c,3\nd,4\n    the rest begins the next piece
//! ```

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use keymill_kernels::stage::csv::LastRecord;

use super::bad_row_log::BadRowLog;
use super::bad_rows::BadRows;
use super::input::{Input, InputReader};
use crate::read::Split;
use crate::read::chunk::Block;
use crate::read::pieces::{Estimate, Piece, Pieces, Push};
use crate::{Cancel, Error, ErrorKind, MemoryBudget, Resources, Result, shown_name};

/// Bytes of an input that are read before its first piece.
const SAMPLE_BYTES: usize = 64 << 10;

/// A format of records in text.
pub(super) trait TextFormat: Send {
    type Decoder: TextDecoder;

    /// Returns the end of the last complete record of a text that begins with a record.
    fn last_record(&self, text: &[u8]) -> LastRecord;

    /// Reads the beginning of an input: the columns of the first one, the header of each. `text` has at
    /// least two records if the input has, and only whole records. Returns the bytes of the header.
    fn begin(&mut self, name: &str, text: &[u8]) -> Result<usize>;

    /// Returns the columns, after the first input was begun.
    fn schema(&self) -> Option<SchemaRef>;

    /// Takes the columns that were set, because the input has no bytes.
    fn know_set_columns(&mut self) {}

    /// Returns the error for an input without bytes whose columns are not known.
    fn no_columns(&self, name: &str) -> Error;

    /// Says that only some columns are used.
    fn keep_columns(&mut self, names: &HashSet<String>);

    /// Says that rows are grouped by this column alone; see [`Pieces::group_by`].
    fn group_by(&mut self, _key: &str) -> bool {
        false
    }

    /// Returns what decodes records, after the first input was begun.
    fn decoder(&self) -> Option<Arc<Self::Decoder>>;
}

/// Decodes records, in any thread.
pub(super) trait TextDecoder: Send + Sync + 'static {
    /// Memory that is reused.
    type Scratch: Default + Send;

    /// Decodes the records of a chunk.
    fn decode(
        &self,
        chunk: &Chunk<'_>,
        scratch: &mut Self::Scratch,
        push: &mut dyn Push,
    ) -> Result<()>;
}

/// Whole records.
pub(super) struct Chunk<'a> {
    pub(super) text: &'a [u8],
    pub(super) name: &'a str,
    /// Number of the first line in the input, from 1.
    pub(super) line: u64,
    /// Number of the chunk.
    pub(super) number: u64,
    pub(super) bad_rows: &'a BadRowLog,
}

/// The records of all inputs, in chunks.
pub(super) struct TextPieces<F: TextFormat> {
    format: F,
    input: Input,
    splits: Vec<Split>,
    next_split: usize,
    current: Option<Current>,
    next_number: u64,
    bad_rows: Arc<BadRowLog>,
    spare: Arc<Spare<F>>,
}

/// The input that is read now.
struct Current {
    reader: InputReader,
    /// Bytes that were read and are in no piece.
    carry: Vec<u8>,
    line: u64,
    at_end: bool,
}

/// Blocks and other memory for reuse.
struct Spare<F: TextFormat>(Mutex<Vec<(Block, <F::Decoder as TextDecoder>::Scratch)>>);

impl<F: TextFormat> TextPieces<F> {
    pub(super) fn new(input: Input, format: F, bad_rows: &BadRows) -> Result<Self> {
        let splits = input.splits()?;
        check_reject_file(&splits, bad_rows)?;
        Ok(Self {
            format,
            splits,
            input,
            next_split: 0,
            current: None,
            next_number: 0,
            bad_rows: Arc::new(BadRowLog::new(bad_rows)?),
            spare: Arc::new(Spare(Mutex::default())),
        })
    }

    /// Opens inputs until one has bytes. Returns whether there is one.
    fn open_next(&mut self, cancel: &Cancel) -> Result<bool> {
        while let Some(split) = self.splits.get(self.next_split) {
            self.next_split += 1;
            let mut current = Current {
                reader: self.input.open(split)?,
                carry: Vec::new(),
                line: 1,
                at_end: false,
            };
            if self.begin(&mut current, cancel)? {
                self.current = Some(current);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the beginning of an input. Returns false if it has no bytes.
    fn begin(&mut self, current: &mut Current, cancel: &Cancel) -> Result<bool> {
        let mut wanted = SAMPLE_BYTES;
        loop {
            current.fill_carry(wanted, cancel)?;
            let last = self.format.last_record(&current.carry);
            let whole = match current.at_end {
                true => current.carry.len(),
                false => last.end.unwrap_or(0),
            };
            if last.records < 2 && !current.at_end && wanted < MOST_RECORD {
                wanted *= 2;
                continue;
            }
            if current.carry.is_empty() {
                return Ok(false);
            }
            let header = self
                .format
                .begin(&current.reader.name, &current.carry[..whole])?;
            let lines = current.carry[..header]
                .iter()
                .filter(|&&byte| byte == b'\n');
            current.line += lines.count() as u64;
            current.carry.drain(..header);
            return Ok(true);
        }
    }

    /// Fills a block with whole records. Returns the line of the first one; `None` at the end of the input.
    fn fill(&mut self, block: &mut Block, resources: &Resources) -> Result<Option<u64>> {
        let Some(current) = &mut self.current else {
            return Ok(None);
        };
        let cancel = &resources.cancel;
        let carried = current.carry.len();
        if block.room().len() < 2 * carried
            || block.room().len() > 4 * block_bytes(resources, carried)
        {
            block.renew(block_bytes(resources, carried))?;
        }
        block.room()[..carried].copy_from_slice(&current.carry);
        current.carry.clear();
        let mut filled = carried;
        loop {
            while filled < block.room().len() && !current.at_end {
                let read = current.reader.read(&mut block.room()[filled..], cancel)?;
                filled += read;
                current.at_end = read == 0;
            }
            let text = &block.room()[..filled];
            let last = self.format.last_record(text);
            let end = match current.at_end {
                true => filled,
                false => last.end.unwrap_or(0),
            };
            if end > 0 || current.at_end {
                current.carry.extend_from_slice(&text[end..]);
                let line = current.line;
                current.line += last.lines as u64;
                block.set_used(end);
                return Ok((end > 0).then_some(line));
            }
            let room = block.room().len();
            let most = most_record(&resources.memory);
            if room >= most {
                return Err(too_long(&current.reader.name, current.line, most));
            }
            block.grow_to((2 * room).min(most))?;
        }
    }
}

impl Current {
    fn fill_carry(&mut self, wanted: usize, cancel: &Cancel) -> Result<()> {
        let mut filled = self.carry.len();
        self.carry.resize(wanted.max(filled), 0);
        while filled < self.carry.len() && !self.at_end {
            let read = self.reader.read(&mut self.carry[filled..], cancel)?;
            filled += read;
            self.at_end = read == 0;
        }
        self.carry.truncate(filled);
        if self.line == 1 && self.carry.starts_with(b"\xef\xbb\xbf") {
            self.carry.drain(..3);
        }
        Ok(())
    }
}

/// Refuses to replace an input by its own bad rows.
fn check_reject_file(splits: &[Split], bad_rows: &BadRows) -> Result<()> {
    let BadRows::Reject(path) = bad_rows else {
        return Ok(());
    };
    let Ok(file) = std::fs::canonicalize(path) else {
        return Ok(());
    };
    let is_input = |split: &Split| std::fs::canonicalize(split.name()).is_ok_and(|it| it == file);
    match splits.iter().any(is_input) && file.is_file() {
        true => {
            let path = shown_name(path);
            let message = format!("the file for bad rows, `{path}`, is an input; name another one");
            Err(Error::new(ErrorKind::Config, message))
        }
        false => Ok(()),
    }
}

/// The longest record, whatever the memory.
const MOST_RECORD: usize = 1 << 30;

fn most_record(memory: &MemoryBudget) -> usize {
    (memory.limit() / 4).clamp(1 << 20, MOST_RECORD)
}

fn block_bytes(resources: &Resources, carried: usize) -> usize {
    resources.tuning.chunk_bytes.max(2 * carried).max(1)
}

fn too_long(name: &str, line: u64, most: usize) -> Error {
    let message = format!(
        "`{name}`, line {line}: the record that begins here has more than {most} bytes; close its quotes, \
         or give the job more memory"
    );
    Error::new(ErrorKind::Capacity, message)
}

impl<F: TextFormat + 'static> Pieces for TextPieces<F> {
    fn describe(&self) -> String {
        self.input.describe()
    }

    fn schema(&mut self) -> Result<SchemaRef> {
        if self.splits.is_empty() {
            return Err(Error::new(ErrorKind::Source, "there is no file to read"));
        }
        if self.format.schema().is_none() {
            self.open_next(&Cancel::default())?;
        }
        if self.format.schema().is_none() {
            self.format.know_set_columns();
        }
        let name = self.splits.first().map_or("", Split::name);
        let schema = self.format.schema();
        schema.ok_or_else(|| self.format.no_columns(name))
    }

    fn total(&self) -> Option<u64> {
        self.splits.iter().map(Split::size).sum()
    }

    fn keep_columns(&mut self, names: &HashSet<String>) {
        self.format.keep_columns(names);
    }

    fn group_by(&mut self, key: &str) -> bool {
        self.format.group_by(key)
    }

    fn estimate(&mut self) -> Option<Estimate> {
        self.schema().ok()?;
        let (total, current) = (self.total()?, self.current.as_ref()?);
        if !current.reader.is_at_offsets() {
            // The size of a compressed input is not that of its text.
            return None;
        }
        let sample = self.format.last_record(&current.carry);
        let (records, bytes) = (sample.records as u128, sample.end? as u128);
        let rows = u128::from(total) * records / bytes.max(1);
        Some(Estimate {
            rows: u64::try_from(rows).ok()?,
            is_exact: false,
            row_groups: None,
            by_page: 0,
        })
    }

    fn next(&mut self, resources: &Resources) -> Result<Option<Box<dyn Piece>>> {
        if self.bad_rows.has_failed() {
            return Ok(None);
        }
        let spare = self.spare.take();
        let (mut block, scratch) = spare.unwrap_or_else(|| {
            let block = Block::new(block_bytes(resources, 0), &resources.memory);
            (block, Default::default())
        });
        loop {
            if let Some(line) = self.fill(&mut block, resources)?
                && let (Some(current), Some(decoder)) = (&self.current, self.format.decoder())
            {
                let number = self.next_number;
                self.next_number += 1;
                return Ok(Some(Box::new(TextPiece {
                    block,
                    scratch,
                    name: current.reader.name.clone(),
                    line,
                    number,
                    decoder,
                    bad_rows: self.bad_rows.clone(),
                    spare: self.spare.clone(),
                })));
            }
            self.current = None;
            if !self.open_next(&resources.cancel)? {
                self.spare.give(block, scratch);
                return Ok(None);
            }
        }
    }

    fn finish(&mut self, last: u64) -> Result<u64> {
        self.bad_rows.finish(last)
    }
}

impl<F: TextFormat> Spare<F> {
    fn take(&self) -> Option<(Block, <F::Decoder as TextDecoder>::Scratch)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, block: Block, scratch: <F::Decoder as TextDecoder>::Scratch) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push((block, scratch));
    }
}

/// A chunk of whole records.
struct TextPiece<F: TextFormat> {
    block: Block,
    scratch: <F::Decoder as TextDecoder>::Scratch,
    name: Arc<str>,
    line: u64,
    number: u64,
    decoder: Arc<F::Decoder>,
    bad_rows: Arc<BadRowLog>,
    spare: Arc<Spare<F>>,
}

impl<F: TextFormat> Piece for TextPiece<F> {
    fn bytes(&self) -> u64 {
        self.block.text().len() as u64
    }

    fn decode(mut self: Box<Self>, push: &mut dyn Push) -> Result<()> {
        let chunk = Chunk {
            text: self.block.text(),
            name: &self.name,
            line: self.line,
            number: self.number,
            bad_rows: &self.bad_rows,
        };
        self.decoder.decode(&chunk, &mut self.scratch, push)?;
        let Self {
            block,
            scratch,
            spare,
            ..
        } = *self;
        spare.give(block, scratch);
        Ok(())
    }
}
