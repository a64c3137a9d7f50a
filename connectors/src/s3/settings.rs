//! The settings of a bucket.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

use super::Bucket;
use super::profile::read_profile;
use crate::remote::Address;

const FORM: &str = "s3://BUCKET/PREFIX";

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(50);

/// The bucket of a URL, and the path in it.
///
/// # Errors
///
/// [`ErrorKind::Config`] if the URL or an option is wrong.
pub(super) fn open(url: &str, options: &[(String, String)]) -> Result<(Bucket, String)> {
    let mut address = Address::parse("s3", FORM, url, options)?;
    if address.user.is_some() {
        let message = format!(
            "the URL has a user; write {FORM}, and give keys as AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or by the option credentials.file"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    // Without it reqwest has no implementation of TLS; another one may be there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST);
    if let Some(file) = address.take("tls.ca") {
        for certificate in certificates(&file)? {
            client = client.with_root_certificate(certificate);
        }
    }
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retries())
        .with_region("us-east-1");
    let profile = address.take("profile");
    if let Some(file) = address.take("credentials.file") {
        let profile = profile.as_deref().unwrap_or("default");
        for (name, value) in read_profile(file.as_ref(), profile)? {
            builder = with_option(builder, &name, &value)?;
        }
    }
    for (name, value) in &address.options {
        builder = with_option(builder, name, value)?;
    }
    let name: Arc<str> = format!("s3://{}", address.host).into();
    let store = builder.with_bucket_name(&address.host).build();
    let store = store.map_err(|cause| {
        let message = format!("`{name}` cannot be used; check the settings of S3");
        Error::new(ErrorKind::Config, message).with_source(cause)
    })?;
    let store = Arc::new(store);
    let path = address.path.trim_matches('/').to_owned();
    Ok((Bucket { store, name }, path))
}

/// The certificates of a file.
fn certificates(file: &str) -> Result<Vec<Certificate>> {
    let wrong = || {
        let message = format!("`{file}`, which `tls.ca` names, cannot be read as PEM");
        Error::new(ErrorKind::Config, message)
    };
    let pem = std::fs::read(file).map_err(|cause| wrong().with_source(cause))?;
    let all = Certificate::from_pem_bundle(&pem);
    let all = all.map_err(|cause| wrong().with_source(cause))?;
    match all.is_empty() {
        true => Err(wrong()),
        false => Ok(all),
    }
}

/// The query tells why it waits, so one call does not try for long.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: REQUEST,
    }
}

/// Sets an option. Its value, which may be secret, is not in the error.
fn with_option(builder: AmazonS3Builder, name: &str, value: &str) -> Result<AmazonS3Builder> {
    let key: AmazonS3ConfigKey = name.parse().map_err(|_| {
        let message = format!(
            "`{name}` is not an option of S3; use endpoint, region, access_key_id, secret_access_key, \
             session_token, credentials.file, profile or tls.ca"
        );
        Error::new(ErrorKind::Config, message)
    })?;
    let is_plain = key == AmazonS3ConfigKey::Endpoint && value.starts_with("http://");
    let builder = builder.with_config(key, value);
    Ok(match is_plain {
        true => builder.with_allow_http(true),
        false => builder,
    })
}
