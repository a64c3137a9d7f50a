//! The lines that are appended to a file, by name, as `tail -F` follows it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use crate::read::MemorySource;
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// Bytes of a block: blocks are what worker threads share out.
const BLOCK_BYTES: usize = 512 << 10;

/// The first bytes of a file, by which a file that was written anew is told from the old one.
const HEAD_BYTES: u64 = 1024;

/// Lines that are appended to a file.
///
/// When another file takes the name, as log rotation does by a rename, the rest of the old file is read
/// first, and the new one from its beginning as soon as it has bytes. A file that was truncated is read
/// from its beginning. A last line without its end waits, unless the file was replaced.
///
/// A file is known by its device and number, and by its first bytes. After a restart, a file that was
/// renamed meanwhile is looked for in the same folder.
pub struct TailSource {
    path: PathBuf,
    /// The file that is read, and where.
    current: Option<Reading>,
    /// Files of the running epoch whose end was reached.
    previous: Vec<Reading>,
    /// What is committed.
    committed: Option<Piece>,
    memory: u64,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Piece {
    file: FileId,
    from: u64,
    to: u64,
    head: Head,
}

/// What tells a file from others, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct FileId {
    device: u64,
    number: u64,
}

/// The checksum of the first bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Head {
    bytes: u64,
    crc32: u32,
}

struct Reading {
    file: File,
    id: FileId,
    offset: u64,
    head: Head,
    /// The size when the head was last checked.
    checked: u64,
}

#[cfg(unix)]
fn id_of(metadata: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    FileId {
        device: metadata.dev(),
        number: metadata.ino(),
    }
}

/// On systems without file numbers, the time of creation is used instead.
#[cfg(not(unix))]
fn id_of(metadata: &Metadata) -> FileId {
    let created = metadata.created().ok();
    let since = created.and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok());
    FileId {
        device: 0,
        number: since.map_or(0, |it| it.as_nanos() as u64),
    }
}

fn head_of(mut file: &File, bytes: u64) -> io::Result<Head> {
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(bytes).read_to_end(&mut head)?;
    Ok(Head {
        bytes: head.len() as u64,
        crc32: crc32fast::hash(&head),
    })
}

