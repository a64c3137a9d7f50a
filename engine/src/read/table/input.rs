//! The bytes of a table: files, a stream or memory.

use std::collections::VecDeque;
use std::io::{self, Read};
#[cfg(any(feature = "parquet", feature = "ipc"))]
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::read::{
    ByteStream, FileSource, Offset, ReadAt, ReaderSource, Source, Split, SplitBytes, cannot_read,
};
use crate::{Cancel, Result};
#[cfg(any(feature = "parquet", feature = "ipc"))]
use crate::{Error, ErrorKind, MemoryBudget};

/// Where the bytes of a table are.
pub(super) struct Input {
    place: Place,
    /// The first split, if it was opened to find out the format.
    first: Mutex<Option<InputReader>>,
}

pub(super) enum Place {
    Files(FileSource),
    Reader(ReaderSource),
    Memory(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

impl Input {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            first: Mutex::default(),
        }
    }

    pub(super) fn describe(&self) -> String {
        match &self.place {
            Place::Files(files) => files.describe(),
            Place::Reader(reader) => reader.describe(),
            Place::Memory(_) => "memory".to_owned(),
        }
    }

    pub(super) fn splits(&self) -> Result<Vec<Split>> {
        match &self.place {
            Place::Files(files) => files.splits(),
            Place::Reader(reader) => reader.splits(),
            Place::Memory(bytes) => {
                let size = (**bytes).as_ref().len();
                Ok(vec![Split::new(0, "memory").with_size(size as u64)])
            }
        }
    }

    /// Returns the path of the first file.
    pub(super) fn first_path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Files(files) => files.first_path(),
            _ => None,
        }
    }

    /// Returns some of the first bytes of the first split, which stays open.
    pub(super) fn first_bytes(&self, count: usize) -> Result<Vec<u8>> {
        let splits = self.splits()?;
        let Some(split) = splits.first() else {
            return Ok(Vec::new());
        };
        let mut reader = self.open(split)?;
        let first = reader.peek(count, &Cancel::default())?.to_vec();
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(first)
    }

    /// Opens a split for reads at any offset. One that can only be read in order is read into memory.
    #[cfg(feature = "parquet")]
    pub(super) fn open_at(&self, split: &Split, memory: &MemoryBudget) -> Result<Arc<dyn ReadAt>> {
        self.open(split)?.into_at(memory)
    }

    /// Opens a split.
    pub(super) fn open(&self, split: &Split) -> Result<InputReader> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = first.take_if(|_| split.index() == 0) {
            return Ok(reader);
        }
        let bytes = match &self.place {
            Place::Files(files) => files.open(split, Offset::START..files.latest(split)?)?,
            Place::Reader(reader) => reader.open()?,
            Place::Memory(bytes) => SplitBytes::At(Box::new(MemoryAt(bytes.clone()))),
        };
        Ok(InputReader {
            name: split.name().into(),
            peeked: VecDeque::new(),
            bytes: match bytes {
                SplitBytes::At(bytes) => Bytes::At(bytes, 0),
                SplitBytes::Stream(stream) => Bytes::Stream(stream),
                SplitBytes::Memory(bytes) => Bytes::At(Box::new(StaticAt(bytes)), 0),
            },
        })
    }
}

/// The bytes of a stream, which are charged to a memory budget.
#[cfg(any(feature = "parquet", feature = "ipc"))]
struct Held {
    bytes: Vec<u8>,
    budget: MemoryBudget,
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
impl Held {
    fn new(bytes: Vec<u8>, budget: &MemoryBudget) -> Self {
        budget.take(bytes.capacity());
        let budget = budget.clone();
        Self { bytes, budget }
    }
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.capacity());
    }
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
impl ReadAt for Held {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        StaticAt(&self.bytes).read_at(into, at)
    }
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
fn does_not_fit(name: &str, most: u64) -> Error {
    let message = format!(
        "`{name}` is compressed or a stream, and this format is read at random offsets, so that it must fit \
         into memory: it has more than the {most} bytes that are left; write it to a file without \
         compression, or give the job more memory"
    );
    Error::new(ErrorKind::Capacity, message)
}

