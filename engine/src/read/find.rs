//! Finds files by name, by pattern, and in folders.
#![forbid(unsafe_code)]

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pattern::{is_pattern, matches};
use super::{Storage, StoragePath, StoredFile, stored};
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// How paths are turned into files.
///
/// # Examples
///
/// ```
/// use keymill::read::Find;
///
/// let error = Find::default().files(&["src".into()]).unwrap_err();
/// assert!(error.to_string().contains("folder"));
/// let files = Find { recursive: true, ..Find::default() }.files(&["src".into()])?;
/// assert!(files.len() > 1);
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Find {
    /// Reads all files in folders and their subfolders, ordered by name.
    pub recursive: bool,
    /// Reads standard input for the path `-`.
    pub dash_is_stdin: bool,
}

/// A file, a pipe or standard input that was found.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Size in bytes of a regular file.
    pub(crate) size: Option<u64>,
    pub(crate) is_stdin: bool,
    /// The storage that it is in, if that is not the local file system.
    pub(crate) stored: Option<(Arc<dyn Storage>, StoredFile)>,
}

/// The files of paths and patterns.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) found: Vec<Found>,
    /// Broken or circular symlinks in folders and among the matches of patterns.
    pub(crate) skipped: Vec<PathBuf>,
}

impl Find {
    /// Returns the files of paths and patterns, in the order of the arguments. Broken symlinks in
    /// folders and among the matches of a pattern are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] naming the first path that does not exist, or is a folder.
    pub fn files(self, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        Ok(self
            .find(paths)?
            .found
            .into_iter()
            .map(|found| found.path)
            .collect())
    }

    pub(crate) fn find(self, paths: &[PathBuf]) -> Result<Files> {
        self.find_with(paths, |_| Ok(None))
    }

    /// Finds files, some of them in other storages than the local file system.
    pub(super) fn find_with(
        self,
        paths: &[PathBuf],
        storages: impl Fn(&str) -> Result<Option<StoragePath>>,
    ) -> Result<Files> {
        let mut files = Files::default();
        for path in paths {
            let stored = path.to_str().map(&storages).transpose()?.flatten();
            match stored {
                Some(place) => files.found.extend(stored::find(&place, self)?),
                None => self.one(path, &mut files)?,
            }
        }
        Ok(files)
    }

    fn one(self, path: &Path, files: &mut Files) -> Result<()> {
        if self.dash_is_stdin && path.as_os_str() == "-" {
            files.found.push(Found {
                path: path.to_path_buf(),
                size: None,
                is_stdin: true,
                stored: None,
            });
            return Ok(());
        }
        match fs::metadata(path) {
            Ok(metadata) => self.existing(path, &metadata, files),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                self.pattern(path, cause, files)
            }
            Err(cause) => Err(cannot_open(path, cause)),
        }
    }

    fn existing(self, path: &Path, metadata: &Metadata, files: &mut Files) -> Result<()> {
        if !metadata.is_dir() {
            files.found.push(Found {
                path: path.to_path_buf(),
                size: metadata.is_file().then_some(metadata.len()),
                is_stdin: false,
                stored: None,
            });
            return Ok(());
        }
        if !self.recursive {
            return Err(Error::new(
                ErrorKind::Source,
                format!(
                    "`{}` is a folder, and reading folders is not enabled",
                    shown_name(path)
                ),
            )
            .with_source(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        folder(path, files)
    }

    /// Adds the matches of a pattern, which is a path that does not exist.
    fn pattern(self, path: &Path, cause: io::Error, files: &mut Files) -> Result<()> {
        if !is_pattern(path) {
            return Err(cannot_open(path, cause));
        }
        let found = matches(path)?;
        if found.is_empty() {
            let shown = shown_name(path);
            let message = format!("no file is called `{shown}` or matches it; check the pattern");
            return Err(Error::new(ErrorKind::Source, message));
        }
        for path in found {
            if let Some(metadata) = follow(&path, files)? {
                self.existing(&path, &metadata, files)?;
            }
        }
        Ok(())
    }
}

/// Adds all regular files in a folder and its subfolders. Symlinks to folders are not followed.
fn folder(path: &Path, files: &mut Files) -> Result<()> {
    let cannot = |cause| cannot_open(path, cause);
    let mut entries = fs::read_dir(path)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(cannot)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            folder(&path, files)?;
            continue;
        }
        let metadata = follow(&path, files)?.filter(Metadata::is_file);
        files.found.extend(metadata.map(|metadata| Found {
            size: Some(metadata.len()),
            path,
            is_stdin: false,
            stored: None,
        }));
    }
    Ok(())
}

/// Returns the metadata of a path or of a symlink's target. A broken symlink is added to `skipped`.
fn follow(path: &Path, files: &mut Files) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(_) if path.is_symlink() && !has_target(path) => {
            files.skipped.push(path.to_path_buf());
            Ok(None)
        }
        Err(cause) => Err(cannot_open(path, cause)),
    }
}

/// Returns whether a symlink has a target, even one that may not be accessed.
fn has_target(path: &Path) -> bool {
    match fs::canonicalize(path) {
        Ok(_) => true,
        Err(cause) => cause.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// Returns the error for a path that cannot be opened.
pub(crate) fn cannot_open(path: &Path, cause: io::Error) -> Error {
    let (shown, advice) = (shown_name(path), advice(cause.kind()));
    let message = format!("`{shown}` cannot be opened; {advice}");
    Error::new(ErrorKind::Source, message).with_source(cause)
}

/// Returns advice for an input that cannot be opened or read.
pub(super) fn advice(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    match kind {
        NotFound | NotADirectory => "check the name",
        PermissionDenied => "check its permissions",
        IsADirectory => "name the files in it",
        _ => "check whether other programs can read it",
    }
}
