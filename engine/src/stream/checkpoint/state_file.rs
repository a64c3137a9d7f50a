//! A file of state: a delta of one epoch, or a snapshot.
//!
//! ```text
//! "keymillS" │ frame │ frame │ … │ end        frame: kind, length, checksum, Arrow IPC stream
//! ```
//!
//! A query with several stores has them in one file: the number of the store is in the upper four bits of the
//! kind. Every frame has a checksum, and the last frame has the number of frames, so that a flipped bit and a
//! missing end are noticed.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;

use super::atomic_file::{self, cannot_read, damaged};
use crate::{Delta, Error, ErrorKind, Result, StateStore};

const MAGIC: &[u8; 8] = b"keymillS";

/// The largest frame that is read: a larger length is damage.
const MOST_FRAME_BYTES: u32 = 1 << 30;

/// A delta larger than this is not read into memory.
const LARGE_BYTES: u64 = 8 << 20;

/// Bytes of batches after which a frame ends.
const FRAME_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    States = 1,
    Evicted = 2,
    End = 3,
}

impl Kind {
    /// The kind of a frame, and the number of its store.
    fn of(byte: u8) -> Option<(Self, usize)> {
        let mut kinds = [Self::States, Self::Evicted, Self::End].into_iter();
        let kind = kinds.find(|kind| *kind as u8 == byte & 0xf)?;
        Some((kind, usize::from(byte >> 4)))
    }
}

/// Writes frames.
struct FrameWriter<'w> {
    out: &'w mut dyn Write,
    frames: u32,
}

impl<'w> FrameWriter<'w> {
    fn new(out: &'w mut dyn Write) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, frames: 0 })
    }

    fn frame(&mut self, (kind, store): (Kind, u8), bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).ok();
        let length = length.filter(|&length| length <= MOST_FRAME_BYTES);
        let length = length.ok_or_else(|| io::Error::other("a state is larger than 1 GiB"))?;
        let mut head = [0; 5];
        head[0] = kind as u8 | store << 4;
        head[1..].copy_from_slice(&length.to_le_bytes());
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&head);
        checksum.update(bytes);
        self.out.write_all(&head)?;
        self.out.write_all(&checksum.finalize().to_le_bytes())?;
        self.out.write_all(bytes)?;
        self.frames += 1;
        Ok(())
    }

    /// Writes batches of one schema, in frames of bounded size.
    fn batches(
        &mut self,
        kind: (Kind, u8),
        batches: impl IntoIterator<Item = Result<RecordBatch>>,
    ) -> io::Result<()> {
        let mut stream: Option<StreamWriter<Vec<u8>>> = None;
        for batch in batches {
            let batch = batch.map_err(io::Error::other)?;
            let mut open = match stream.take() {
                Some(open) => open,
                None => StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(encoding)?,
            };
            open.write(&batch).map_err(encoding)?;
            match open.get_ref().len() < FRAME_BYTES {
                true => stream = Some(open),
                false => self.frame(kind, &open.into_inner().map_err(encoding)?)?,
            }
        }
        if let Some(open) = stream {
            self.frame(kind, &open.into_inner().map_err(encoding)?)?;
        }
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        let frames = self.frames.to_le_bytes();
        self.frame((Kind::End, 0), &frames)
    }
}

fn encoding(cause: ArrowError) -> io::Error {
    io::Error::other(cause)
}

/// Writes the changes of an epoch, by store.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be written.
pub(super) fn write_delta(
    path: &Path,
    stores: &[&StateStore],
    before_rename: &dyn Fn(),
) -> Result<()> {
    let deltas = stores.iter().map(|store| store.delta_batches());
    let deltas = deltas.collect::<Result<Vec<_>>>()?;
    let fill = |out: &mut dyn Write| {
        let mut frames = FrameWriter::new(out)?;
        for (store, (states, evicted)) in (0..).zip(deltas) {
            frames.batches((Kind::Evicted, store), evicted)?;
            frames.batches((Kind::States, store), states)?;
        }
        frames.end()
    };
    atomic_file::write(path, fill, before_rename)
}

/// Writes all states of stores.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be written, and those of [`StateStore::snapshot`].
pub(super) fn write_snapshot(
    path: &Path,
    stores: &[&StateStore],
    before_rename: &dyn Fn(),
) -> Result<()> {
    let snapshots = stores.iter().map(|store| store.snapshot());
    let snapshots = snapshots.collect::<Result<Vec<_>>>()?;
    let fill = |out: &mut dyn Write| {
        let mut frames = FrameWriter::new(out)?;
        for (store, snapshot) in (0..).zip(snapshots) {
            frames.batches((Kind::States, store), snapshot)?;
        }
        frames.end()
    };
    atomic_file::write(path, fill, before_rename)
}