impl Reading {
    fn open(path: &Path, offset: u64, head: Head) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self {
            id: id_of(&metadata),
            file,
            offset,
            head,
            checked: 0,
        })
    }

    /// The size. A file that was truncated or written anew is read from its beginning.
    fn size(&mut self) -> io::Result<u64> {
        let size = self.file.metadata()?.len();
        if size != self.checked {
            let is_same = size >= self.offset && head_of(&self.file, self.head.bytes)? == self.head;
            if !is_same {
                (self.offset, self.head) = (0, Head::default());
            }
            self.checked = size;
        }
        Ok(size)
    }

    /// The end of what can be read: whole lines, within `most` bytes but at least one line. The rest of a
    /// file that gets no more lines ends its last line.
    fn end(&self, size: u64, most: u64, is_last: bool) -> io::Result<u64> {
        let room = self.offset.saturating_add(most).min(size);
        if is_last && room == size {
            return Ok(size);
        }
        if let Some(end) = self.line_end_before(room)? {
            return Ok(end);
        }
        match self.line_end_after(room, size)? {
            Some(end) => Ok(end),
            None if is_last => Ok(size),
            None => Ok(self.offset),
        }
    }

    /// The end of the last whole line before a byte.
    fn line_end_before(&self, mut end: u64) -> io::Result<Option<u64>> {
        let mut block = Vec::new();
        while end > self.offset {
            let start = end.saturating_sub(64 << 10).max(self.offset);
            self.read(start, end, &mut block)?;
            if let Some(found) = block.iter().rposition(|&byte| byte == b'\n') {
                return Ok(Some(start + found as u64 + 1));
            }
            end = start;
        }
        Ok(None)
    }

    /// The end of the first line that ends after a byte.
    fn line_end_after(&self, mut start: u64, size: u64) -> io::Result<Option<u64>> {
        let mut block = Vec::new();
        while start < size {
            let end = (start + (64 << 10)).min(size);
            self.read(start, end, &mut block)?;
            if let Some(found) = block.iter().position(|&byte| byte == b'\n') {
                return Ok(Some(start + found as u64 + 1));
            }
            start = end;
        }
        Ok(None)
    }

    fn read(&self, from: u64, to: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from))?;
        into.clear();
        file.take(to - from).read_to_end(into)?;
        Ok(())
    }

    /// Takes the bytes up to an end.
    fn take(&mut self, end: u64) -> io::Result<Piece> {
        let head = head_of(&self.file, end.min(HEAD_BYTES))?;
        let piece = Piece {
            file: self.id,
            from: self.offset,
            to: end,
            head,
        };
        (self.offset, self.head) = (end, head);
        Ok(piece)
    }

    /// The lines of a piece, in blocks.
    fn blocks(&self, piece: &Piece, blocks: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(piece.from))?;
        let (mut left, mut rest) = (piece.to - piece.from, Vec::new());
        while left > 0 {
            let bytes = left.min(BLOCK_BYTES as u64);
            let mut block = std::mem::take(&mut rest);
            let before = block.len();
            file.take(bytes).read_to_end(&mut block)?;
            if (block.len() - before) as u64 != bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= bytes;
            if left > 0 {
                let end = block.iter().rposition(|&byte| byte == b'\n');
                rest = block.split_off(end.map_or(0, |end| end + 1));
            }
            if !block.is_empty() {
                blocks.push(block);
            }
        }
        Ok(())
    }
}

impl TailSource {
    /// Follows a file, from its beginning. It may appear later.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            current: None,
            previous: Vec::new(),
            committed: None,
            memory: u64::MAX,
        }
    }

    fn cannot_read(&self, cause: io::Error) -> Error {
        let message = format!("cannot read `{}`", shown_name(&self.path));
        Error::new(ErrorKind::Source, message).with_source(cause)
    }

    /// Whether another file has taken the name, and has bytes.
    fn is_replaced(&self, id: FileId) -> bool {
        let named = fs::metadata(&self.path);
        named.is_ok_and(|named| id_of(&named) != id && named.len() > 0)
    }

    /// Chooses pieces: of one file, or of the old one and the new one.
    fn pieces(&mut self, limits: &EpochLimits) -> io::Result<Vec<Piece>> {
        let mut room = limits.bytes.unwrap_or(u64::MAX).min(self.memory);
        let mut pieces = Vec::new();
        loop {
            if self.current.is_none() {
                match Reading::open(&self.path, 0, Head::default()) {
                    Ok(reading) => self.current = Some(reading),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) => return Err(error),
                }
            }
            let Some(id) = self.current.as_ref().map(|it| it.id) else {
                break;
            };
            // Before the size: what is appended after the name was taken away is read, too.
            let is_last = self.is_replaced(id);
            let Some(reading) = &mut self.current else {
                break;
            };
            let size = reading.size()?;
            let end = reading.end(size, room, is_last)?;
            if end > reading.offset {
                room = room.saturating_sub(end - reading.offset);
                pieces.push(reading.take(end)?);
            }
            if !is_last || end < size || room == 0 {
                break;
            }
            self.previous.extend(self.current.take());
        }
        Ok(pieces)
    }

    /// Opens the file of a piece: by its name, or by a name that it has now in the same folder.
    fn find(&self, piece: &Piece) -> io::Result<Option<Reading>> {
        let is_it = |path: &Path| fs::metadata(path).is_ok_and(|it| id_of(&it) == piece.file);
        let mut path = Some(self.path.clone()).filter(|path| is_it(path));
        if path.is_none() {
            let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty());
            for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
                let other = entry?.path();
                if is_it(&other) {
                    path = Some(other);
                    break;
                }
            }
        }
        match path {
            Some(path) => Reading::open(&path, piece.to, piece.head).map(Some),
            None => Ok(None),
        }
    }

    /// Opens the file of a piece, which must have its bytes.
    fn opened(&self, piece: &Piece) -> Result<Reading> {
        let found = self.find(piece).map_err(|cause| self.cannot_read(cause))?;
        let why = match found {
            None => "gone",
            Some(mut reading) => {
                reading.size().map_err(|cause| self.cannot_read(cause))?;
                if reading.offset == piece.to {
                    return Ok(reading);
                }
                "truncated or written anew"
            }
        };
        let message = format!(
            "the file that was called `{}`, number {}, was read until byte {} and is {why}; put it \
             back into its folder, or begin with another checkpoint",
            shown_name(&self.path),
            piece.file.number,
            piece.to
        );
        Err(Error::new(ErrorKind::Source, message))
    }
}

