//! TLS to nodes, by OpenSSL: with the other implementation of the client comes a second library of cryptography.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use keymill::{Error, ErrorKind, Result};
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnectorBuilder, SslVerifyMode};
use openssl::x509::{X509, X509StoreContextRef};
use scylla::client::session::OpenSsl010Config;
use scylla::client::session_builder::SessionBuilder;

use crate::settings::Settings;
use crate::ssl;

/// The settings of [`Tls`].
pub(super) const TLS: &str =
    ", tls, tls.ca, tls.cert, tls.key, tls.key.password, tls.key.password.file, tls.check.name";

/// OpenSSL's number for a certificate that is not for the address of the server.
const IP_ADDRESS_MISMATCH: i32 = 64;

/// How nodes are reached, and which of their certificates count.
pub(super) struct Tls {
    config: OpenSsl010Config,
    refusal: Arc<Mutex<Option<&'static str>>>,
}

impl Tls {
    /// TLS by the settings; `None` if they do not ask for it.
    pub(super) fn new(settings: &mut Settings) -> Result<Option<Self>> {
        let is_wanted = settings.switch("tls", false)?;
        let checks_name = settings.switch("tls.check.name", true)?;
        let trusted = settings.bytes_of_file("tls.ca")?;
        let trusted = trusted
            .map(|pem| certificates("tls.ca", &pem))
            .transpose()?;
        let own = settings.identity()?;
        let password = settings.secret("tls.key.password")?;
        if !is_wanted && checks_name && trusted.is_none() && own.is_none() {
            return Ok(None);
        }
        let mut client = ssl::client(trusted).map_err(unusable)?;
        if let Some((own, key)) = own {
            let own = certificates("tls.cert", &own)?;
            let key = ssl::private_key(&key, password.as_deref());
            let identified = key.and_then(|key| ssl::identify(&mut client, own, &key));
            identified.map_err(|cause| {
                let message =
                    "`tls.key` is not the key of `tls.cert` in PEM, or its password is wrong";
                Error::new(ErrorKind::Config, message).with_source(cause)
            })?;
        }
        let refusal = note_refusals(&mut client, checks_name);
        let config = OpenSsl010Config::new(client);
        Ok(Some(Self { config, refusal }))
    }

    pub(super) fn secure(&self, builder: SessionBuilder) -> SessionBuilder {
        builder.tls_context(Some(self.config.clone()))
    }

    /// Why the certificate of a node was refused since the last call.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.take()
    }
}

/// Whether the certificate of a node is refused.
pub(super) fn is_refusal(cause: &io::Error) -> bool {
    let cause = cause.get_ref().and_then(|it| it.downcast_ref());
    let errors = cause.and_then(openssl::ssl::Error::ssl_error);
    let mut errors = errors.iter().flat_map(|it| it.errors());
    errors.any(|it| it.reason() == Some("certificate verify failed"))
}

/// Keeps why a certificate is refused, which the error of a connection does not tell.
fn note_refusals(
    client: &mut SslConnectorBuilder,
    checks_name: bool,
) -> Arc<Mutex<Option<&'static str>>> {
    let refusal = Arc::new(Mutex::new(None));
    let noted = refusal.clone();
    let verify = move |is_valid: bool, context: &mut X509StoreContextRef| {
        let error = context.error();
        let is_of_name = error.as_raw() == IP_ADDRESS_MISMATCH;
        let is_taken = is_valid || is_of_name && !checks_name;
        if !is_taken {
            let why = match is_of_name {
                true => {
                    "it is not for the IP address of the node; tls.check.name=false takes any name"
                }
                false => error.error_string(),
            };
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
        is_taken
    };
    client.set_verify_callback(SslVerifyMode::PEER, verify);
    refusal
}

/// The certificates in the file of a setting.
fn certificates(name: &str, pem: &[u8]) -> Result<Vec<X509>> {
    let wrong = || {
        let message = format!("the file that `{name}` names has no certificates in PEM");
        Error::new(ErrorKind::Config, message)
    };
    match X509::stack_from_pem(pem) {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(wrong()),
        Err(cause) => Err(wrong().with_source(cause)),
    }
}

fn unusable(cause: ErrorStack) -> Error {
    let message = "OpenSSL cannot be used with these settings of TLS";
    Error::new(ErrorKind::Config, message).with_source(cause)
}
