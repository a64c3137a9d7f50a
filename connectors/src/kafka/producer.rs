//! Transactions of a topic, and the token of the last epoch.
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::{Cancel, Error, ErrorKind, Result};
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::KafkaSettings;
use super::failure::{failed, is_rebalance, is_unfinished};
use super::group::{GroupConsumer, GroupEpoch};
use super::offsets;
use super::partitions::offset_at;
use super::patience::{self, Patience};
use super::settings::ANSWER;

/// How long a transaction may take to begin or to end.
const TRANSACTION: Duration = Duration::from_secs(30);

/// How long transactions of other queries are waited for.
const OTHERS: Duration = Duration::from_secs(90);

/// How long the transaction of a process in a group may be open, in milliseconds: if the process dies, the others
/// wait for its end before they read on.
const IN_GROUP: &str = "15000";

/// What a connection is made for.
pub(super) struct Purpose<'a> {
    /// The topic of the tokens of all queries; `None` if the group of the source has the offsets.
    pub(super) tokens: Option<&'a str>,
    /// The transactional id.
    pub(super) id: &'a str,
    pub(super) query: &'a str,
    /// Cancelled when the query is to end.
    pub(super) stopping: &'a Cancel,
}

/// A producer with a transactional id, and the tokens under that id.
pub(super) struct Transactions {
    place: KafkaSettings,
    tokens: Option<String>,
    id: String,
    /// The key of the tokens of this query. Another query with the same transactional id has another key.
    key: String,
    producer: BaseProducer,
    is_open: bool,
    stopping: Cancel,
}

impl Transactions {
    /// Ends the transaction that an earlier process left open, and reads the last token.
    pub(super) fn new(place: &KafkaSettings, purpose: &Purpose<'_>) -> Result<(Self, Option<u64>)> {
        let timeout = match purpose.tokens {
            Some(_) => "60000",
            None => IN_GROUP,
        };
        let producer = place.create(
            &[
                ("partitioner", "murmur2_random"),
                ("linger.ms", "5"),
                ("transaction.timeout.ms", timeout),
            ],
            &[
                ("transactional.id", purpose.id),
                ("enable.idempotence", "true"),
            ],
        )?;
        let this = Self {
            place: place.clone(),
            tokens: purpose.tokens.map(str::to_owned),
            id: purpose.id.to_owned(),
            key: format!("{} {}", purpose.query, purpose.id),
            producer,
            is_open: false,
            stopping: purpose.stopping.clone(),
        };
        let begun = this.patiently(|wait| this.producer.init_transactions(wait));
        begun.map_err(|cause| this.failed("begins no transactions", cause))?;
        let last = match &this.tokens {
            Some(tokens) => {
                this.create_topic(tokens)?;
                this.last_token(tokens)?
            }
            None => None,
        };
        Ok((this, last))
    }

