//! What a source has received, on disk until it is committed.
//!
//! ```text
//! received ─▶ START-END, with checksums ─▶ range of an epoch ─▶ commit ─▶ removed
//! ```

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::OffsetRange;
use crate::shown_name;
use crate::stream::checkpoint::atomic_file;
use crate::stream::checkpoint::lock::Lock;
use crate::{Error, ErrorKind, Result};

/// The first bytes of a segment: its form.
const FORM: &[u8] = b"keymill log 1\n";

/// Segments of a log, one for each range that an epoch reads. A segment appears complete or not at all.
#[derive(Debug)]
pub(super) struct WriteAheadLog {
    folder: PathBuf,
    /// Ranges that were received by a run before and are in no epoch.
    pending: VecDeque<(u64, u64)>,
    /// Another query would read and remove what is of this one.
    _lock: Lock,
}

impl WriteAheadLog {
    /// Opens the log in a folder, which is made, after `given` bytes were committed.
    pub(super) fn open(folder: &Path, given: u64) -> Result<Self> {
        let cannot_use = |cause| {
            let message = format!("cannot use the log `{}`", shown_name(folder));
            Error::new(ErrorKind::Source, message).with_source(cause)
        };
        fs::create_dir_all(folder).map_err(cannot_use)?;
        let lock = Lock::take("log", folder)?;
        let mut pending = segments(folder, given).map_err(cannot_use)?;
        pending.sort_unstable();
        let mut end = given;
        for &(start, next) in &pending {
            if start != end {
                let message = format!(
                    "the log `{}` goes on at byte {start}, and the checkpoint at byte {end}: they \
                     do not belong together; name an empty folder, or the log of this checkpoint",
                    shown_name(folder)
                );
                return Err(Error::new(ErrorKind::Checkpoint, message));
            }
            end = next;
        }
        Ok(Self {
            folder: folder.to_owned(),
            pending: pending.into(),
            _lock: lock,
        })
    }

    /// The end of all that was received.
    pub(super) fn end(&self) -> Option<u64> {
        self.pending.back().map(|&(_, end)| end)
    }

    /// The next range of a run before.
    pub(super) fn next_pending(&mut self) -> Option<OffsetRange> {
        let (start, end) = self.pending.pop_front()?;
        Some(OffsetRange::numbers(start, end))
    }

    /// Makes a range durable.
    pub(super) fn append(&self, range: &OffsetRange, blocks: &[Vec<u8>]) -> Result<()> {
        let fill = |out: &mut dyn Write| {
            out.write_all(FORM)?;
            for block in blocks {
                out.write_all(&(block.len() as u64).to_le_bytes())?;
                out.write_all(&crc32fast::hash(block).to_le_bytes())?;
                out.write_all(block)?;
            }
            Ok(())
        };
        atomic_file::write(&self.path(range), fill, &|| {})
    }

    /// The blocks of a range. It is not pending any more.
    pub(super) fn read(&mut self, range: &OffsetRange) -> Result<Vec<Vec<u8>>> {
        let path = self.path(range);
        let bytes = fs::read(&path).map_err(|cause| atomic_file::cannot_read(&path, cause))?;
        let is_all = |blocks: &Vec<Vec<u8>>| {
            let bytes: usize = blocks.iter().map(Vec::len).sum();
            let numbers = range.as_numbers();
            numbers.is_some_and(|(start, end)| end - start == bytes as u64)
        };
        let blocks = blocks(&bytes).filter(is_all).ok_or_else(|| {
            atomic_file::damaged(&path, "a checksum is wrong, or its end is missing")
        })?;
        let end = range.end.as_u64().unwrap_or(0);
        self.pending.retain(|&(_, other)| other > end);
        Ok(blocks)
    }

