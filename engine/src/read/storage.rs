//! Files outside of the local file system: HDFS, S3.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::SystemTime;

use super::ReadAt;
use crate::Result;

/// A system that stores files, such as HDFS or S3.
///
/// ```text
/// hdfs://HOST:PORT/logs/a.txt ─▶ storage of hdfs://HOST:PORT, path /logs/a.txt
/// ```
///
/// Parts of a path are separated by `/`. Several threads use a storage at the same time.
pub trait Storage: Send + Sync + 'static {
    /// The scheme of its URLs: `hdfs`.
    fn scheme(&self) -> &'static str;

    /// The URL of a path, for people: without user names and passwords.
    fn url(&self, path: &str) -> String;

    /// The files and folders in a folder, in any order. Those in subfolders are not among them.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if it cannot be read, [`crate::ErrorKind::Unavailable`] if the system
    /// does not answer.
    fn list(&self, folder: &str) -> Result<Vec<StoredFile>>;

    /// The file or folder of a path, if there is one.
    ///
    /// # Errors
    ///
    /// As of [`Storage::list`].
    fn find(&self, path: &str) -> Result<Option<StoredFile>>;

    /// Opens a file for reads at any offset. These reads fail with the errors of [`Storage::list`], inside
    /// of [`std::io::Error`].
    ///
    /// # Errors
    ///
    /// As of [`Storage::list`].
    fn open(&self, file: &StoredFile) -> Result<Box<dyn ReadAt>>;
}

/// A file or a folder of a [`Storage`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredFile {
    /// The path.
    pub path: String,
    /// The bytes of a file; none of a folder.
    pub size: Option<u64>,
    /// When it was written.
    pub modified: SystemTime,
}

impl StoredFile {
    /// A file of some bytes.
    #[must_use]
    pub fn file(path: impl Into<String>, size: u64, modified: SystemTime) -> Self {
        Self {
            path: path.into(),
            size: Some(size),
            modified,
        }
    }

    /// A folder.
    #[must_use]
    pub fn folder(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            size: None,
            modified: SystemTime::UNIX_EPOCH,
        }
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.size.is_none()
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        let path = self.path.trim_end_matches('/');
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }
}

/// A path in a [`Storage`].
#[derive(Clone)]
#[non_exhaustive]
pub struct StoragePath {
    /// The storage.
    pub storage: Arc<dyn Storage>,
    /// The path.
    pub path: String,
}

impl StoragePath {
    /// A path in a storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { storage, path }
    }

    /// The URL, for people.
    #[must_use]
    pub fn url(&self) -> String {
        self.storage.url(&self.path)
    }

    /// The path of a name below this path.
    #[must_use]
    pub fn join(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

/// The path of a name below a path.
pub(crate) fn join(path: &str, name: &str) -> String {
    match path.is_empty() || path.ends_with('/') {
        true => format!("{path}{name}"),
        false => format!("{path}/{name}"),
    }
}
