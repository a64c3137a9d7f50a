//! Certificates and keys, in files of PEM.
#![forbid(unsafe_code)]

use std::sync::Arc;

use keymill::{Error, ErrorKind, Result};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::Settings;

/// What a server shows to its clients: the settings `tls.cert` and `tls.key`. `None` without them.
pub(super) fn acceptor(settings: &mut Settings) -> Result<Option<TlsAcceptor>> {
    let (chain, key) = match (settings.take("tls.cert"), settings.take("tls.key")) {
        (Some(chain), Some(key)) => (chain, key),
        (None, None) => return Ok(None),
        _ => {
            let message = "TLS needs both `tls.cert` and `tls.key`: files of PEM";
            return Err(Error::new(ErrorKind::Config, message));
        }
    };
    let certificates = certificates(&chain)?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|cause| unreadable(&key, cause))?;
    // Named, because another crate of the program may bring another provider.
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(certificates, private)
        })
        .map_err(|cause| {
            let message = format!("`{chain}` and `{key}` are no certificate with its key");
            Error::new(ErrorKind::Config, message).with_source(cause)
        })?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let all: Vec<_> = all.map_err(|cause| unreadable(file, cause))?;
    match all.is_empty() {
        true => Err(unreadable(file, pem::Error::NoItemsFound)),
        false => Ok(all),
    }
}

fn unreadable(file: &str, cause: pem::Error) -> Error {
    let message = format!("`{file}` cannot be read as PEM");
    Error::new(ErrorKind::Config, message).with_source(cause)
}
