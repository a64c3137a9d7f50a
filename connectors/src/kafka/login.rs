//! TLS and SASL of our own connections to brokers, by the settings of librdkafka.
//!
//! librdkafka cannot list transactions, so that this connection is not its own.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::TcpStream;

use keymill::{Error, ErrorKind, Result};

use super::KafkaSettings;
#[cfg(feature = "kafka-tls")]
use super::tls::Tls;

/// A stream of bytes in both directions.
pub(super) trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

/// The mechanism by which the user logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    #[cfg(feature = "kafka-tls")]
    ScramSha256,
    #[cfg(feature = "kafka-tls")]
    ScramSha512,
}

impl Mechanism {
    /// The name, as brokers and librdkafka have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            #[cfg(feature = "kafka-tls")]
            Self::ScramSha256 => "SCRAM-SHA-256",
            #[cfg(feature = "kafka-tls")]
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    const ALL: &[Self] = &[
        Self::Plain,
        #[cfg(feature = "kafka-tls")]
        Self::ScramSha256,
        #[cfg(feature = "kafka-tls")]
        Self::ScramSha512,
    ];
}

/// A user, and how it logs in.
pub(super) struct Sasl {
    pub(super) mechanism: Mechanism,
    pub(super) user: String,
    pub(super) password: String,
}

/// What a connection needs before its first request.
pub(super) struct Login {
    #[cfg(feature = "kafka-tls")]
    tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
}

impl Login {
    /// The login of these settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a mechanism or a setting that only librdkafka has, and for files that are not
    /// what they should be.
    pub(super) fn new(place: &KafkaSettings) -> Result<Self> {
        let protocol = place.get("security.protocol").unwrap_or("plaintext");
        let protocol = protocol.to_ascii_lowercase();
        let sasl = match protocol.starts_with("sasl_") {
            true => Some(sasl(place)?),
            false => None,
        };
        Ok(Self {
            #[cfg(feature = "kafka-tls")]
            tls: match protocol.ends_with("ssl") {
                true => Some(Tls::new(place)?),
                false => None,
            },
            sasl,
        })
    }

    pub(super) fn encrypt(&self, host: &str, stream: TcpStream) -> io::Result<Box<dyn Duplex>> {
        #[cfg(feature = "kafka-tls")]
        if let Some(tls) = &self.tls {
            return Ok(Box::new(tls.connect(host, stream)?));
        }
        let _ = host;
        Ok(Box::new(stream))
    }
}

fn sasl(place: &KafkaSettings) -> Result<Sasl> {
    let name = place
        .get("sasl.mechanisms")
        .or_else(|| place.get("sasl.mechanism"));
    let name = name.unwrap_or("GSSAPI");
    let mut all = Mechanism::ALL.iter();
    let mechanism = all.find(|it| it.name().eq_ignore_ascii_case(name));
    let names = Mechanism::ALL.iter().map(|it| it.name());
    let mechanism = mechanism.ok_or_else(|| {
        let message = format!(
            "transactions cannot be listed with the SASL mechanism `{name}`, only with {}",
            names.collect::<Vec<_>>().join(", ")
        );
        Error::new(ErrorKind::Config, message)
    })?;
    let text = |name| place.get(name).unwrap_or_default().to_owned();
    Ok(Sasl {
        mechanism: *mechanism,
        user: text("sasl.username"),
        password: text("sasl.password"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(settings: &[(&str, &str)]) -> Result<Login> {
        let place = KafkaSettings::new("a:1", "");
        let place = settings
            .iter()
            .fold(place, |place, (name, value)| place.set(*name, *value));
        Login::new(&place)
    }

    #[test]
    fn settings_of_the_client_make_a_login() {
        assert!(login(&[]).unwrap().sasl.is_none());
        let plain = login(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "alice"),
            ("sasl.password", "secret"),
        ]);
        let sasl = plain.unwrap().sasl.unwrap();
        assert_eq!(sasl.mechanism, Mechanism::Plain);
        assert_eq!((&*sasl.user, &*sasl.password), ("alice", "secret"));
        let refused = login(&[("security.protocol", "sasl_plaintext")]);
        let error = refused.err().unwrap();
        assert!(error.message().contains("`GSSAPI`"), "{error}");
    }

    #[cfg(feature = "kafka-tls")]
    #[test]
    fn settings_of_tls_that_are_not_taken_are_refused() {
        for (name, value, says) in [
            ("ssl.crl.location", "x.pem", "`ssl.crl.location`"),
            ("ssl.ca.location", "/no/such.pem", "cannot read"),
            ("ssl.ca.pem", "no certificate", "no certificate or key"),
        ] {
            let error = login(&[("security.protocol", "ssl"), (name, value)]);
            let error = error.err().map(|it| it.message().to_owned());
            assert!(
                error.as_ref().is_some_and(|it| it.contains(says)),
                "{error:?}"
            );
        }
    }
}
