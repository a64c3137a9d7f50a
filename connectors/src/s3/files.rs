//! Objects that are read.
#![forbid(unsafe_code)]

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use keymill::read::{ReadAt, Storage, StoredFile};
use keymill::{ErrorKind, Result};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::Bucket;
use super::failure::{failed, odd_path};
use crate::remote::{Blocks, Fetch};
use crate::runtime::{attempts, wait_long};

/// The objects of a bucket. A folder is what the names of objects have before a slash.
pub(super) struct S3Files(pub(super) Bucket);

impl S3Files {
    fn key(&self, path: &str) -> Result<Path> {
        let key = Path::parse(path.trim_matches('/'));
        key.map_err(|cause| odd_path(ErrorKind::Source, &self.url(path), cause))
    }

    fn failed(&self, path: &str, cause: Error) -> keymill::Error {
        failed(ErrorKind::Source, &self.url(path), cause)
    }
}

fn stored(object: &ObjectMeta) -> StoredFile {
    let path = object.location.to_string();
    StoredFile::file(path, object.size, object.last_modified.into())
}

impl Storage for S3Files {
    fn scheme(&self) -> &'static str {
        "s3"
    }

    fn url(&self, path: &str) -> String {
        self.0.url(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<StoredFile>> {
        let (key, url) = (self.key(folder)?, self.url(folder));
        let listed = wait_long(attempts(&url, || async {
            let listed = self.0.store.list_with_delimiter(Some(&key)).await;
            listed.map_err(|cause| self.failed(folder, cause))
        }))?;
        let folders = listed.common_prefixes.iter();
        let folders = folders.map(|it| StoredFile::folder(it.to_string()));
        Ok(folders.chain(listed.objects.iter().map(stored)).collect())
    }

    fn find(&self, path: &str) -> Result<Option<StoredFile>> {
        let (key, url) = (self.key(path)?, self.url(path));
        let object = match key.as_ref().is_empty() {
            true => None,
            false => wait_long(attempts(&url, || async {
                match self.0.store.head(&key).await {
                    Ok(object) => Ok(Some(object)),
                    Err(Error::NotFound { .. }) => Ok(None),
                    Err(cause) => Err(self.failed(path, cause)),
                }
            }))?,
        };
        match object {
            Some(object) => Ok(Some(stored(&object))),
            // A prefix without objects is not there; the bucket itself is.
            None if !key.as_ref().is_empty() && self.list(path)?.is_empty() => Ok(None),
            None => Ok(Some(StoredFile::folder(key.to_string()))),
        }
    }

    fn open(&self, file: &StoredFile) -> Result<Box<dyn ReadAt>> {
        let object = Object {
            bucket: self.0.clone(),
            key: self.key(&file.path)?,
        };
        Ok(Box::new(Blocks::new(file.size.unwrap_or(0), object)))
    }
}

struct Object {
    bucket: Bucket,
    key: Path,
}

impl Fetch for Object {
    fn fetch(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = Result<Bytes>> + Send>> {
        let (store, key) = (Arc::clone(&self.bucket.store), self.key.clone());
        let url = self.bucket.url(key.as_ref());
        Box::pin(async move {
            let read = || async {
                let read = store.get_range(&key, range.clone()).await;
                read.map_err(|cause| failed(ErrorKind::Source, &url, cause))
            };
            attempts(&url, read).await
        })
    }
}
