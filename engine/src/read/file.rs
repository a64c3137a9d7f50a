//! Files as a source: each file is a split.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::ops::Range;
#[cfg(feature = "stream")]
use std::path::Path;
use std::path::PathBuf;
#[cfg(feature = "stream")]
use std::sync::Arc;

use super::compressed::{Compression, cannot_read, decompressed};
use super::find::{Files, Find, Found, cannot_open};
use super::pump::pumped;
#[cfg(feature = "stream")]
use super::stored;
use super::{
    ByteStream, Offset, ReadAt, Source, Split, SplitBytes, Storage, StoragePath, StoredFile,
};
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// Files, pipes and standard input. Each is a split, and its end ends a token.
///
/// Offsets are bytes of the file. gzip and zstd are recognized by their first bytes. A compressed
/// file, a pipe and standard input are read as a whole.
pub struct FileSource {
    files: Vec<Found>,
    skipped: Vec<PathBuf>,
    as_is: bool,
}

impl FileSource {
    /// Finds the files of paths and patterns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] naming the first path that does not exist, or is a folder.
    pub fn find(paths: &[PathBuf], how: Find) -> Result<Self> {
        let Files { found, skipped } = how.find(paths)?;
        Ok(Self {
            files: found,
            skipped,
            as_is: false,
        })
    }

    /// Finds the files of paths and patterns, some of them in other storages than the local file system:
    /// `storages` returns the storage of a URL, and `None` for a local path.
    ///
    /// # Errors
    ///
    /// Those of [`FileSource::find`] and of `storages`.
    pub fn find_with(
        paths: &[PathBuf],
        how: Find,
        storages: impl Fn(&str) -> Result<Option<StoragePath>>,
    ) -> Result<Self> {
        let Files { found, skipped } = how.find_with(paths, storages)?;
        Ok(Self {
            files: found,
            skipped,
            as_is: false,
        })
    }

    /// Files of a storage that were found.
    #[cfg(feature = "stream")]
    pub(crate) fn of_stored(storage: &Arc<dyn Storage>, files: Vec<StoredFile>) -> Self {
        let files = files.into_iter().map(|file| stored::of(storage, file));
        Self {
            files: files.collect(),
            skipped: Vec::new(),
            as_is: false,
        }
    }

    /// Returns the broken symlinks that were skipped in folders and among the matches of patterns.
    #[must_use]
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    /// Finds the files of paths and patterns, without folders or standard input.
    pub(crate) fn from_patterns(paths: &[PathBuf]) -> Result<Self> {
        Self::find(paths, Find::default())
    }

    /// Reads compressed files without decompressing them.
    #[must_use]
    pub fn as_is(mut self) -> Self {
        self.as_is = true;
        self
    }

    fn file(&self, split: &Split) -> Result<&Found> {
        self.files.get(split.index()).ok_or_else(|| {
            Error::new(
                ErrorKind::Source,
                format!("`{}` is not a file of this source", split.name()),
            )
        })
    }
}

impl Source for FileSource {
    fn describe(&self) -> String {
        match self.files.as_slice() {
            [file] if file.is_stdin => shown(file),
            [file] => format!("file {}", shown(file)),
            files => format!("{} files", files.len()),
        }
    }

    fn splits(&self) -> Result<Vec<Split>> {
        let split = |(index, file): (usize, &Found)| {
            let split = Split::new(index, shown(file));
            match file.size {
                Some(size) => split.with_size(size),
                None => split,
            }
        };
        Ok(self.files.iter().enumerate().map(split).collect())
    }

    fn latest(&self, split: &Split) -> Result<Offset> {
        let found = self.file(split)?;
        if found.size.is_none() {
            return Ok(Offset::at(u64::MAX));
        }
        if let (Some(_), Some(size)) = (&found.stored, found.size) {
            return Ok(Offset::at(size));
        }
        let metadata =
            fs::metadata(&found.path).map_err(|cause| cannot_open(&found.path, cause))?;
        Ok(Offset::at(metadata.len()))
    }

    /// Checks the file's first bytes. A file that cannot be opened is an error of `read`, not of this.
    fn expands(&self, split: &Split) -> bool {
        let found = self.file(split).ok().filter(|found| found.size.is_some());
        if let Some((storage, file)) = found.and_then(|found| found.stored.as_ref()) {
            let bytes = storage.open(file).ok();
            return bytes.is_some_and(|it| self.is_stored_compressed(&*it).unwrap_or(false));
        }
        let file = found.and_then(|found| File::open(&found.path).ok());
        file.is_some_and(|mut file| self.is_compressed(&mut file).unwrap_or(false))
    }

    fn read(&self, split: &Split, range: Range<Offset>) -> Result<SplitBytes<'_>> {
        self.open(split, range)
    }
}

impl FileSource {
    /// Returns the path of the first file, if there is one and it is not standard input.
    pub(crate) fn first_path(&self) -> Option<PathBuf> {
        let first = self.files.first().filter(|first| !first.is_stdin);
        first.map(|first| first.path.clone())
    }

