//! The file behind a spill space: appended to and read at offsets, by any thread.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// A nameless file that grows at its end.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    end: AtomicU64,
    folder: PathBuf,
}

impl Disk {
    /// Makes a file of mode 0600 in `folder` and takes its name away.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] naming the folder.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let file = create(folder).map_err(|cause| failed(folder, cause))?;
        Ok(Self {
            file,
            end: AtomicU64::new(0),
            folder: folder.to_owned(),
        })
    }

    /// Where the file was made.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes `bytes` behind what was written, and says where they begin.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] when the disk is full, otherwise [`ErrorKind::State`].
    pub(super) fn append(&self, bytes: &[u8]) -> Result<u64> {
        let offset = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        write_all_at(&self.file, bytes, offset).map_err(|cause| failed(&self.folder, cause))?;
        Ok(offset)
    }

    /// Gives back the room of bytes that are needed no more, where the system can; a file that
    /// grows for an hour is otherwise as long as all that was ever written.
    pub(super) fn free(&self, offset: u64, length: u64) {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // Some file systems cannot; then it is given back with the file.
            let _ = fallocate(&self.file, hole, offset, length);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (offset, length);
    }

    /// How many bytes of the disk the file takes.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn room(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        self.file.metadata().unwrap().blocks() * 512
    }

    /// Damages the file.
    #[cfg(test)]
    pub(super) fn overwrite(&self, bytes: &[u8], offset: u64) {
        write_all_at(&self.file, bytes, offset).unwrap();
    }

    /// Reads some bytes at an offset.
    pub(super) fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(&self.file, bytes, offset)
    }
}

/// A file that only its owner may open, and that has lost its name.
///
/// Not `tempfile_in`: on Linux that never has a name, but its mode is left to the umask.
#[cfg(unix)]
fn create(folder: &Path) -> io::Result<File> {
    let file = tempfile::NamedTempFile::new_in(folder);
    // The error would name a file that nobody has asked for.
    let (file, path) = file.map_err(|cause| cause.kind())?.into_parts();
    path.close()?;
    Ok(file)
}

/// A file that the system deletes when it is closed.
#[cfg(not(unix))]
fn create(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// What a write or the making of a file failed with, in words.
fn failed(folder: &Path, cause: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    match cause.kind() {
        StorageFull | QuotaExceeded | FileTooLarge | WriteZero => full(folder, Some(cause)),
        _ => Error::new(
            ErrorKind::State,
            format!(
                "cannot spill to `{}`; name a folder that can be written to as the spill folder",
                shown_name(folder)
            ),
        )
        .with_source(cause),
    }
}

/// The error of a spill folder without room.
pub(super) fn full(folder: &Path, cause: Option<io::Error>) -> Error {
    let error = Error::new(
        ErrorKind::Capacity,
        format!(
            "the spill folder `{}` is full; make room there, name another spill folder, or allow more memory",
            shown_name(folder)
        ),
    );
    match cause {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_missing_folder() {
        let folder = Path::new("some/folder");
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = failed(folder, kind.into());
            assert_eq!(error.kind(), ErrorKind::Capacity);
            assert!(error.to_string().contains("some/folder"), "{error}");
        }
        let error = Disk::create(Path::new("no/such/folder")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }
}