    /// Removes a range that no restart needs.
    pub(super) fn commit(&self, range: &OffsetRange) -> Result<()> {
        match fs::remove_file(self.path(range)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                let message = format!("cannot remove `{}`", shown_name(self.path(range)));
                Err(Error::new(ErrorKind::Source, message).with_source(cause))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, range: &OffsetRange) -> PathBuf {
        let (start, end) = range.as_numbers().unwrap_or_default();
        self.folder.join(format!("{start:020}-{end:020}"))
    }
}

/// The ranges of the segments after `given`. Segments that are committed or not complete are removed.
fn segments(folder: &Path, given: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let (name, is_whole) = match name.strip_suffix(".tmp") {
            Some(name) => (name, false),
            None => (name, true),
        };
        let numbers = name.split_once('-');
        let numbers = numbers.and_then(|(start, end)| start.parse().ok().zip(end.parse().ok()));
        match numbers {
            Some((_, end)) if !is_whole || end <= given => fs::remove_file(entry.path())?,
            Some(range) => segments.push(range),
            // A file of another program.
            None => {}
        }
    }
    Ok(segments)
}

/// The blocks of a segment, if it is whole.
fn blocks(segment: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = segment.strip_prefix(FORM)?;
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<8>()?;
        let (checksum, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (block, after) = after.split_at_checked(length)?;
        if crc32fast::hash(block) != u32::from_le_bytes(*checksum) {
            return None;
        }
        blocks.push(block.to_vec());
        rest = after;
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> OffsetRange {
        OffsetRange::numbers(start, end)
    }

    #[test]
    fn what_was_received_comes_back_until_it_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let blocks = [b"to be\n".to_vec(), b"or\n".to_vec()];
        let log = WriteAheadLog::open(folder.path(), 7).unwrap();
        log.append(&range(7, 16), &blocks).unwrap();
        log.append(&range(16, 19), &blocks[1..]).unwrap();
        fs::write(
            folder
                .path()
                .join("00000000000000000019-00000000000000000022.tmp"),
            "torn",
        )
        .unwrap();
        fs::write(folder.path().join("notes"), "of somebody else").unwrap();

        let error = WriteAheadLog::open(folder.path(), 0).unwrap_err();
        let says = format!("is in use by process {}", std::process::id());
        assert!(error.message().contains(&says), "{error}");
        drop(log);
        let mut log = WriteAheadLog::open(folder.path(), 7).unwrap();
        assert_eq!(log.end(), Some(19));
        assert_eq!(log.next_pending(), Some(range(7, 16)));
        assert_eq!(log.read(&range(7, 16)).unwrap(), blocks);
        log.commit(&range(7, 16)).unwrap();
        log.commit(&range(7, 16)).unwrap();
        drop(log);
        let mut log = WriteAheadLog::open(folder.path(), 16).unwrap();
        // A replay of an epoch takes the range before it is pending.
        assert_eq!(log.read(&range(16, 19)).unwrap(), blocks[1..]);
        assert_eq!(log.next_pending(), None);
        // The lock and the notes are there, too.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        drop(log);
        // A kill came between the commit of the epoch and the removal.
        let log = WriteAheadLog::open(folder.path(), 19).unwrap();
        assert_eq!(log.end(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_of_another_checkpoint_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let log = WriteAheadLog::open(folder.path(), 7).unwrap();
        log.append(&range(7, 9), &[b"a\n".to_vec()]).unwrap();
        drop(log);
        for given in [0, 6, 8] {
            let error = WriteAheadLog::open(folder.path(), given).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Checkpoint);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_missing_end_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let blocks = [b"to be\n".to_vec(), b"or\n".to_vec()];
        let mut log = WriteAheadLog::open(folder.path(), 0).unwrap();
        log.append(&range(0, 9), &blocks).unwrap();
        let path = log.path(&range(0, 9));
        let whole = fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let error = log.read(&range(0, 9)).unwrap_err();
            assert!(error.to_string().contains("damaged"), "{error}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            // Whole blocks at the front are less than the range says.
            let read = log.read(&range(0, 9));
            assert!(read.is_err(), "{length} bytes");
        }
    }
}
