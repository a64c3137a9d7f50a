//! Files of HDFS that are read.
#![forbid(unsafe_code)]

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hdfs_native::client::FileStatus;
use hdfs_native::file::FileReader;
use hdfs_native::{Client, HdfsError};
use keymill::read::{ReadAt, Storage, StoredFile};
use keymill::{ErrorKind, Result};

use super::failure::failed;
use crate::remote::{Blocks, Fetch};
use crate::runtime::{attempts, wait_long};

/// The files of a name node.
pub(super) struct HdfsFiles {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
}

impl HdfsFiles {
    /// Asks some times, and returns `None` if there is no such file.
    fn ask<T, F>(&self, path: &str, ask: impl Fn() -> F) -> Result<Option<T>>
    where
        F: Future<Output = hdfs_native::Result<T>>,
    {
        let url = self.url(path);
        let answer = attempts(&url, || async {
            match ask().await {
                Ok(found) => Ok(Some(found)),
                Err(HdfsError::FileNotFound(_)) => Ok(None),
                Err(cause) => Err(failed(ErrorKind::Source, &url, cause)),
            }
        });
        wait_long(answer)
    }

    fn there<T>(&self, path: &str, found: Option<T>) -> Result<T> {
        let gone = HdfsError::FileNotFound(path.to_owned());
        found.ok_or_else(|| failed(ErrorKind::Source, &self.url(path), gone))
    }
}

fn stored(path: &str, status: &FileStatus) -> StoredFile {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(status.modification_time);
    match status.isdir {
        true => StoredFile::folder(path),
        false => StoredFile::file(path, status.length as u64, modified),
    }
}

impl Storage for HdfsFiles {
    fn scheme(&self) -> &'static str {
        "hdfs"
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.name)
    }

    fn list(&self, folder: &str) -> Result<Vec<StoredFile>> {
        let files = self.ask(folder, || self.client.list_status(folder, false))?;
        let files = self.there(folder, files)?;
        Ok(files.iter().map(|it| stored(&it.path, it)).collect())
    }

    fn find(&self, path: &str) -> Result<Option<StoredFile>> {
        let status = self.ask(path, || self.client.get_file_info(path))?;
        Ok(status.map(|it| stored(path, &it)))
    }

    fn open(&self, file: &StoredFile) -> Result<Box<dyn ReadAt>> {
        let reader = self.ask(&file.path, || self.client.read(&file.path))?;
        let reader = self.there(&file.path, reader)?;
        let size = reader.file_length() as u64;
        let file = HdfsFile {
            reader: Arc::new(reader),
            url: self.url(&file.path).into(),
        };
        Ok(Box::new(Blocks::new(size, file)))
    }
}

struct HdfsFile {
    reader: Arc<FileReader>,
    url: Arc<str>,
}

impl Fetch for HdfsFile {
    fn fetch(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = Result<Bytes>> + Send>> {
        let (reader, url) = (self.reader.clone(), self.url.clone());
        Box::pin(async move {
            let (from, bytes) = (range.start as usize, (range.end - range.start) as usize);
            let read = || async {
                let read = reader.read_range(from, bytes).await;
                read.map_err(|cause| failed(ErrorKind::Source, &url, cause))
            };
            attempts(&url, read).await
        })
    }
}
