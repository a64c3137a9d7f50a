//! Where bytes come from: a source is a set of splits with ordered offsets.
//!
//! ```text
//! source ─ splits() ─▶ split ─ read(from..to) ─▶ memory │ bytes at a place │ a stream
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
mod pump;
mod reader;
mod record_batches;

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
pub use reader::ReaderSource;
pub use record_batches::{IntoBatch, RecordBatches};

pub(crate) use compressed::cannot_read;

use crate::Result;

/// Something that text is read from.
///
/// The same range of the same split gives the same bytes, as often as it is read; a source that
/// cannot promise this says so in its documentation. The end of a range ends a token.
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
    /// Says in a few words what this is, for people.
    fn describe(&self) -> String;

    /// The splits there are now.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if the outside system does not answer.
    fn splits(&self) -> Result<Vec<Split>>;

    /// The offset behind the last byte that a split has now.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if the split cannot be asked.
    fn latest(&self, split: &Split) -> Result<Offset>;

    /// Whether a split may give more bytes than its size says, as one that is decompressed does;
    /// plans look again once some of it was read.
    fn expands(&self, _split: &Split) -> bool {
        false
    }

    /// The bytes between two offsets.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if they are not there, [`crate::ErrorKind::Format`] if they are
    /// not in the form they claim.
    fn read(&self, split: &Split, range: Range<Offset>) -> Result<SplitBytes<'_>>;
}

/// One part of a source, read independently of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    index: usize,
    name: String,
    size: Option<u64>,
}

impl Split {
    /// The part with this number and a name that people recognise.
    #[must_use]
    pub fn new(index: usize, name: impl Into<String>) -> Self {
        Self {
            index,
            name: name.into(),
            size: None,
        }
    }

    /// Adds how many bytes there are to read, where that is known; plans and progress use it.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Its number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its name, as messages give it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes there are to read, where that is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

/// The bytes of a range, in the form that its source has them.
pub enum SplitBytes<'a> {
    /// They are in memory already, and are not copied.
    Memory(&'a [u8]),
    /// They can be read at any place, by several threads.
    At(Box<dyn ReadAt + 'a>),
    /// They come one after the other.
    Stream(ByteStream<'a>),
}

/// Bytes that come one after the other.
pub struct ByteStream<'a> {
    reader: Box<dyn Read + Send + 'a>,
    taken: Option<Arc<AtomicU64>>,
}

impl<'a> ByteStream<'a> {
    /// The bytes that a reader gives.
    #[must_use]
    pub fn new(reader: impl Read + Send + 'a) -> Self {
        Self {
            reader: Box::new(reader),
            taken: None,
        }
    }

    /// Shows progress by a counter of bytes taken from the file, where the reader decompresses.
    #[must_use]
    pub fn counting(mut self, taken: Arc<AtomicU64>) -> Self {
        self.taken = Some(taken);
        self
    }

    /// Bytes taken from the file, where they are not those that were read.
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

/// Bytes that can be read at any place, by several threads at a time.
pub trait ReadAt: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Reads some bytes from a place; none before the end means that they have gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
}
