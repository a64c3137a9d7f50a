//! A file that is either wholly there or untouched.
//!
//! ```text
//! regular file, new name, or a symlink to either:
//!     write ─▶ .keymill-4711-0.tmp beside it ─▶ fsync ─▶ rename onto it ─▶ fsync of the folder
//! device, pipe, socket:
//!     write ─▶ itself
//! ```
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cannot_write;
use crate::shown_name;
use crate::{Error, Result};

/// More symlinks in a row than this are a circle.
const MOST_LINKS: usize = 40;

/// Temporary files that are neither renamed nor removed yet; `None` once all were given up.
static UNFINISHED: Mutex<Option<BTreeSet<PathBuf>>> = Mutex::new(Some(BTreeSet::new()));

/// Removes the temporary files of all outputs that were not committed, and stops any later commit.
///
/// For a process that must end at once, from a signal's thread.
pub fn abandon_unfinished() {
    let unfinished = unfinished().take();
    for path in unfinished.into_iter().flatten() {
        // The process ends; there is nobody left to tell.
        let _ = fs::remove_file(path);
    }
}

fn unfinished() -> MutexGuard<'static, Option<BTreeSet<PathBuf>>> {
    // A set of paths is whole at every moment, whoever panicked.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An output that replaces its file at the end and not before.
///
/// Dropped without [`OutputFile::commit`], it leaves the file as it was. A symlink stays and what
/// it points to is replaced; a replaced file's mode is kept.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use keymill::write::OutputFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("counts.tsv");
/// let mut output = OutputFile::create(&path)?;
/// output.write_all(b"to\t2\n")?;
/// assert!(!path.exists());
/// output.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"to\t2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OutputFile {
    file: Out,
    /// The path as the caller gave it, for messages.
    name: PathBuf,
    replacement: Option<Replacement>,
}

#[derive(Debug)]
enum Out {
    File(File),
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixStream),
}

/// What is renamed, and onto what.
#[derive(Debug)]
struct Replacement {
    temporary: PathBuf,
    target: PathBuf,
}

impl OutputFile {
    /// Opens an output.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`], naming the path, when it is a folder, may not be written, or the
    /// temporary file cannot be made beside it.
    pub fn create(path: &Path) -> Result<Self> {
        Self::open(path).map_err(|cause| refused(path, cause))
    }

