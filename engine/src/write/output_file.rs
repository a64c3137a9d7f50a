//! An output file that is replaced completely or not at all.
//!
//! ```text
//! regular file, new name, or a symlink to either:
//!     write ─▶ a file without a name, in its folder ─▶ fsync ─▶ .keymill-4711-0.tmp
//!           ─▶ rename onto it ─▶ fsync of the folder
//!     (if the file system has no files without names, the temporary file has its name from the start;
//!     a new file needs no temporary name)
//! regular file that a file system is mounted on, which cannot be replaced:
//!     write ─▶ the file, from its start
//! device, pipe, socket, descriptor:
//!     write ─▶ it directly
//! ```
#![forbid(unsafe_code)]

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::cannot_write;
use crate::shown_name;
use crate::{Error, Result};

/// Maximum length of a chain of symlinks; a longer chain is treated as a cycle.
pub(super) const MOST_LINKS: usize = 40;

/// An output that replaces its file on [`OutputFile::commit`].
///
/// Without a commit the file is not changed. If the path is a symlink, its target is replaced. The new
/// file gets the permissions of the old one, without the set-user-ID, set-group-ID and sticky bits,
/// and its owner and group if the system allows it.
///
/// A file that a file system is mounted on cannot be replaced. It is written in place, and the first
/// write truncates it. Devices, pipes and sockets are written directly. A path of an open descriptor
/// (`/dev/fd/3`) is that descriptor.
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
    /// The caller's path, for messages.
    name: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Out {
    File(File),
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixStream),
}

/// What a commit does.
#[derive(Debug)]
enum Target {
    /// Nothing: the bytes are written to the output directly.
    Itself,
    /// The file is written in place and truncated before the first write.
    InPlace { is_cut: bool },
    /// A new file replaces the old one.
    Replaced(Replacement),
}

/// A temporary file and the file that it replaces.
#[derive(Debug)]
struct Replacement {
    /// `None` while the temporary file has no name.
    temporary: Option<PathBuf>,
    target: PathBuf,
}

impl OutputFile {
    /// Opens an output.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] naming the path, if it is a folder, may not be written, or the
    /// temporary file cannot be created in its folder.
    pub fn create(path: &Path) -> Result<Self> {
        Self::open(path).map_err(|cause| refused(path, cause))
    }

    fn open(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(number) = super::descriptor::named(path) {
            let file = super::descriptor::open(number, path)?;
            return Ok(Self::to(Out::File(file), path, Target::Itself));
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                let file = open_special(path, &found)?;
                Ok(Self::to(file, path, Target::Itself))
            }
            Ok(found) => {
                // Renaming does not need write permission for the file itself. Check it here, so that
                // a read-only file is not replaced.
                let file = OpenOptions::new().write(true).open(path)?;
                if is_mounted_on(&file) {
                    let target = Target::InPlace { is_cut: false };
                    return Ok(Self::to(Out::File(file), path, target));
                }
                Self::beside(path, fs::canonicalize(path)?, Some(&found))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::beside(path, follow_links(path)?, None)
            }
            Err(error) => Err(error),
        }
    }

    fn to(file: Out, name: &Path, target: Target) -> Self {
        let name = name.to_owned();
        Self { file, name, target }
    }

    /// Creates a new file in the target's folder, with the owner and permissions of the old one.
    fn beside(name: &Path, target: PathBuf, old: Option<&Metadata>) -> io::Result<Self> {
        if !may_be_file(&target) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let (file, temporary) = create_beside(&target, old.is_some())?;
        let replacement = Replacement { temporary, target };
        let output = Self::to(Out::File(file), name, Target::Replaced(replacement));
        if let (Some(old), Out::File(file)) = (old, &output.file) {
            take_over(file, old)?;
        }
        Ok(output)
    }

    /// Returns the path of the temporary file, if it has one. A process that exits without dropping its
    /// outputs must remove this file.
    #[must_use]
    pub fn temporary(&self) -> Option<&Path> {
        match &self.target {
            Target::Replaced(replacement) => replacement.temporary.as_deref(),
            _ => None,
        }
    }

    /// Syncs the bytes to disk and replaces the file.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] if that fails. Then the file is unchanged, unless it is written in
    /// place.
    pub fn commit(mut self) -> Result<()> {
        self.finish().map_err(|cause| refused(&self.name, cause))
    }

    fn finish(&mut self) -> io::Result<()> {
        if matches!(self.target, Target::Itself) {
            return Ok(());
        }
        self.cut()?;
        let Out::File(file) = &self.file else {
            return Ok(());
        };
        file.sync_all()?;
        if let Target::Replaced(replacement) = &mut self.target {
            replacement.replace(file)?;
            sync_folder(&replacement.target);
            self.target = Target::Itself;
        }
        Ok(())
    }

    /// Truncates a file that is written in place, before the first write.
    fn cut(&mut self) -> io::Result<()> {
        if let (Target::InPlace { is_cut }, Out::File(file)) = (&mut self.target, &self.file)
            && !*is_cut
        {
            file.set_len(0)?;
            *is_cut = true;
        }
        Ok(())
    }
}

