//! Clients of TLS by OpenSSL: whom they trust, and who they are.
#![forbid(unsafe_code)]

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

/// A client that trusts certificates from these authorities, or without them from those of the system.
pub(crate) fn client(trusted: Option<Vec<X509>>) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    if let Some(trusted) = trusted {
        let mut store = X509StoreBuilder::new()?;
        for certificate in trusted {
            store.add_cert(certificate)?;
        }
        builder.set_cert_store(store.build());
    } else if let Some(file) = openssl_probe::probe().cert_file {
        // The OpenSSL that is compiled in does not know where this system has its certificates.
        builder.set_ca_file(file)?;
    }
    Ok(builder)
}

/// Makes a client show its certificate, the first of these, and those that sign it.
pub(crate) fn identify(
    builder: &mut SslConnectorBuilder,
    certificates: Vec<X509>,
    key: &PKey<Private>,
) -> Result<(), ErrorStack> {
    let mut certificates = certificates.into_iter();
    if let Some(own) = certificates.next() {
        builder.set_certificate(&own)?;
    }
    for other in certificates {
        builder.add_extra_chain_cert(other)?;
    }
    builder.set_private_key(key)
}

/// A key in PEM, which may be encrypted.
pub(crate) fn private_key(pem: &[u8], password: Option<&str>) -> Result<PKey<Private>, ErrorStack> {
    // Without a password OpenSSL would ask for it on the terminal.
    let password = password.unwrap_or_default();
    PKey::private_key_from_pem_passphrase(pem, password.as_bytes())
}
