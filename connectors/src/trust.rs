//! Certificates that are refused, by one side or the other.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::AlertDescription::{
    AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
    CertificateUnknown, UnknownCA, UnsupportedCertificate,
};

/// What is to be said of the server, if the cause of an error is a certificate, by rustls.
pub(crate) fn refused(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(_)) => {
            Some("shows a certificate that is not trusted")
        }
        Some(rustls::Error::AlertReceived(
            AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate,
        )) => Some("does not accept the certificate of this client, or its lack"),
        _ => refused(inner(error)?),
    }
}

/// What an error holds. Some have a value, and say that its source is their own.
fn inner<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.get_ref().map(|it| it as _);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    #[cfg(any(feature = "http", feature = "_rest"))]
    if let Some(ureq::Error::Io(error)) = error.downcast_ref() {
        return Some(error);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_what_wraps_it() {
        let of_server = rustls::Error::from(rustls::CertificateError::UnknownIssuer);
        let of_client = rustls::Error::AlertReceived(CertificateRequired);
        let shared: Arc<dyn Error + Send + Sync> = Arc::new(io::Error::other(of_server.clone()));
        for error in [&of_server as &(dyn Error + 'static), &shared] {
            assert!(refused(error).unwrap().contains("not trusted"));
        }
        let of_client = refused(&io::Error::other(of_client)).unwrap();
        assert!(of_client.contains("of this client"));
        for other in [
            io::Error::other(rustls::Error::DecryptError),
            io::ErrorKind::ConnectionRefused.into(),
        ] {
            assert_eq!(refused(&other), None);
        }
    }
}
