//! HTTP requests: their TLS, and which failures may pass.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use ureq::Body;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::settings::Settings;
use crate::trust::refused;

/// The error of a request without an answer. [`ErrorKind::Unavailable`] if another attempt may have one.
pub(crate) fn failed(at: &str, cause: ureq::Error) -> Error {
    use ureq::Error::{BadUri, Http, InvalidProxyUrl, RequireHttpsOnly, Tls};
    let (kind, says) = match &cause {
        cause if let Some(says) = refused(cause) => (ErrorKind::Sink, says),
        BadUri(_) | Http(_) | InvalidProxyUrl | RequireHttpsOnly(_) | Tls(_) => {
            (ErrorKind::Sink, "does not take results")
        }
        _ => (ErrorKind::Unavailable, "does not take results"),
    };
    Error::new(kind, format!("`{at}` {says}")).with_source(cause)
}

/// Whether the same request may get another answer later.
pub(crate) fn passes(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status.as_u16(), 408 | 425 | 429)
}

/// How long an answer asks to wait.
pub(crate) fn retry_after(answer: &Response<Body>) -> Duration {
    let wait = answer.headers().get("Retry-After");
    let wait = wait.and_then(|it| it.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(wait.unwrap_or(0))
}

/// The TLS of a client: the settings `tls.ca`, whom it trusts instead of public authorities, and `tls.cert` and
/// `tls.key`, who it is.
pub(crate) fn tls(settings: &mut Settings) -> Result<Option<TlsConfig>> {
    let trusted = settings.bytes_of_file("tls.ca")?;
    let trusted = trusted
        .map(|pem| certificates("tls.ca", &pem))
        .transpose()?;
    let own = settings.identity()?;
    let own = own.map(|(chain, key)| identity(&chain, &key)).transpose()?;
    if trusted.is_none() && own.is_none() {
        return Ok(None);
    }
    let mut tls = TlsConfig::builder().client_cert(own);
    if let Some(trusted) = trusted {
        tls = tls.root_certs(RootCerts::Specific(Arc::new(trusted)));
    }
    Ok(Some(tls.build()))
}

/// The certificates in the file of a setting.
fn certificates(name: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let wrong = || {
        let message = format!("the file that `{name}` names has no certificates in PEM");
        Error::new(ErrorKind::Config, message)
    };
    let items = parse_pem(pem).collect::<std::result::Result<Vec<_>, _>>();
    let items = items.map_err(|cause| wrong().with_source(cause))?;
    let all = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let all: Vec<Certificate<'static>> = all.collect();
    match all.is_empty() {
        true => Err(wrong()),
        false => Ok(all),
    }
}

fn identity(chain: &[u8], key: &[u8]) -> Result<ClientCert> {
    let chain = certificates("tls.cert", chain)?;
    let wrong = || {
        let message = "`tls.key` is not the key of `tls.cert` in PEM";
        Error::new(ErrorKind::Config, message)
    };
    let key = PrivateKey::from_pem(key).map_err(|cause| wrong().with_source(cause))?;
    // The client panics where they do not belong together.
    check(&chain, &key).map_err(|cause| wrong().with_source(cause))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Whether a key is that of the first certificate.
fn check(
    chain: &[Certificate<'static>],
    key: &PrivateKey<'static>,
) -> std::result::Result<(), rustls::Error> {
    let chain = chain.iter().map(|it| it.der().to_vec().into()).collect();
    let key = PrivateKeyDer::try_from(key.der().to_vec());
    let key = key.map_err(|why| rustls::Error::General(why.to_owned()))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map(|_| ())
}