/// Reads the deltas of this number of stores. `None` for a large file, of which every byte was checked.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be read or is damaged.
pub(super) fn read_delta(path: &Path, stores: usize) -> Result<Option<Vec<Delta>>> {
    if fs::metadata(path).is_ok_and(|it| it.len() > LARGE_BYTES) {
        return check(path).map(|()| None);
    }
    let mut parts = vec![(Vec::new(), Vec::new()); stores];
    read(path, |(kind, store), batch| {
        let part = parts.get_mut(store);
        let (states, evicted) = part.ok_or_else(|| of_no_store(path))?;
        match kind {
            Kind::Evicted => evicted.push(batch),
            _ => states.push(batch),
        }
        Ok(())
    })?;
    let deltas = parts.into_iter();
    let deltas = deltas.map(|(states, evicted)| Delta::new(states, evicted));
    Ok(Some(deltas.collect()))
}

/// Applies the deltas of a file whose bytes were checked, batch by batch.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be read, and those of [`StateStore::apply`].
pub(super) fn apply_delta(path: &Path, stores: &[&StateStore]) -> Result<()> {
    read(path, |(kind, store), batch| {
        let store = stores.get(store).ok_or_else(|| of_no_store(path))?;
        let (states, evicted) = match kind {
            Kind::Evicted => (Vec::new(), vec![batch]),
            _ => (vec![batch], Vec::new()),
        };
        store.apply_more(&Delta::new(states, evicted))
    })
}

/// Replaces the state of stores by a snapshot.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be read or is damaged, and those of
/// [`StateStore::restore`]. The stores are empty after that.
pub(super) fn read_snapshot(path: &Path, stores: &[&StateStore]) -> Result<()> {
    let clear = || stores.iter().try_for_each(|store| store.restore([]));
    clear()?;
    let read = read(path, |(_, store), batch| {
        let store = stores.get(store).ok_or_else(|| of_no_store(path))?;
        store.apply_more(&Delta::new(vec![batch], Vec::new()))
    });
    if read.is_err() {
        clear()?;
    }
    read
}

fn of_no_store(path: &Path) -> Error {
    damaged(path, "it has the state of another query")
}

/// Checks every byte of a file.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be read or is damaged.
pub(super) fn check(path: &Path) -> Result<()> {
    read(path, |_, _| Ok(()))
}

fn read(
    path: &Path,
    mut visit: impl FnMut((Kind, usize), RecordBatch) -> Result<()>,
) -> Result<()> {
    let file = File::open(path).map_err(|cause| cannot_read(path, cause))?;
    let mut input = BufReader::with_capacity(1 << 20, file);
    let cut = |cause: io::Error| match cause.kind() {
        io::ErrorKind::UnexpectedEof => damaged(path, "its end is missing"),
        _ => cannot_read(path, cause),
    };
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic).map_err(cut)?;
    if magic != *MAGIC {
        return Err(damaged(path, "it is not a file of state"));
    }
    let mut frames = 0_u32;
    loop {
        let mut head = [0; 5];
        let mut expected = [0; 4];
        input.read_exact(&mut head).map_err(cut)?;
        input.read_exact(&mut expected).map_err(cut)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let kind = Kind::of(head[0]).filter(|_| length <= MOST_FRAME_BYTES);
        let kind = kind.ok_or_else(|| damaged(path, "it has a wrong frame"))?;
        let mut bytes = Vec::new();
        let read = (&mut input).take(length.into()).read_to_end(&mut bytes);
        if read.map_err(cut)? < length as usize {
            return Err(damaged(path, "its end is missing"));
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&head);
        checksum.update(&bytes);
        if checksum.finalize().to_le_bytes() != expected {
            return Err(damaged(path, "its checksum is wrong"));
        }
        if kind.0 == Kind::End {
            let is_end = bytes == frames.to_le_bytes() && input.read(&mut [0]).map_err(cut)? == 0;
            return match is_end {
                true => Ok(()),
                false => Err(damaged(path, "it has too many or too few frames")),
            };
        }
        frames += 1;
        let batches = StreamReader::try_new(bytes.as_slice(), None);
        for batch in batches.map_err(|cause| not_decoded(path, cause))? {
            visit(kind, batch.map_err(|cause| not_decoded(path, cause))?)?;
        }
    }
}

fn not_decoded(path: &Path, cause: ArrowError) -> Error {
    let message = "its batches cannot be read";
    Error::new(ErrorKind::Checkpoint, damaged(path, message).message()).with_source(cause)
}
