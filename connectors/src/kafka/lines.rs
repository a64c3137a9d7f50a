//! Lines to a topic, and the messages of a topic as lines: without a stream.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, ClientContext, Message};

use super::KafkaSettings;
use super::failure::failed;
use super::partitions::partitions;
use super::producer::send;

/// How long the last messages are waited for.
const FLUSH: Duration = Duration::from_secs(60);

/// Writes messages without keys to a topic.
pub struct KafkaLines {
    place: KafkaSettings,
    producer: BaseProducer<Failures>,
    failures: Failures,
}

/// Counts the messages that were not delivered.
#[derive(Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl KafkaLines {
    /// Connects to a topic.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a setting is wrong.
    pub fn new(place: KafkaSettings) -> Result<Self> {
        let place = place.one_topic()?;
        let failures = Failures::default();
        let config = place.config(
            &[
                ("enable.idempotence", "true"),
                ("partitioner", "murmur2_random"),
                ("linger.ms", "5"),
            ],
            &[],
        )?;
        let producer = ClientConfig::create_with_context(&config, failures.clone());
        let producer = producer.map_err(|cause| place.refused(cause))?;
        Ok(Self {
            place,
            producer,
            failures,
        })
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if the client does not take it: it may be too large.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        let record = BaseRecord::<[u8], [u8]>::to(&self.place.topic).payload(message);
        self.producer.poll(Duration::ZERO);
        send(&self.producer, record).map_err(|cause| self.failed(cause))
    }

    /// Waits until the broker has all messages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if it does not have all of them.
    pub fn finish(self) -> Result<()> {
        let flushed = self.producer.flush(FLUSH);
        flushed.map_err(|cause| self.failed(cause))?;
        match self.failures.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            lost => {
                let message = format!("`{}` did not take {lost} messages", self.place.describe());
                Err(Error::new(ErrorKind::Sink, message))
            }
        }
    }

    fn failed(&self, cause: KafkaError) -> Error {
        let message = format!("`{}` does not take messages", self.place.describe());
        failed(ErrorKind::Sink, &message, cause)
    }
}

/// Reads the messages of a topic, from the first one on.
pub struct KafkaReader {
    place: KafkaSettings,
    consumer: BaseConsumer,
    unread: BTreeSet<i32>,
}

impl KafkaReader {
    /// Reads a topic: all messages, or only those of committed transactions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a setting is wrong, [`ErrorKind::Source`] if there is no such topic.
    pub fn new(place: KafkaSettings, only_committed: bool) -> Result<Self> {
        let place = place.one_topic()?;
        let isolation = if only_committed {
            "read_committed"
        } else {
            "read_uncommitted"
        };
        let consumer: BaseConsumer = place.create(
            &[("group.id", "keymill"), ("fetch.queue.backoff.ms", "1")],
            &[
                ("isolation.level", isolation),
                ("enable.auto.commit", "false"),
                ("enable.partition.eof", "true"),
                ("auto.offset.reset", "earliest"),
            ],
        )?;
        let unread: BTreeSet<i32> = partitions(&consumer, &place, &place.topic)?
            .into_iter()
            .collect();
        let mut list = TopicPartitionList::new();
        let added = unread
            .iter()
            .try_for_each(|&id| list.add_partition_offset(&place.topic, id, Offset::Beginning));
        added
            .and_then(|()| consumer.assign(&list))
            .map_err(|cause| {
                let message = format!("`{}` cannot be read", place.describe());
                failed(ErrorKind::Source, &message, cause)
            })?;
        Ok(Self {
            place,
            consumer,
            unread,
        })
    }

    /// Calls `take` with the key and the value of the next message, if one comes within `wait`. Returns
    /// whether all partitions were read to their ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] if the topic cannot be read, and those of `take`.
    pub fn next(
        &mut self,
        wait: Duration,
        take: impl FnOnce(Option<&[u8]>, Option<&[u8]>) -> Result<()>,
    ) -> Result<bool> {
        match self.consumer.poll(wait) {
            Some(Ok(message)) => take(message.key(), message.payload())?,
            Some(Err(KafkaError::PartitionEOF(id))) => {
                self.unread.remove(&id);
            }
            Some(Err(cause)) => {
                let message = format!("`{}` cannot be read", self.place.describe());
                let error = failed(ErrorKind::Source, &message, cause);
                if error.kind() != ErrorKind::Unavailable {
                    return Err(error);
                }
            }
            None => {}
        }
        Ok(self.unread.is_empty())
    }
}
