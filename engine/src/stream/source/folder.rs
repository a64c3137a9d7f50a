//! New files of a folder, each taken once.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{EpochInput, EpochLimits, History, OffsetRange, Replay, SourceContext, StreamSource};
use crate::read::{FileSource, Find};
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// The files that appear in a folder. Every file is read once, the oldest first.
///
/// A file must be complete when it appears: write it elsewhere and rename it into the folder. Names that
/// begin with `.` or `_`, and names that end with `.tmp`, are ignored, and so are subfolders. Files must
/// stay until their epoch is committed.
pub struct FolderSource {
    folder: PathBuf,
    /// The names of all files that were chosen.
    seen: HashSet<String>,
    /// The names of the files of committed epochs, in order.
    committed: Vec<String>,
}

struct Found {
    modified: SystemTime,
    name: String,
    bytes: u64,
}

impl FolderSource {
    /// Reads the files of a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            seen: HashSet::new(),
            committed: Vec::new(),
        }
    }

    /// The files that were not chosen before, the oldest first.
    fn new_files(&self) -> Result<Vec<Found>> {
        let files = fs::read_dir(&self.folder).map_err(|cause| self.cannot_read(cause))?;
        let mut found = Vec::new();
        for file in files {
            let file = file.map_err(|cause| self.cannot_read(cause))?;
            let Ok(name) = file.file_name().into_string() else {
                continue;
            };
            if is_ignored(&name) || self.seen.contains(&name) {
                continue;
            }
            // A file that is gone again is not there.
            let Ok(metadata) = fs::metadata(file.path()) else {
                continue;
            };
            if metadata.is_file() {
                found.push(Found {
                    modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    name,
                    bytes: metadata.len(),
                });
            }
        }
        found.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
        Ok(found)
    }

    fn cannot_read(&self, cause: std::io::Error) -> Error {
        let message = format!("cannot read the folder `{}`", shown_name(&self.folder));
        Error::new(ErrorKind::Source, message).with_source(cause)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn is_ignored(name: &str) -> bool {
    name.starts_with(['.', '_']) || name.ends_with(".tmp")
}

/// The names in the end of a range.
fn names_of(range: &OffsetRange) -> impl Iterator<Item = &str> {
    let files = range.end.get("files").and_then(Value::as_array);
    let files = files.into_iter().flatten();
    files.filter_map(|file| file.get("name").and_then(Value::as_str))
}

impl StreamSource for FolderSource {
    fn describe(&self) -> String {
        format!("dir:{}", shown_name(&self.folder))
    }

    fn kind(&self) -> &'static str {
        "dir"
    }

    fn replay(&self) -> Replay {
        Replay::SameBytes
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        let History { position, ranges } = context.history;
        let names = position.as_ref().and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        self.committed = names.map(str::to_owned).collect();
        let later = ranges.iter().flat_map(names_of).map(str::to_owned);
        self.committed.extend(later);
        self.seen = self.committed.iter().cloned().collect();
        self.new_files().map(|_| ())
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let mut files = self.new_files()?;
        files.truncate(limits.files.unwrap_or(usize::MAX));
        if let Some(most) = limits.bytes {
            let mut bytes = 0;
            let within = files.iter().take_while(|file| {
                bytes += file.bytes;
                bytes <= most
            });
            let within = within.count().max(1);
            files.truncate(within);
        }
        if files.is_empty() {
            return Ok(None);
        }
        let start = self.seen.len();
        self.seen.extend(files.iter().map(|file| file.name.clone()));
        let names = files
            .iter()
            .map(|file| json!({"name": file.name, "bytes": file.bytes}));
        Ok(Some(OffsetRange {
            start: json!({ "count": start }),
            end: json!({ "count": self.seen.len(), "files": names.collect::<Vec<_>>() }),
        }))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let names: Vec<String> = names_of(range).map(str::to_owned).collect();
        let paths: Vec<PathBuf> = names.iter().map(|name| self.path(name)).collect();
        self.seen.extend(names);
        if let Some(gone) = paths.iter().find(|path| !path.exists()) {
            return Err(gone_file(gone));
        }
        let source = FileSource::find(&paths, Find::default())?;
        Ok(EpochInput::Text(Arc::new(source)))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.committed.extend(names_of(range).map(str::to_owned));
        Ok(())
    }

    fn position(&self) -> Value {
        json!(self.committed)
    }
}

fn gone_file(path: &Path) -> Error {
    let message = format!(
        "`{}` was chosen for an epoch and is gone; put it back: files must stay until their \
         epoch is committed",
        shown_name(path)
    );
    Error::new(ErrorKind::Source, message)
}
