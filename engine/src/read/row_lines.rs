//! Lines of text as rows of typed columns: comma-separated values and JSON objects.
//!
//! ```text
//! lines ─▶ chunks of whole lines ─▶ decode ─▶ batch, without the rows that cannot be read
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "json")]
mod json;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{Offset, ReadAt, Source, Split, SplitBytes, cannot_read};
use crate::{Error, ErrorKind, Result};

/// Bytes that are decoded at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Batches that wait for a worker.
const WAITING: usize = 4;

/// How a line of text is a row. A value has no line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFormat {
    /// Values between delimiters, with quotes as in RFC 4180.
    Csv {
        /// The byte between values.
        delimiter: u8,
        /// Whether the first line of a file names the columns; it is skipped.
        has_header: bool,
    },
    /// A JSON object a line. Missing values are null.
    Json,
}

/// Decodes lines of one format into rows of one schema. Clones count rejected rows together.
#[derive(Clone, Debug)]
pub struct RowLines {
    format: LineFormat,
    schema: SchemaRef,
    rejected: Arc<AtomicU64>,
}

impl RowLines {
    /// Creates a decoder. All columns may be null.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if this build lacks the format, and for a type that no text is read as.
    pub fn new(format: LineFormat, schema: SchemaRef) -> Result<Self> {
        let decoder = Self {
            format,
            schema,
            rejected: Arc::default(),
        };
        #[cfg(feature = "csv")]
        if let LineFormat::Csv { .. } = format {
            csv::check(&decoder.schema)?;
        }
        decoder.decode(b"")?;
        Ok(decoder)
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// How many lines were no rows until now: too many values, quotes that are not closed, or a value that
    /// is not of its type.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// The rows of whole lines.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if this build lacks the format.
    pub fn decode(&self, lines: &[u8]) -> Result<RecordBatch> {
        let (batch, rejected) = match self.format {
            #[cfg(feature = "csv")]
            LineFormat::Csv { delimiter, .. } => csv::decode(lines, delimiter, &self.schema)?,
            #[cfg(feature = "json")]
            LineFormat::Json => json::decode(lines, &self.schema)?,
            #[cfg(not(all(feature = "csv", feature = "json")))]
            other => {
                let message = format!("this build cannot read {other:?}; enable its feature");
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        self.rejected.fetch_add(rejected, Ordering::Relaxed);
        Ok(batch)
    }

    /// Why a line is no row; `None` if it is one. It is not counted.
    #[must_use]
    pub fn why_rejected(&self, line: &[u8]) -> Option<String> {
        match self.format {
            #[cfg(feature = "csv")]
            LineFormat::Csv { delimiter, .. } => csv::why_rejected(line, delimiter, &self.schema),
            #[cfg(feature = "json")]
            LineFormat::Json => json::why_rejected(line, &self.schema),
            #[cfg(not(all(feature = "csv", feature = "json")))]
            _ => None,
        }
    }

    /// The rows of everything that a source has now. A thread decodes them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the system starts no thread.
    pub(crate) fn rows_of(
        &self,
        source: Arc<dyn Source>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
        let (sender, receiver) = sync_channel(WAITING);
        let decoder = self.clone();
        let thread = std::thread::Builder::new().name("keymill-rows".to_owned());
        let spawned = thread.spawn(move || {
            if let Err(error) = decoder.send_rows(&*source, &sender) {
                // Nobody may want the rows any more.
                let _ = sender.send(Err(error));
            }
        });
        spawned.map_err(|cause| {
            let message = "the system starts no thread to read rows";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })?;
        Ok(Rows(receiver))
    }

    fn send_rows(&self, source: &dyn Source, to: &SyncSender<Result<RecordBatch>>) -> Result<()> {
        for split in source.splits()? {
            let bytes = source.read(&split, Offset::START..source.latest(&split)?)?;
            match bytes {
                SplitBytes::Memory(bytes) => self.send_split(&split, bytes, to)?,
                SplitBytes::Stream(stream) => self.send_split(&split, stream, to)?,
                SplitBytes::At(file) => {
                    let reader = Sequential { file, at: 0 };
                    self.send_split(&split, reader, to)?;
                }
            }
        }
        Ok(())
    }

    fn send_split(
        &self,
        split: &Split,
        mut input: impl Read,
        to: &SyncSender<Result<RecordBatch>>,
    ) -> Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut filled = 0;
        let mut skips_line = matches!(
            self.format,
            LineFormat::Csv {
                has_header: true,
                ..
            }
        );
        loop {
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
            let bytes = match input.read(&mut buffer[filled..]) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot_read(split.name(), error)),
            };
            filled += bytes;
            let is_end = bytes == 0;
            let end = match buffer[..filled].iter().rposition(|&byte| byte == b'\n') {
                _ if is_end => filled,
                Some(newline) => newline + 1,
                None => continue,
            };
            let mut lines = &buffer[..end];
            if skips_line && !lines.is_empty() {
                let header = lines.iter().position(|&byte| byte == b'\n');
                lines = &lines[header.map_or(lines.len(), |newline| newline + 1)..];
                skips_line = false;
            }
            if !lines.is_empty() && to.send(self.decode(lines)).is_err() {
                return Ok(());
            }
            if is_end {
                return Ok(());
            }
            buffer.copy_within(end..filled, 0);
            filled -= end;
        }
    }
}

/// The rows that a thread decodes.
struct Rows(Receiver<Result<RecordBatch>>);

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// Reads a file from start to end.
struct Sequential<'a> {
    file: Box<dyn ReadAt + 'a>,
    at: u64,
}

impl Read for Sequential<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read_at(into, self.at)?;
        self.at += bytes as u64;
        Ok(bytes)
    }
}

/// Decodes many lines at once, or line by line if one of them cannot be decoded. Returns the batches
/// and how many lines were rejected.
#[cfg(feature = "json")]
fn all_or_line_by_line<T>(lines: &[u8], decode: impl Fn(&[u8]) -> Option<T>) -> (Vec<T>, u64) {
    if let Some(all) = decode(lines) {
        return (vec![all], 0);
    }
    let (mut good, mut rejected) = (Vec::new(), 0);
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        match decode(line) {
            Some(row) => good.push(row),
            None => rejected += 1,
        }
    }
    (good, rejected)
}

/// One batch of several.
fn joined(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    arrow_select::concat::concat_batches(schema, batches).map_err(|cause| {
        Error::new(ErrorKind::Internal, "rows do not fit together").with_source(cause)
    })
}

#[cfg(all(test, feature = "csv", feature = "json"))]
mod tests;