/// Bytes in memory, that can be read at any offset.
struct MemoryAt(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl ReadAt for MemoryAt {
    fn size(&self) -> u64 {
        (*self.0).as_ref().len() as u64
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        StaticAt((*self.0).as_ref()).read_at(into, at)
    }
}

struct StaticAt<'a>(&'a [u8]);

impl ReadAt for StaticAt<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let from = usize::try_from(at).map_or(self.0.len(), |at| at.min(self.0.len()));
        (&self.0[from..]).read(into)
    }
}

/// Reads an input from start to end.
pub(super) struct InputReader {
    pub(super) name: Arc<str>,
    /// Bytes that were read ahead.
    peeked: VecDeque<u8>,
    bytes: Bytes,
}

enum Bytes {
    At(Box<dyn ReadAt>, u64),
    Stream(ByteStream<'static>),
}

impl InputReader {
    /// Reads some bytes; none at the end.
    pub(super) fn read(&mut self, into: &mut [u8], cancel: &Cancel) -> Result<usize> {
        loop {
            cancel.check()?;
            match Read::read(self, into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(|cause| cannot_read(&self.name, cause)),
            }
        }
    }

    /// Returns the first bytes, which are read again later. There are fewer where the input ends.
    pub(super) fn peek(&mut self, count: usize, cancel: &Cancel) -> Result<&[u8]> {
        let (mut first, mut filled) = (vec![0; count], 0);
        while filled < count {
            match self.read(&mut first[filled..], cancel)? {
                0 => break,
                bytes => filled += bytes,
            }
        }
        first.truncate(filled);
        self.peeked = first.into();
        Ok(self.peeked.make_contiguous())
    }

    /// Returns whether the bytes are those of the file, and not decompressed ones.
    #[cfg(any(feature = "csv", feature = "json"))]
    pub(super) fn is_at_offsets(&self) -> bool {
        matches!(self.bytes, Bytes::At(..))
    }

    /// Returns the bytes for reads at any offset. A stream is read into memory, if there is enough.
    #[cfg(any(feature = "parquet", feature = "ipc"))]
    pub(super) fn into_at(mut self, memory: &MemoryBudget) -> Result<Arc<dyn ReadAt>> {
        if let Bytes::At(bytes, _) = self.bytes {
            return Ok(bytes.into());
        }
        let most = memory.limit().saturating_sub(memory.taken()) as u64;
        let mut all = Vec::new();
        let read = (&mut self)
            .take(most.saturating_add(1))
            .read_to_end(&mut all);
        let read = read.map_err(|cause| cannot_read(&self.name, cause))?;
        if read as u64 > most {
            return Err(does_not_fit(&self.name, most));
        }
        Ok(Arc::new(Held::new(all, memory)))
    }
}

impl Read for InputReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.peeked.is_empty() {
            return self.peeked.read(into);
        }
        match &mut self.bytes {
            Bytes::At(bytes, at) => {
                let read = bytes.read_at(into, *at)?;
                *at += read as u64;
                Ok(read)
            }
            Bytes::Stream(stream) => stream.read(into),
        }
    }
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
/// Reads bytes from some offset on.
pub(super) struct Cursor {
    bytes: Arc<dyn ReadAt>,
    at: u64,
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
impl Cursor {
    pub(super) fn new(bytes: Arc<dyn ReadAt>, at: u64) -> Self {
        Self { bytes, at }
    }
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(any(feature = "parquet", feature = "ipc"))]
impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.bytes.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(all(test, any(feature = "parquet", feature = "ipc")))]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_held_is_charged_to_the_budget_or_refused() {
        let input = || Input::new(Place::Reader(ReaderSource::new(&[7; 1000][..])));
        let split = |input: &Input| input.splits().unwrap().remove(0);
        let memory = MemoryBudget::new(999);
        let refused = input();
        let error = refused.open(&split(&refused)).unwrap().into_at(&memory);
        let error = error.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Capacity);
        assert!(
            error.message().contains("give the job more memory"),
            "{error}"
        );
        assert_eq!(memory.taken(), 0);
        let memory = MemoryBudget::new(5000);
        let held = input();
        let bytes = held.open(&split(&held)).unwrap().into_at(&memory).unwrap();
        assert_eq!(bytes.size(), 1000);
        assert!(memory.taken() >= 1000);
        drop(bytes);
        assert_eq!(memory.taken(), 0);
    }
}
