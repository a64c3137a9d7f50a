//! Files of HDFS, and folders of epochs there.
//!
//! An epoch is written to a folder of a name that no other attempt has, every file of it is synced by
//! `hsync`, and then the folder is renamed. A rename whose answer was lost may happen later: the folder that
//! it shows is complete.
#![forbid(unsafe_code)]

mod failure;
mod files;
mod parts;

use hdfs_native::{Client, ClientBuilder};
use keymill::read::StoragePath;
use keymill::stream::{FilesSink, FolderSource};
use keymill::{Error, ErrorKind, Result};
use std::sync::Arc;

use crate::remote::Address;
use files::HdfsFiles;
use parts::HdfsParts;

const FORM: &str = "hdfs://HOST:PORT/PATH";

/// How often a name node is asked again, if the options do not say.
const RETRIES: [(&str, &str); 3] = [
    ("dfs.client.failover.max.attempts", "4"),
    ("dfs.client.failover.sleep.base.millis", "100"),
    ("dfs.client.failover.sleep.max.millis", "1000"),
];

/// A path of HDFS: `hdfs://[USER@]HOST:PORT/PATH`, or `hdfs://NAMESERVICE/PATH` with `config.dir`.
///
/// ```no_run
/// use keymill::prelude::*;
/// use keymill::stream::{FolderSource, sum};
/// use keymill_connectors::HdfsPath;
///
/// Engine::new()?
///     .stream(HdfsPath::new("hdfs://localhost:8020/logs", &[])?.folder())
///     .tokenize(whitespace())
///     .count_by_key()
///     .update_state(sum())
///     .sink(HdfsPath::new("hdfs://localhost:8020/counts", &[])?.sink())
///     .checkpoint("checkpoint")
///     .run()?;
/// # Ok::<(), keymill::Error>(())
/// ```
///
/// | option, in the URL or apart | meaning |
/// |---|---|
/// | `config.dir` | the folder of `core-site.xml` and `hdfs-site.xml` |
/// | `kerberos.principal`, `kerberos.keytab`, `kerberos.cache` | the identity in clusters that ask for one |
/// | others with a dot, such as `dfs.replication` | settings of Hadoop, as in `hdfs-site.xml` |
///
/// The client also reads `HADOOP_CONF_DIR`, `HADOOP_HOME` and `HADOOP_USER_NAME`.
pub struct HdfsPath {
    client: Client,
    /// `hdfs://HOST:PORT`, without the user.
    name: Arc<str>,
    path: String,
}

impl HdfsPath {
    /// A path of a URL, and of options beside it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not such a URL, or an option is unknown.
    pub fn new(url: &str, options: &[(String, String)]) -> Result<Self> {
        let mut address = Address::parse("hdfs", FORM, url, options)?;
        let name: Arc<str> = format!("hdfs://{}", address.host).into();
        let mut builder = ClientBuilder::new()
            .with_url(&*name)
            .with_io_runtime(crate::runtime::handle()?);
        if let Some(user) = address.user.take() {
            builder = builder.with_user(user);
        }
        if let Some(folder) = address.take("config.dir") {
            builder = builder.with_config_dir(folder);
        }
        if let Some(principal) = address.take("kerberos.principal") {
            builder = builder.with_kerberos_principal(principal);
        }
        if let Some(keytab) = address.take("kerberos.keytab") {
            builder = builder.with_kerberos_keytab(keytab);
        }
        if let Some(cache) = address.take("kerberos.cache") {
            builder = builder.with_kerberos_cache(cache);
        }
        if let Some((option, _)) = address.options.iter().find(|(it, _)| !it.contains('.')) {
            let message = format!(
                "`{option}` is not an option of HDFS; use config.dir, kerberos.principal, kerberos.keytab, \
                 kerberos.cache or a setting of Hadoop, such as dfs.replication"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        // The query tells why it waits, so one call does not try for long.
        let defaults = RETRIES.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = defaults.into_iter().chain(address.options);
        let client = builder.with_config(options).build();
        let client = client.map_err(|cause| {
            let message = format!("`{name}` cannot be used; write {FORM}");
            Error::new(ErrorKind::Config, message).with_source(cause)
        })?;
        let path = format!("/{}", address.path.trim_end_matches('/'));
        Ok(Self { client, name, path })
    }

    /// The files of the path.
    #[must_use]
    pub fn files(self) -> StoragePath {
        let files = HdfsFiles {
            client: self.client,
            name: self.name,
        };
        StoragePath::new(Arc::new(files), self.path)
    }

    /// The new files of the folder, each taken once.
    #[must_use]
    pub fn folder(self) -> FolderSource {
        FolderSource::of(self.files())
    }

    /// A folder for every epoch in the folder, exactly once.
    #[must_use]
    pub fn sink(self) -> FilesSink {
        FilesSink::to(HdfsParts::new(self.client, self.name, self.path))
    }
}