    fn open(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => Self::direct(path, &found),
            Ok(found) => {
                // Renaming needs no right to write the file itself; who may not write it may not
                // replace it either.
                OpenOptions::new().write(true).open(path)?;
                Self::beside(path, fs::canonicalize(path)?, Some(found.permissions()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::beside(path, follow_links(path)?, None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes to what is no regular file.
    fn direct(path: &Path, found: &Metadata) -> io::Result<Self> {
        Ok(Self {
            file: open_special(path, found)?,
            name: path.to_owned(),
            replacement: None,
        })
    }

    /// Writes to a new file beside the target.
    fn beside(name: &Path, target: PathBuf, mode: Option<Permissions>) -> io::Result<Self> {
        if !may_be_file(&target) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let (file, temporary) = create_beside(&target, mode.is_some())?;
        let output = Self {
            file: Out::File(file),
            name: name.to_owned(),
            replacement: Some(Replacement { temporary, target }),
        };
        if let (Some(mode), Out::File(file)) = (mode, &output.file) {
            file.set_permissions(mode)?;
        }
        Ok(output)
    }

    /// Makes sure that the bytes are on the disk, and lets them take the file's place.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] when that fails; the file is as it was.
    /// [`crate::ErrorKind::Cancelled`] after [`abandon_unfinished`].
    pub fn commit(mut self) -> Result<()> {
        let Some(Replacement { temporary, target }) = &self.replacement else {
            return Ok(());
        };
        if let Out::File(file) = &self.file {
            file.sync_all()
                .map_err(|cause| refused(&self.name, cause))?;
        }
        // The lock is held over the rename, so that the temporary file is either given up or
        // renamed, never half of each.
        let mut unfinished = unfinished();
        let Some(unfinished) = unfinished.as_mut() else {
            return Err(Error::cancelled());
        };
        fs::rename(temporary, target).map_err(|cause| refused(&self.name, cause))?;
        unfinished.remove(temporary);
        sync_folder(target);
        self.replacement = None;
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.file {
            Out::File(file) => file.write(bytes),
            #[cfg(unix)]
            Out::Socket(socket) => socket.write(bytes),
        };
        // `write_all` goes on after an interruption, which must therefore stay one.
        written.map_err(|cause| match cause.kind() {
            io::ErrorKind::Interrupted => cause,
            kind => io::Error::new(kind, format!("`{}`: {cause}", shown_name(&self.name))),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(Replacement { temporary, .. }) = &self.replacement
            && let Some(unfinished) = unfinished().as_mut()
        {
            // Whoever dropped an output has a better error to tell.
            let _ = fs::remove_file(temporary);
            unfinished.remove(temporary);
        }
    }
}

fn refused(path: &Path, cause: io::Error) -> Error {
    cannot_write(&format!("`{}`", shown_name(path)), cause)
}

/// Tells whether a path's last part can be the name of a file; `new/` and `new/.` are a folder's,
/// which the system would say only when the file is there to be renamed.
fn may_be_file(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy();
    let last = text.rsplit(std::path::is_separator).next();
    last.is_some_and(|name| !["", ".", ".."].contains(&name))
}

/// Finds the name that a chain of symlinks to nothing ends in.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes a new file in the target's folder and notes it as unfinished.
fn create_beside(target: &Path, is_private: bool) -> io::Result<(File, PathBuf)> {
    let mut unfinished = unfinished();
    let Some(unfinished) = unfinished.as_mut() else {
        return Err(io::Error::other("the process is ending"));
    };
    for attempt in 0u64.. {
        let name = format!(".keymill-{}-{attempt}.tmp", std::process::id());
        let temporary = folder_of(target).join(name);
        match new_file(is_private).open(&temporary) {
            Ok(file) => {
                unfinished.insert(temporary.clone());
                return Ok((file, temporary));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A new file; private at first where it will replace one that may be private too.
#[cfg_attr(not(unix), expect(unused_variables, reason = "only unix knows modes"))]
fn new_file(is_private: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
}

#[cfg(unix)]
fn open_special(path: &Path, found: &Metadata) -> io::Result<Out> {
    use std::os::unix::fs::FileTypeExt;
    if found.file_type().is_socket() {
        return std::os::unix::net::UnixStream::connect(path).map(Out::Socket);
    }
    OpenOptions::new().write(true).open(path).map(Out::File)
}

#[cfg(not(unix))]
fn open_special(path: &Path, _found: &Metadata) -> io::Result<Out> {
    OpenOptions::new().write(true).open(path).map(Out::File)
}

/// Makes the new name last. The file has it by now, and some file systems refuse to sync folders.
fn sync_folder(target: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(target)) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = target;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write(path: &Path, bytes: &[u8]) -> Result<()> {
        let mut output = OutputFile::create(path)?;
        output.write_all(bytes).unwrap();
        output.commit()
    }

    #[test]
    fn a_file_changes_at_commit_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "old").unwrap();
        let mut output = OutputFile::create(&path).unwrap();
        output.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()).len(), 2);
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_dropped_output_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = OutputFile::create(&folder.path().join("out")).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_folder_and_a_missing_folder_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/out");
        for path in [folder.path(), &missing] {
            let error = OutputFile::create(path).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Sink);
            assert!(error.to_string().contains(&path.display().to_string()));
        }
    }

    #[test]
    fn the_name_of_a_folder_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["new/", "new/.", "new/..", "new//"] {
            let error = OutputFile::create(&folder.path().join(name)).unwrap_err();
            assert!(error.to_string().contains("; name a file: "), "{error}");
            assert_eq!(names(folder.path()), [""; 0], "{name}");
        }
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("new/", &link).unwrap();
            assert!(OutputFile::create(&link).is_err(), "through a link");
            assert_eq!(names(folder.path()), ["link"]);
        }
        write(&folder.path().join("new"), b"x").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_stays_and_its_target_keeps_its_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        let target = folder.path().join("deep/target");
        let link = folder.path().join("link");
        symlink("deep/target", &link).unwrap();
        for mode in [0o666, 0o604] {
            write(&link, b"through").unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read(&target).unwrap(), b"through");
            fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
            write(&link, b"again").unwrap();
            assert_eq!(
                fs::metadata(&target).unwrap().permissions().mode() & 0o777,
                mode
            );
        }
        assert_eq!(names(&folder.path().join("deep")), ["target"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_circle_of_symlinks_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("link", &link).unwrap();
        assert!(OutputFile::create(&link).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_written_directly() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        write(&path, b"hello").unwrap();
        let mut received = String::new();
        listener
            .accept()
            .unwrap()
            .0
            .read_to_string(&mut received)
            .unwrap();
        assert_eq!(received, "hello");
        assert_eq!(names(folder.path()), ["socket"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error_that_names_it() {
        let mut output = OutputFile::create(Path::new("/dev/full")).unwrap();
        let error = output.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("/dev/full"));
    }
}
