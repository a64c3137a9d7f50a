//! New files of a folder, each taken once.

mod local;
mod seen;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use local::LocalFolder;
use seen::Seen;

use super::{EpochInput, EpochLimits, History, OffsetRange, Replay, SourceContext, StreamSource};
use crate::read::{FileSource, StoragePath, StoredFile};
use crate::{Error, ErrorKind, Result};

/// The files that appear in a folder. Every file is read once, the oldest first.
///
/// A file must be complete when it appears: write it elsewhere and rename it into the folder. Names that
/// begin with `.` or `_`, and names that end with `.tmp`, are ignored, and so are subfolders. Files must
/// stay until their epoch is committed.
///
/// A file is known by its name, whatever its time is. The name is kept, in memory and in the snapshots of a
/// checkpoint, as long as the file is in the folder and for a day after it was found to be gone. A file of that
/// name is not read until then, and is a new one afterwards. So the cost depends on the files that are there and
/// those of the last day; remove or move away files that were read.
pub struct FolderSource {
    folder: StoragePath,
    seen: Seen,
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
            seen: Seen::default(),
        }
    }

    /// The files that were not chosen before, the oldest first.
    fn new_files(&mut self) -> Result<Vec<StoredFile>> {
        let mut files = self.folder.storage.list(&self.folder.path)?;
        files.retain(|file| !file.is_folder() && !is_ignored(file.name()));
        self.seen
            .compare(files.iter().map(StoredFile::name), milliseconds_now());
        files.retain(|file| !self.seen.contains(file.name()));
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

fn milliseconds_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
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
        if let Some(position) = &position {
            self.seen.restore(position);
        }
        let later = ranges.iter().flat_map(names_of);
        later.for_each(|name| self.seen.commit(name));
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
        let start = self.seen.count();
        files.iter().for_each(|file| self.seen.choose(file.name()));
        let names = files
            .iter()
            .map(|file| json!({"name": file.name(), "bytes": file.size}));
        Ok(Some(OffsetRange {
            start: json!({ "count": start }),
            end: json!({ "count": self.seen.count(), "files": names.collect::<Vec<_>>() }),
        }))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let files = names_of(range).map(|name| self.chosen(name));
        let files = files.collect::<Result<Vec<_>>>()?;
        names_of(range).for_each(|name| self.seen.choose(name));
        let source = FileSource::of_stored(&self.folder.storage, files);
        Ok(EpochInput::Text(Arc::new(source)))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        names_of(range).for_each(|name| self.seen.commit(name));
        Ok(())
    }

    fn position(&self) -> Value {
        self.seen.position()
    }
}

fn gone_file(url: &str) -> Error {
    let message = format!(
        "`{url}` was chosen for an epoch and is gone; put it back: files must stay until their \
         epoch is committed"
    );
    Error::new(ErrorKind::Source, message)
}