    /// Calls a step of a transaction until it is done. After a time-out the step continues where it was.
    fn patiently(
        &self,
        mut step: impl FnMut(Duration) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        let mut patience = Patience::new(TRANSACTION, &self.stopping);
        loop {
            match step(patience::STEP) {
                Err(error) if is_unfinished(&error) && !patience.is_over() => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }

    fn failed(&self, what: &str, cause: KafkaError) -> Error {
        let message = match &cause {
            KafkaError::Transaction(error) if error.is_fatal() => format!(
                "`{}` {what}: another process writes with the transactional id `{}`, or the transaction \
                 took longer than `transaction.timeout.ms`",
                self.place.describe(),
                self.id
            ),
            _ => format!("`{}` {what}", self.place.describe()),
        };
        failed(ErrorKind::Sink, &message, cause)
    }

    fn create_topic(&self, tokens: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.place.create(&[], &[])?;
        let topic = NewTopic::new(tokens, 1, TopicReplication::Fixed(-1))
            .set("cleanup.policy", "compact")
            .set("segment.ms", "600000")
            .set("min.cleanable.dirty.ratio", "0.1");
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let created = futures_executor::block_on(admin.create_topics([&topic], &options));
        let created = created.map_err(|cause| self.failed("creates no topic", cause))?;
        match created.first() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | Some(Ok(_)) | None => Ok(()),
            Some(Err((_, code))) => {
                let what = format!("creates no topic `{tokens}`");
                Err(self.failed(&what, KafkaError::AdminOp(*code)))
            }
        }
    }

    /// The last token under the id.
    fn last_token(&self, tokens: &str) -> Result<Option<u64>> {
        let consumer = |isolation: &str| -> Result<BaseConsumer> {
            self.place.create(
                &[("group.id", "keymill")],
                &[
                    ("isolation.level", isolation),
                    ("enable.auto.commit", "false"),
                    ("enable.partition.eof", "true"),
                    ("auto.offset.reset", "earliest"),
                ],
            )
        };
        let committed = consumer("read_committed")?;
        self.wait_for_others(tokens, &consumer("read_uncommitted")?, &committed)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(tokens, 0, Offset::Beginning)
            .and_then(|()| committed.assign(&list))
            .map_err(|cause| self.failed("has no tokens", cause))?;
        let (mut last, mut patience) = (None, Patience::new(OTHERS, &self.stopping));
        loop {
            match committed.poll(Duration::from_millis(100)) {
                Some(Ok(message)) if message.key() == Some(self.key.as_bytes()) => {
                    let epoch = message.payload().and_then(|it| str::from_utf8(it).ok());
                    last = epoch.and_then(|epoch| epoch.parse().ok());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
                _ if patience.is_over() => return Err(self.silent(tokens)),
                _ => {}
            }
        }
    }

    /// Waits until all transactions that are open now have ended: before that, messages after the first
    /// of them are hidden, and so may our own token be.
    fn wait_for_others(
        &self,
        tokens: &str,
        all: &BaseConsumer,
        committed: &BaseConsumer,
    ) -> Result<()> {
        let end = |consumer: &BaseConsumer| offset_at(consumer, tokens, 0, Offset::End);
        let mut patience = Patience::new(OTHERS, &self.stopping);
        let mut wanted = None;
        while !patience.is_over() {
            // The topic may be new, and have no leader yet.
            if wanted.is_none() {
                wanted = end(all).ok();
            }
            if wanted.is_some_and(|wanted| end(committed).is_ok_and(|end| end >= wanted)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(self.silent(tokens))
    }

    fn silent(&self, tokens: &str) -> Error {
        let message = format!(
            "`{}`: the topic `{tokens}` cannot be read to its end; a transaction of another query may be \
             open",
            self.place.describe()
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        self.abort()?;
        let begun = self.producer.begin_transaction();
        begun.map_err(|cause| self.failed("begins no transaction", cause))?;
        self.is_open = true;
        Ok(())
    }

    /// Gives up what is open.
    fn abort(&mut self) -> Result<()> {
        if self.is_open {
            let aborted = self.patiently(|wait| self.producer.abort_transaction(wait));
            aborted.map_err(|cause| self.failed("aborts no transaction", cause))?;
            self.is_open = false;
        }
        Ok(())
    }

    pub(super) fn send(&self, key: Option<&[u8]>, value: &[u8]) -> Result<()> {
        let record = BaseRecord::<[u8], [u8]>::to(&self.place.topic).payload(value);
        let record = match key {
            Some(key) => record.key(key),
            None => record,
        };
        send(&self.producer, record).map_err(|cause| self.failed("does not take a message", cause))
    }

    /// Sends the token of an epoch, and waits until the broker has all messages.
    pub(super) fn finish(&self, epoch: u64) -> Result<()> {
        let sent = self.send_token(epoch);
        sent.and_then(|()| self.patiently(|wait| self.producer.flush(wait)))
            .map_err(|cause| self.failed("does not take messages", cause))
    }

    fn send_token(&self, epoch: u64) -> Result<(), KafkaError> {
        let Some(tokens) = &self.tokens else {
            return Ok(());
        };
        let value = epoch.to_string();
        let token = BaseRecord::<[u8], [u8]>::to(tokens).partition(0);
        let token = token.key(self.key.as_bytes()).payload(value.as_bytes());
        send(&self.producer, token)
    }

    /// Adds the offsets of an epoch to the transaction. Returns `false`, and gives the transaction up, if
    /// partitions of the epoch belong to another process now.
    pub(super) fn send_offsets(&mut self, epoch: &GroupEpoch) -> Result<bool> {
        let list = offsets::to_list(&epoch.end);
        let sent = list.and_then(|list| {
            let send = |wait| {
                let producer = &self.producer;
                producer.send_offsets_to_transaction(&list, &epoch.metadata, wait)
            };
            self.patiently(send)
        });
        match sent {
            Ok(()) => Ok(true),
            Err(cause) if is_rebalance(&cause) => self.abort().map(|()| false),
            Err(cause) => Err(self.failed("does not take the offsets", cause)),
        }
    }

    /// Checks that the offsets of a group are at the same cluster as the results.
    pub(super) fn check_cluster(&self, consumer: &GroupConsumer) -> Result<()> {
        let own = self.producer.client().fetch_cluster_id(ANSWER);
        match own == consumer.client().fetch_cluster_id(ANSWER) {
            true => Ok(()),
            false => {
                let message = format!(
                    "`{}` is not at the cluster of the source: offsets and results cannot be one \
                     transaction; add a second sink such as `console:`, or copy the topic",
                    self.place.describe()
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        let committed = self.patiently(|wait| self.producer.commit_transaction(wait));
        committed.map_err(|cause| self.failed("commits no transaction", cause))?;
        self.is_open = false;
        Ok(())
    }
}

/// Sends a message, when the queue of the client has place for it.
pub(super) fn send<C: rdkafka::producer::ProducerContext<DeliveryOpaque = ()>>(
    producer: &BaseProducer<C>,
    mut record: BaseRecord<'_, [u8], [u8]>,
) -> Result<(), KafkaError> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                record = unsent;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error),
        }
    }
}
