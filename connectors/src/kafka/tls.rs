//! TLS to brokers, by the settings of librdkafka.
#![forbid(unsafe_code)]

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use keymill::{Error, ErrorKind, Result, shown_name};
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslStream, SslVerifyMode};
use openssl::x509::X509;

use super::KafkaSettings;
use crate::ssl;

/// What is taken of the settings `ssl.…`; others would be ignored, and are refused.
const TAKEN: [&str; 10] = [
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.endpoint.identification.algorithm",
];

/// A client of TLS.
pub(super) struct Tls {
    connector: SslConnector,
    checks_name: bool,
}

impl Tls {
    pub(super) fn new(place: &KafkaSettings) -> Result<Self> {
        let is_ignored = |name: &&str| name.starts_with("ssl.") && !TAKEN.contains(name);
        if let Some(name) = place.names().find(is_ignored) {
            let message = format!("transactions cannot be listed with the setting `{name}`");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let connector = connector(place);
        Ok(Self {
            connector: connector?.build(),
            checks_name: place.get("ssl.endpoint.identification.algorithm") != Some("none"),
        })
    }

    pub(super) fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> std::io::Result<SslStream<TcpStream>> {
        let connection = self.connector.configure()?;
        let connection = connection.verify_hostname(self.checks_name);
        connection
            .connect(host, stream)
            .map_err(|cause| std::io::Error::other(cause.to_string()))
    }
}

fn connector(place: &KafkaSettings) -> Result<SslConnectorBuilder> {
    let trusted = pem(place, "ssl.ca")?;
    let trusted = trusted.map(|pem| certificates(&pem)).transpose()?;
    let mut builder = ssl::client(trusted).map_err(wrong)?;
    if place.get("enable.ssl.certificate.verification") == Some("false") {
        builder.set_verify(SslVerifyMode::NONE);
    }
    if let Some((certificates, key)) = identity(place)? {
        ssl::identify(&mut builder, certificates, &key).map_err(wrong)?;
    }
    Ok(builder)
}

/// The certificate of this client, those that sign it, and its key.
fn identity(place: &KafkaSettings) -> Result<Option<(Vec<X509>, PKey<Private>)>> {
    if let Some(path) = place.get("ssl.keystore.location") {
        let password = place.get("ssl.keystore.password").unwrap_or_default();
        let store = Pkcs12::from_der(&read(path)?).map_err(wrong)?;
        let store = store.parse2(password).map_err(wrong)?;
        let others = store.ca.into_iter().flatten();
        let certificates = store.cert.into_iter().chain(others).collect();
        return Ok(store.pkey.map(|key| (certificates, key)));
    }
    let (Some(chain), Some(key)) = (pem(place, "ssl.certificate")?, pem(place, "ssl.key")?) else {
        return Ok(None);
    };
    let key = ssl::private_key(&key, place.get("ssl.key.password"));
    Ok(Some((certificates(&chain)?, key.map_err(wrong)?)))
}

/// The certificates of a file, of which there must be one.
fn certificates(pem: &[u8]) -> Result<Vec<X509>> {
    let all = X509::stack_from_pem(pem).map_err(wrong)?;
    match all.is_empty() {
        true => Err(refused()),
        false => Ok(all),
    }
}

/// The text of a setting that is a file, or the text itself.
fn pem(place: &KafkaSettings, name: &str) -> Result<Option<Vec<u8>>> {
    if let Some(text) = place.get(&format!("{name}.pem")) {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    let path = place.get(&format!("{name}.location"));
    path.map(read).transpose()
}

fn read(path: &str) -> Result<Vec<u8>> {
    let cannot = |cause| {
        let message = format!("cannot read `{}`", shown_name(path));
        Error::new(ErrorKind::Config, message).with_source(cause)
    };
    if !Path::new(path).is_dir() {
        return fs::read(path).map_err(cannot);
    }
    let mut all = Vec::new();
    for file in fs::read_dir(path).map_err(cannot)? {
        all.extend(fs::read(file.map_err(cannot)?.path()).map_err(cannot)?);
        all.push(b'\n');
    }
    Ok(all)
}

fn wrong(cause: ErrorStack) -> Error {
    refused().with_source(cause)
}

fn refused() -> Error {
    let message = "the settings of TLS are refused: a file is no certificate or key in PEM, or its \
                   password is wrong";
    Error::new(ErrorKind::Config, message)
}