    /// Returns the bytes between two offsets, without a borrow.
    pub(crate) fn open(&self, split: &Split, range: Range<Offset>) -> Result<SplitBytes<'static>> {
        let found = self.file(split)?;
        if found.is_stdin {
            return self.pump(io::stdin, split);
        }
        if let Some((storage, file)) = &found.stored {
            return self.open_stored(&**storage, file, split, range);
        }
        let mut file = File::open(&found.path).map_err(|cause| cannot_open(&found.path, cause))?;
        if found.size.is_none() {
            return self.pump(move || file, split);
        }
        let (from, to) = positions(split, &range)?;
        if has_other_length(&file, to) {
            return self.stream(file, split);
        }
        if self
            .is_compressed(&mut file)
            .map_err(|cause| cannot_read(split.name(), cause))?
        {
            return self.stream(file, split);
        }
        Ok(SplitBytes::At(Box::new(FileRange { file, from, to })))
    }

    /// Returns the bytes between two offsets of a file of a storage.
    fn open_stored(
        &self,
        storage: &dyn Storage,
        file: &StoredFile,
        split: &Split,
        range: Range<Offset>,
    ) -> Result<SplitBytes<'static>> {
        let (from, to) = positions(split, &range)?;
        let bytes = storage.open(file)?;
        let is_compressed = self.is_stored_compressed(&*bytes);
        if is_compressed.map_err(|cause| cannot_read(split.name(), cause))? {
            let bytes = InOrder { bytes, at: 0 };
            return open_stream(bytes, split.name(), self.as_is).map(SplitBytes::Stream);
        }
        Ok(SplitBytes::At(Box::new(StoredRange { bytes, from, to })))
    }

    fn is_stored_compressed(&self, bytes: &dyn ReadAt) -> io::Result<bool> {
        if self.as_is {
            return Ok(false);
        }
        let mut first = [0; 4];
        let read = bytes.read_at(&mut first, 0)?;
        Ok(Compression::of(&first[..read]) != Compression::None)
    }

    /// Reads a file from start to end.
    fn stream(&self, file: File, split: &Split) -> Result<SplitBytes<'static>> {
        open_stream(file, split.name(), self.as_is).map(SplitBytes::Stream)
    }

    /// Reads a pipe or standard input, where a read may block.
    fn pump<R: Read + Send + 'static>(
        &self,
        open: impl FnOnce() -> R + Send + 'static,
        split: &Split,
    ) -> Result<SplitBytes<'static>> {
        let (name, as_is) = (split.name().to_owned(), self.as_is);
        pumped(move || open_stream(open(), &name, as_is)).map(SplitBytes::Stream)
    }

    fn is_compressed(&self, file: &mut File) -> io::Result<bool> {
        if self.as_is {
            return Ok(false);
        }
        let mut first = Vec::with_capacity(4);
        file.take(4).read_to_end(&mut first)?;
        file.rewind()?;
        Ok(Compression::of(&first) != Compression::None)
    }
}

/// Opens a file of the local file system for reads at any offset.
///
/// # Errors
///
/// [`ErrorKind::Source`] if it cannot be opened.
#[cfg(feature = "stream")]
pub(crate) fn open_file(path: &Path) -> Result<Box<dyn ReadAt>> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (to, file) = opened.map_err(|cause| cannot_open(path, cause))?;
    Ok(Box::new(FileRange { file, from: 0, to }))
}

/// The positions of two offsets.
fn positions(split: &Split, range: &Range<Offset>) -> Result<(u64, u64)> {
    let positions = range.start.position().zip(range.end.position());
    positions.ok_or_else(|| {
        let message = format!("`{}`: offsets of a file are bytes", split.name());
        Error::new(ErrorKind::Source, message)
    })
}

/// One thread alone reads a file of this size or less.
#[cfg(unix)]
const SMALL: u64 = 64 << 10;

/// Returns whether a file may have another length than its metadata says. Files in `/proc` and `/sys`
/// have a length of zero or of one page there, and no blocks on a disk.
#[cfg(unix)]
fn has_other_length(file: &File, length: u64) -> bool {
    use std::os::unix::fs::MetadataExt;
    length <= SMALL && file.metadata().is_ok_and(|it| it.blocks() == 0)
}

#[cfg(not(unix))]
fn has_other_length(_: &File, length: u64) -> bool {
    length == 0
}

/// Returns a file's name for messages.
fn shown(file: &Found) -> String {
    match file.is_stdin {
        true => "standard input".to_owned(),
        false => shown_name(&file.path),
    }
}

fn open_stream(
    reader: impl Read + Send + 'static,
    name: &str,
    as_is: bool,
) -> Result<ByteStream<'static>> {
    match as_is {
        true => Ok(ByteStream::new(reader)),
        false => decompressed(reader, name),
    }
}

/// A part of a file of a storage.
struct StoredRange {
    bytes: Box<dyn ReadAt>,
    from: u64,
    to: u64,
}

impl ReadAt for StoredRange {
    fn size(&self) -> u64 {
        self.to - self.from
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let left = self.size().saturating_sub(at);
        let room = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.bytes.read_at(&mut into[..room], self.from + at)
    }
}

/// Reads bytes from start to end.
struct InOrder {
    bytes: Box<dyn ReadAt>,
    at: u64,
}

impl Read for InOrder {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A part of a file.
struct FileRange {
    file: File,
    from: u64,
    to: u64,
}

impl ReadAt for FileRange {
    fn size(&self) -> u64 {
        self.to - self.from
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let left = self.size().saturating_sub(at);
        let room = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        read_file_at(&self.file, &mut into[..room], self.from + at)
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

#[cfg(windows)]
fn read_file_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, at)
}

#[cfg(not(any(unix, windows)))]
fn read_file_at(mut file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    // Moving the file's cursor is safe: on other systems only one thread reads.
    file.seek(io::SeekFrom::Start(at))?;
    file.read(into)
}
