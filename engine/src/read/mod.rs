//! Sources of input. A source is a set of splits with ordered offsets.
//!
//! ```text
//! source ─ splits() ─▶ split ─ read(from..to) ─▶ memory │ bytes at an offset │ a stream
//! ```
#![forbid(unsafe_code)]

pub(crate) mod chunk;
mod compressed;
mod file;
mod find;
#[cfg(feature = "zstd")]
mod frames;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod members;
mod memory;
mod offset;
mod paths;
mod pattern;
mod pieces;
mod pump;
mod read_counts;
mod reader;
mod record_batches;
#[cfg(any(feature = "csv", feature = "json"))]
mod row_lines;
mod storage;
mod stored;
mod table;

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use compressed::Compression;
pub use file::FileSource;
pub use find::Find;
pub use memory::MemorySource;
pub use offset::Offset;
pub use paths::IntoPaths;
pub(crate) use pieces::{Estimate, KeyedRows, Push};
pub use read_counts::LeftOut;
pub(crate) use read_counts::ReadCounts;
pub use reader::ReaderSource;
pub use record_batches::{IntoBatch, RecordBatches};
#[cfg(any(feature = "csv", feature = "json"))]
pub use row_lines::{LineFormat, RowLines};
pub use storage::{Storage, StoragePath, StoredFile};
pub use table::{BadRows, Column, Table, TableFormat};

pub(crate) use compressed::cannot_read;
#[cfg(feature = "stream")]
pub(crate) use file::open_file;

use crate::Result;

/// A source of text.
///
/// Every read of the same range of the same split gives the same bytes. A source that cannot promise
/// this says so in its documentation. The end of a range ends a token.
///
/// # Examples
///
/// ```
/// use keymill::read::{MemorySource, Offset, Source, SplitBytes};
///
/// let source = MemorySource::new("to be");
/// let split = &source.splits()?[0];
/// let latest = source.latest(split)?;
/// let SplitBytes::Memory(bytes) = source.read(split, Offset::START..latest)? else {
///     panic!("a memory source gives memory");
/// };
/// assert_eq!(bytes, b"to be");
/// # Ok::<(), keymill::Error>(())
/// ```
pub trait Source: Send + Sync + 'static {
    /// Describes the source in a few words, for people.
    fn describe(&self) -> String;

    /// Returns the current splits.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if the external system does not answer.
    fn splits(&self) -> Result<Vec<Split>>;

    /// Returns the offset after the last byte that a split has now.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if the offset cannot be found out.
    fn latest(&self, split: &Split) -> Result<Offset>;

    /// Returns whether a split may have more bytes than its size says, because it is decompressed.
    /// The choice of device is then made again after some of it was read.
    fn expands(&self, _split: &Split) -> bool {
        false
    }

    /// Returns the bytes between two offsets.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if they cannot be read, [`crate::ErrorKind::Format`] if they are
    /// not in the expected format.
    fn read(&self, split: &Split, range: Range<Offset>) -> Result<SplitBytes<'_>>;
}

/// One part of a source. Splits are read independently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    index: usize,
    name: String,
    size: Option<u64>,
}

impl Split {
    /// Creates a split with an index and a name for people.
    #[must_use]
    pub fn new(index: usize, name: impl Into<String>) -> Self {
        Self {
            index,
            name: name.into(),
            size: None,
        }
    }

    /// Sets the number of bytes to read, if it is known. Placement and progress use it.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Returns the index.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the name, which messages show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of bytes to read, if it is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

/// The bytes of a range, in one of three forms.
pub enum SplitBytes<'a> {
    /// Bytes in memory, which are not copied.
    Memory(&'a [u8]),
    /// Bytes that several threads can read at any offset.
    At(Box<dyn ReadAt + 'a>),
    /// Bytes that are read from start to end.
    Stream(ByteStream<'a>),
}

/// Bytes that are read from start to end.
pub struct ByteStream<'a> {
    reader: Box<dyn Read + Send + 'a>,
    taken: Option<Arc<AtomicU64>>,
}

impl<'a> ByteStream<'a> {
    /// Creates a stream from a reader.
    #[must_use]
    pub fn new(reader: impl Read + Send + 'a) -> Self {
        Self {
            reader: Box::new(reader),
            taken: None,
        }
    }

    /// Sets a counter of the file's bytes that were read. Progress shows it if the reader decompresses.
    #[must_use]
    pub fn counting(mut self, taken: Arc<AtomicU64>) -> Self {
        self.taken = Some(taken);
        self
    }

    /// Returns the number of compressed bytes that were read, if the reader decompresses.
    pub(crate) fn taken(&self) -> Option<u64> {
        self.taken
            .as_ref()
            .map(|taken| taken.load(Ordering::Relaxed))
    }
}

impl Read for ByteStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}

/// Bytes that several threads can read at any offset at the same time.
pub trait ReadAt: Send + Sync {
    /// Returns the number of bytes.
    fn size(&self) -> u64;

    /// Reads some bytes at an offset. 0 bytes before the end mean that the input became shorter.
    ///
    /// # Errors
    ///
    /// The error of the system.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
}
