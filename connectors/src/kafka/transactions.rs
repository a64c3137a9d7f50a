//! The transactions that brokers know: lists them, and aborts those that were left open.
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use super::KafkaSettings;
use super::failure::failed;
use super::login::Login;
use super::settings::ANSWER;
use super::wire;

/// How long ending a transaction may take.
const ABORT: Duration = Duration::from_secs(30);

/// A transactional id, and the state of its last transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct KafkaTransaction {
    /// The transactional id.
    pub id: String,
    /// The number of its producer.
    pub producer: i64,
    /// The state, as Kafka names it: `Ongoing`, `CompleteCommit`, `CompleteAbort` and so on.
    pub state: String,
}

impl KafkaTransaction {
    /// Whether readers of committed messages wait for its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "Ongoing"
    }
}

/// The transactions of a cluster.
pub struct KafkaTransactions {
    place: KafkaSettings,
}

impl KafkaTransactions {
    /// The transactions at these brokers; the topic does not matter.
    #[must_use]
    pub fn new(place: KafkaSettings) -> Self {
        Self { place }
    }

    /// All transactional ids, in order. It asks every broker.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] if a broker does not answer or refuses the login, and [`ErrorKind::Config`] for
    /// SASL mechanisms but `PLAIN` and SCRAM, and for settings of TLS that are not taken here.
    pub fn list(&self) -> Result<Vec<KafkaTransaction>> {
        let consumer: BaseConsumer = self.place.create(&[("group.id", "keymill")], &[])?;
        let login = Login::new(&self.place)?;
        let metadata = consumer.fetch_metadata(None, ANSWER);
        let metadata = metadata.map_err(|cause| self.failed("does not answer", cause))?;
        let mut all = Vec::new();
        for broker in metadata.brokers() {
            let port = u16::try_from(broker.port()).unwrap_or(0);
            let listed = wire::list_transactions(broker.host(), port, &login);
            let listed = listed.map_err(|cause| {
                let message = format!(
                    "the broker {}:{port} does not list its transactions",
                    broker.host()
                );
                Error::new(ErrorKind::Source, message).with_source(cause)
            })?;
            let listed = listed.into_iter();
            all.extend(listed.map(|(id, producer, state)| KafkaTransaction {
                id,
                producer,
                state,
            }));
        }
        all.sort_unstable();
        Ok(all)
    }

    /// Ends the open transaction of a transactional id, if there is one. A producer that still uses the id
    /// is fenced: its next request fails.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if the broker refuses.
    pub fn abort(&self, id: &str) -> Result<()> {
        let producer: BaseProducer = self.place.create(&[], &[("transactional.id", id)])?;
        let begun = producer.init_transactions(ABORT);
        begun
            .map_err(|cause| self.failed(&format!("does not end the transaction of `{id}`"), cause))
    }

    fn failed(&self, what: &str, cause: KafkaError) -> Error {
        let message = format!("`{}` {what}", self.place.describe());
        failed(ErrorKind::Sink, &message, cause)
    }
}
