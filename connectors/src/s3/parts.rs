//! Epochs under a prefix.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use keymill::stream::parts::{MANIFEST, Part, PartStore, epoch_folder, epoch_of};
use keymill::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use super::Bucket;
use super::failure::{failed, odd_path};
use crate::runtime::wait_at_most;

/// The bytes of a part, which is kept in memory until it is complete.
const PART: u64 = 16 << 20;

/// How long a request may take: a part is sent at 300 kB/s at least.
const SEND: Duration = Duration::from_secs(60);

/// A prefix with a prefix for every epoch.
pub(super) struct S3Parts {
    bucket: Bucket,
    prefix: String,
    /// The epoch that is written, and its manifest.
    staged: Option<(u64, Bytes)>,
}

impl S3Parts {
    pub(super) fn new(bucket: Bucket, prefix: String) -> Self {
        Self {
            bucket,
            prefix,
            staged: None,
        }
    }

    fn key(&self, name: &str) -> Result<Path> {
        let path = match &*self.prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        };
        let key = Path::parse(path.trim_end_matches('/'));
        key.map_err(|cause| odd_path(ErrorKind::Sink, &self.bucket.url(&path), cause))
    }

    fn epoch_key(&self, epoch: u64, name: &str) -> Result<Path> {
        self.key(&format!("{}/{name}", epoch_folder(epoch)))
    }

    /// Removes the parts of an attempt before that this one has not.
    ///
    /// Nothing that may be committed is ever removed: a server that was stopped may do it later.
    fn remove_others(&self, epoch: u64, parts: &[String]) -> Result<()> {
        let folder = self.key(&epoch_folder(epoch))?;
        let listed = self.bucket.store.list_with_delimiter(Some(&folder));
        for object in self.bucket.wait(&folder, listed)?.objects {
            let key = &object.location;
            let is_ours = |name: &str| name == MANIFEST || parts.iter().any(|part| part == name);
            if !key.filename().is_some_and(is_ours) {
                self.bucket.wait(key, self.bucket.store.delete(key))?;
            }
        }
        Ok(())
    }

    /// The epochs that have objects, the last one first.
    fn begun(&self) -> Result<Vec<u64>> {
        let prefix = self.key("")?;
        let listed = self.bucket.store.list_with_delimiter(Some(&prefix));
        let listed = self.bucket.wait(&prefix, listed)?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut epochs: Vec<u64> = names.filter_map(epoch_of).collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(epochs)
    }
}

impl Bucket {
    /// Waits for an answer about an object.
    fn wait<T>(
        &self,
        key: &Path,
        answer: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T> {
        let url = self.url(key.as_ref());
        wait_at_most(SEND, &url, async {
            let answer = answer.await;
            answer.map_err(|cause| failed(ErrorKind::Sink, &url, cause))
        })
    }

    /// The bytes of an object, if it is there.
    fn read(&self, key: &Path) -> Result<Option<Bytes>> {
        self.wait(key, async {
            match self.store.get(key).await {
                Ok(object) => Ok(Some(object.bytes().await?)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(cause) => Err(cause),
            }
        })
    }

    /// Puts an object, if none is there. Returns what was there.
    fn put(&self, key: &Path, bytes: &Bytes) -> Result<Found> {
        let put = self.send(key, bytes, PutMode::Create);
        let is_new = self.wait(key, async {
            match put.await {
                Ok(()) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(cause) => Err(cause),
            }
        })?;
        if is_new {
            return Ok(Found::Nothing);
        }
        // It is there if the answer to an attempt before was lost.
        Ok(match self.read(key)? {
            Some(there) if there == bytes => Found::Same,
            _ => Found::Other,
        })
    }

    /// Puts an object, whatever is there.
    fn replace(&self, key: &Path, bytes: &Bytes) -> Result<()> {
        self.wait(key, self.send(key, bytes, PutMode::Overwrite))
    }

    async fn send(&self, key: &Path, bytes: &Bytes, mode: PutMode) -> object_store::Result<()> {
        let put = self.store.put_opts(key, bytes.clone().into(), mode.into());
        put.await.map(|_| ())
    }

    fn taken(&self, key: &Path) -> Error {
        let message = format!(
            "`{}` was written by another query at the same time; give each query a prefix of its own",
            self.url(key.as_ref())
        );
        Error::new(ErrorKind::Sink, message)
    }
}

/// What was there when an object was put.
enum Found {
    Nothing,
    Same,
    Other,
}

impl PartStore for S3Parts {
    fn describe(&self) -> String {
        self.bucket.url(&self.prefix)
    }

    fn start(&mut self, _: &str) -> Result<()> {
        // A bucket that is not there, or may not be read, is an error now.
        self.begun().map(|_| ())
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        for epoch in self.begun()? {
            if self.manifest(epoch)?.is_some() {
                return Ok(Some(epoch));
            }
        }
        Ok(None)
    }

    fn manifest(&mut self, epoch: u64) -> Result<Option<Vec<u8>>> {
        let manifest = self.bucket.read(&self.epoch_key(epoch, MANIFEST)?)?;
        Ok(manifest.map(|bytes| bytes.to_vec()))
    }

    fn most_part_bytes(&self) -> Option<u64> {
        Some(PART)
    }

    fn begin(&mut self, epoch: u64) -> Result<bool> {
        self.staged = None;
        Ok(self.manifest(epoch)?.is_none())
    }

    fn part(&mut self, epoch: u64, name: &str) -> Result<Box<dyn Part>> {
        Ok(Box::new(S3Part {
            bucket: self.bucket.clone(),
            key: self.epoch_key(epoch, name)?,
            bytes: Vec::new(),
        }))
    }

    fn stage(&mut self, epoch: u64, parts: &[String], manifest: Vec<u8>) -> Result<()> {
        self.remove_others(epoch, parts)?;
        self.staged = Some((epoch, manifest.into()));
        Ok(())
    }

    fn commit(&mut self, epoch: u64) -> Result<bool> {
        let key = self.epoch_key(epoch, MANIFEST)?;
        match &self.staged {
            Some((staged, manifest)) if *staged == epoch => {
                match self.bucket.put(&key, manifest)? {
                    Found::Nothing | Found::Same => Ok(true),
                    Found::Other => Err(self.bucket.taken(&key)),
                }
            }
            // The epoch is there.
            None => Ok(false),
            _ => Err(Error::new(ErrorKind::Internal, "the epoch was not begun")),
        }
    }
}

/// An object that is written.
struct S3Part {
    bucket: Bucket,
    key: Path,
    bytes: Vec<u8>,
}

impl Write for S3Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Part for S3Part {
    fn finish(self: Box<Self>) -> Result<()> {
        let (bucket, bytes) = (&self.bucket, self.bytes.into());
        match bucket.put(&self.key, &bytes)? {
            Found::Nothing | Found::Same => Ok(()),
            // Of an attempt before, which has read other data.
            Found::Other => bucket.replace(&self.key, &bytes),
        }
    }
}
