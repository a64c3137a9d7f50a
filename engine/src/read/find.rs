//! Files by name, by pattern, and in folders.
#![forbid(unsafe_code)]

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::pattern::{is_pattern, matches};
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// How paths become files.
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
    /// Takes all files in folders and the folders in them, in the order of their names.
    pub recursive: bool,
    /// Reads standard input where the path is `-`.
    pub dash_is_stdin: bool,
}

/// Something to read, found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Bytes, where the file is a regular one.
    pub(crate) size: Option<u64>,
    pub(crate) is_stdin: bool,
}

/// What paths and patterns stand for.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) found: Vec<Found>,
    /// Symlinks that lead nowhere, or in a circle; nobody has named them.
    pub(crate) skipped: Vec<PathBuf>,
}

impl Find {
    /// The files behind paths and patterns, in the order of the arguments. Symlinks in folders, and
    /// those that match a pattern, are passed over if they lead to nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] naming the first path that is not there, or is a folder.
    pub fn files(self, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        Ok(self
            .find(paths)?
            .found
            .into_iter()
            .map(|found| found.path)
            .collect())
    }

    pub(crate) fn find(self, paths: &[PathBuf]) -> Result<Files> {
        let mut files = Files::default();
        for path in paths {
            self.one(path, &mut files)?;
        }
        Ok(files)
    }

    fn one(self, path: &Path, files: &mut Files) -> Result<()> {
        if self.dash_is_stdin && path.as_os_str() == "-" {
            files.found.push(Found {
                path: path.to_path_buf(),
                size: None,
                is_stdin: true,
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
            });
            return Ok(());
        }
        if !self.recursive {
            return Err(Error::new(
                ErrorKind::Source,
                format!(
                    "`{}` is a folder, and its files were not asked for",
                    shown_name(path)
                ),
            )
            .with_source(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        folder(path, files)
    }

    /// Takes a path that is not there for a pattern.
    fn pattern(self, path: &Path, cause: io::Error, files: &mut Files) -> Result<()> {
        if !is_pattern(path) {
            return Err(cannot_open(path, cause));
        }
        let found = matches(path)?;
        if found.is_empty() {
            let shown = shown_name(path);
            let message = format!("`{shown}` is no file and matches none; check the pattern");
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

/// All regular files in a folder and the folders in it; linked folders are not entered.
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
        }));
    }
    Ok(())
}

/// What is at a path, or at the end of a symlink; none, which is noted, for a symlink without an end.
fn follow(path: &Path, files: &mut Files) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(_) if path.is_symlink() && !has_end(path) => {
            files.skipped.push(path.to_path_buf());
            Ok(None)
        }
        Err(cause) => Err(cannot_open(path, cause)),
    }
}

/// Whether a symlink leads to something, though it may not be looked at.
fn has_end(path: &Path) -> bool {
    match fs::canonicalize(path) {
        Ok(_) => true,
        Err(cause) => cause.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// The error of a path that cannot be opened.
pub(crate) fn cannot_open(path: &Path, cause: io::Error) -> Error {
    let (shown, advice) = (shown_name(path), advice(cause.kind()));
    let message = format!("`{shown}` cannot be opened; {advice}");
    Error::new(ErrorKind::Source, message).with_source(cause)
}

/// What to do about an input that cannot be had.
pub(super) fn advice(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    match kind {
        NotFound | NotADirectory => "check the name",
        PermissionDenied => "check who may read it",
        IsADirectory => "name the files in it",
        _ => "see whether other programs can read it",
    }
}
