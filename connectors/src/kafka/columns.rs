//! Messages as rows: the columns that every message has.
#![forbid(unsafe_code)]

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    BinaryBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMillisecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use keymill::{Error, ErrorKind, Result};
use rdkafka::Message;
use rdkafka::message::Headers;
use serde_json::Value;

/// `topic`, `partition`, `offset`, `timestamp`, `key`, `value` and `headers`.
pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("topic", DataType::Utf8, true),
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
        Field::new("timestamp", time, true),
        Field::new("key", DataType::Binary, true),
        Field::new("value", DataType::Binary, true),
        Field::new("headers", DataType::Utf8, true),
    ]))
});

/// The columns of messages.
#[derive(Default)]
pub(super) struct Columns {
    topic: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    timestamp: TimestampMillisecondBuilder,
    key: BinaryBuilder,
    value: BinaryBuilder,
    headers: StringBuilder,
}

impl Columns {
    /// Adds a message. Returns its bytes.
    pub(super) fn push(&mut self, message: &impl Message) -> usize {
        self.topic.append_value(message.topic());
        self.partition.append_value(message.partition());
        self.offset.append_value(message.offset());
        self.timestamp
            .append_option(message.timestamp().to_millis());
        self.key.append_option(message.key());
        self.value.append_option(message.payload());
        let headers = headers(message);
        self.headers.append_option(headers.as_deref());
        let parts = [message.key(), message.payload()].into_iter().flatten();
        let parts: usize = parts.map(<[u8]>::len).sum();
        parts + message.topic().len() + headers.map_or(0, |it| it.len()) + 32
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.timestamp.finish().with_timezone("UTC")),
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.headers.finish()),
        ];
        RecordBatch::try_new(SCHEMA.clone(), columns).map_err(|cause| {
            let message = "the columns of messages do not fit";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })
    }
}

/// Headers as a JSON array of pairs, as a name may come twice: `[["trace","7"]]`.
fn headers(message: &impl Message) -> Option<String> {
    let headers = message.headers()?;
    let pairs = headers.iter().map(|header| {
        let value = header.value.map(String::from_utf8_lossy);
        Value::from(vec![Value::from(header.key), Value::from(value)])
    });
    Some(Value::Array(pairs.collect()).to_string())
}
