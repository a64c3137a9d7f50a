//! Certificates, and a way by TLS to a server that does not speak it.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::command::Folder;

/// An authority, whose certificate is a file.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Writes its certificate to `NAME.pem`.
    pub(crate) fn new(folder: &Folder, name: &str) -> Self {
        let mut of = params(name, &[]);
        of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = CertifiedIssuer::self_signed(of, KeyPair::generate().unwrap()).unwrap();
        folder.file(&format!("{name}.pem"), made.pem());
        Self(made)
    }

    /// Writes a certificate for names and addresses to `NAME.pem`, its key to `NAME.key`, and both to `NAME.all`.
    pub(crate) fn issue(&self, folder: &Folder, name: &str, of: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let made = params(name, of).signed_by(&key, &self.0).unwrap();
        let (certificate, key) = (made.pem(), key.serialize_pem());
        folder.file(&format!("{name}.all"), format!("{key}{certificate}"));
        folder.file(&format!("{name}.pem"), certificate);
        folder.file(&format!("{name}.key"), key);
    }
}

fn params(name: &str, of: &[&str]) -> CertificateParams {
    let of: Vec<String> = of.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(of).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A server of TLS that passes everything on.
pub(crate) struct Proxy {
    /// HOST:PORT
    pub(crate) address: String,
    _runtime: Runtime,
}

impl Proxy {
    /// With the certificate `NAME.pem`.
    pub(crate) fn new(to: &str, folder: &Folder, name: &str) -> Self {
        Self::with(to, folder, name, WebPkiClientVerifier::no_client_auth())
    }

    /// The same, for clients with a certificate of an authority.
    pub(crate) fn strict(to: &str, folder: &Folder, name: &str, clients: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(folder, clients));
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        Self::with(to, folder, name, verifier.build().unwrap())
    }

    fn with(to: &str, folder: &Folder, name: &str, clients: Arc<dyn ClientCertVerifier>) -> Self {
        let chain = certificates(folder, name);
        let key = PrivateKeyDer::from_pem_file(folder.path(&format!("{name}.key"))).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(serve(listener, acceptor, to.to_owned()));
        Self {
            address,
            _runtime: runtime,
        }
    }
}

fn certificates(folder: &Folder, name: &str) -> Vec<CertificateDer<'static>> {
    let all = CertificateDer::pem_file_iter(folder.path(&format!("{name}.pem"))).unwrap();
    all.map(Result::unwrap).collect()
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, to: String) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, to) = (acceptor.clone(), to.clone());
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(stream).await else {
                return;
            };
            let mut server = TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

/// The setting that trusts the authority of a name.
pub(crate) fn trusting(folder: &Folder, name: &str) -> String {
    format!("tls.ca={}", folder.name(&format!("{name}.pem")))
}

/// A file of a wrong form for tests of messages.
pub(crate) fn no_certificate(folder: &Folder) -> String {
    let file = folder.path("none.pem");
    fs::write(&file, "no certificate\n").unwrap();
    format!("tls.ca={}", file.display())
}
