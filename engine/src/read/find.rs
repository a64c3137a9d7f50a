//! Files by name, by pattern, and in folders.
#![forbid(unsafe_code)]

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

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

impl Find {
    /// The files behind paths and patterns, in the order of the arguments.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] naming the first path that is not there, or is a folder.
    pub fn files(self, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        Ok(self
            .find(paths)?
            .into_iter()
            .map(|found| found.path)
            .collect())
    }

    pub(crate) fn find(self, paths: &[PathBuf]) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for path in paths {
            self.one(path, &mut found)?;
        }
        Ok(found)
    }

    fn one(self, path: &Path, found: &mut Vec<Found>) -> Result<()> {
        if self.dash_is_stdin && path.as_os_str() == "-" {
            found.push(Found {
                path: path.to_path_buf(),
                size: None,
                is_stdin: true,
            });
            return Ok(());
        }
        match fs::metadata(path) {
            Ok(metadata) => self.existing(path, &metadata, found),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                self.pattern(path, cause, found)
            }
            Err(cause) => Err(cannot_open(path, cause)),
        }
    }

    fn existing(self, path: &Path, metadata: &Metadata, found: &mut Vec<Found>) -> Result<()> {
        if !metadata.is_dir() {
            found.push(Found {
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
                    "`{}` is a folder; -r reads the files in it",
                    shown_name(path)
                ),
            ));
        }
        folder(path, found)
    }

    /// Takes a path that is not there for a pattern.
    fn pattern(self, path: &Path, cause: io::Error, found: &mut Vec<Found>) -> Result<()> {
        let matches = path
            .to_str()
            .filter(|_| is_pattern(path))
            .and_then(|text| glob::glob_with(text, LIKE_A_SHELL).ok());
        let before = found.len();
        for entry in matches.into_iter().flatten() {
            let entry = entry.map_err(|cause| {
                let path = cause.path().to_path_buf();
                cannot_open(&path, io::Error::from(cause))
            })?;
            let metadata = fs::metadata(&entry).map_err(|cause| cannot_open(&entry, cause))?;
            self.existing(&entry, &metadata, found)?;
        }
        if found.len() == before && is_pattern(path) {
            let shown = shown_name(path);
            let message = format!("`{shown}` is no file and matches none; check the pattern");
            return Err(Error::new(ErrorKind::Source, message));
        }
        if found.len() == before {
            return Err(cannot_open(path, cause));
        }
        Ok(())
    }
}

/// Hidden files are found by a pattern only that begins with the dot.
const LIKE_A_SHELL: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// All regular files in a folder and the folders in it; linked folders are not entered.
fn folder(path: &Path, found: &mut Vec<Found>) -> Result<()> {
    let cannot = |cause| cannot_open(path, cause);
    let mut entries = fs::read_dir(path)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(cannot)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            folder(&path, found)?;
            continue;
        }
        let metadata = fs::metadata(&path).map_err(|cause| cannot_open(&path, cause))?;
        if metadata.is_file() {
            found.push(Found {
                size: Some(metadata.len()),
                path,
                is_stdin: false,
            });
        }
    }
    Ok(())
}

fn is_pattern(path: &Path) -> bool {
    let text = path.to_str();
    text.is_some_and(|text| text.contains(['*', '?', '[']))
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
