//! Files and folders outside of the local file system, by their URLs.
#![forbid(unsafe_code)]

use keymill::read::StoragePath;
use keymill::stream::{FilesSink, FolderSource};
use keymill::{Error, ErrorKind, Result};

type Options = [(String, String)];

/// The files of a URL; `None` if it is a local path.
pub(crate) fn files(url: &str) -> Result<Option<StoragePath>> {
    Place::of(url, &[]).map(|place| place.map(Place::files))
}

/// The new files of a folder; `None` if the URL is of no storage.
pub(crate) fn folder(url: &str, options: &Options) -> Result<Option<FolderSource>> {
    let place = Place::of(url, options)?;
    Ok(place.map(|place| FolderSource::of(place.files())))
}

/// The epochs in a folder; `None` if the URL is of no storage.
pub(crate) fn sink(url: &str, options: &Options) -> Result<Option<FilesSink>> {
    Place::of(url, options).map(|place| place.map(Place::sink))
}

/// A path of a storage.
enum Place {
    #[cfg(feature = "hdfs")]
    Hdfs(keymill_connectors::HdfsPath),
    #[cfg(feature = "s3")]
    S3(keymill_connectors::S3Path),
}

impl Place {
    fn of(url: &str, options: &Options) -> Result<Option<Self>> {
        match url.split_once("://") {
            Some(("hdfs", _)) => hdfs(url, options).map(Some),
            Some(("s3", _)) => s3(url, options).map(Some),
            _ => Ok(None),
        }
    }

    fn files(self) -> StoragePath {
        match self {
            #[cfg(feature = "hdfs")]
            Self::Hdfs(path) => path.files(),
            #[cfg(feature = "s3")]
            Self::S3(path) => path.files(),
        }
    }

    fn sink(self) -> FilesSink {
        match self {
            #[cfg(feature = "hdfs")]
            Self::Hdfs(path) => path.sink(),
            #[cfg(feature = "s3")]
            Self::S3(path) => path.sink(),
        }
    }
}

#[cfg(feature = "hdfs")]
fn hdfs(url: &str, options: &Options) -> Result<Place> {
    keymill_connectors::HdfsPath::new(url, options).map(Place::Hdfs)
}

#[cfg(not(feature = "hdfs"))]
fn hdfs(_: &str, _: &Options) -> Result<Place> {
    Err(not_built("hdfs"))
}

#[cfg(feature = "s3")]
fn s3(url: &str, options: &Options) -> Result<Place> {
    let mut given = environment(|name| std::env::var(name).ok());
    given.extend(options.iter().cloned());
    keymill_connectors::S3Path::new(url, &given).map(Place::S3)
}

#[cfg(not(feature = "s3"))]
fn s3(_: &str, _: &Options) -> Result<Place> {
    Err(not_built("s3"))
}

/// What the AWS tools take from the environment, as options.
#[cfg(feature = "s3")]
fn environment(variable: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    const VARIABLES: [(&str, &str); 9] = [
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials.file"),
        ("AWS_PROFILE", "profile"),
        ("AWS_DEFAULT_REGION", "region"),
        ("AWS_REGION", "region"),
        ("AWS_ENDPOINT_URL", "endpoint"),
        ("AWS_ENDPOINT_URL_S3", "endpoint"),
        ("AWS_ACCESS_KEY_ID", "access_key_id"),
        ("AWS_SECRET_ACCESS_KEY", "secret_access_key"),
        ("AWS_SESSION_TOKEN", "session_token"),
    ];
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let options = VARIABLES.iter().filter_map(|(name, option)| {
        let value = set(name)?;
        Some(((*option).to_owned(), value))
    });
    let mut options: Vec<(String, String)> = options.collect();
    let has_keys =
        |(option, _): &(String, String)| option == "access_key_id" || option == "credentials.file";
    if !options.iter().any(has_keys)
        && let Some(home) = set("HOME")
    {
        let file = std::path::Path::new(&home).join(".aws/credentials");
        if file.is_file() {
            let file = file.to_string_lossy().into_owned();
            options.push(("credentials.file".to_owned(), file));
        }
    }
    options
}

/// The error of a source or a sink that this program was built without.
#[allow(dead_code, reason = "a program with all features has no use for it")]
pub(crate) fn not_built(feature: &str) -> Error {
    let message = format!(
        "this program was built without `{feature}`; install it again with `cargo install --path cli \
         --features {feature}`"
    );
    Error::new(ErrorKind::Config, message)
}

#[cfg(all(test, feature = "s3"))]
mod tests {
    use super::*;

    #[test]
    fn options_come_from_the_variables_of_the_aws_tools() {
        let variable = |name: &str| match name {
            "AWS_REGION" => Some("r".to_owned()),
            "AWS_SESSION_TOKEN" => Some(String::new()),
            "AWS_SECRET_ACCESS_KEY" => Some("s".to_owned()),
            _ => None,
        };
        let expected = [("region", "r"), ("secret_access_key", "s")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(environment(variable), expected);
    }
}
