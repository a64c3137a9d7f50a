//! Folders of epochs in HDFS.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError, WriteOptions};
use keymill::stream::parts::{MANIFEST, Part, PartStore, epoch_folder, epoch_of, staging_folder};
use keymill::{ErrorKind, Result};

use super::failure::failed;
use crate::runtime::wait;

/// The bytes that are sent at once.
const BUFFER: usize = 1 << 20;

/// The permission of folders.
const FOLDER: u32 = 0o755;

/// A folder of HDFS with a folder for every epoch.
pub(super) struct HdfsParts {
    client: Client,
    name: Arc<str>,
    folder: String,
    /// The folder of the epoch that is written.
    staging: String,
}

impl HdfsParts {
    pub(super) fn new(client: Client, name: Arc<str>, folder: String) -> Self {
        Self {
            client,
            name,
            folder,
            staging: String::new(),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder.trim_end_matches('/'))
    }

    /// Waits for an answer about a path.
    fn ask<T>(
        &self,
        path: &str,
        answer: impl Future<Output = hdfs_native::Result<T>>,
    ) -> Result<T> {
        ask(&format!("{}{path}", self.name), answer)
    }

    /// Waits for an answer about a path; `None` if there is no such path.
    fn find<T>(
        &self,
        path: &str,
        answer: impl Future<Output = hdfs_native::Result<T>>,
    ) -> Result<Option<T>> {
        self.ask(path, async {
            match answer.await {
                Ok(found) => Ok(Some(found)),
                Err(HdfsError::FileNotFound(_)) => Ok(None),
                Err(cause) => Err(cause),
            }
        })
    }

    /// The names in the folder.
    fn names(&self) -> Result<Vec<String>> {
        let files = self.ask(&self.folder, self.client.list_status(&self.folder, false))?;
        let names = files.iter().filter_map(|file| file.path.rsplit('/').next());
        Ok(names.map(str::to_owned).collect())
    }

    fn is_there(&self, path: &str) -> Result<bool> {
        let status = self.find(path, self.client.get_file_info(path))?;
        Ok(status.is_some())
    }

    fn create(&self, path: &str) -> Result<HdfsPart> {
        let options = WriteOptions::default().overwrite(true);
        let writer = self.ask(path, self.client.create(path, options))?;
        Ok(HdfsPart {
            url: format!("{}{path}", self.name),
            writer,
            buffer: Vec::with_capacity(BUFFER),
        })
    }
}

fn ask<T>(url: &str, answer: impl Future<Output = hdfs_native::Result<T>>) -> Result<T> {
    wait(url, async {
        let answer = answer.await;
        answer.map_err(|cause| failed(ErrorKind::Sink, url, cause))
    })
}

impl PartStore for HdfsParts {
    fn describe(&self) -> String {
        format!("{}{}", self.name, self.folder)
    }

    fn start(&mut self, _: &str) -> Result<()> {
        let folder = self.folder.clone();
        self.ask(&folder, self.client.mkdirs(&folder, FOLDER, true))
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        let names = self.names()?;
        Ok(names.iter().filter_map(|name| epoch_of(name)).max())
    }

    fn manifest(&mut self, epoch: u64) -> Result<Option<Vec<u8>>> {
        let path = self.path(&format!("{}/{MANIFEST}", epoch_folder(epoch)));
        let read = async {
            let file = self.client.read(&path).await?;
            file.read_range(0, file.file_length()).await
        };
        Ok(self.find(&path, read)?.map(|bytes| bytes.to_vec()))
    }

    fn begin(&mut self, epoch: u64) -> Result<bool> {
        // It is there if the answer to a rename was lost.
        if self.is_there(&self.path(&epoch_folder(epoch)))? {
            return Ok(false);
        }
        let names = self.names()?;
        let unfinished = staging_folder(epoch);
        for name in names.iter().filter(|it| it.starts_with(&unfinished)) {
            let path = self.path(name);
            self.find(&path, self.client.delete(&path, true))?;
        }
        // A rename of an attempt before, whose answer was lost, must not show what this one has begun.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let attempt = now.unwrap_or_default().as_nanos();
        self.staging = self.path(&format!("{unfinished}-{attempt:x}"));
        let staging = self.staging.clone();
        self.ask(&staging, self.client.mkdirs(&staging, FOLDER, true))?;
        Ok(true)
    }

    fn part(&mut self, _: u64, name: &str) -> Result<Box<dyn Part>> {
        let path = format!("{}/{name}", self.staging);
        Ok(Box::new(self.create(&path)?))
    }

    fn stage(&mut self, _: u64, _: &[String], manifest: Vec<u8>) -> Result<()> {
        let mut part = self.create(&format!("{}/{MANIFEST}", self.staging))?;
        part.buffer = manifest;
        Box::new(part).finish()
    }

    fn commit(&mut self, epoch: u64) -> Result<bool> {
        let folder = self.path(&epoch_folder(epoch));
        if self.is_there(&folder)? {
            return Ok(false);
        }
        let renamed = self.client.rename(&self.staging, &folder, false);
        self.ask(&folder, renamed).map(|()| true)
    }
}

/// A file that is written.
struct HdfsPart {
    url: String,
    writer: FileWriter,
    buffer: Vec<u8>,
}

impl HdfsPart {
    fn send(&mut self) -> Result<()> {
        let bytes = Bytes::from(std::mem::replace(
            &mut self.buffer,
            Vec::with_capacity(BUFFER),
        ));
        ask(&self.url, self.writer.write_bytes(bytes)).map(|_| ())
    }
}

impl Write for HdfsPart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.send().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Part for HdfsPart {
    fn finish(mut self: Box<Self>) -> Result<()> {
        if !self.buffer.is_empty() {
            self.send()?;
        }
        let url = self.url.clone();
        let writer = &mut self.writer;
        ask(&url, async {
            writer.hsync().await?;
            writer.close().await
        })
    }
}
