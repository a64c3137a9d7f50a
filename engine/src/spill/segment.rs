//! One partition's groups as an Arrow IPC stream inside a spill file.

use std::io::{self, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

use super::disk::Disk;
use super::unreadable;
use crate::operator::text_count::columns::{Batcher, TakeBatch, check_version, count_schema};
use crate::{Error, ErrorKind, Result};

/// Rows of a batch; so many are in memory at a time when a segment is read.
const ROWS: usize = 8192;
/// Bytes from which a batch is full even with fewer rows.
const BYTES: usize = 256 << 10;

/// Collects the groups of a segment that is being written.
pub(crate) type SegmentWriter = Batcher<Encoder>;

/// Encodes batches as an IPC stream.
pub(crate) struct Encoder {
    stream: StreamWriter<Vec<u8>>,
    groups: usize,
    memory: usize,
}

/// A segment before it is on disk.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    groups: usize,
    memory: usize,
}

impl TakeBatch for Encoder {
    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        self.groups += batch.num_rows();
        self.memory += batch.get_array_memory_size();
        self.stream.write(&batch).map_err(not_encoded)
    }
}

/// Encodes what `fill` adds.
pub(super) fn encode(fill: impl FnOnce(&mut SegmentWriter) -> Result<()>) -> Result<Encoded> {
    let stream = StreamWriter::try_new(Vec::new(), &count_schema()).map_err(not_encoded)?;
    let encoder = Encoder {
        stream,
        groups: 0,
        memory: 0,
    };
    let mut writer = Batcher::new(ROWS, BYTES, encoder);
    fill(&mut writer)?;
    let encoder = writer.finish()?;
    Ok(Encoded {
        bytes: encoder.stream.into_inner().map_err(not_encoded)?,
        groups: encoder.groups,
        memory: encoder.memory,
    })
}

fn not_encoded(cause: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "state columns could not be encoded").with_source(cause)
}

/// KeyCounts that lie on disk; dropping them gives their room back.
#[derive(Debug)]
pub(crate) struct Segment {
    disk: Arc<Disk>,
    offset: u64,
    length: u64,
    checksum: u32,
    groups: usize,
    memory: usize,
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.disk.free(self.offset, self.length);
    }
}

impl Segment {
    pub(super) fn new(disk: Arc<Disk>, offset: u64, encoded: &Encoded) -> Self {
        Self {
            disk,
            offset,
            length: encoded.bytes.len() as u64,
            checksum: crc32fast::hash(&encoded.bytes),
            groups: encoded.groups,
            memory: encoded.memory,
        }
    }

    /// How many groups it holds.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// About how many bytes they take in memory.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Reads it back, a batch at a time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] when it is not what was written; and what `visit` returns.
    pub(crate) fn read(&self, mut visit: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut span = Span {
            disk: &self.disk,
            offset: self.offset,
            end: self.offset + self.length,
            checksum: crc32fast::Hasher::new(),
        };
        let broken = |cause| unreadable(self.disk.folder(), cause);
        let stream = StreamReader::try_new(&mut span, None).map_err(broken)?;
        check_version(&stream.schema())?;
        let mut groups = 0;
        for batch in stream {
            let batch = batch.map_err(broken)?;
            groups += batch.num_rows();
            visit(&batch)?;
        }
        let rest = io::copy(&mut span, &mut io::sink());
        rest.map_err(|cause| unreadable(self.disk.folder(), cause))?;
        if groups != self.groups || span.checksum.finalize() != self.checksum {
            let what = format!(
                "{groups} groups of {} that were written, or others",
                self.groups
            );
            return Err(broken(arrow_schema::ArrowError::IpcError(what)));
        }
        Ok(())
    }
}

/// Reads one stretch of a file, without a position that others share.
struct Span<'a> {
    disk: &'a Disk,
    offset: u64,
    end: u64,
    /// Of all that was read.
    checksum: crc32fast::Hasher,
}

impl Read for Span<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let length = bytes.len().min(left);
        let read = self.disk.read_at(&mut bytes[..length], self.offset)?;
        self.offset += read as u64;
        self.checksum.update(&bytes[..read]);
        Ok(read)
    }
}
