//! The file of a spill space. Any thread can append to it and read it at offsets.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// A file without a name that is only appended to.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    end: AtomicU64,
    folder: PathBuf,
}

impl Disk {
    /// Creates a file of mode 0600 in `folder` and removes its name.
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

    /// Returns the folder of the file.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes `bytes` to the end of the file and returns their offset.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] when the disk is full, otherwise [`ErrorKind::State`].
    pub(super) fn append(&self, bytes: &[u8]) -> Result<u64> {
        let offset = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        write_all_at(&self.file, bytes, offset).map_err(|cause| failed(&self.folder, cause))?;
        Ok(offset)
    }

    /// Frees the disk space of bytes that are no longer needed, if the system can do that. Otherwise
    /// all space is freed when the file is closed.
    pub(super) fn free(&self, offset: u64, length: u64) {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // Some file systems cannot punch holes.
            let _ = fallocate(&self.file, hole, offset, length);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (offset, length);
    }

    /// Returns the file's size on disk in bytes.
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

/// Creates a file of mode 0600 without a name.
///
/// `tempfile_in` is not used, because on Linux the mode of its file depends on the umask. `make_in`
/// also keeps the system's error number.
#[cfg(unix)]
fn create(folder: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = tempfile::Builder::new().make_in(folder, |path| options.open(path))?;
    let (file, path) = file.into_parts();
    path.close()?;
    Ok(file)
}

/// Creates a file that the system deletes when it is closed.
#[cfg(not(unix))]
fn create(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// Returns the error for a failed write or a file that cannot be created.
fn failed(folder: &Path, cause: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    if let StorageFull | QuotaExceeded | FileTooLarge | WriteZero = cause.kind() {
        return full(folder, Some(cause));
    }
    let advice = advice(&cause);
    let folder = shown_name(folder);
    let message = format!("cannot spill to `{folder}`: {advice}");
    Error::new(ErrorKind::State, message).with_source(cause)
}

/// Returns what is wrong and what to do.
fn advice(cause: &io::Error) -> &'static str {
    if has_too_many_files(cause) {
        return "too many open files; raise the limit (ulimit -n)";
    }
    match cause.kind() {
        io::ErrorKind::NotFound => {
            "the folder does not exist; create it, or choose another spill folder"
        }
        io::ErrorKind::NotADirectory => "this is not a folder; choose another spill folder",
        _ => "choose a spill folder that can be written to",
    }
}

/// Returns whether the process or the system has no free file descriptor.
fn has_too_many_files(cause: &io::Error) -> bool {
    // ENFILE and EMFILE have these numbers on every Unix, and no `ErrorKind`.
    cfg!(unix) && matches!(cause.raw_os_error(), Some(23 | 24))
}

/// Returns the error for a spill folder without free space.
pub(super) fn full(folder: &Path, cause: Option<io::Error>) -> Error {
    let error = Error::new(
        ErrorKind::Capacity,
        format!(
            "the spill folder `{}` is full; free some space there, choose another spill folder, or allow more memory",
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
    fn a_full_disk_has_its_own_kind() {
        let folder = Path::new("some/folder");
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = failed(folder, kind.into());
            assert_eq!(error.kind(), ErrorKind::Capacity);
            assert!(error.to_string().contains("some/folder"), "{error}");
        }
    }

    fn assert_says(error: &Error, words: &str) {
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Disk::create(Path::new("no/such/folder")).unwrap_err();
        assert_says(&error, "`no/such/folder`: the folder does not exist");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Disk::create(file.path()).unwrap_err();
        assert_says(&error, "this is not a folder");
    }

    #[test]
    #[cfg(unix)]
    fn the_limit_of_open_files_is_named() {
        for number in [23, 24] {
            let error = failed(Path::new("."), io::Error::from_raw_os_error(number));
            assert_says(&error, "too many open files; raise the limit (ulimit -n)");
        }
    }
}