/// The pieces of a range.
fn pieces_of(range: &OffsetRange) -> Result<Vec<Piece>> {
    serde_json::from_value(range.end["pieces"].clone()).map_err(|cause| {
        let message = "the offsets of a file that is followed are not what this version writes";
        Error::new(ErrorKind::Source, message).with_source(cause)
    })
}

impl StreamSource for TailSource {
    fn describe(&self) -> String {
        format!("tail:{}", shown_name(&self.path))
    }

    fn kind(&self) -> &'static str {
        "tail"
    }

    fn replay(&self) -> Replay {
        Replay::SameBytes
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        self.memory = context.memory as u64;
        let position = context.history.position;
        self.committed = position.and_then(|it| serde_json::from_value(it).ok());
        if let Some(last) = context.history.ranges.last() {
            self.committed = pieces_of(last)?.pop();
        }
        let Some(piece) = &self.committed else {
            return Ok(());
        };
        let mut reading = match self.find(piece).map_err(|cause| self.cannot_read(cause))? {
            Some(reading) => reading,
            None => return self.opened(piece).map(|_| ()),
        };
        reading.size().map_err(|cause| self.cannot_read(cause))?;
        self.current = Some(reading);
        Ok(())
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let start = self
            .current
            .as_ref()
            .map(|it| json!({"file": it.id, "offset": it.offset}));
        let pieces = self
            .pieces(limits)
            .map_err(|cause| self.cannot_read(cause))?;
        if pieces.is_empty() {
            return Ok(None);
        }
        Ok(Some(OffsetRange {
            start: start.unwrap_or(Value::Null),
            end: json!({ "pieces": pieces }),
        }))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let mut blocks = Vec::new();
        let pieces = pieces_of(range)?;
        for piece in &pieces {
            let is_it = |it: &&Reading| it.id == piece.file && it.offset == piece.to;
            let mut open = self.previous.iter().chain(&self.current);
            let read = match open.find(is_it) {
                Some(reading) => reading.blocks(piece, &mut blocks),
                None => {
                    let reading = self.opened(piece)?;
                    let read = reading.blocks(piece, &mut blocks);
                    self.current = Some(reading);
                    read
                }
            };
            read.map_err(|cause| self.cannot_read(cause))?;
        }
        let mut blocks = blocks.into_iter();
        let first = MemorySource::new(blocks.next().unwrap_or_default());
        Ok(EpochInput::Text(Arc::new(
            blocks.fold(first, MemorySource::and),
        )))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.committed = pieces_of(range)?.pop();
        self.previous.clear();
        Ok(())
    }

    fn position(&self) -> Value {
        json!(self.committed)
    }

    fn waiting_bytes(&self) -> Option<u64> {
        let reading = self.current.as_ref()?;
        let size = reading.file.metadata().ok()?.len();
        Some(size.saturating_sub(reading.offset))
    }
}
