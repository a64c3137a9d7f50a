//! A topic as a sink, by transactions.
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryViewArray, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, SchemaRef};
use keymill::stream::{Delivery, EpochOutput, Sink, SinkContext};
use keymill::write::Format;
use keymill::{Error, ErrorKind, Result};

use super::failure::failed;
use super::group::GroupEpoch;
use super::producer::{Purpose, Transactions};
use super::{KafkaGroup, KafkaSettings};

/// The topic in which queries note their last epochs.
const TOKENS: &str = "keymill-epochs";

/// Writes a message for each row: its key is the bytes of the key column, its value a JSON object of the
/// other columns. A key of several columns is a JSON object.
///
/// The messages of an epoch and a token with its number are one transaction, so that readers of committed
/// messages see every epoch once. The tokens are in the topic `keymill-epochs`, or in that of the setting
/// `epochs.topic`; it is created if it is not there. The transactional id is `keymill-QUERY-TOPIC`, the
/// same after restarts, or the setting `transactional.id`. All other settings are those of librdkafka.
pub struct KafkaSink {
    place: KafkaSettings,
    tokens: String,
    id: Option<String>,
    group: Option<KafkaGroup>,
    started: Option<Started>,
}

struct Started {
    context: SinkContext,
    id: String,
    /// `None` after an error, and after a commit whose answer is not known.
    transactions: Option<Transactions>,
    last: Option<u64>,
    is_prepared: bool,
    /// The last epoch of which a commit was tried.
    tried: Option<u64>,
}

impl KafkaSink {
    /// Writes to a topic.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the settings name several topics.
    pub fn new(place: KafkaSettings) -> Result<Self> {
        let mut place = place.one_topic()?;
        let tokens = place.take("epochs.topic");
        Ok(Self {
            tokens: tokens.unwrap_or_else(|| TOKENS.to_owned()),
            id: place.take("transactional.id"),
            group: None,
            place,
            started: None,
        })
    }

    /// Commits the offsets of the source of this group in the transactions of the results. The query has no
    /// checkpoint then, and there are no tokens: the offsets say which epochs are there.
    #[must_use]
    pub fn with_offsets_of(mut self, group: &KafkaGroup) -> Self {
        group.set_sink();
        self.group = Some(group.clone());
        self
    }

    fn connect(
        place: &KafkaSettings,
        tokens: Option<&str>,
        started: &mut Started,
    ) -> Result<Transactions> {
        if let Some(transactions) = started.transactions.take() {
            return Ok(transactions);
        }
        let purpose = Purpose {
            tokens,
            id: &started.id,
            query: &started.context.query,
            stopping: &started.context.stopping,
        };
        let (transactions, last) = Transactions::new(place, &purpose)?;
        started.last = last.max(started.last.filter(|_| tokens.is_none()));
        Ok(transactions)
    }

    /// Runs `work` on a connection. After an error the next one begins with a new connection.
    fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Transactions, &mut Started) -> Result<T>,
    ) -> Result<T> {
        let not_started = || Error::new(ErrorKind::Internal, "the sink was not started");
        let started = self.started.as_mut().ok_or_else(not_started)?;
        let tokens = self.group.is_none().then_some(&*self.tokens);
        let mut transactions = Self::connect(&self.place, tokens, started)?;
        let done = work(&mut transactions, started)?;
        started.transactions = Some(transactions);
        Ok(done)
    }
}

impl Sink for KafkaSink {
    fn describe(&self) -> String {
        self.place.describe()
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        let id = format!("keymill-{}-{}", context.query, self.place.topic);
        self.started = Some(Started {
            context: context.clone(),
            id: self.id.clone().unwrap_or(id),
            transactions: None,
            last: None,
            is_prepared: false,
            tried: None,
        });
        let group = self.group.clone();
        self.run(|transactions, _| match group {
            None => Ok(()),
            Some(group) => match group.consumer() {
                Some(consumer) => transactions.check_cluster(&consumer),
                None => {
                    let message =
                        "the sink commits the offsets of a group in which the source is not";
                    Err(Error::new(ErrorKind::Config, message))
                }
            },
        })
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        self.run(|_, started| Ok(started.last))
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let group = self.group.clone();
        self.run(|transactions, started| {
            started.is_prepared = false;
            // A commit whose answer was lost has arrived.
            if started.last.is_some_and(|last| last >= output.epoch) {
                return Ok(());
            }
            let offsets = group.as_ref().and_then(KafkaGroup::epoch);
            if let Some(offsets) = offsets
                .as_ref()
                .filter(|_| started.tried == Some(output.epoch))
                && is_over(offsets)?
            {
                return Ok(());
            }
            transactions.begin()?;
            for batch in output.batches {
                let messages = Messages::of(&batch?, started.context.key_columns)?;
                messages.send(transactions)?;
            }
            transactions.finish(output.epoch)?;
            started.is_prepared = match &offsets {
                Some(offsets) => transactions.send_offsets(offsets)?,
                None => true,
            };
            if let (false, Some(group)) = (started.is_prepared, group) {
                group.give_up();
            }
            Ok(())
        })
    }

