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
    let file = tempfile::NamedTempFile::new_in(folder).map_err(without_path)?;
    let (file, path) = file.into_parts();
    path.close()?;
    Ok(file)
}

/// A file that the system deletes when it is closed.
/// The system's own error: the one that is given names a file that nobody has asked for.
#[cfg(unix)]
fn without_path(cause: io::Error) -> io::Error {
    let inner = cause.get_ref().and_then(|it| it.source());
    let inner = inner.and_then(|it| it.downcast_ref::<io::Error>());
    match inner.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => cause.kind().into(),
    }
}

#[cfg(not(unix))]
fn create(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// What a write or the making of a file failed with, in words.
fn failed(folder: &Path, cause: io::Error) -> Error {
    use io::ErrorKind::{
        FileTooLarge, NotADirectory, NotFound, QuotaExceeded, StorageFull, WriteZero,
    };
    match cause.kind() {
        StorageFull | QuotaExceeded | FileTooLarge | WriteZero => full(folder, Some(cause)),
        kind => {
            let advice = match kind {
                NotFound | NotADirectory => "make that folder, or name another one",
                _ if has_too_many_files(&cause) => "allow this process more open files (ulimit -n)",
                _ => "name a folder that can be written to as the spill folder",
            };
            let message = format!("cannot spill to `{}`; {advice}", shown_name(folder));
            Error::new(ErrorKind::State, message).with_source(cause)
        }
    }
}

/// Whether the process, or the system, has as many files open as it may.
#[cfg(unix)]
fn has_too_many_files(cause: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(cause.raw_os_error(), Some(ENFILE | EMFILE))
}

#[cfg(not(unix))]
fn has_too_many_files(_: &io::Error) -> bool {
    false
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
        for words in ["`no/such/folder`", "make that folder"] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn too_many_open_files_are_said_to_be_that() {
        let cause = || io::Error::from_raw_os_error(24);
        let error = failed(Path::new("some/folder"), cause());
        for words in ["`some/folder`", "ulimit -n", "open files"] {
            assert!(error.to_string().contains(words), "{error}");
        }
        // As the crate gives it that makes the file.
        #[derive(Debug)]
        struct OfPath(io::Error);
        impl std::fmt::Display for OfPath {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("at a path")
            }
        }
        impl std::error::Error for OfPath {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let wrapped = io::Error::new(cause().kind(), OfPath(cause()));
        assert_eq!(without_path(wrapped).raw_os_error(), Some(24));
    }
}
