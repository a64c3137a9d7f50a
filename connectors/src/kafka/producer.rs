//! Transactions of a topic, and the token of the last epoch.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use keymill::{Error, ErrorKind, Result};
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::KafkaSettings;
use super::failure::failed;
use super::settings::ANSWER;

/// How long a transaction may take to begin or to end.
const TRANSACTION: Duration = Duration::from_secs(30);

/// How long transactions of other queries are waited for.
const OTHERS: Duration = Duration::from_secs(90);

/// A producer with a transactional id, and the tokens under that id.
pub(super) struct Transactions {
    place: KafkaSettings,
    /// The topic of the tokens of all queries.
    tokens: String,
    id: String,
    /// The key of the tokens of this query. Another query with the same transactional id has another key.
    key: String,
    producer: BaseProducer,
    is_open: bool,
}

impl Transactions {
    /// Ends the transaction that an earlier process left open, and reads the last token.
    pub(super) fn new(
        place: &KafkaSettings,
        tokens: &str,
        id: &str,
        query: &str,
    ) -> Result<(Self, Option<u64>)> {
        let producer = place.create(
            &[("partitioner", "murmur2_random"), ("linger.ms", "5")],
            &[("transactional.id", id), ("enable.idempotence", "true")],
        )?;
        let this = Self {
            place: place.clone(),
            tokens: tokens.to_owned(),
            id: id.to_owned(),
            key: format!("{query} {id}"),
            producer,
            is_open: false,
        };
        let begun = this.producer.init_transactions(TRANSACTION);
        begun.map_err(|cause| this.failed("begins no transactions", cause))?;
        this.create_topic()?;
        let last = this.last_token()?;
        Ok((this, last))
    }

    fn failed(&self, what: &str, cause: KafkaError) -> Error {
        let message = match &cause {
            KafkaError::Transaction(error) if error.is_fatal() => format!(
                "`{}` {what}: another process writes with the transactional id `{}`",
                self.place.describe(),
                self.id
            ),
            _ => format!("`{}` {what}", self.place.describe()),
        };
        failed(ErrorKind::Sink, &message, cause)
    }

    fn create_topic(&self) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.place.create(&[], &[])?;
        let topic = NewTopic::new(&self.tokens, 1, TopicReplication::Fixed(-1))
            .set("cleanup.policy", "compact")
            .set("segment.ms", "600000")
            .set("min.cleanable.dirty.ratio", "0.1");
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let created = futures_executor::block_on(admin.create_topics([&topic], &options));
        let created = created.map_err(|cause| self.failed("creates no topic", cause))?;
        match created.first() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | Some(Ok(_)) | None => Ok(()),
            Some(Err((_, code))) => {
                let what = format!("creates no topic `{}`", self.tokens);
                Err(self.failed(&what, KafkaError::AdminOp(*code)))
            }
        }
    }

    /// The last token under the id.
    fn last_token(&self) -> Result<Option<u64>> {
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
        self.wait_for_others(&consumer("read_uncommitted")?, &committed)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.tokens, 0, Offset::Beginning)
            .and_then(|()| committed.assign(&list))
            .map_err(|cause| self.failed("has no tokens", cause))?;
        let (mut last, until) = (None, Instant::now() + OTHERS);
        loop {
            match committed.poll(Duration::from_millis(100)) {
                Some(Ok(message)) if message.key() == Some(self.key.as_bytes()) => {
                    let epoch = message.payload().and_then(|it| str::from_utf8(it).ok());
                    last = epoch.and_then(|epoch| epoch.parse().ok());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
                _ if Instant::now() > until => return Err(self.silent()),
                _ => {}
            }
        }
    }

    /// Waits until all transactions that are open now have ended: before that, messages after the first
    /// of them are hidden, and so may our own token be.
    fn wait_for_others(&self, all: &BaseConsumer, committed: &BaseConsumer) -> Result<()> {
        let end = |consumer: &BaseConsumer| {
            let marks = consumer.fetch_watermarks(&self.tokens, 0, ANSWER);
            marks.map(|(_, end)| end)
        };
        let until = Instant::now() + OTHERS;
        let mut wanted = None;
        while Instant::now() < until {
            // The topic may be new, and have no leader yet.
            if wanted.is_none() {
                wanted = end(all).ok();
            }
            if wanted.is_some_and(|wanted| end(committed).is_ok_and(|end| end >= wanted)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(self.silent())
    }

    fn silent(&self) -> Error {
        let message = format!(
            "`{}`: the topic `{}` cannot be read to its end",
            self.place.describe(),
            self.tokens
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        if self.is_open {
            let aborted = self.producer.abort_transaction(TRANSACTION);
            aborted.map_err(|cause| self.failed("aborts no transaction", cause))?;
        }
        let begun = self.producer.begin_transaction();
        begun.map_err(|cause| self.failed("begins no transaction", cause))?;
        self.is_open = true;
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
        let value = epoch.to_string();
        let token = BaseRecord::<[u8], [u8]>::to(&self.tokens).partition(0);
        let token = token.key(self.key.as_bytes()).payload(value.as_bytes());
        let sent = send(&self.producer, token);
        sent.and_then(|()| self.producer.flush(TRANSACTION))
            .map_err(|cause| self.failed("does not take messages", cause))
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        let committed = self.producer.commit_transaction(TRANSACTION);
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