    fn commit(&mut self, epoch: u64) -> Result<()> {
        if !self.started.as_ref().is_some_and(|it| it.is_prepared) {
            return Ok(());
        }
        self.run(|transactions, started| {
            started.tried = Some(epoch);
            transactions.commit()?;
            started.is_prepared = false;
            started.last = Some(epoch);
            Ok(())
        })
    }

    fn commits_offsets(&self) -> bool {
        self.group.is_some()
    }
}

fn is_over(offsets: &GroupEpoch) -> Result<bool> {
    offsets.is_over().map_err(|cause| {
        let message = "the offsets of the group are not known";
        failed(ErrorKind::Sink, message, cause)
    })
}

/// The keys and values of the messages of a batch.
struct Messages {
    keys: Option<Keys>,
    /// One JSON object per line.
    values: Vec<u8>,
}

enum Keys {
    Bytes(BinaryViewArray),
    /// One JSON object per line.
    Objects(Vec<u8>),
}

impl Messages {
    fn of(batch: &RecordBatch, key_columns: usize) -> Result<Self> {
        let keys = match key_columns {
            0 => None,
            1 => Some(Keys::Bytes(bytes(batch.column(0))?)),
            _ => Some(Keys::Objects(json(batch, 0..key_columns)?)),
        };
        let values = json(batch, key_columns..batch.num_columns())?;
        Ok(Self { keys, values })
    }

    fn send(&self, transactions: &Transactions) -> Result<()> {
        let mut objects = match &self.keys {
            Some(Keys::Objects(lines)) => Some(lines.split(|&byte| byte == b'\n')),
            _ => None,
        };
        let values = self.values.split(|&byte| byte == b'\n');
        for (row, value) in values.filter(|value| !value.is_empty()).enumerate() {
            let key = match &self.keys {
                None => None,
                Some(Keys::Bytes(keys)) => keys.is_valid(row).then(|| keys.value(row)),
                Some(Keys::Objects(_)) => objects.as_mut().and_then(Iterator::next),
            };
            transactions.send(key, value)?;
        }
        Ok(())
    }
}

/// The values of a column as bytes; those that are no text as text.
fn bytes(column: &ArrayRef) -> Result<BinaryViewArray> {
    let is_text = matches!(
        column.data_type(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    );
    let text = if is_text {
        Ok(column.clone())
    } else {
        cast(column, &DataType::Utf8View)
    };
    let bytes = text.and_then(|text| cast(&text, &DataType::BinaryView));
    let bytes = bytes.map_err(|cause| {
        let message = format!(
            "a key of type {} cannot be written to Kafka",
            column.data_type()
        );
        Error::new(ErrorKind::Sink, message).with_source(cause)
    })?;
    Ok(bytes.as_binary_view().clone())
}

/// Some columns as JSON objects, one per line.
fn json(batch: &RecordBatch, columns: std::ops::Range<usize>) -> Result<Vec<u8>> {
    if columns.is_empty() {
        return Ok(b"{}\n".repeat(batch.num_rows()));
    }
    let columns: Vec<usize> = columns.collect();
    let part = batch.project(&columns).map_err(|cause| {
        let message = "the columns of a message cannot be had";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })?;
    let schema: SchemaRef = Arc::clone(part.schema_ref());
    let mut text = Vec::new();
    {
        let mut writer = Format::Json.writer(&schema, &mut text)?;
        writer.write(&part)?;
        writer.finish()?;
    }
    Ok(text)
}
