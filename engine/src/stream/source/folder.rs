//! New files of a folder, each taken once.

mod local;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use local::LocalFolder;

use super::{EpochInput, EpochLimits, History, OffsetRange, Replay, SourceContext, StreamSource};
use crate::read::{FileSource, StoragePath, StoredFile};
use crate::{Error, ErrorKind, Result};

/// The files that appear in a folder. Every file is read once, the oldest first.
///
/// A file must be complete when it appears: write it elsewhere and rename it into the folder. Names that
/// begin with `.` or `_`, and names that end with `.tmp`, are ignored, and so are subfolders. Files must
/// stay until their epoch is committed.
pub struct FolderSource {
    folder: StoragePath,
    /// The names of all files that were chosen.
    seen: HashSet<String>,
    /// The names of the files of committed epochs, in order.
    committed: Vec<String>,
}

impl FolderSource {
    /// Reads the files of a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = LocalFolder(folder.into());
        Self::of(StoragePath::new(Arc::new(folder), ""))
    }

    /// Reads the files of a folder of a storage.
    #[must_use]
    pub fn of(folder: StoragePath) -> Self {
        Self {
            folder,
            seen: HashSet::new(),
            committed: Vec::new(),
        }
    }

    /// The files that were not chosen before, the oldest first.
    fn new_files(&self) -> Result<Vec<StoredFile>> {
        let mut files = self.folder.storage.list(&self.folder.path)?;
        files.retain(|file| {
            let name = file.name();
            !file.is_folder() && !is_ignored(name) && !self.seen.contains(name)
        });
        files.sort_by(|a, b| (a.modified, a.name()).cmp(&(b.modified, b.name())));
        Ok(files)
    }

    /// A file that was chosen for an epoch.
    fn chosen(&self, name: &str) -> Result<StoredFile> {
        let path = self.folder.join(name);
        let storage = &self.folder.storage;
        let file = storage.find(&path)?;
        file.ok_or_else(|| gone_file(&storage.url(&path)))
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
        self.folder.url()
    }

    fn kind(&self) -> &'static str {
        self.folder.storage.scheme()
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
                bytes += file.size.unwrap_or(0);
                bytes <= most
            });
            let within = within.count().max(1);
            files.truncate(within);
        }
        if files.is_empty() {
            return Ok(None);
        }
        let start = self.seen.len();
        self.seen
            .extend(files.iter().map(|file| file.name().to_owned()));
        let names = files
            .iter()
            .map(|file| json!({"name": file.name(), "bytes": file.size}));
        Ok(Some(OffsetRange {
            start: json!({ "count": start }),
            end: json!({ "count": self.seen.len(), "files": names.collect::<Vec<_>>() }),
        }))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let files = names_of(range).map(|name| self.chosen(name));
        let files = files.collect::<Result<Vec<_>>>()?;
        self.seen.extend(names_of(range).map(str::to_owned));
        let source = FileSource::of_stored(&self.folder.storage, files);
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

fn gone_file(url: &str) -> Error {
    let message = format!(
        "`{url}` was chosen for an epoch and is gone; put it back: files must stay until their \
         epoch is committed"
    );
    Error::new(ErrorKind::Source, message)
}
