//! A folder of the local file system.

use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::read::{ReadAt, Storage, StoredFile, open_file};
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// A folder, whose path is the empty one.
pub(super) struct LocalFolder(pub(super) PathBuf);

impl LocalFolder {
    fn cannot_read(&self, cause: io::Error) -> Error {
        let message = format!("cannot read the folder `{}`", shown_name(&self.0));
        Error::new(ErrorKind::Source, message).with_source(cause)
    }
}

fn stored(path: &str, metadata: &Metadata) -> StoredFile {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    StoredFile::file(path, metadata.len(), modified)
}

impl Storage for LocalFolder {
    fn scheme(&self) -> &'static str {
        "dir"
    }

    fn url(&self, path: &str) -> String {
        match path {
            "" => format!("dir:{}", shown_name(&self.0)),
            name => shown_name(self.0.join(name)),
        }
    }

    fn list(&self, _: &str) -> Result<Vec<StoredFile>> {
        let files = fs::read_dir(&self.0).map_err(|cause| self.cannot_read(cause))?;
        let mut found = Vec::new();
        for file in files {
            let file = file.map_err(|cause| self.cannot_read(cause))?;
            let Ok(name) = file.file_name().into_string() else {
                continue;
            };
            // A file that is gone again is not there.
            let Ok(metadata) = fs::metadata(file.path()) else {
                continue;
            };
            if metadata.is_file() {
                found.push(stored(&name, &metadata));
            }
        }
        Ok(found)
    }

    fn find(&self, path: &str) -> Result<Option<StoredFile>> {
        match fs::metadata(self.0.join(path)) {
            Ok(metadata) => Ok(Some(stored(path, &metadata))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.cannot_read(cause)),
        }
    }

    fn open(&self, file: &StoredFile) -> Result<Box<dyn ReadAt>> {
        open_file(&self.0.join(&file.path))
    }
}
