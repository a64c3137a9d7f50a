//! Batches of one schema as an Arrow IPC stream inside a spill file.

use std::io::{self, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

use super::SpillSpace;
use super::extents::{Extents, Position};
use crate::{Error, ErrorKind, Result};

/// Encoded bytes that are buffered before they are written to the file.
const FLUSH_BYTES: usize = 1 << 20;

/// Writes the batches of one segment.
pub(crate) struct SegmentWriter {
    space: SpillSpace,
    stream: StreamWriter<Vec<u8>>,
    checksum: crc32fast::Hasher,
    extents: Option<Extents>,
    totals: Totals,
}

/// The sizes of a segment.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    rows: usize,
    memory: usize,
    largest_batch: usize,
}

impl SegmentWriter {
    pub(super) fn new(space: &SpillSpace, schema: &SchemaRef) -> Result<Self> {
        Ok(Self {
            space: space.clone(),
            stream: StreamWriter::try_new(Vec::new(), schema).map_err(not_encoded)?,
            checksum: crc32fast::Hasher::new(),
            extents: None,
            totals: Totals::default(),
        })
    }

    /// Writes one batch of the segment's schema.
    ///
    /// # Errors
    ///
    /// Those of [`SpillSpace::store`].
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let memory = batch.get_array_memory_size();
        self.totals.rows += batch.num_rows();
        self.totals.memory += memory;
        self.totals.largest_batch = self.totals.largest_batch.max(memory);
        self.stream.write(batch).map_err(not_encoded)?;
        if self.stream.get_ref().len() >= FLUSH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = self.stream.get_mut();
        self.checksum.update(bytes);
        self.space.append(bytes, &mut self.extents)?;
        bytes.clear();
        bytes.shrink_to(2 * FLUSH_BYTES);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Segment> {
        self.stream.finish().map_err(not_encoded)?;
        self.flush()?;
        let extents = self.extents.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "a segment was closed before it was written",
            )
        })?;
        Ok(Segment(Arc::new(Stored {
            extents,
            checksum: self.checksum.finalize(),
            totals: self.totals,
        })))
    }
}

fn not_encoded(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "a batch could not be encoded").with_source(cause)
}

/// Batches on disk. Dropping the segment and its readers frees their disk space.
#[derive(Debug)]
pub(crate) struct Segment(Arc<Stored>);

#[derive(Debug)]
struct Stored {
    extents: Extents,
    checksum: u32,
    totals: Totals,
}

impl Segment {
    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.0.totals.rows
    }

    /// Returns about how many bytes all rows take in memory.
    pub(crate) fn memory(&self) -> usize {
        self.0.totals.memory
    }

    /// Returns how many bytes the largest batch takes in memory.
    pub(crate) fn largest_batch(&self) -> usize {
        self.0.totals.largest_batch
    }

    /// Reads the segment, one batch at a time.
    ///
    /// # Errors
    ///
    /// Those of [`Segment::batches`] and of its items; and what `visit` returns.
    pub(crate) fn read(&self, mut visit: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        self.batches()?.try_for_each(|batch| visit(&batch?))
    }

    /// Returns an iterator that reads one batch at a time. It stays valid without the segment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] if the bytes differ from those that were written.
    pub(crate) fn batches(&self) -> Result<SegmentReader> {
        let span = Span {
            stored: self.0.clone(),
            position: Position::default(),
            checksum: crc32fast::Hasher::new(),
        };
        let stream =
            StreamReader::try_new(span, None).map_err(|cause| unreadable(&self.0, cause))?;
        Ok(SegmentReader {
            stored: self.0.clone(),
            stream: Some(stream),
            rows: 0,
        })
    }

    #[cfg(test)]
    pub(super) fn damage(&self, at: u64) {
        self.0.extents.damage(at);
    }
}

/// Reads a segment from its first batch to its last. It ends after an error.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    stored: Arc<Stored>,
    stream: Option<StreamReader<Span>>,
    rows: usize,
}

impl Iterator for SegmentReader {
    type Item = Result<RecordBatch>;

    /// # Errors
    ///
    /// [`ErrorKind::State`] if the bytes differ from those that were written. A wrong checksum or
    /// number of rows is found after the last batch.
    fn next(&mut self) -> Option<Self::Item> {
        match self.stream.as_mut()?.next() {
            Some(Ok(batch)) => {
                self.rows += batch.num_rows();
                Some(Ok(batch))
            }
            Some(Err(cause)) => {
                self.stream = None;
                Some(Err(unreadable(&self.stored, cause)))
            }
            None => self.check_end().err().map(Err),
        }
    }
}

impl SegmentReader {
    fn check_end(&mut self) -> Result<()> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        let span = stream.get_mut();
        io::copy(span, &mut io::sink()).map_err(|cause| unreadable(&self.stored, cause))?;
        let checksum = span.checksum.clone().finalize();
        let Totals { rows, .. } = self.stored.totals;
        if self.rows != rows || checksum != self.stored.checksum {
            let what = format!("{} of {rows} rows, or a wrong checksum", self.rows);
            return Err(unreadable(&self.stored, ArrowError::IpcError(what)));
        }
        Ok(())
    }
}

fn unreadable(stored: &Stored, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    let folder = crate::shown_name(stored.extents.disk().folder());
    let message = format!("a spill file in `{folder}` cannot be read back; check that disk");
    Error::new(ErrorKind::State, message).with_source(cause)
}

/// Reads the bytes of a segment with its own file position.
#[derive(Debug)]
struct Span {
    stored: Arc<Stored>,
    position: Position,
    /// The checksum of all bytes that were read.
    checksum: crc32fast::Hasher,
}

impl Read for Span {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.stored.extents.read(bytes, &mut self.position)?;
        self.checksum.update(&bytes[..read]);
        Ok(read)
    }
}