impl Replacement {
    fn replace(&mut self, file: &File) -> io::Result<()> {
        if self.temporary.is_none() {
            match link(file, &self.target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done,
            }
            self.temporary = Some(unused_name(&self.target, |path| link(file, path))?.1);
        }
        let temporary = self.temporary.as_ref();
        fs::rename(temporary.expect("it was just named"), &self.target)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.cut().and_then(|()| match &mut self.file {
            Out::File(file) => file.write(bytes),
            #[cfg(unix)]
            Out::Socket(socket) => socket.write(bytes),
        });
        // `write_all` tries again after `Interrupted`, so that kind must be kept.
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
        if let Some(temporary) = self.temporary() {
            // Ignored: the caller already has an error to report.
            let _ = fs::remove_file(temporary);
        }
    }
}

fn refused(path: &Path, cause: io::Error) -> Error {
    cannot_write(&format!("`{}`", shown_name(path)), cause)
}

/// Returns whether a path's last part can be a file name. `new/` and `new/.` can only be folders; the
/// system would report that only at the rename.
fn may_be_file(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy();
    let last = text.rsplit(std::path::is_separator).next();
    last.is_some_and(|name| !["", ".", ".."].contains(&name))
}

/// Returns the path at the end of a chain of symlinks. The path does not exist.
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

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Creates a file in the target's folder, without a name if the file system supports that.
fn create_beside(target: &Path, is_private: bool) -> io::Result<(File, Option<PathBuf>)> {
    #[cfg(target_os = "linux")]
    {
        let mode = if is_private { 0o600 } else { 0o666 };
        if let Some(file) = super::unnamed::create(folder_of(target), mode) {
            return Ok((file, None));
        }
    }
    let (file, path) = unused_name(target, |path| new_file(is_private).open(path))?;
    Ok((file, Some(path)))
}

/// Creates a temporary file with `make`, under the first unused name.
fn unused_name<T>(
    target: &Path,
    mut make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    for attempt in 0u64.. {
        let name = format!(".keymill-{}-{attempt}.tmp", std::process::id());
        let path = folder_of(target).join(name);
        match make(&path) {
            Ok(made) => return Ok((made, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    super::unnamed::link(file, path)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns whether a file is a mount point, as when a container mounts a single file. Such a file
/// cannot be replaced; the system would report that only at the rename.
#[cfg(target_os = "linux")]
fn is_mounted_on(file: &File) -> bool {
    use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};
    let found = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::TYPE);
    found.is_ok_and(|it| it.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mounted_on(_: &File) -> bool {
    false
}

/// Sets a new file's owner and group to those of the old one, as far as the system allows it, and its
/// permissions. The special bits are dropped: they were not granted for the new content.
#[cfg(unix)]
fn take_over(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let now = file.metadata()?;
    let is_other = (now.uid(), now.gid()) != (old.uid(), old.gid());
    if is_other && fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
        let _ = fchown(file, None, Some(old.gid()));
    }
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))
}

#[cfg(not(unix))]
fn take_over(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

/// Returns the options for a new file. It is private at first if it replaces a file that may be
/// private.
#[cfg_attr(not(unix), expect(unused_variables, reason = "only unix has modes"))]
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

/// Syncs the folder so that the new name survives a crash. Errors are ignored, because the file is
/// already replaced and some file systems cannot sync folders.
fn sync_folder(target: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(target)) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = target;
}

#[cfg(test)]
mod tests;
