//! Objects of S3 and of stores that speak its protocol, and epochs under a prefix there.
//!
//! ```text
//! PREFIX/epoch=00000007/part-00000.tsv     put, if none is there
//! PREFIX/epoch=00000007/_manifest.json     put, if none is there: the epoch is committed
//! ```
//!
//! There is no rename of many objects, so the manifest commits: without it an epoch is not there. A part that
//! an attempt before has left is kept if it has the same bytes, and else replaced. Two queries cannot commit
//! the same epoch, because the manifest is only put if none is there.
#![forbid(unsafe_code)]

mod failure;
mod files;
mod parts;
mod profile;
mod settings;

use std::sync::Arc;

use keymill::Result;
use keymill::read::StoragePath;
use keymill::stream::{FilesSink, FolderSource};
use object_store::aws::AmazonS3;

use files::S3Files;
use parts::S3Parts;

/// A bucket, and how it is called in messages.
#[derive(Clone)]
struct Bucket {
    store: Arc<AmazonS3>,
    /// `s3://BUCKET`
    name: Arc<str>,
}

/// A path of S3: `s3://BUCKET/PREFIX`.
///
/// ```no_run
/// use keymill::prelude::*;
/// use keymill_connectors::S3Path;
///
/// let options = [("region", "eu-central-1"), ("credentials.file", "/run/secrets/s3")];
/// let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
/// let counts = S3Path::new("s3://shop/counts", &options)?;
///
/// Engine::new()?
///     .stream(S3Path::new("s3://shop/logs", &options)?.folder())
///     .tokenize(whitespace())
///     .count_by_key()
///     .sink(counts.sink())
///     .checkpoint("checkpoint")
///     .run()?;
/// # Ok::<(), keymill::Error>(())
/// ```
///
/// | option, in the URL or apart | meaning |
/// |---|---|
/// | `endpoint` | the address of another store than Amazon's, such as `http://127.0.0.1:8333` |
/// | `region` | the region, `us-east-1` if it is not given |
/// | `access_key_id`, `secret_access_key`, `session_token` | the credentials |
/// | `credentials.file`, `profile` | a file of credentials as the AWS tools have it, and the name in it: `default` |
/// | `tls.ca` | a file of PEM: authorities of `https` that are trusted beside the system's |
/// | others, such as `virtual_hosted_style_request`, `skip_signature`, `proxy_url` | settings of `object_store` |
pub struct S3Path {
    bucket: Bucket,
    path: String,
}

impl S3Path {
    /// A path of a URL, and of options beside it.
    ///
    /// # Errors
    ///
    /// [`keymill::ErrorKind::Config`] if it is not such a URL, or an option is wrong.
    pub fn new(url: &str, options: &[(String, String)]) -> Result<Self> {
        let (bucket, path) = settings::open(url, options)?;
        Ok(Self { bucket, path })
    }

    /// The objects under the path, as files.
    #[must_use]
    pub fn files(self) -> StoragePath {
        StoragePath::new(Arc::new(S3Files(self.bucket)), self.path)
    }

    /// The new objects under the path, each taken once.
    #[must_use]
    pub fn folder(self) -> FolderSource {
        FolderSource::of(self.files())
    }

    /// A prefix for every epoch under the path, exactly once.
    #[must_use]
    pub fn sink(self) -> FilesSink {
        FilesSink::to(S3Parts::new(self.bucket, self.path))
    }
}

impl Bucket {
    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.name)
    }
}
